/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A replica against its target. */
#include "engine/base/grow.h"
#include "engine/deliver/fits.h"
#include "engine/deliver/verify_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct copy {
	struct jb_verify *v;
	struct jb_delivery *d;
	struct jb_verify_dirs dirs;
	char words[JB_VERIFY_WORDS];
	int rv;
	struct jb_error *err;
};

struct names {
	struct jb_name_row *v; /* owned */
	size_t n;
};

static int on_name(void *arg, const struct jb_name_row *row)
{
	struct names *n = arg;

	n->v[n->n++] = *row;
	return 0;
}

static void add_rid(struct copy *c, struct jb_verify_rids *rids, uint64_t rid)
{
	uint64_t *v = jb_grow(rids->v, rids->n, &rids->cap, sizeof *v);

	if (v == NULL) {
		c->rv = jb_error_set(c->err, JB_ENOMEM, 0, "verify");
		return;
	}
	rids->v = v;
	v[rids->n++] = rid;
}

/* One that was taken over by size and time has no hash: then the source is
 * read, if it is still the same. */
static const char *compare_to_source(struct copy *c, struct jb_place p,
				     const struct jb_node_row *row,
				     const struct jb_hash *found)
{
	struct jb_target *t = c->d->target;
	const struct jb_stamp source = {row->src.ino, row->src.birth, row->size,
					row->mtime};
	struct jb_hash hash;

	if (t->ops->hash_source == NULL || row->src.ino == 0 ||
	    t->ops->hash_source(t, p, &source, &hash, NULL) != JB_OUTCOME_DONE)
		return NULL;
	return hash.low == found->low
		       ? NULL
		       : "not the source's content, though size and "
			 "time are the same";
}

static const char *compare_content(struct copy *c, struct jb_place p,
				   uint64_t rid, const struct jb_node_row *row)
{
	struct jb_target *t = c->d->target;
	const char *what = NULL;
	struct jb_hash hash;

	if (!c->v->content || !S_ISREG(row->type))
		return NULL;
	if (t->ops->hash(t, p, &row->at, &hash, c->err) != JB_OUTCOME_DONE)
		return "can't be read";
	if (row->hash == 0)
		what = compare_to_source(c, p, row, &hash);
	else if (jb_content_hash(&hash) != row->hash)
		what = "rot: its content changed, size and time did not";
	if (what != NULL)
		add_rid(c, &c->v->rotten, rid);
	return what;
}

/* *ret: what is there, unless something differs. */
static const char *compare_node(struct copy *c, struct jb_place p, uint64_t rid,
				const struct jb_node_row *row,
				struct jb_object *ret)
{
	struct jb_target *t = c->d->target;
	struct jb_error err = {0};
	struct jb_object o;
	enum jb_outcome out = t->ops->look(t, p, &o, &err);

	if (out == JB_OUTCOME_STOPPED) { /* all of it: that is told once */
		c->rv = err.code;
		*c->err = err;
		return NULL;
	}
	if (out == JB_OUTCOME_FOREIGN)
		return jb_reason_text(JB_REASON_HIDDEN);
	if (out != JB_OUTCOME_DONE)
		return jb_verify_unseen(c->words, err.foreign);
	if ((o.mode & S_IFMT) != row->type || o.ino != row->at.ino ||
	    o.birth != row->at.birth)
		return "somebody else's entry is there";
	if (!jb_stamp_fits(&row->at, &o))
		return "was changed at the target";
	*ret = o;
	return compare_content(c, p, rid, row);
}

static void tell_copy(struct copy *c, const char *path, const char *what)
{
	jb_verify_tell(c->v, "policy", c->d->policy->name, path, what);
}

static void check_attrs(struct copy *c, struct jb_place p, const char *path,
			uint64_t rid, const struct jb_node_row *row,
			const struct jb_object *o)
{
	const char *what = jb_verify_attrs(c->v, c->d, p, row, o);

	if (what == NULL)
		return;
	add_rid(c, &c->v->worn, rid);
	tell_copy(c, path, what);
}

static void check_name(struct copy *c, const char *dir,
		       const struct jb_name_row *name)
{
	struct jb_place p = {dir, name->name};
	char *path = jb_verify_join(dir, name->name);
	struct jb_node_row row;
	struct jb_object o;
	const char *what;

	if (path == NULL) {
		c->rv = jb_error_set(c->err, JB_ENOMEM, 0, "verify");
		return;
	}
	c->rv = jb_replica_node(c->d->replica, name->rid, &row, c->err);
	if (c->rv > 0) {
		c->v->checked++;
		what = compare_node(c, p, name->rid, &row, &o);
		if (what != NULL)
			tell_copy(c, path, what);
		else if (c->rv >= 0)
			check_attrs(c, p, path, name->rid, &row, &o);
		if (what == NULL && c->rv >= 0 && S_ISDIR(row.type))
			c->rv = jb_verify_push(&c->dirs, name->rid, path, "",
					       c->err);
	}
	free(path);
}

/* The names behind dir->after, a page of them. */
static void check_page(struct copy *c, const struct jb_verify_dir *dir,
		       struct names *names)
{
	size_t from;

	names->n = 0;
	c->rv = jb_replica_names_in(c->d->replica, dir->key, dir->after,
				    strlen(dir->after), JB_VERIFY_PAGE, on_name,
				    names, c->err);
	if (c->rv >= 0 && names->n == JB_VERIFY_PAGE)
		c->rv = jb_verify_push(&c->dirs, dir->key, dir->path,
				       names->v[names->n - 1].name, c->err);
	from = c->dirs.n;
	for (size_t i = 0; i < names->n && c->rv >= 0; i++)
		check_name(c, dir->path, &names->v[i]);
	jb_verify_in_order(&c->dirs, from);
}

static void check_tree(struct copy *c)
{
	struct names names = {malloc(JB_VERIFY_PAGE * sizeof *names.v), 0};
	struct jb_verify_dir dir;

	c->rv = names.v != NULL
			? jb_verify_push(&c->dirs, JB_RID_TOP, "", "", c->err)
			: jb_error_set(c->err, JB_ENOMEM, 0, "verify");
	while (c->rv >= 0 && jb_verify_pop(&c->dirs, &dir)) {
		check_page(c, &dir, &names);
		jb_verify_drop(&dir);
	}
	jb_verify_dirs_fini(&c->dirs);
	free(names.v);
}

/* The top, whose row holds nothing but its attributes, and all below. */
static void check_all(struct copy *c)
{
	struct jb_target *t = c->d->target;
	const struct jb_place top = {"", ""};
	struct jb_node_row row;
	struct jb_object o;

	c->rv = jb_replica_node(c->d->replica, JB_RID_TOP, &row, c->err);
	if (c->rv > 0 && t->ops->look(t, top, &o, c->err) == JB_OUTCOME_DONE)
		check_attrs(c, top, ".", JB_RID_TOP, &row, &o);
	if (c->rv >= 0)
		check_tree(c);
}

/* What is neither pending nor owed, since it was not yet looked at. */
static int count_undone(struct copy *c)
{
	struct jb_delivery *d = c->d;
	int64_t cursor = d->cursor, epoch = 0;
	int rv = jb_replica_get(d->replica, JB_KEY_EPOCH, 0, &epoch, c->err);

	c->v->unread = 0;
	c->v->owes_full = d->is_full || (uint64_t)epoch != d->journal.epoch;
	if (rv != JB_OK || c->v->owes_full || d->feed == NULL)
		return rv;
	rv = jb_verify_unread(d, &cursor, &c->v->unread, c->err);
	c->v->owes_full = rv == JB_EGAP;
	return rv == JB_EGAP ? JB_OK : rv;
}

int jb_verify_policy(struct jb_verify *v, const struct jb_config *config,
		     const char *policy, struct jb_error *err)
{
	struct copy c = {.v = v, .err = err};
	unsigned can;
	int rv;

	v->rotten.n = v->worn.n = 0;
	rv = jb_delivery_open(config, policy, true, &c.d, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_verify_open_journal(c.d, err);
	if (rv == JB_OK)
		rv = count_undone(&c);
	if (rv == JB_OK && c.d->uuid[0] != '\0')
		rv = jb_delivery_start_target(c.d, &can, err);
	if (rv == JB_OK && c.d->uuid[0] != '\0') {
		check_all(&c);
		rv = c.rv < 0 ? c.rv : JB_OK;
		c.d->target->ops->end(c.d->target);
	}
	if (rv == JB_OK && c.d->uuid[0] != '\0')
		rv = jb_verify_names(v, c.d, err);
	jb_delivery_close(c.d);
	return rv;
}
