/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_journal.h"

#include "lib/t_random.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EPOCH INT64_C(0x0123456789abcdef)

static void must(const struct t_journal *j, int rc)
{
	if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		errx(1, "t_journal: %s", sqlite3_errmsg(j->store->db));
}

static void must_run(struct t_journal *j, const char *sql)
{
	must(j, sqlite3_exec(j->store->db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt *must_prepare(struct t_journal *j, const char *sql)
{
	sqlite3_stmt *st;

	must(j, sqlite3_prepare_v2(j->store->db, sql, -1, &st, NULL));
	return st;
}

void t_journal_init(struct t_journal *j, const char *dir)
{
	struct jb_error e;

	*j = (struct t_journal){0};
	if (jb_store_open(dir, JB_STORE_WRITE, &j->store, &e) != JB_OK ||
	    jb_store_set_meta(j->store, "epoch", EPOCH, &e) != JB_OK)
		errx(1, "%s", e.text);
	must_run(j, "PRAGMA synchronous = OFF");
	j->put_place = must_prepare(
		j, "INSERT OR IGNORE INTO place(root, path, ino, birth)"
		   " VALUES(?1, ?2, 7, 8)");
	j->get_place = must_prepare(
		j, "SELECT id FROM place WHERE root = ?1 AND path = ?2");
	j->put_batch = must_prepare(
		j, "INSERT OR REPLACE INTO batch(seq, time) VALUES(?1, ?2)");
	j->put_change = must_prepare(
		j, "INSERT INTO change(seq, kind, source, what, place, name,"
		   " old_place, old_name, ino, birth, mode, size, mtime,"
		   " entries, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
		   " ?9, ?10, ?11, ?12, ?13, ?14, ?15)");
	must_run(j, "BEGIN");
}

int t_journal_root(struct t_journal *j, const char *name, const char *path)
{
	sqlite3_stmt *st;

	st = must_prepare(j, "INSERT INTO root(id, name, path, fsid, dirkey,"
			     " complete) VALUES(?1, ?2, ?3, x'00', ?1, 0)");
	must(j, sqlite3_bind_int(st, 1, ++j->n_roots));
	must(j, sqlite3_bind_text(st, 2, name, -1, SQLITE_STATIC));
	must(j,
	     sqlite3_bind_blob(st, 3, path, (int)strlen(path), SQLITE_STATIC));
	must(j, sqlite3_step(st));
	sqlite3_finalize(st);
	return j->n_roots;
}

void t_journal_batch(struct t_journal *j, int64_t time_us)
{
	sqlite3_bind_int64(j->put_batch, 1, j->seq + 1);
	sqlite3_bind_int64(j->put_batch, 2, time_us);
	must(j, sqlite3_step(j->put_batch));
	sqlite3_reset(j->put_batch);
}

static int64_t make_place(struct t_journal *j, int root, const char *path,
			  size_t len)
{
	int64_t id;

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *st = i == 0 ? j->put_place : j->get_place;

		sqlite3_bind_int(st, 1, root);
		sqlite3_bind_blob(st, 2, path, (int)len, SQLITE_STATIC);
		must(j, sqlite3_step(st));
	}
	id = sqlite3_column_int64(j->get_place, 0);
	sqlite3_reset(j->put_place);
	sqlite3_reset(j->get_place);
	return id;
}

/* Bind place and name of @path to ?i and ?i+1. */
static void bind_path(struct t_journal *j, int i, int root, const char *path,
		      size_t len)
{
	const char *slash;
	size_t dir_len;

	if (len == 0)
		len = strlen(path);
	slash = memrchr(path, '/', len);
	dir_len = slash != NULL ? (size_t)(slash - path) : 0;
	sqlite3_bind_int64(j->put_change, i,
			   make_place(j, root, path, dir_len));
	if (slash != NULL)
		path = slash + 1;
	sqlite3_bind_blob(j->put_change, i + 1, path,
			  (int)(len - (slash != NULL ? dir_len + 1 : 0)),
			  SQLITE_STATIC);
}

static void bind_count(struct t_journal *j, int i, int64_t n)
{
	if (n != 0)
		sqlite3_bind_int64(j->put_change, i, n);
}

int64_t t_journal_change(struct t_journal *j, const struct t_change *c)
{
	sqlite3_stmt *st = j->put_change;
	int root = c->root > 0 ? c->root : 1;

	sqlite3_clear_bindings(st);
	sqlite3_bind_int64(st, 1, ++j->seq);
	sqlite3_bind_int(st, 2, c->kind);
	sqlite3_bind_int(st, 3, c->source);
	sqlite3_bind_int(st, 4, (int)c->what);
	bind_path(j, 5, root, c->path, c->path_len);
	if (c->old_path != NULL)
		bind_path(j, 7, root, c->old_path, c->old_path_len);
	sqlite3_bind_int64(st, 9, c->ino);
	sqlite3_bind_int64(st, 10, c->birth);
	sqlite3_bind_int64(st, 11, c->mode != 0 ? c->mode : S_IFREG | 0644);
	sqlite3_bind_int64(st, 12, c->size);
	sqlite3_bind_int64(st, 13, c->mtime);
	bind_count(j, 14, c->entries);
	bind_count(j, 15, c->bytes);
	must(j, sqlite3_step(st));
	sqlite3_reset(st);
	return j->seq;
}

void t_journal_gap(struct t_journal *j, const char *reason, int64_t since_us,
		   int64_t noticed_us, int64_t closed_us, int64_t found)
{
	sqlite3_stmt *st;

	st = must_prepare(j, "INSERT INTO gap(root, reason, since, noticed,"
			     " closed, found) VALUES(1, ?1, ?2, ?3, ?4, ?5)");
	sqlite3_bind_text(st, 1, reason, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, since_us);
	sqlite3_bind_int64(st, 3, noticed_us);
	if (closed_us != 0)
		sqlite3_bind_int64(st, 4, closed_us);
	sqlite3_bind_int64(st, 5, found);
	must(j, sqlite3_step(st));
	sqlite3_finalize(st);
}

void t_journal_commit(struct t_journal *j)
{
	must_run(j, "COMMIT; BEGIN");
}

/* ---- many at once ---- */

static void print_dir(char *buf, size_t size, int64_t dir)
{
	snprintf(buf, size, "share-%d/%d/album-%05d", (int)(dir % 8),
		 (int)(2005 + dir / 8 % 20), (int)dir);
}

/* Few directories see most of the changes. */
static int64_t pick_dir(struct t_random *random, int dirs)
{
	uint64_t r = t_random_next(random);
	double u = (double)(r >> 11) / 9007199254740992.0;

	return (int64_t)(u * u * u * dirs);
}

static void fill_one(struct t_journal *j, struct t_random *random,
		     int64_t first_place, int dirs, int64_t time_us)
{
	static const enum jb_kind kinds[] = {
		JB_KIND_CREATED,  JB_KIND_MODIFIED, JB_KIND_MODIFIED,
		JB_KIND_MODIFIED, JB_KIND_ATTRIB,   JB_KIND_DELETED,
		JB_KIND_RENAMED,  JB_KIND_CREATED,
	};
	sqlite3_stmt *st = j->put_change;
	uint64_t r = t_random_next(random);
	enum jb_kind kind = kinds[r % 8];
	int64_t place = first_place + pick_dir(random, dirs);
	char name[32];
	int len;

	len = snprintf(name, sizeof name, "img-%04d.%s", (int)(r >> 8) % 500,
		       r >> 20 & 1 ? "jpg" : "raw");
	sqlite3_bind_int64(st, 1, ++j->seq);
	sqlite3_bind_int(st, 2, kind);
	sqlite3_bind_int(st, 4,
			 kind == JB_KIND_ATTRIB ? JB_WHAT_METADATA
						: JB_WHAT_CONTENT);
	sqlite3_bind_int64(st, 5, place);
	sqlite3_bind_blob(st, 6, name, len, SQLITE_STATIC);
	sqlite3_bind_null(st, 7);
	sqlite3_bind_null(st, 8);
	if (kind == JB_KIND_RENAMED) {
		sqlite3_bind_int64(st, 7, place);
		sqlite3_bind_blob(st, 8, "old.tmp", 7, SQLITE_STATIC);
	}
	sqlite3_bind_int64(st, 9, (int64_t)(r >> 40));
	sqlite3_bind_int64(st, 10, time_us * 1000);
	sqlite3_bind_int64(st, 12, (int64_t)(r >> 30 & 0xfffff));
	sqlite3_bind_int64(st, 13, time_us * 1000);
	must(j, sqlite3_step(st));
	sqlite3_reset(st);
}

/* What @sql says, one string after the other; the caller frees it. */
static char *read_lines(struct t_journal *j, const char *sql)
{
	sqlite3_stmt *st = must_prepare(j, sql);
	char *lines = NULL, *old;
	int rc;

	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		old = lines;
		if (asprintf(&lines, "%s%s;", old != NULL ? old : "",
			     (const char *)sqlite3_column_text(st, 0)) < 0)
			err(1, NULL);
		free(old);
	}
	must(j, rc);
	sqlite3_finalize(st);
	return lines;
}

void t_journal_fill(struct t_journal *j, const struct t_fill *fill)
{
	int64_t begin = fill->end_us - fill->span_us, first_place = 0, us = 0;
	struct t_random random = {1};
	char *make, *drop, dir[64];

	/* Indexes are built faster when all is there. */
	make = read_lines(j, "SELECT sql FROM sqlite_schema"
			     " WHERE type = 'index' AND name LIKE 'change_%'");
	drop = read_lines(j, "SELECT 'DROP INDEX ' || name FROM sqlite_schema"
			     " WHERE type = 'index' AND name LIKE 'change_%'");
	must_run(j, drop);
	for (int i = 0; i < fill->dirs; i++) {
		print_dir(dir, sizeof dir, i);
		us = make_place(j, 1, dir, strlen(dir));
		first_place = i == 0 ? us : first_place;
	}
	sqlite3_clear_bindings(j->put_change);
	sqlite3_bind_int(j->put_change, 3, JB_SOURCE_EVENT);
	sqlite3_bind_int(j->put_change, 11, S_IFREG | 0644);
	for (int64_t i = 0; i < fill->changes; i++) {
		us = begin + (int64_t)((double)fill->span_us * (double)i /
				       (double)fill->changes);
		if (t_random_next(&random) % (uint64_t)fill->per_batch == 0)
			t_journal_batch(j, us);
		fill_one(j, &random, first_place, fill->dirs, us);
	}
	must_run(j, make);
	t_journal_commit(j);
	free(make);
	free(drop);
}

void t_journal_fini(struct t_journal *j)
{
	must_run(j, "COMMIT");
	sqlite3_finalize(j->put_place);
	sqlite3_finalize(j->get_place);
	sqlite3_finalize(j->put_batch);
	sqlite3_finalize(j->put_change);
	jb_store_close(j->store);
}
