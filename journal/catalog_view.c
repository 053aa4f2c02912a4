/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/catalog_view.h"

#include "journal/catalog.h"
#include "journal/store.h"

#include <stdlib.h>

#define ROW "SELECT " JB_ENTRY_COLUMNS " FROM entry"

static const char SQL_ROOT[] = "SELECT id, dirkey FROM root WHERE name = ?1";
static const char SQL_NAMES[] = ROW " WHERE ino = ?1 AND birth = ?2"
				    " AND root = ?3";
static const char SQL_AT[] = ROW " WHERE parent = ?1 AND name = ?2 AND det = 0";
static const char SQL_DIR[] =
	ROW " WHERE (parent, name, det) ="
	    " (SELECT parent, name, det FROM dir WHERE dirkey = ?1)";
static const char SQL_CHILDREN[] =
	ROW " WHERE parent = ?1 AND name > ?2 AND det = 0"
	    " ORDER BY name LIMIT ?3";

static const char SQL_DETACHED[] = ROW " WHERE root = ?1 AND det <> 0";

struct stored_view {
	struct jb_catalog_view base;
	struct jb_store *store;				      /* owned */
	sqlite3_stmt *names, *at, *dir, *children, *detached; /* owned */
	uint32_t root;
	uint64_t top;
};

static struct stored_view *view_of(struct jb_catalog_view *v)
{
	return (struct stored_view *)v;
}

static int begin_view(struct jb_catalog_view *v, struct jb_error *err)
{
	return jb_store_exec(view_of(v)->store, "BEGIN", err);
}

static void end_view(struct jb_catalog_view *v)
{
	jb_store_rollback(view_of(v)->store);
}

static int read_one(struct stored_view *v, sqlite3_stmt *st,
		    struct jb_entry *ret, struct jb_error *err)
{
	int rv = jb_store_step(v->store, st, err);

	if (rv > 0) {
		jb_entry_read(st, ret);
		sqlite3_reset(st);
	}
	return rv;
}

static int read_all(struct stored_view *v, sqlite3_stmt *st,
		    jb_catalog_row_fn *fn, void *arg, struct jb_error *err)
{
	struct jb_entry e;
	int rv;

	while ((rv = jb_store_step(v->store, st, err)) > 0) {
		jb_entry_read(st, &e);
		rv = fn(arg, &e);
		if (rv != 0) {
			sqlite3_reset(st);
			return rv;
		}
	}
	return rv;
}

static void bind_name(sqlite3_stmt *st, uint64_t dirkey, const char *name,
		      size_t len)
{
	sqlite3_bind_int64(st, 1, (int64_t)dirkey);
	sqlite3_bind_blob(st, 2, len > 0 ? name : "", (int)len, SQLITE_STATIC);
}

static int read_names(struct jb_catalog_view *base, struct jb_id id,
		      jb_catalog_row_fn *fn, void *arg, struct jb_error *err)
{
	struct stored_view *v = view_of(base);

	sqlite3_bind_int64(v->names, 1, (int64_t)id.ino);
	sqlite3_bind_int64(v->names, 2, id.birth);
	sqlite3_bind_int64(v->names, 3, v->root);
	return read_all(v, v->names, fn, arg, err);
}

static int read_at(struct jb_catalog_view *base, uint64_t dirkey,
		   const char *name, size_t len, struct jb_entry *ret,
		   struct jb_error *err)
{
	struct stored_view *v = view_of(base);

	bind_name(v->at, dirkey, name, len);
	return read_one(v, v->at, ret, err);
}

static int read_dir(struct jb_catalog_view *base, uint64_t dirkey,
		    struct jb_entry *ret, struct jb_error *err)
{
	struct stored_view *v = view_of(base);

	sqlite3_bind_int64(v->dir, 1, (int64_t)dirkey);
	return read_one(v, v->dir, ret, err);
}

static int read_top(struct jb_catalog_view *base, struct jb_entry *ret,
		    struct jb_error *err)
{
	return read_dir(base, view_of(base)->top, ret, err);
}

static int read_children(struct jb_catalog_view *base, uint64_t dirkey,
			 const char *after, size_t after_len, size_t max,
			 jb_catalog_row_fn *fn, void *arg, struct jb_error *err)
{
	struct stored_view *v = view_of(base);

	bind_name(v->children, dirkey, after, after_len);
	sqlite3_bind_int64(v->children, 3, (int64_t)max);
	return read_all(v, v->children, fn, arg, err);
}

static int read_detached(struct jb_catalog_view *base, jb_catalog_row_fn *fn,
			 void *arg, struct jb_error *err)
{
	struct stored_view *v = view_of(base);

	sqlite3_bind_int64(v->detached, 1, v->root);
	return read_all(v, v->detached, fn, arg, err);
}

static void close_view(struct jb_catalog_view *base)
{
	struct stored_view *v = view_of(base);

	if (v == NULL)
		return;
	sqlite3_finalize(v->names);
	sqlite3_finalize(v->at);
	sqlite3_finalize(v->dir);
	sqlite3_finalize(v->children);
	sqlite3_finalize(v->detached);
	jb_store_close(v->store);
	free(v);
}

static const struct jb_catalog_view_ops stored_view_ops = {
	.begin = begin_view,
	.end = end_view,
	.top = read_top,
	.names = read_names,
	.at = read_at,
	.dir = read_dir,
	.children = read_children,
	.detached = read_detached,
	.close = close_view,
};

static int find_root(struct stored_view *v, const char *root,
		     struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(v->store, SQL_ROOT, &st, err);
	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, root, -1, SQLITE_STATIC);
	rv = jb_store_step(v->store, st, err);
	if (rv > 0) {
		v->root = (uint32_t)sqlite3_column_int64(st, 0);
		v->top = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	if (rv == 0)
		return jb_error_set(err, JB_ENOENT, 0,
				    "root '%s': not in the journal yet", root);
	return rv < 0 ? rv : JB_OK;
}

int jb_catalog_view_open(const char *dir, const char *root,
			 struct jb_catalog_view **ret, struct jb_error *err)
{
	struct stored_view *v = calloc(1, sizeof *v);
	int rv;

	if (v == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "root '%s'", root);
	v->base.ops = &stored_view_ops;
	rv = jb_store_open(dir, JB_STORE_READ, &v->store, err);
	if (rv == JB_OK)
		rv = find_root(v, root, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(v->store, SQL_NAMES, &v->names, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(v->store, SQL_AT, &v->at, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(v->store, SQL_DIR, &v->dir, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(v->store, SQL_CHILDREN, &v->children,
				      err);
	if (rv == JB_OK)
		rv = jb_store_prepare(v->store, SQL_DETACHED, &v->detached,
				      err);
	if (rv != JB_OK) {
		close_view(&v->base);
		return rv;
	}
	*ret = &v->base;
	return JB_OK;
}
