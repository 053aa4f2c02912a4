/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/listed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct reading {
	struct jb_listed *listed;
	struct jb_arena *arena;
	size_t n;
	struct jb_error *err;
};

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "full pass");
}

static bool copy_name(struct jb_arena *arena, const char *name, size_t len,
		      struct jb_listed_name *ret)
{
	ret->bytes = jb_arena_copy(arena, name, len);
	ret->len = (uint8_t)len;
	return ret->bytes != NULL;
}

/* ---- the catalog */

static int on_entry(void *arg, const struct jb_entry *row)
{
	struct reading *r = arg;
	struct jb_listed *l = r->listed;
	struct jb_listed_entry *e = jb_arena_alloc(r->arena, sizeof *e);
	const struct jb_facts *f = &row->facts;

	if (e == NULL ||
	    !copy_name(r->arena, row->name, row->name_len, &e->name))
		return no_memory(r->err);
	e->content = (struct jb_content){
		.id = row->id,
		.is_dir = jb_entry_is_dir(row),
		.size = f->size,
		.mtime = f->mtime,
		.ctime = f->ctime,
		.cseq = row->cseq,
		.cctime = row->cctime,
	};
	e->mode = f->mode;
	e->uid = f->uid;
	e->gid = f->gid;
	e->is_mount = (row->flags & JB_ENTRY_MOUNT) != 0;
	e->meta = jb_meta_of(f->mode, f->uid, f->gid, f->mtime, f->ctime);
	e->dirkey = row->dirkey;
	if (l->last_entry != NULL)
		l->last_entry->next = e;
	else
		l->entries = e;
	l->last_entry = e;
	l->n_entries++;
	r->n++;
	return 0;
}

int jb_listed_read_catalog(struct jb_listed *l, struct jb_arena *arena,
			   struct jb_catalog_view *view, size_t max, size_t *n,
			   struct jb_error *err)
{
	struct reading r = {l, arena, 0, err};
	const struct jb_listed_entry *last = l->last_entry;
	int rv;

	rv = view->ops->children(view, l->key,
				 last != NULL ? last->name.bytes : "",
				 last != NULL ? last->name.len : 0, max,
				 on_entry, &r, err);
	*n = r.n;
	return rv < 0 ? rv : JB_OK;
}

/* ---- the replica */

static int on_copy(void *arg, const struct jb_name_row *name,
		   const struct jb_node_row *row)
{
	struct reading *r = arg;
	struct jb_listed *l = r->listed;
	struct jb_listed_copy *c = jb_arena_alloc(r->arena, sizeof *c);

	if (c == NULL || !copy_name(r->arena, name->name, name->len, &c->name))
		return no_memory(r->err);
	c->rid = name->rid;
	c->row = *row;
	if (l->last_copy != NULL)
		l->last_copy->next = c;
	else
		l->copies = c;
	l->last_copy = c;
	return 0;
}

int jb_listed_read_replica(struct jb_listed *l, struct jb_arena *arena,
			   struct jb_replica *replica, struct jb_error *err)
{
	struct reading r = {l, arena, 0, err};
	int rv = jb_replica_copies_in(replica, l->rid, on_copy, &r, err);

	return rv < 0 ? rv : JB_OK;
}

/* ---- the target */

static int on_object(void *arg, const char *name, const struct jb_object *o)
{
	struct reading *r = arg;
	struct jb_listed *l = r->listed;
	struct jb_listed_object *x = jb_arena_alloc(r->arena, sizeof *x);

	if (x == NULL || !copy_name(r->arena, name, strlen(name), &x->name))
		return no_memory(r->err);
	x->object = *o;
	x->next = l->objects;
	l->objects = x;
	l->n_objects++;
	return 0;
}

int jb_listed_read_target(struct jb_listed *l, struct jb_arena *arena,
			  struct jb_target *target, const char *path,
			  struct jb_error *err)
{
	struct reading r = {l, arena, 0, err};
	enum jb_outcome o;

	*err = (struct jb_error){0};
	o = target->ops->list(target, path, on_object, &r, err);
	if (o == (enum jb_outcome)JB_ENOMEM)
		return JB_ENOMEM;
	if (o != JB_OUTCOME_STOPPED)
		return JB_OK;
	return err->code != JB_OK ? err->code
				  : jb_error_set(err, JB_EIO, 0, "%s", path);
}

/* ---- side by side */

int jb_listed_order(const struct jb_listed_name *a,
		    const struct jb_listed_name *b)
{
	int c = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);

	return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

static int by_name(const void *va, const void *vb)
{
	const struct jb_listed_object *a =
		*(struct jb_listed_object *const *)va;
	const struct jb_listed_object *b =
		*(struct jb_listed_object *const *)vb;

	return jb_listed_order(&a->name, &b->name);
}

/* The objects by name, to be walked beside the copies. */
struct there {
	struct jb_listed_object **v; /* owned */
	size_t n, at;
};

static int sort_objects(const struct jb_listed *l, struct there *ret,
			struct jb_error *err)
{
	ret->v = malloc((l->n_objects + 1) * sizeof(void *));
	if (ret->v == NULL)
		return no_memory(err);
	ret->n = ret->at = 0;
	for (struct jb_listed_object *o = l->objects; o != NULL; o = o->next)
		ret->v[ret->n++] = o;
	qsort(ret->v, ret->n, sizeof(void *), by_name);
	return JB_OK;
}

/* What is there, if it is as we left it but for its attributes; else NULL. */
static const struct jb_object *find_as_left(struct there *t,
					    const struct jb_listed_copy *c)
{
	const struct jb_object *o;
	int order = -1;

	while (t->at < t->n &&
	       (order = jb_listed_order(&t->v[t->at]->name, &c->name)) < 0)
		t->at++;
	if (t->at == t->n || order != 0)
		return NULL;
	o = &t->v[t->at]->object;
	return (o->mode & S_IFMT) == c->row.type && jb_stamp_fits(&c->row.at, o)
		       ? o
		       : NULL;
}

/* A row of an older epoch is told too, so that it is brought up to this one:
 * only then does the journal's word on its content count. */
static bool is_right(const struct jb_listed_entry *e,
		     const struct jb_listed_copy *c, uint32_t epoch,
		     unsigned preserve, const struct jb_object *o)
{
	return o != NULL && c->row.meta == e->meta &&
	       (e->content.is_dir || c->row.epoch == epoch) &&
	       jb_row_fits(&c->row, epoch, &e->content) &&
	       (e->is_mount ||
		jb_attrs_fit(preserve, e->mode, e->uid, e->gid, o));
}

int jb_listed_compare(struct jb_listed *l, uint32_t epoch, unsigned preserve,
		      const struct jb_listed_found *found, struct jb_error *err)
{
	const struct jb_listed_copy *c = l->copies;
	const struct jb_listed_entry *e = l->entries;
	struct there there = {.n = 0};
	bool wanted, same;
	int order;

	if (sort_objects(l, &there, err) != JB_OK)
		return JB_ENOMEM;
	while (e != NULL || c != NULL) {
		order = e == NULL   ? 1
			: c == NULL ? -1
				    : jb_listed_order(&e->name, &c->name);
		wanted = order <= 0 && found->takes(found->arg, e);
		same = wanted && order == 0 &&
		       jb_id_equal(c->row.src, e->content.id);
		if (order >= 0 && !same)
			found->copy(found->arg, c->rid);
		if (wanted && (!same || !is_right(e, c, epoch, preserve,
						  find_as_left(&there, c))))
			found->entry(found->arg, e);
		if (wanted && e->content.is_dir)
			found->dir(found->arg, e, same ? c->rid : 0);
		if (order <= 0)
			e = e->next;
		if (order >= 0)
			c = c->next;
	}
	free(there.v);
	return JB_OK;
}
