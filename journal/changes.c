/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/changes.h"

#include <stdlib.h>

static const char SQL_LAST[] = "SELECT ifnull(max(seq), 0) FROM change";
static const char SQL_BATCH[] = "INSERT INTO batch(seq, time) VALUES(?1, ?2)";
static const char SQL_PLACE_GET[] =
	"SELECT id FROM place WHERE root = ?1 AND path = ?2 AND ino = ?3"
	" AND birth = ?4";
static const char SQL_PLACE_ADD[] =
	"INSERT INTO place(root, path, ino, birth) VALUES(?1, ?2, ?3, ?4)";
static const char SQL_APPEND[] =
	"INSERT INTO change(seq, kind, source, what, place, name, old_place,"
	" old_name, ino, birth, mode, size, mtime, entries, bytes)"
	" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)";

#define PLACE_CACHE 4096

struct cached_place {
	uint64_t dir;
	int64_t id;
};

struct jb_changes {
	struct jb_store *store;				      /* borrowed */
	struct jb_catalog *catalog;			      /* borrowed */
	sqlite3_stmt *batch, *place_get, *place_add, *append; /* owned */
	int64_t last;
	int64_t time_us;
	bool batch_written;
	uint64_t moves; /* of the catalog, when the cache was filled */
	struct cached_place cache[PLACE_CACHE];
};

static int load_last(struct jb_changes *j, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(j->store, SQL_LAST, &st, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(j->store, st, err);
	if (rv > 0)
		j->last = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

int jb_changes_open(struct jb_store *store, struct jb_catalog *catalog,
		    struct jb_changes **ret, struct jb_error *err)
{
	struct jb_changes *j = calloc(1, sizeof *j);
	int rv;

	if (j == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "changes");
	j->store = store;
	j->catalog = catalog;
	rv = jb_store_prepare(store, SQL_BATCH, &j->batch, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_PLACE_GET, &j->place_get, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_PLACE_ADD, &j->place_add, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_APPEND, &j->append, err);
	if (rv == JB_OK)
		rv = load_last(j, err);
	if (rv != JB_OK) {
		jb_changes_close(j);
		return rv;
	}
	*ret = j;
	return JB_OK;
}

void jb_changes_close(struct jb_changes *j)
{
	if (j == NULL)
		return;
	sqlite3_finalize(j->batch);
	sqlite3_finalize(j->place_get);
	sqlite3_finalize(j->place_add);
	sqlite3_finalize(j->append);
	free(j);
}

void jb_changes_begin(struct jb_changes *j, int64_t time_us)
{
	j->time_us = time_us;
	j->batch_written = false;
}

static int64_t *cached_id(struct jb_changes *j, uint64_t dir)
{
	struct cached_place *slot = &j->cache[dir % PLACE_CACHE];

	if (j->moves != jb_catalog_moves(j->catalog)) {
		memset(j->cache, 0, sizeof j->cache);
		j->moves = jb_catalog_moves(j->catalog);
	}
	if (slot->dir != dir) {
		slot->dir = dir;
		slot->id = 0;
	}
	return &slot->id;
}

static void bind_place(sqlite3_stmt *st, const struct jb_dir *dir,
		       const char *path, size_t len)
{
	sqlite3_bind_int64(st, 1, dir->root);
	sqlite3_bind_blob(st, 2, path, (int)len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, (int64_t)dir->id.ino);
	sqlite3_bind_int64(st, 4, dir->id.birth);
}

/* The row of this path and identity, made if there is none. */
static int find_or_add(struct jb_changes *j, const struct jb_dir *dir,
		       const char *path, size_t len, int64_t *ret,
		       struct jb_error *err)
{
	int rv;

	bind_place(j->place_get, dir, path, len);
	rv = jb_store_step(j->store, j->place_get, err);
	if (rv > 0) {
		*ret = sqlite3_column_int64(j->place_get, 0);
		sqlite3_reset(j->place_get);
		return JB_OK;
	}
	if (rv < 0)
		return rv;
	bind_place(j->place_add, dir, path, len);
	rv = jb_store_run(j->store, j->place_add, err);
	if (rv == JB_OK)
		*ret = sqlite3_last_insert_rowid(j->store->db);
	return rv;
}

/* The id of a directory's path and identity as they are now. */
static int intern_place(struct jb_changes *j, uint64_t key, int64_t *ret,
			struct jb_error *err)
{
	int64_t *cached = cached_id(j, key);
	struct jb_dir dir = {0};
	const char *path;
	size_t len;
	int rv = JB_OK;

	if (*cached == 0) {
		rv = jb_catalog_dir(j->catalog, key, &dir, err);
		if (rv >= 0)
			rv = jb_catalog_path(j->catalog, key, &path, &len, err);
		if (rv == JB_OK)
			rv = find_or_add(j, &dir, path, len, cached, err);
	}
	*ret = *cached;
	return rv;
}

static int write_batch(struct jb_changes *j, struct jb_error *err)
{
	sqlite3_bind_int64(j->batch, 1, j->last + 1);
	sqlite3_bind_int64(j->batch, 2, j->time_us);
	j->batch_written = true;
	return jb_store_run(j->store, j->batch, err);
}

static void bind_old(sqlite3_stmt *st, const struct jb_change *c, int64_t place)
{
	if (c->old_dir == 0) {
		sqlite3_bind_null(st, 7);
		sqlite3_bind_null(st, 8);
		return;
	}
	sqlite3_bind_int64(st, 7, place);
	sqlite3_bind_blob(st, 8, c->old_name, (int)c->old_name_len,
			  SQLITE_STATIC);
}

static void bind_tree(sqlite3_stmt *st, const struct jb_change *c)
{
	if (c->entries < 0) {
		sqlite3_bind_null(st, 14);
		sqlite3_bind_null(st, 15);
		return;
	}
	sqlite3_bind_int64(st, 14, c->entries);
	sqlite3_bind_int64(st, 15, c->bytes);
}

int jb_changes_append(struct jb_changes *j, const struct jb_change *c,
		      int64_t *seq, struct jb_error *err)
{
	sqlite3_stmt *st = j->append;
	int64_t place, old_place = 0;
	int rv = JB_OK;

	if (!j->batch_written)
		rv = write_batch(j, err);
	if (rv == JB_OK)
		rv = intern_place(j, c->dir, &place, err);
	if (rv == JB_OK && c->old_dir != 0)
		rv = intern_place(j, c->old_dir, &old_place, err);
	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, j->last + 1);
	sqlite3_bind_int(st, 2, (int)c->kind);
	sqlite3_bind_int(st, 3, (int)c->source);
	sqlite3_bind_int(st, 4, (int)c->what);
	sqlite3_bind_int64(st, 5, place);
	sqlite3_bind_blob(st, 6, c->name, (int)c->name_len, SQLITE_STATIC);
	bind_old(st, c, old_place);
	sqlite3_bind_int64(st, 9, (int64_t)c->id.ino);
	sqlite3_bind_int64(st, 10, c->id.birth);
	sqlite3_bind_int64(st, 11, c->facts.mode);
	sqlite3_bind_int64(st, 12, c->facts.size);
	sqlite3_bind_int64(st, 13, c->facts.mtime);
	bind_tree(st, c);
	rv = jb_store_run(j->store, st, err);
	if (rv == JB_OK) {
		j->last++;
		if (seq != NULL)
			*seq = j->last;
	}
	return rv;
}

int64_t jb_changes_last(const struct jb_changes *j)
{
	return j->last;
}

void jb_changes_forget_places(struct jb_changes *j)
{
	memset(j->cache, 0, sizeof j->cache);
}

int jb_changes_reset(struct jb_changes *j, struct jb_error *err)
{
	memset(j->cache, 0, sizeof j->cache);
	return load_last(j, err);
}
