/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define SHOWN	   12 /* differences of one kind that a message tells */
#define PATH_SHOWN 100

static const char SQL_VIEW[] =
	"CREATE TEMP VIEW c AS SELECT c.*,"
	" p.path AS dir_path, p.ino AS dino, p.birth AS dbirth, p.root AS root,"
	" q.path AS old_dir_path, q.ino AS old_dino, q.birth AS old_dbirth,"
	" q.root AS old_root,"
	" CAST(CASE p.path WHEN x'' THEN c.name ELSE p.path||'/'||c.name END"
	" AS TEXT) AS path,"
	" CAST(CASE q.path WHEN x'' THEN c.old_name"
	" ELSE q.path||'/'||c.old_name END AS TEXT) AS old_path"
	" FROM j.change c JOIN j.place p ON p.id = c.place"
	" LEFT JOIN j.place q ON q.id = c.old_place";

static const char SQL_CATALOG[] =
	"CREATE TABLE \"%s\" AS WITH RECURSIVE d(key, ino, birth) AS ("
	" SELECT dirkey, ino, birth FROM j.entry WHERE parent = 0 AND det = 0"
	" AND root = (SELECT id FROM j.root WHERE name = '%s')"
	" UNION SELECT e.dirkey, e.ino, e.birth FROM d JOIN j.entry e"
	" ON e.parent = d.key WHERE e.det = 0 AND e.dirkey <> 0)"
	" SELECT d.ino AS dino, d.birth AS dbirth, e.name, e.ino, e.birth,"
	" e.mode, e.uid, e.gid, e.nlink, e.rdev, e.size, e.mtime, e.ctime,"
	" (e.flags & 4) <> 0 AS mount"
	" FROM d JOIN j.entry e ON e.parent = d.key AND e.det = 0";

static const char SQL_MISSING[] =
	"SELECT a.* FROM \"%s\" a LEFT JOIN \"%s\" b ON b.dino = a.dino"
	" AND b.dbirth = a.dbirth AND b.name = a.name AND b.ino = a.ino"
	" AND b.birth = a.birth"
	" WHERE b.ino IS NULL AND (NOT a.mount OR NOT EXISTS (SELECT 1"
	" FROM \"%s\" m WHERE m.dino = a.dino AND m.dbirth = a.dbirth"
	" AND m.name = a.name AND m.mount))";

static const char SQL_DIFFERENT[] =
	"SELECT a.*, b.* FROM \"%s\" a JOIN \"%s\" b ON b.dino = a.dino"
	" AND b.dbirth = a.dbirth AND b.name = a.name AND b.ino = a.ino"
	" AND b.birth = a.birth WHERE NOT a.mount"
	" AND (a.mode, a.uid, a.gid, a.nlink, a.rdev, a.size, a.mtime, a.ctime)"
	" <> (b.mode, b.uid, b.gid, b.nlink, b.rdev, b.size, b.mtime, b.ctime)";

sqlite3_stmt *t_judge_prepare(struct t_judge *j, const char *sql, ...)
{
	sqlite3_stmt *st;
	char *text;
	va_list ap;

	va_start(ap, sql);
	text = sqlite3_vmprintf(sql, ap);
	va_end(ap);
	if (sqlite3_prepare_v2(j->db, text, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(j->db));
	sqlite3_free(text);
	return st;
}

static void run_text(struct t_judge *j, char *text)
{
	if (sqlite3_exec(j->db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, sqlite3_errmsg(j->db));
	sqlite3_free(text);
}

void t_judge_exec(struct t_judge *j, const char *sql, ...)
{
	va_list ap;

	va_start(ap, sql);
	run_text(j, sqlite3_vmprintf(sql, ap));
	va_end(ap);
}

static int64_t number_of(struct t_judge *j, char *text)
{
	sqlite3_stmt *st;
	int64_t n;

	if (sqlite3_prepare_v2(j->db, text, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		fail_msg("%s: %s", text, sqlite3_errmsg(j->db));
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_free(text);
	return n;
}

int64_t t_judge_number(struct t_judge *j, const char *sql, ...)
{
	va_list ap;
	char *text;

	va_start(ap, sql);
	text = sqlite3_vmprintf(sql, ap);
	va_end(ap);
	return number_of(j, text);
}

int64_t t_judge_count(struct t_judge *j, const char *where, ...)
{
	va_list ap;
	char *text, *sql;

	va_start(ap, where);
	text = sqlite3_vmprintf(where, ap);
	va_end(ap);
	sql = sqlite3_mprintf("SELECT count(*) FROM c WHERE %s", text);
	sqlite3_free(text);
	return number_of(j, sql);
}

int64_t t_judge_seq(struct t_judge *j)
{
	return t_judge_number(j, "SELECT ifnull(max(seq), 0) FROM j.change");
}

static void attach(struct t_judge *j)
{
	t_judge_exec(j, "ATTACH 'file:%s/journal.db?mode=ro' AS j", j->state);
	t_judge_exec(j, "%s", SQL_VIEW);
	sqlite3_busy_timeout(j->db, 10000);
}

void t_judge_init(struct t_judge *j, const char *state_dir)
{
	memset(j, 0, sizeof *j);
	snprintf(j->state, sizeof j->state, "%s", state_dir);
	assert_int_equal(sqlite3_open_v2(":memory:", &j->db,
					 SQLITE_OPEN_READWRITE |
						 SQLITE_OPEN_CREATE |
						 SQLITE_OPEN_URI,
					 NULL),
			 SQLITE_OK);
	attach(j);
	t_judge_exec(j, "CREATE TABLE exempt(ino INT, birth INT, PRIMARY "
			"KEY(ino, birth));"
			"CREATE TABLE outsider(ino INT, birth INT, PRIMARY "
			"KEY(ino, birth));"
			"CREATE TABLE written(ino INT, birth INT, PRIMARY "
			"KEY(ino, birth))");
}

void t_judge_let_go(struct t_judge *j)
{
	t_judge_exec(j, "DROP VIEW temp.c; DETACH j");
}

void t_judge_reopen(struct t_judge *j)
{
	sqlite3_stmt *st = t_judge_prepare(
		j, "SELECT 1 FROM pragma_database_list WHERE name = 'j'");

	if (sqlite3_step(st) == SQLITE_ROW) {
		sqlite3_finalize(st);
		t_judge_let_go(j);
	} else {
		sqlite3_finalize(st);
	}
	attach(j);
}

void t_judge_fini(struct t_judge *j)
{
	sqlite3_close_v2(j->db);
	j->db = NULL;
}

static void index_listing(struct t_judge *j, const char *name)
{
	t_judge_exec(j,
		     "CREATE INDEX \"%s_place\" ON \"%s\"(dino, dbirth, name);"
		     "CREATE INDEX \"%s_id\" ON \"%s\"(ino, birth)",
		     name, name, name, name);
}

void t_judge_catalog(struct t_judge *j, const char *name, const char *root)
{
	t_judge_exec(j, "DROP TABLE IF EXISTS \"%s\"", name);
	t_judge_exec(j, SQL_CATALOG, name, root);
	index_listing(j, name);
}

char *t_judge_path(struct t_judge *j, const char *listing, struct t_id dir,
		   const void *name, int len)
{
	sqlite3_stmt *up = t_judge_prepare(
		j,
		"WITH RECURSIVE u(n, dino, dbirth, path) AS ("
		" VALUES(0, ?1, ?2, CAST(?3 AS BLOB)) UNION ALL"
		" SELECT n + 1, t.dino, t.dbirth,"
		" CAST(t.name||'/'||u.path AS BLOB) FROM u JOIN \"%s\" t"
		" ON t.ino = u.dino AND t.birth = u.dbirth WHERE n < 2000"
		" AND (n = 0 OR (u.dino, u.dbirth) <> (?1, ?2)))"
		" SELECT path FROM u ORDER BY n DESC LIMIT 1",
		listing);
	char *path = NULL;

	sqlite3_bind_int64(up, 1, (sqlite3_int64)dir.ino);
	sqlite3_bind_int64(up, 2, dir.birth);
	sqlite3_bind_blob(up, 3, name, len, SQLITE_STATIC);
	if (sqlite3_step(up) == SQLITE_ROW)
		path = strndup(sqlite3_column_blob(up, 0),
			       (size_t)sqlite3_column_bytes(up, 0));
	sqlite3_finalize(up);
	return path != NULL ? path : strdup("");
}

/* The end of a path that is too long for a message. */
static const char *shown(const char *path)
{
	size_t len = strlen(path);

	return len > PATH_SHOWN ? path + len - PATH_SHOWN : path;
}

/* Of a row of SQL_MISSING or SQL_DIFFERENT; the caller frees it. */
static char *path_of_row(struct t_judge *j, const char *listing,
			 sqlite3_stmt *st)
{
	struct t_id dir = {(uint64_t)sqlite3_column_int64(st, 0),
			   sqlite3_column_int64(st, 1)};

	return t_judge_path(j, listing, dir, sqlite3_column_blob(st, 2),
			    sqlite3_column_bytes(st, 2));
}

/* "  catalog only: a/b (ino 12 birth 3, mode 100644, size 5)" */
static int tell_missing(struct t_judge *j, FILE *f, const char *a,
			const char *b)
{
	sqlite3_stmt *st = t_judge_prepare(j, SQL_MISSING, a, b, b);
	int n = 0;
	char *path;

	while (sqlite3_step(st) == SQLITE_ROW) {
		if (n++ >= SHOWN)
			continue;
		path = path_of_row(j, a, st);
		fprintf(f, "  %s only: %s (ino %lld birth %lld mode %llo)\n", a,
			shown(path), sqlite3_column_int64(st, 3),
			sqlite3_column_int64(st, 4),
			sqlite3_column_int64(st, 5));
		free(path);
	}
	sqlite3_finalize(st);
	if (n > SHOWN)
		fprintf(f, "  ... %d only in %s\n", n, a);
	return n;
}

static void tell_facts(FILE *f, sqlite3_stmt *st)
{
	int width = sqlite3_column_count(st) / 2, i;

	for (i = 5; i < width - 1; i++)
		if (sqlite3_column_int64(st, i) !=
		    sqlite3_column_int64(st, i + width))
			fprintf(f, " %s %lld/%lld", sqlite3_column_name(st, i),
				sqlite3_column_int64(st, i),
				sqlite3_column_int64(st, i + width));
}

static int tell_different(struct t_judge *j, FILE *f, const char *a,
			  const char *b)
{
	sqlite3_stmt *st = t_judge_prepare(j, SQL_DIFFERENT, a, b);
	int n = 0;
	char *path;

	while (sqlite3_step(st) == SQLITE_ROW) {
		if (n++ >= SHOWN)
			continue;
		path = path_of_row(j, a, st);
		fprintf(f, "  %s/%s: %s (ino %lld):", a, b, shown(path),
			sqlite3_column_int64(st, 3));
		tell_facts(f, st);
		fprintf(f, "\n");
		free(path);
	}
	sqlite3_finalize(st);
	if (n > SHOWN)
		fprintf(f, "  ... %d different\n", n);
	return n;
}

void t_judge_compare(struct t_judge *j, const char *name, const char *other)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int n;

	assert_non_null(f);
	n = tell_missing(j, f, name, other);
	n += tell_missing(j, f, other, name);
	n += tell_different(j, f, name, other);
	fclose(f);
	if (n > 0)
		fail_msg("%s is not %s, %d differences:\n%s", other, name, n,
			 text);
	free(text);
}

void t_judge_tree(struct t_judge *j, const char *path, const char *root)
{
	t_judge_walk(j, "live", path);
	t_judge_catalog(j, "catalog", root);
	t_judge_compare(j, "live", "catalog");
}

void t_judge_catalog_is_sound(struct t_judge *j)
{
	int64_t n;

	n = t_judge_number(j, "SELECT count(*) FROM j.entry WHERE det <> 0");
	if (n != 0)
		fail_msg("%lld rows are detached while all is quiet",
			 (long long)n);
	n = t_judge_number(j,
			   "SELECT count(*) FROM j.entry e WHERE e.parent <> 0"
			   " AND NOT EXISTS (SELECT 1 FROM j.entry d"
			   " JOIN j.dir k ON k.dirkey = e.parent WHERE"
			   " d.parent = k.parent AND d.name = k.name"
			   " AND d.det = k.det AND d.dirkey = k.dirkey)");
	if (n != 0)
		fail_msg("%lld rows lie in no directory", (long long)n);
	n = t_judge_number(j, "SELECT (SELECT count(*) FROM j.dir) -"
			      " (SELECT count(*) FROM j.entry WHERE dirkey)");
	if (n != 0)
		fail_msg("%lld more rows in dir than directories in entry",
			 (long long)n);
}

void t_judge_show(struct t_judge *j, int64_t seq)
{
	static const char *const kinds[] = {"?",      "created", "modified",
					    "attrib", "renamed", "deleted"};
	sqlite3_stmt *st = t_judge_prepare(
		j,
		"SELECT seq, kind, path, old_path, ino, birth, entries, source,"
		" what FROM c WHERE seq > %lld ORDER BY seq",
		(long long)seq);

	while (sqlite3_step(st) == SQLITE_ROW)
		print_message("%6lld %-8s %s%s%s ino %lld/%lld entries %lld "
			      "source %d what %d\n",
			      sqlite3_column_int64(st, 0),
			      kinds[sqlite3_column_int(st, 1) % 6],
			      sqlite3_column_text(st, 2),
			      sqlite3_column_text(st, 3) != NULL ? " <- " : "",
			      sqlite3_column_text(st, 3) != NULL
				      ? (const char *)sqlite3_column_text(st, 3)
				      : "",
			      sqlite3_column_int64(st, 4),
			      sqlite3_column_int64(st, 5),
			      sqlite3_column_int64(st, 6),
			      sqlite3_column_int(st, 7),
			      sqlite3_column_int(st, 8));
	sqlite3_finalize(st);
}
