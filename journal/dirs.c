/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directories of the catalog. Depth and path are asked for each directory
 * that is looked at, so the rows seen last are kept (written through). */
#include "journal/catalog_priv.h"

#include <stdlib.h>

/* Deeper is a cycle: our own bug, but never a hang. */
#define MAX_DEPTH 100000

struct cached_dir {
	uint64_t key;
	uint32_t root;
	uint64_t parent;
	int64_t det;
	struct jb_id id;
	uint64_t moves; /* its depth is as of then; 0: not known */
	unsigned depth;
	uint8_t name_len, handle_len;
	char bytes[]; /* name, then handle */
};

static struct cached_dir **slot_of(struct jb_catalog *c, uint64_t key)
{
	return &c->cache[key % JB_DIR_CACHE];
}

static void forget(struct jb_catalog *c, uint64_t key)
{
	struct cached_dir **slot = slot_of(c, key);

	if (*slot != NULL && (*slot)->key == key) {
		free(*slot);
		*slot = NULL;
	}
}

void jb_catalog_reset(struct jb_catalog *c)
{
	for (size_t i = 0; i < JB_DIR_CACHE; i++) {
		free(c->cache[i]);
		c->cache[i] = NULL;
	}
	c->moves++;
	c->names = -1;
}

int jb_catalog_load_keys(struct jb_catalog *c, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(c->store,
			      "SELECT ifnull(max(dirkey), 0) FROM dir", &st,
			      err);
	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(c->store, st, err);
	if (rv > 0)
		c->next_key = (uint64_t)sqlite3_column_int64(st, 0) + 1;
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

/* A row of JB_SQL_DIR_COLUMNS. */
static struct cached_dir *read_row(sqlite3_stmt *st)
{
	size_t name_len = (size_t)sqlite3_column_bytes(st, 3);
	size_t handle_len = (size_t)sqlite3_column_bytes(st, 7);
	struct cached_dir *d;

	if (name_len > JB_NAME_MAX || handle_len > JB_HANDLE_MAX)
		return NULL;
	d = malloc(sizeof *d + name_len + handle_len);
	if (d == NULL)
		return NULL;
	d->moves = 0;
	d->key = (uint64_t)sqlite3_column_int64(st, 0);
	d->root = (uint32_t)sqlite3_column_int64(st, 1);
	d->parent = (uint64_t)sqlite3_column_int64(st, 2);
	d->det = sqlite3_column_int64(st, 4);
	d->id.ino = (uint64_t)sqlite3_column_int64(st, 5);
	d->id.birth = sqlite3_column_int64(st, 6);
	d->name_len = (uint8_t)name_len;
	d->handle_len = (uint8_t)handle_len;
	if (name_len > 0)
		memcpy(d->bytes, sqlite3_column_blob(st, 3), name_len);
	if (handle_len > 0)
		memcpy(d->bytes + name_len, sqlite3_column_blob(st, 7),
		       handle_len);
	return d;
}

/* 1 and *ret (borrowed from the cache), 0, or an error. */
static int find(struct jb_catalog *c, uint64_t key, struct cached_dir **ret,
		struct jb_error *err)
{
	struct cached_dir **slot = slot_of(c, key);
	sqlite3_stmt *st = c->st[ST_DIR_GET];
	int rv;

	if (*slot != NULL && (*slot)->key == key) {
		*ret = *slot;
		return 1;
	}
	sqlite3_bind_int64(st, 1, (int64_t)key);
	rv = jb_store_step(c->store, st, err);
	if (rv <= 0)
		return rv;
	free(*slot);
	*slot = read_row(st);
	sqlite3_reset(st);
	if (*slot == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "catalog: directory");
	*ret = *slot;
	return 1;
}

static void fill(struct jb_dir *dir, const struct cached_dir *d)
{
	dir->key = d->key;
	dir->root = d->root;
	dir->parent = d->parent;
	dir->det = d->det;
	dir->id = d->id;
	dir->name_len = d->name_len;
	memcpy(dir->name, d->bytes, d->name_len);
	dir->name[d->name_len] = '\0';
	dir->handle_len = d->handle_len;
	memcpy(dir->handle, d->bytes + d->name_len, d->handle_len);
}

int jb_catalog_dir(struct jb_catalog *c, uint64_t key, struct jb_dir *ret,
		   struct jb_error *err)
{
	struct cached_dir *d;
	int rv = find(c, key, &d, err);

	if (rv > 0)
		fill(ret, d);
	return rv;
}

int jb_catalog_add_dir(struct jb_catalog *c, struct jb_entry *e,
		       const uint8_t *handle, size_t handle_len,
		       struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_DIR_INSERT];

	e->dirkey = c->next_key++;
	sqlite3_bind_int64(st, 1, (int64_t)e->dirkey);
	sqlite3_bind_int64(st, 2, e->root);
	sqlite3_bind_int64(st, 3, (int64_t)e->parent);
	sqlite3_bind_blob(st, 4, e->name, e->name_len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 5, e->det);
	sqlite3_bind_int64(st, 6, (int64_t)e->id.ino);
	sqlite3_bind_int64(st, 7, e->id.birth);
	sqlite3_bind_blob(st, 8, handle, (int)handle_len, SQLITE_STATIC);
	return jb_store_run(c->store, st, err);
}

int jb_catalog_move_dir(struct jb_catalog *c, const struct jb_entry *e,
			struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_DIR_MOVE];

	forget(c, e->dirkey);
	c->moves++;
	sqlite3_bind_int64(st, 1, (int64_t)e->dirkey);
	sqlite3_bind_int64(st, 2, (int64_t)e->parent);
	sqlite3_bind_blob(st, 3, e->name, e->name_len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 4, e->det);
	return jb_store_run(c->store, st, err);
}

int jb_catalog_remove_dir(struct jb_catalog *c, uint64_t key,
			  struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_DIR_REMOVE];

	forget(c, key);
	c->path.key = 0; /* it may be of one below */
	sqlite3_bind_int64(st, 1, (int64_t)key);
	return jb_store_run(c->store, st, err);
}

int jb_catalog_each_dir(struct jb_catalog *c, jb_catalog_dir_fn *fn, void *arg,
			struct jb_error *err)
{
	struct cached_dir *d;
	struct jb_dir dir;
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(c->store,
			      "SELECT " JB_SQL_DIR_COLUMNS " FROM dir"
			      " ORDER BY dirkey",
			      &st, err);
	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(c->store, st, err)) > 0) {
		d = read_row(st);
		if (d == NULL) {
			rv = jb_error_set(err, JB_ENOMEM, 0, "catalog");
			break;
		}
		fill(&dir, d);
		free(d);
		rv = fn(arg, &dir);
		if (rv != JB_OK)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

/* What a tree that is removed asks for comes from below, and may be longer than
 * the cache: the one above the last is known, too. */
static bool knows_depth(const struct jb_catalog *c, const struct cached_dir *d,
			unsigned *ret)
{
	if (d->parent == 0)
		*ret = 0;
	else if (d->moves == c->moves + 1)
		*ret = d->depth;
	else if (d->key == c->above.key && c->above.moves == c->moves + 1)
		*ret = c->above.depth;
	else
		return false;
	return true;
}

/* The @n directories from @key on up: a scan that descends asks for each. */
static int note_depths(struct jb_catalog *c, uint64_t key, unsigned n,
		       unsigned depth, struct jb_error *err)
{
	struct cached_dir *d;
	int rv = 1;

	for (unsigned i = 0; i < n && (rv = find(c, key, &d, err)) > 0; i++) {
		d->depth = depth--;
		d->moves = c->moves + 1;
		key = d->parent;
		if (i == 0)
			c->above = (struct jb_catalog_above){.key = key,
							     .moves = d->moves,
							     .depth = depth};
	}
	return rv < 0 ? rv : JB_OK;
}

int jb_catalog_depth(struct jb_catalog *c, uint64_t key, unsigned *ret,
		     struct jb_error *err)
{
	unsigned up = 0, known = 0;
	uint64_t at = key;
	struct cached_dir *d;
	bool is_known = false;
	int rv;

	while ((rv = find(c, at, &d, err)) > 0 && up < MAX_DEPTH) {
		is_known = knows_depth(c, d, &known);
		if (is_known)
			break;
		at = d->parent;
		up++;
	}
	*ret = up + known;
	if (rv < 0 || !is_known || *ret == 0)
		return rv < 0 ? rv : JB_OK;
	return note_depths(c, key, up > 0 ? up : 1, *ret, err);
}

int jb_catalog_under(struct jb_catalog *c, uint64_t key, uint64_t top,
		     struct jb_error *err)
{
	struct cached_dir *d;
	unsigned hops = 0;
	int rv = 1;

	while (key != top && key != 0 && hops++ < MAX_DEPTH) {
		rv = find(c, key, &d, err);
		if (rv <= 0)
			return rv;
		key = d->parent;
	}
	return key == top;
}

/* Make room for @need bytes in front of those used. */
static int grow_path(struct jb_catalog_path *p, size_t need,
		     struct jb_error *err)
{
	size_t size = p->size != 0 ? p->size : 1024;
	char *bytes;

	if (p->size >= p->used + need)
		return JB_OK;
	while (size < p->used + need)
		size *= 2;
	bytes = malloc(size);
	if (bytes == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "path");
	if (p->used > 0)
		memcpy(bytes + size - p->used, p->bytes + p->size - p->used,
		       p->used);
	free(p->bytes);
	p->bytes = bytes;
	p->size = size;
	return JB_OK;
}

/* Written from its end, since the walk goes up. */
static int prepend(struct jb_catalog_path *p, const char *bytes, size_t len,
		   struct jb_error *err)
{
	int rv = grow_path(p, len + 1, err);

	if (rv != JB_OK || len == 0)
		return rv;
	if (p->used > 0)
		p->bytes[p->size - ++p->used] = '/';
	p->used += len;
	memcpy(p->bytes + p->size - p->used, bytes, len);
	return JB_OK;
}

/* The last path without its last name. */
static size_t cut_name(const struct jb_catalog_path *last)
{
	const char *path = last->bytes + last->size - last->used;
	const char *slash = memrchr(path, '/', last->used);

	return slash != NULL ? (size_t)(slash - path) : 0;
}

/* Up to the root, or to the directory that was asked for last, or the one above
 * it: a scan that descends asks for one below another, and a tree that goes is
 * told of from below. */
static int climb(struct jb_catalog *c, uint64_t key, struct jb_error *err)
{
	const struct jb_catalog_path *last = &c->last;
	bool is_known = last->key != 0 && last->moves == c->moves;
	struct cached_dir *d;
	unsigned hops = 0;
	int rv = JB_OK;

	while (rv == JB_OK && hops++ < MAX_DEPTH) {
		rv = find(c, key, &d, err);
		if (rv <= 0 || d->parent == 0)
			return rv < 0 ? rv : JB_OK;
		if (hops == 1)
			c->path.above = d->parent;
		if (is_known && (key == last->key || key == last->above))
			return prepend(&c->path,
				       last->bytes + last->size - last->used,
				       key == last->key ? last->used
							: cut_name(last),
				       err);
		key = d->parent;
		rv = prepend(&c->path, d->bytes, d->name_len, err);
	}
	return rv;
}

int jb_catalog_path(struct jb_catalog *c, uint64_t key, const char **ret,
		    size_t *len, struct jb_error *err)
{
	struct jb_catalog_path *p = &c->path, other = c->last;
	int rv;

	c->last = c->path;
	c->path = other;
	p->used = 0;
	p->key = p->above = 0;
	rv = grow_path(p, 1, err);
	if (rv == JB_OK)
		rv = climb(c, key, err);
	if (rv != JB_OK)
		return rv;
	p->key = key;
	p->moves = c->moves;
	*ret = p->bytes + p->size - p->used;
	*len = p->used;
	return JB_OK;
}

uint64_t jb_catalog_moves(const struct jb_catalog *c)
{
	return c->moves;
}
