/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/rest.h"

#define KEY_TOKEN "rest"
#define KEY_BOOT  "rest_boot"
#define KEY_CLOCK "rest_clock"

int jb_rest_read(struct jb_store *s, struct jb_rest_mark *ret,
		 struct jb_error *err)
{
	int rv = jb_store_get_meta(s, KEY_TOKEN, 0, &ret->token, err);

	if (rv != JB_OK || ret->token == 0)
		return rv;
	rv = jb_store_get_meta(s, KEY_BOOT, 0, &ret->boot, err);
	if (rv == JB_OK)
		rv = jb_store_get_meta(s, KEY_CLOCK, 0, &ret->clock_us, err);
	return rv == JB_OK ? 1 : rv;
}

int jb_rest_write(struct jb_store *s, const struct jb_rest_mark *mark,
		  struct jb_error *err)
{
	int rv = jb_store_set_meta(s, KEY_BOOT, mark->boot, err);

	if (rv == JB_OK)
		rv = jb_store_set_meta(s, KEY_CLOCK, mark->clock_us, err);
	if (rv == JB_OK)
		rv = jb_store_set_meta(s, KEY_TOKEN, mark->token, err);
	return rv;
}

int jb_rest_add_look(struct jb_store *s, const struct jb_rest_look *look,
		     struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s,
				  "INSERT INTO look(dir, name, flags)"
				  " VALUES(?1, ?2, ?3)",
				  &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, (int64_t)look->dir);
	sqlite3_bind_blob(st, 2, look->len > 0 ? look->name : "", look->len,
			  SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, look->flags);
	rv = jb_store_run(s, st, err);
	sqlite3_finalize(st);
	return rv;
}

int jb_rest_add_beyond(struct jb_store *s, const struct jb_rest_beyond *b,
		       struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s,
				  "INSERT INTO beyond(root, ino, handle)"
				  " VALUES(?1, ?2, ?3)",
				  &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, b->root);
	sqlite3_bind_int64(st, 2, (int64_t)b->ino);
	sqlite3_bind_blob(st, 3, b->handle, b->len, SQLITE_STATIC);
	rv = jb_store_run(s, st, err);
	sqlite3_finalize(st);
	return rv;
}

int jb_rest_each_look(struct jb_store *s, jb_rest_look_fn *fn, void *arg,
		      struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(
		s, "SELECT dir, name, flags FROM look ORDER BY id", &st, err);

	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(s, st, err)) > 0) {
		struct jb_rest_look look = {
			.dir = (uint64_t)sqlite3_column_int64(st, 0),
			.name = sqlite3_column_blob(st, 1),
			.len = (uint8_t)sqlite3_column_bytes(st, 1),
			.flags = (unsigned)sqlite3_column_int64(st, 2)};

		rv = fn(arg, &look);
		if (rv != JB_OK)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_rest_each_beyond(struct jb_store *s, jb_rest_beyond_fn *fn, void *arg,
			struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s,
				  "SELECT root, ino, handle FROM beyond"
				  " ORDER BY rowid",
				  &st, err);

	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(s, st, err)) > 0) {
		struct jb_rest_beyond b = {
			.root = (uint32_t)sqlite3_column_int64(st, 0),
			.ino = (uint64_t)sqlite3_column_int64(st, 1),
			.handle = sqlite3_column_blob(st, 2),
			.len = (uint8_t)sqlite3_column_bytes(st, 2)};

		rv = fn(arg, &b);
		if (rv != JB_OK)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_rest_clear(struct jb_store *s, struct jb_error *err)
{
	return jb_store_exec(s,
			     "DELETE FROM look; DELETE FROM beyond;"
			     " UPDATE root SET kept = 0;"
			     " DELETE FROM meta WHERE key IN ('" KEY_TOKEN
			     "', '" KEY_BOOT "', '" KEY_CLOCK "')",
			     err);
}
