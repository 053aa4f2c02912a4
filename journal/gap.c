/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/gap.h"

int jb_gap_find_open(struct jb_store *s, uint32_t root, struct jb_gap *ret,
		     struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(
		s,
		"SELECT id, since, noticed, found, progress,"
		" reason = '" JB_GAP_FIRST_SCAN "' FROM gap"
		" WHERE root = ?1 AND closed IS NULL ORDER BY id LIMIT 1",
		&st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, root);
	rv = jb_store_step(s, st, err);
	if (rv > 0) {
		ret->id = sqlite3_column_int64(st, 0);
		ret->since = sqlite3_column_int64(st, 1);
		ret->noticed = sqlite3_column_int64(st, 2);
		ret->found = sqlite3_column_int64(st, 3);
		ret->progress = sqlite3_column_int64(st, 4);
		ret->baseline = sqlite3_column_int(st, 5) != 0;
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_gap_open(struct jb_store *s, uint32_t root, const char *reason,
		int64_t since, int64_t noticed, struct jb_gap *gap,
		struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s,
				  "INSERT INTO gap(root, reason, since,"
				  " noticed) VALUES(?1, ?2, ?3, ?4)",
				  &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, root);
	sqlite3_bind_text(st, 2, reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, since);
	sqlite3_bind_int64(st, 4, noticed);
	rv = jb_store_run(s, st, err);
	sqlite3_finalize(st);
	if (rv == JB_OK)
		*gap = (struct jb_gap){
			.id = sqlite3_last_insert_rowid(s->db),
			.since = since,
			.noticed = noticed,
			.baseline = strcmp(reason, JB_GAP_FIRST_SCAN) == 0};
	return rv;
}

int jb_gap_update(struct jb_store *s, const struct jb_gap *gap,
		  struct jb_error *err)
{
	const int64_t values[] = {gap->id, gap->found, gap->progress};

	return jb_store_run_once(
		s, "UPDATE gap SET found = ?2, progress = ?3 WHERE id = ?1",
		values, 3, err);
}

int jb_gap_close(struct jb_store *s, const struct jb_gap *gap, int64_t now,
		 struct jb_error *err)
{
	const int64_t values[] = {gap->id, gap->found, now};

	return jb_store_run_once(
		s, "UPDATE gap SET found = ?2, closed = ?3 WHERE id = ?1",
		values, 3, err);
}

int jb_known_root_find(struct jb_store *s, const char *name,
		       struct jb_known_root *ret, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(
		s,
		"SELECT id, dirkey, complete, kept, fsid FROM root"
		" WHERE name = ?1",
		&st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	rv = jb_store_step(s, st, err);
	if (rv > 0) {
		ret->id = (uint32_t)sqlite3_column_int64(st, 0);
		ret->dirkey = (uint64_t)sqlite3_column_int64(st, 1);
		ret->complete = sqlite3_column_int64(st, 2);
		ret->kept = sqlite3_column_int64(st, 3);
		ret->fsid = 0;
		if (sqlite3_column_bytes(st, 4) == sizeof ret->fsid)
			memcpy(&ret->fsid, sqlite3_column_blob(st, 4),
			       sizeof ret->fsid);
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_known_root_add(struct jb_store *s, const char *name, const char *path,
		      uint64_t fsid, struct jb_known_root *root,
		      struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s,
				  "INSERT INTO root(name, path, fsid, dirkey)"
				  " VALUES(?1, ?2, ?3, 0)",
				  &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(st, 2, path, (int)strlen(path), SQLITE_STATIC);
	sqlite3_bind_blob(st, 3, &fsid, sizeof fsid, SQLITE_STATIC);
	rv = jb_store_run(s, st, err);
	sqlite3_finalize(st);
	if (rv == JB_OK)
		*root = (struct jb_known_root){
			.id = (uint32_t)sqlite3_last_insert_rowid(s->db)};
	return rv;
}

int jb_known_root_set_dirkey(struct jb_store *s,
			     const struct jb_known_root *root,
			     struct jb_error *err)
{
	const int64_t values[] = {root->id, (int64_t)root->dirkey};

	return jb_store_run_once(s, "UPDATE root SET dirkey = ?2 WHERE id = ?1",
				 values, 2, err);
}

int jb_known_root_set_complete(struct jb_store *s, uint32_t id,
			       int64_t complete_ns, struct jb_error *err)
{
	const int64_t values[] = {id, complete_ns};

	return jb_store_run_once(s,
				 "UPDATE root SET complete = ?2 WHERE id = ?1",
				 values, 2, err);
}

int jb_known_root_set_kept(struct jb_store *s, uint32_t id, int64_t kept,
			   struct jb_error *err)
{
	const int64_t values[] = {id, kept};

	return jb_store_run_once(s, "UPDATE root SET kept = ?2 WHERE id = ?1",
				 values, 2, err);
}
