/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/verify.h"

#include "engine/deliver/fits.h"
#include "engine/deliver/verify_priv.h"
#include "engine/base/grow.h"
#include "engine/base/pattern.h"
#include "transports/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE  500
#define WORDS 120

void jb_verify_tell(struct jb_verify *v, const char *kind, const char *name,
		    const char *path, const char *what)
{
	char where[320];

	snprintf(where, sizeof where, "%s %s", kind, name);
	v->differ++;
	v->tell(v->arg, where, path, what);
}

char *jb_verify_join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", dir, *dir != '\0' ? "/" : "", name) < 0)
		return NULL;
	return path;
}

/* What can't be looked at is not gone. */
static const char *say_unseen(char words[WORDS], int errnum)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return "is not there";
	snprintf(words, WORDS, "can't be looked at: %s", strerror(errnum));
	return words;
}

/* ---- databases */

int jb_verify_database(struct jb_verify *v, const char *path,
		       struct jb_error *err)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	const char *word;
	int rc, rv;

	if (access(path, F_OK) != 0)
		return JB_OK;
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st,
					NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		word = (const char *)sqlite3_column_text(st, 0);
		if (word != NULL && strcmp(word, "ok") != 0)
			jb_verify_tell(v, "database", path, "", word);
		rc = SQLITE_OK;
	}
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
		jb_verify_tell(v, "database", path, "", "is damaged");
		rc = SQLITE_DONE;
	}
	rv = rc == SQLITE_DONE ? JB_OK
			       : jb_store_error(db, rc, err, "%s", path);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return rv;
}

/* ---- a catalog and its tree */

struct live {
	struct jb_verify *v;
	const struct jb_config *config;
	const struct jb_config_root *root;
	struct jb_catalog_view *view;
	struct jb_tree tree;
	int rv;
	struct jb_error *err;
};

struct rows {
	struct jb_entry *v; /* owned */
	size_t n;
};

static int on_row(void *arg, const struct jb_entry *e)
{
	struct rows *r = arg;

	r->v[r->n++] = *e;
	return 0;
}

static const char *compare_entry(const struct jb_entry *e,
				 const struct jb_object *o)
{
	if (e->id.ino != o->ino || e->id.birth != o->birth)
		return "another entry is there";
	if (e->facts.mode != o->mode || e->facts.uid != o->uid ||
	    e->facts.gid != o->gid)
		return "mode or owner differ";
	if (S_ISREG(o->mode) &&
	    (e->facts.size != o->size || e->facts.mtime != o->mtime))
		return "size or time differ";
	return NULL;
}

static void check_dir(struct live *l, uint64_t key, const char *path);

static void check_row(struct live *l, int dirfd, const char *dir,
		      const struct jb_entry *e)
{
	char *path = jb_verify_join(dir, e->name), words[WORDS];
	const char *what = NULL;
	struct jb_object o;
	int rv;

	if (path == NULL)
		return;
	l->v->checked++;
	rv = jb_tree_look(dirfd, e->name, &o);
	if (rv < 0)
		what = say_unseen(words, -rv);
	else if (!(e->flags & JB_ENTRY_MOUNT))
		what = compare_entry(e, &o);
	if (what != NULL)
		jb_verify_tell(l->v, "root", l->root->name, path, what);
	else if (e->dirkey != 0 && !(e->flags & JB_ENTRY_MOUNT))
		check_dir(l, e->dirkey, path);
	free(path);
}

/* A target's own directory is not journalled. */
static bool is_own(struct live *l, int dirfd, const char *name)
{
	struct jb_object o;

	return strcmp(name, JB_OWN_DIR) == 0 &&
	       jb_tree_look(dirfd, name, &o) == 0 &&
	       jb_own_dirs_have(l->config, l->root,
				(struct jb_id){o.ino, o.birth});
}

/* All names that the directory has, and the catalog does not. */
static void check_names(struct live *l, int fd, uint64_t key, const char *path)
{
	DIR *dir = fdopendir(fd);
	char *full, words[WORDS];
	struct jb_entry e;
	struct dirent *d;

	if (dir == NULL) {
		close(fd);
		return;
	}
	while (errno = 0, (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    l->view->ops->at(l->view, key, d->d_name, strlen(d->d_name),
				     &e, l->err) != 0)
			continue;
		full = jb_verify_join(path, d->d_name);
		if (full != NULL &&
		    jb_patterns_takes(l->root->patterns, full, strlen(full),
				      d->d_type == DT_DIR) &&
		    !is_own(l, dirfd(dir), d->d_name))
			jb_verify_tell(l->v, "root", l->root->name, full,
				       "the journal does not know it");
		free(full);
	}
	if (errno != 0)
		jb_verify_tell(l->v, "root", l->root->name, path,
			       say_unseen(words, errno));
	closedir(dir);
}

static void check_dir(struct live *l, uint64_t key, const char *path)
{
	struct rows rows = {malloc(PAGE * sizeof *rows.v), 0};
	char after[JB_NAME_MAX + 1] = "", words[WORDS];
	int fd = jb_tree_enter(&l->tree, path, O_RDONLY);

	if (fd < 0 || rows.v == NULL) {
		jb_verify_tell(l->v, "root", l->root->name, path,
			       say_unseen(words, fd < 0 ? -fd : ENOMEM));
		free(rows.v);
		if (fd >= 0)
			close(fd);
		return;
	}
	do {
		rows.n = 0;
		l->rv = l->view->ops->children(l->view, key, after,
					       strlen(after), PAGE, on_row,
					       &rows, l->err);
		for (size_t i = 0; i < rows.n && l->rv >= 0; i++)
			check_row(l, fd, path, &rows.v[i]);
		if (rows.n > 0)
			snprintf(after, sizeof after, "%s",
				 rows.v[rows.n - 1].name);
	} while (rows.n == PAGE && l->rv >= 0);
	free(rows.v);
	check_names(l, fd, key, path);
}

/* One line for a root that is not mounted, not one for each of its entries. */
static void check_top(struct live *l, const struct jb_entry *top)
{
	struct jb_object o;

	if (jb_tree_look(l->tree.fd, "", &o) == 0 && o.ino == top->id.ino &&
	    o.birth == top->id.birth) {
		check_dir(l, top->dirkey, "");
		return;
	}
	l->v->checked++;
	jb_verify_tell(l->v, "root", l->root->name, l->root->path,
		       "another directory is there: is it mounted?");
}

int jb_verify_root(struct jb_verify *v, const struct jb_config *config,
		   const struct jb_config_root *root, struct jb_error *err)
{
	struct live l = {
		.v = v,
		.config = config,
		.root = root,
		.err = err,
		.tree = {.fd = -1},
	};
	struct jb_entry top;
	int rv;

	rv = jb_catalog_view_open(config->state_dir, root->name, &l.view, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_tree_open(&l.tree, root->path, "", err);
	if (rv == JB_OK) {
		rv = l.view->ops->top(l.view, &top, err);
		if (rv > 0)
			check_top(&l, &top);
		rv = rv < 0 ? rv : l.rv < 0 ? l.rv : JB_OK;
		jb_tree_close(&l.tree);
	}
	l.view->ops->close(l.view);
	return rv;
}

/* ---- a replica and its target */

struct copy {
	struct jb_verify *v;
	struct jb_delivery *d;
	char words[WORDS];
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
		return say_unseen(c->words, err.foreign);
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

static void check_copy(struct copy *c, uint64_t dir, const char *path);

static void check_name(struct copy *c, const char *dir,
		       const struct jb_name_row *name)
{
	struct jb_place p = {dir, name->name};
	char *path = jb_verify_join(dir, name->name);
	struct jb_node_row row;
	struct jb_object o;
	const char *what;

	if (path == NULL)
		return;
	c->rv = jb_replica_node(c->d->replica, name->rid, &row, c->err);
	if (c->rv > 0) {
		c->v->checked++;
		what = compare_node(c, p, name->rid, &row, &o);
		if (what != NULL)
			tell_copy(c, path, what);
		else if (c->rv >= 0)
			check_attrs(c, p, path, name->rid, &row, &o);
		if (what == NULL && c->rv >= 0 && S_ISDIR(row.type))
			check_copy(c, name->rid, path);
	}
	free(path);
}

static void check_copy(struct copy *c, uint64_t dir, const char *path)
{
	struct names names = {malloc(PAGE * sizeof *names.v), 0};
	char after[JB_NAME_MAX + 1] = "";

	if (names.v == NULL)
		return;
	do {
		names.n = 0;
		c->rv = jb_replica_names_in(c->d->replica, dir, after,
					    strlen(after), PAGE, on_name,
					    &names, c->err);
		for (size_t i = 0; i < names.n && c->rv >= 0; i++)
			check_name(c, path, &names.v[i]);
		if (names.n > 0)
			snprintf(after, sizeof after, "%s",
				 names.v[names.n - 1].name);
	} while (names.n == PAGE && c->rv >= 0);
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
		check_copy(c, JB_RID_TOP, "");
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

void jb_verify_fini(struct jb_verify *v)
{
	free(v->rotten.v);
	free(v->worn.v);
	v->rotten = v->worn = (struct jb_verify_rids){.n = 0};
}
