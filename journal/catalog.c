/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/catalog.h"

#include "journal/catalog_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char SQL_GET[] = "SELECT " JB_ENTRY_COLUMNS " FROM entry"
			      " WHERE parent = ?1 AND name = ?2 AND det = 0";
static const char SQL_BY_INO[] = "SELECT " JB_ENTRY_COLUMNS " FROM entry"
				 " WHERE ino = ?1 LIMIT ?2";
static const char SQL_CHILDREN[] = "SELECT " JB_ENTRY_COLUMNS " FROM entry"
				   " WHERE parent = ?1 AND name > ?2"
				   " AND det = 0 ORDER BY name LIMIT ?3";
static const char SQL_DETACHED[] = "SELECT " JB_ENTRY_COLUMNS " FROM entry"
				   " WHERE root = ?1 AND det > ?2 AND det <= ?3"
				   " AND det <> 0 ORDER BY det LIMIT ?4";
static const char SQL_INSERT[] =
	"INSERT INTO entry(" JB_ENTRY_COLUMNS ")"
	" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,"
	"?18)";
static const char SQL_UPDATE[] =
	"UPDATE entry SET mode = ?8, uid = ?9, gid = ?10, nlink = ?11,"
	" rdev = ?12, size = ?13, mtime = ?14, ctime = ?15, flags = ?16,"
	" cseq = ?17, cctime = ?18, birth = ?7"
	" WHERE parent = ?1 AND name = ?2 AND det = ?3";
static const char SQL_SPREAD[] =
	"UPDATE entry SET mode = ?8, uid = ?9, gid = ?10, nlink = ?11,"
	" rdev = ?12, size = ?13, mtime = ?14, ctime = ?15, flags = ?16,"
	" cseq = ?17, cctime = ?18"
	" WHERE ino = ?6 AND birth = ?7 AND root = ?4"
	" AND NOT (parent = ?1 AND name = ?2 AND det = ?3)";
static const char SQL_MOVE[] =
	"UPDATE entry SET parent = ?1, name = ?2, det = ?3, flags = ?7"
	" WHERE parent = ?4 AND name = ?5 AND det = ?6";
static const char SQL_REMOVE[] = "DELETE FROM entry WHERE parent = ?1"
				 " AND name = ?2 AND det = ?3";
static const char SQL_BELOW[] = "SELECT dirkey, size, mode FROM entry"
				" WHERE parent = ?1";
static const char SQL_CLEAR[] = "DELETE FROM entry WHERE parent = ?1";
static const char SQL_MAX_DET[] =
	"SELECT ifnull(max(det), 0) FROM entry WHERE det <> 0";

static const char SQL_MOUNTS[] = "SELECT " JB_ENTRY_COLUMNS " FROM entry"
				 " WHERE flags & 4 AND det = 0";
static const char SQL_ANY[] = "SELECT 1 FROM entry LIMIT 1";
static_assert(JB_ENTRY_MOUNT == 4, "the index entry_mount, and its query");

static const char *const statements[N_STATEMENTS] = {
	[ST_GET] = SQL_GET,
	[ST_BY_INO] = SQL_BY_INO,
	[ST_CHILDREN] = SQL_CHILDREN,
	[ST_DETACHED] = SQL_DETACHED,
	[ST_INSERT] = SQL_INSERT,
	[ST_UPDATE] = SQL_UPDATE,
	[ST_SPREAD] = SQL_SPREAD,
	[ST_MOVE] = SQL_MOVE,
	[ST_REMOVE] = SQL_REMOVE,
	[ST_BELOW] = SQL_BELOW,
	[ST_CLEAR] = SQL_CLEAR,
	[ST_MAX_DET] = SQL_MAX_DET,
	[ST_MOUNTS] = SQL_MOUNTS,
	[ST_ANY] = SQL_ANY,
	[ST_DIR_GET] = JB_SQL_DIR_GET,
	[ST_DIR_INSERT] = JB_SQL_DIR_INSERT,
	[ST_DIR_MOVE] = JB_SQL_DIR_MOVE,
	[ST_DIR_REMOVE] = JB_SQL_DIR_REMOVE,
};

int jb_catalog_open(struct jb_store *store, struct jb_catalog **ret,
		    struct jb_error *err)
{
	struct jb_catalog *c;
	int rv = JB_OK;

	c = calloc(1, sizeof *c);
	if (c == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "catalog");
	c->store = store;
	c->names = -1;
	for (int i = 0; i < N_STATEMENTS && rv == JB_OK; i++)
		rv = jb_store_prepare(store, statements[i], &c->st[i], err);
	if (rv == JB_OK)
		rv = jb_catalog_load_keys(c, err);
	if (rv != JB_OK) {
		jb_catalog_close(c);
		return rv;
	}
	*ret = c;
	return JB_OK;
}

void jb_catalog_close(struct jb_catalog *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(c->st[i]);
	jb_catalog_reset(c);
	free(c->path.bytes);
	free(c->last.bytes);
	free(c);
}

void jb_entry_read(sqlite3_stmt *st, struct jb_entry *e)
{
	int len = sqlite3_column_bytes(st, 1);

	len = len > JB_NAME_MAX ? JB_NAME_MAX : len;
	e->parent = (uint64_t)sqlite3_column_int64(st, 0);
	e->name_len = (uint8_t)len;
	if (len > 0)
		memcpy(e->name, sqlite3_column_blob(st, 1), (size_t)len);
	e->name[len] = '\0';
	e->det = sqlite3_column_int64(st, 2);
	e->root = (uint32_t)sqlite3_column_int64(st, 3);
	e->dirkey = (uint64_t)sqlite3_column_int64(st, 4);
	e->id.ino = (uint64_t)sqlite3_column_int64(st, 5);
	e->id.birth = sqlite3_column_int64(st, 6);
	e->facts.mode = (uint32_t)sqlite3_column_int64(st, 7);
	e->facts.uid = (uint32_t)sqlite3_column_int64(st, 8);
	e->facts.gid = (uint32_t)sqlite3_column_int64(st, 9);
	e->facts.nlink = (uint32_t)sqlite3_column_int64(st, 10);
	e->facts.rdev = (uint64_t)sqlite3_column_int64(st, 11);
	e->facts.size = sqlite3_column_int64(st, 12);
	e->facts.mtime = sqlite3_column_int64(st, 13);
	e->facts.ctime = sqlite3_column_int64(st, 14);
	e->flags = (uint32_t)sqlite3_column_int64(st, 15);
	e->cseq = sqlite3_column_int64(st, 16);
	e->cctime = sqlite3_column_type(st, 17) == SQLITE_NULL
			    ? e->facts.ctime
			    : sqlite3_column_int64(st, 17);
}

/* Room for one more; NULL without memory. */
static struct jb_entry *push_entry(struct jb_entries *list)
{
	if (list->n == list->cap) {
		size_t cap = list->cap != 0 ? list->cap * 2 : 8;
		void *v = reallocarray(list->v, cap, sizeof *list->v);

		if (v == NULL)
			return NULL;
		list->v = v;
		list->cap = cap;
	}
	return &list->v[list->n++];
}

void jb_entries_fini(struct jb_entries *list)
{
	free(list->v);
	memset(list, 0, sizeof *list);
}

int jb_catalog_get(struct jb_catalog *c, uint64_t parent, const char *name,
		   size_t len, struct jb_entry *ret, struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_GET];
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)parent);
	sqlite3_bind_blob(st, 2, name, (int)len, SQLITE_STATIC);
	rv = jb_store_step(c->store, st, err);
	if (rv > 0) {
		jb_entry_read(st, ret);
		sqlite3_reset(st);
	}
	return rv;
}

static int collect(struct jb_catalog *c, sqlite3_stmt *st, uint32_t root,
		   struct jb_entries *ret, struct jb_error *err)
{
	struct jb_entry *e;
	int rv;

	ret->n = 0;
	while ((rv = jb_store_step(c->store, st, err)) > 0) {
		if (root != 0 && (uint32_t)sqlite3_column_int64(st, 3) != root)
			continue;
		e = push_entry(ret);
		if (e == NULL) {
			sqlite3_reset(st);
			return jb_error_set(err, JB_ENOMEM, 0, "catalog");
		}
		jb_entry_read(st, e);
	}
	return rv;
}

int jb_catalog_by_ino(struct jb_catalog *c, uint32_t root, uint64_t ino,
		      size_t max, struct jb_entries *ret, struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_BY_INO];

	sqlite3_bind_int64(st, 1, (int64_t)ino);
	sqlite3_bind_int64(st, 2, max != 0 ? (int64_t)max : -1);
	return collect(c, st, root, ret, err);
}

int jb_catalog_children(struct jb_catalog *c, uint64_t parent,
			const char *after, size_t after_len, size_t max,
			struct jb_entries *ret, struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_CHILDREN];

	sqlite3_bind_int64(st, 1, (int64_t)parent);
	sqlite3_bind_blob(st, 2, after, (int)after_len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, (int64_t)max);
	return collect(c, st, 0, ret, err);
}

int jb_catalog_detached(struct jb_catalog *c, uint32_t root, int64_t after,
			int64_t upto, size_t max, struct jb_entries *ret,
			struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_DETACHED];

	sqlite3_bind_int64(st, 1, root);
	sqlite3_bind_int64(st, 2, after);
	sqlite3_bind_int64(st, 3, upto);
	sqlite3_bind_int64(st, 4, (int64_t)max);
	return collect(c, st, 0, ret, err);
}

int jb_catalog_mounts(struct jb_catalog *c, uint32_t root,
		      struct jb_entries *ret, struct jb_error *err)
{
	return collect(c, c->st[ST_MOUNTS], root, ret, err);
}

int jb_catalog_has_names(struct jb_catalog *c, struct jb_error *err)
{
	int rv = jb_store_step(c->store, c->st[ST_ANY], err);

	sqlite3_reset(c->st[ST_ANY]);
	return rv;
}

static void bind_entry(sqlite3_stmt *st, const struct jb_entry *e)
{
	sqlite3_bind_int64(st, 1, (int64_t)e->parent);
	sqlite3_bind_blob(st, 2, e->name, e->name_len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, e->det);
	sqlite3_bind_int64(st, 4, e->root);
	sqlite3_bind_int64(st, 5, (int64_t)e->dirkey);
	sqlite3_bind_int64(st, 6, (int64_t)e->id.ino);
	sqlite3_bind_int64(st, 7, e->id.birth);
	sqlite3_bind_int64(st, 8, e->facts.mode);
	sqlite3_bind_int64(st, 9, e->facts.uid);
	sqlite3_bind_int64(st, 10, e->facts.gid);
	sqlite3_bind_int64(st, 11, e->facts.nlink);
	sqlite3_bind_int64(st, 12, (int64_t)e->facts.rdev);
	sqlite3_bind_int64(st, 13, e->facts.size);
	sqlite3_bind_int64(st, 14, e->facts.mtime);
	sqlite3_bind_int64(st, 15, e->facts.ctime);
	sqlite3_bind_int64(st, 16, e->flags);
	sqlite3_bind_int64(st, 17, e->cseq);
	if (e->cctime == e->facts.ctime)
		sqlite3_bind_null(st, 18); /* the common case costs no byte */
	else
		sqlite3_bind_int64(st, 18, e->cctime);
}

int jb_catalog_insert(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err)
{
	bind_entry(c->st[ST_INSERT], e);
	c->names += c->names >= 0;
	return jb_store_run(c->store, c->st[ST_INSERT], err);
}

int jb_catalog_update(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err)
{
	bind_entry(c->st[ST_UPDATE], e);
	return jb_store_run(c->store, c->st[ST_UPDATE], err);
}

int jb_catalog_spread(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err)
{
	bind_entry(c->st[ST_SPREAD], e);
	return jb_store_run(c->store, c->st[ST_SPREAD], err);
}

int jb_catalog_move(struct jb_catalog *c, struct jb_entry *e, uint64_t parent,
		    const char *name, size_t len, int64_t det,
		    struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_MOVE];
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)parent);
	sqlite3_bind_blob(st, 2, name, (int)len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, det);
	sqlite3_bind_int64(st, 4, (int64_t)e->parent);
	sqlite3_bind_blob(st, 5, e->name, e->name_len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 6, e->det);
	sqlite3_bind_int64(st, 7, e->flags);
	rv = jb_store_run(c->store, st, err);
	if (rv != JB_OK)
		return rv;
	e->parent = parent;
	memmove(e->name, name, len);
	e->name[len] = '\0';
	e->name_len = (uint8_t)len;
	e->det = det;
	return e->dirkey != 0 ? jb_catalog_move_dir(c, e, err) : JB_OK;
}

int jb_catalog_remove(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_REMOVE];
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)e->parent);
	sqlite3_bind_blob(st, 2, e->name, e->name_len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, e->det);
	c->names -= c->names > 0;
	rv = jb_store_run(c->store, st, err);
	if (rv == JB_OK && e->dirkey != 0)
		rv = jb_catalog_remove_dir(c, e->dirkey, err);
	return rv;
}

int jb_catalog_max_det(struct jb_catalog *c, int64_t *ret, struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_MAX_DET];
	int rv = jb_store_step(c->store, st, err);

	if (rv > 0) {
		*ret = sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return rv < 0 ? rv : JB_OK;
}

int jb_catalog_clear_dir(struct jb_catalog *c, uint64_t key,
			 struct jb_cleared *ret, struct jb_error *err)
{
	sqlite3_stmt *st = c->st[ST_BELOW];
	uint64_t dirkey;
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)key);
	while ((rv = jb_store_step(c->store, st, err)) > 0) {
		dirkey = (uint64_t)sqlite3_column_int64(st, 0);
		ret->entries++;
		c->names -= c->names > 0;
		if (S_ISREG((mode_t)sqlite3_column_int64(st, 2)))
			ret->bytes += sqlite3_column_int64(st, 1);
		if (dirkey == 0)
			continue;
		if (ret->n == ret->cap) {
			size_t cap = ret->cap != 0 ? ret->cap * 2 : 64;
			void *v =
				reallocarray(ret->dirs, cap, sizeof *ret->dirs);

			if (v == NULL) {
				sqlite3_reset(st);
				return jb_error_set(err, JB_ENOMEM, 0,
						    "catalog");
			}
			ret->dirs = v;
			ret->cap = cap;
		}
		ret->dirs[ret->n++] = dirkey;
	}
	if (rv < 0)
		return rv;
	sqlite3_bind_int64(c->st[ST_CLEAR], 1, (int64_t)key);
	return jb_store_run(c->store, c->st[ST_CLEAR], err);
}

int jb_catalog_count(struct jb_catalog *c, int64_t *ret, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = JB_OK;

	if (c->names < 0) {
		rv = jb_store_prepare(c->store, "SELECT count(*) FROM entry",
				      &st, err);
		if (rv != JB_OK)
			return rv;
		rv = jb_store_step(c->store, st, err);
		if (rv > 0)
			c->names = sqlite3_column_int64(st, 0);
		sqlite3_finalize(st);
	}
	*ret = c->names;
	return rv < 0 ? rv : JB_OK;
}
