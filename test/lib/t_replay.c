/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_replay.h"

#include "journal/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#define SHOWN 12

#define SQL_ROOT "(SELECT id FROM j.root WHERE name = '%s')"

static const char SQL_ROWS[] =
	"SELECT seq, kind, dino, dbirth, name, old_dino, old_dbirth, old_name,"
	" ino, birth, mode, entries, dir_path, old_dir_path FROM c"
	" WHERE seq > %lld AND root = " SQL_ROOT " ORDER BY seq";

/* All below directory (?1, ?2). */
static const char SQL_EMPTY[] =
	"WITH RECURSIVE gone(ino, birth) AS (VALUES(?1, ?2) UNION"
	" SELECT t.ino, t.birth FROM gone g JOIN played t ON t.dino = g.ino"
	" AND t.dbirth = g.birth WHERE (t.mode & 61440) = 16384)"
	"DELETE FROM played WHERE rowid IN (SELECT t.rowid FROM gone g"
	" JOIN played t ON t.dino = g.ino AND t.dbirth = g.birth)";

static const char SQL_UP[] =
	"WITH RECURSIVE u(n, dino, dbirth, path) AS ("
	" SELECT 0, dino, dbirth, name FROM played WHERE ino = ?1"
	" AND birth = ?2 UNION ALL"
	" SELECT n + 1, t.dino, t.dbirth, CAST(t.name||'/'||u.path AS BLOB)"
	" FROM u JOIN played t ON t.ino = u.dino AND t.birth = u.dbirth"
	" WHERE n < 2000 AND (u.dino, u.dbirth) <> (?1, ?2))"
	" SELECT path FROM u ORDER BY n DESC LIMIT 1";

/* A name in the listing: what of which directory, of which object. */
struct place {
	struct t_id dir;
	const void *name; /* borrowed */
	int len;
};

struct row {
	int64_t seq, entries;
	int kind;
	bool has_entries;
	struct place at, old;
	struct t_id id;
	uint32_t mode;
	const void *path, *old_path; /* borrowed: of the directories */
	int path_len, old_path_len;
};

struct player {
	struct t_judge *j;
	sqlite3_stmt *add, *take, *has, *empty, *up; /* owned */
	FILE *complaints;
	int n;
};

static void bind_name(sqlite3_stmt *st, struct t_id id, const struct place *p)
{
	sqlite3_bind_int64(st, 1, (sqlite3_int64)id.ino);
	sqlite3_bind_int64(st, 2, id.birth);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)p->dir.ino);
	sqlite3_bind_int64(st, 4, p->dir.birth);
	sqlite3_bind_blob(st, 5, p->name, p->len, SQLITE_TRANSIENT);
}

/* Returns how many rows it changed. */
static int run_once(struct player *p, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE)
		fail_msg("replay: %s", sqlite3_errmsg(p->j->db));
	sqlite3_reset(st);
	return sqlite3_changes(p->j->db);
}

/* What a message shows of a path. */
static int clip(int len)
{
	return len < 300 ? len : 300;
}

__attribute__((format(printf, 3, 4))) static void
complain(struct player *p, const struct row *r, const char *format, ...)
{
	va_list ap;

	if (p->n++ >= SHOWN)
		return;
	fprintf(p->complaints,
		"  row %lld (%s %.*s in %.*s, ino %llu): ", (long long)r->seq,
		jb_kind_name(r->kind), clip(r->at.len),
		(const char *)r->at.name, clip(r->path_len),
		(const char *)r->path, (unsigned long long)r->id.ino);
	va_start(ap, format);
	vfprintf(p->complaints, format, ap);
	va_end(ap);
	fprintf(p->complaints, "\n");
}

static struct t_id column_id(sqlite3_stmt *st, int n)
{
	struct t_id id = {(uint64_t)sqlite3_column_int64(st, n),
			  sqlite3_column_int64(st, n + 1)};

	return id;
}

static void read_place(sqlite3_stmt *st, int n, struct place *at)
{
	at->dir = column_id(st, n);
	at->name = sqlite3_column_blob(st, n + 2);
	at->len = sqlite3_column_bytes(st, n + 2);
}

static void read_row(sqlite3_stmt *st, struct row *r)
{
	r->seq = sqlite3_column_int64(st, 0);
	r->kind = sqlite3_column_int(st, 1);
	read_place(st, 2, &r->at);
	read_place(st, 5, &r->old);
	r->id = column_id(st, 8);
	r->mode = (uint32_t)sqlite3_column_int64(st, 10);
	r->has_entries = sqlite3_column_type(st, 11) != SQLITE_NULL;
	r->entries = sqlite3_column_int64(st, 11);
	r->path = sqlite3_column_blob(st, 12);
	r->path_len = sqlite3_column_bytes(st, 12);
	r->old_path = sqlite3_column_blob(st, 13);
	r->old_path_len = sqlite3_column_bytes(st, 13);
}

/* Is @path where the replay has directory @dir by now? */
static void check_path(struct player *p, const struct row *r, struct t_id dir,
		       const void *path, int len)
{
	const void *is = "";
	int is_len = 0;

	sqlite3_bind_int64(p->up, 1, (sqlite3_int64)dir.ino);
	sqlite3_bind_int64(p->up, 2, dir.birth);
	if (sqlite3_step(p->up) == SQLITE_ROW) {
		is = sqlite3_column_blob(p->up, 0);
		is_len = sqlite3_column_bytes(p->up, 0);
	}
	if (len != is_len || memcmp(is, len > 0 ? path : "", (size_t)len) != 0)
		complain(p, r, "says directory %.*s, which is at %.*s",
			 clip(len), (const char *)path, clip(is_len),
			 (const char *)is);
	sqlite3_reset(p->up);
}

static bool take_name(struct player *p, const struct row *r,
		      const struct place *at)
{
	bind_name(p->take, r->id, at);
	return run_once(p, p->take) > 0;
}

static bool has_name(struct player *p, const struct row *r)
{
	bool found;

	bind_name(p->has, r->id, &r->at);
	found = sqlite3_step(p->has) == SQLITE_ROW;
	sqlite3_reset(p->has);
	return found;
}

static void add_name(struct player *p, const struct row *r)
{
	bind_name(p->add, r->id, &r->at);
	sqlite3_bind_int64(p->add, 6, r->mode);
	if (run_once(p, p->add) == 0)
		complain(p, r, "has that name already");
}

static void play_deleted(struct player *p, const struct row *r)
{
	int below;

	if (!take_name(p, r, &r->at))
		complain(p, r, "was not there");
	if (!S_ISDIR(r->mode))
		return;
	sqlite3_bind_int64(p->empty, 1, (sqlite3_int64)r->id.ino);
	sqlite3_bind_int64(p->empty, 2, r->id.birth);
	below = run_once(p, p->empty);
	if (!r->has_entries || r->entries != below + 1)
		complain(p, r, "entries %lld, but %d were below",
			 (long long)r->entries, below);
}

static void play_renamed(struct player *p, const struct row *r)
{
	check_path(p, r, r->old.dir, r->old_path, r->old_path_len);
	if (!take_name(p, r, &r->old))
		complain(p, r, "was not at its old place %.*s in %.*s",
			 r->old.len, (const char *)r->old.name, r->old_path_len,
			 (const char *)r->old_path);
	add_name(p, r);
}

static void play_row(struct player *p, const struct row *r)
{
	if (r->at.len == 1 && memcmp(r->at.name, ".", 1) == 0)
		return; /* the root itself */
	check_path(p, r, r->at.dir, r->path, r->path_len);
	switch (r->kind) {
	case JB_KIND_CREATED:
		add_name(p, r);
		break;
	case JB_KIND_RENAMED:
		play_renamed(p, r);
		break;
	case JB_KIND_DELETED:
		play_deleted(p, r);
		break;
	default:
		if (!has_name(p, r))
			complain(p, r, "does not have that name");
		break;
	}
}

static void open_player(struct player *p, struct t_judge *j, const char *first)
{
	p->j = j;
	p->n = 0;
	t_judge_exec(j,
		     "DROP TABLE IF EXISTS played; DROP TABLE IF EXISTS result;"
		     "CREATE TABLE played(ino INT, birth INT, dino INT,"
		     " dbirth INT, name BLOB, mode INT,"
		     " UNIQUE(dino, dbirth, name, ino, birth));"
		     "CREATE INDEX played_id ON played(ino, birth);"
		     "INSERT INTO played SELECT ino, birth, dino, dbirth, name,"
		     " mode FROM \"%s\" WHERE NOT mount",
		     first);
	p->add = t_judge_prepare(
		j, "INSERT OR IGNORE INTO played VALUES(?,?,?,?,?,?)");
	p->take =
		t_judge_prepare(j,
				"DELETE FROM played WHERE ino = ? AND birth = ?"
				" AND dino = ? AND dbirth = ? AND name = ?");
	p->has = t_judge_prepare(
		j, "SELECT 1 FROM played WHERE ino = ? AND birth = ?"
		   " AND dino = ? AND dbirth = ? AND name = ?");
	p->empty = t_judge_prepare(j, "%s", SQL_EMPTY);
	p->up = t_judge_prepare(j, "%s", SQL_UP);
}

static void close_player(struct player *p)
{
	sqlite3_finalize(p->add);
	sqlite3_finalize(p->take);
	sqlite3_finalize(p->has);
	sqlite3_finalize(p->empty);
	sqlite3_finalize(p->up);
}

/* With the facts of @last, so that only names can differ. */
static void make_result(struct t_judge *j, const char *last)
{
	t_judge_exec(j,
		     "CREATE TABLE result AS SELECT p.dino, p.dbirth, p.name,"
		     " p.ino, p.birth, p.mode & 61440 AS mode, 0 AS uid,"
		     " 0 AS gid, 0 AS nlink, 0 AS rdev, 0 AS size, 0 AS mtime,"
		     " 0 AS ctime, 0 AS mount FROM played p;"
		     "CREATE INDEX result_place ON result(dino, dbirth, name);"
		     "CREATE INDEX result_id ON result(ino, birth)");
	t_judge_exec(j,
		     "DROP TABLE IF EXISTS wanted;"
		     "CREATE TABLE wanted AS SELECT dino, dbirth, name, ino,"
		     " birth, mode & 61440 AS mode, 0 AS uid, 0 AS gid,"
		     " 0 AS nlink, 0 AS rdev, 0 AS size, 0 AS mtime,"
		     " 0 AS ctime, 0 AS mount FROM \"%s\" WHERE NOT mount;"
		     "CREATE INDEX wanted_place ON wanted(dino, dbirth, name);"
		     "CREATE INDEX wanted_id ON wanted(ino, birth)",
		     last);
}

int t_replay_play(struct t_judge *j, const struct t_span *span, char **text)
{
	struct player p;
	sqlite3_stmt *rows;
	struct row r;
	size_t len;

	open_player(&p, j, span->first);
	p.complaints = open_memstream(text, &len);
	rows = t_judge_prepare(j, SQL_ROWS, (long long)span->after, span->root);
	t_judge_exec(j, "BEGIN");
	while (sqlite3_step(rows) == SQLITE_ROW) {
		read_row(rows, &r);
		play_row(&p, &r);
	}
	sqlite3_finalize(rows);
	close_player(&p);
	t_judge_exec(j, "COMMIT");
	fclose(p.complaints);
	return p.n;
}

void t_replay(struct t_judge *j, const struct t_span *span)
{
	char *text = NULL;
	int n = t_replay_play(j, span, &text);

	if (n > 0)
		fail_msg("replay, %d rows are wrong:\n%s", n, text);
	free(text);
	make_result(j, span->last);
	t_judge_compare(j, "wanted", "result");
}

/* Table `rows` of the span; table `lenient`: exempt, and all that was ever
 * below a directory that was outside. */
static void spread_exemption(struct t_judge *j, const struct t_span *span)
{
	t_judge_exec(j,
		     "DROP TABLE IF EXISTS rows; DROP TABLE IF EXISTS edge;"
		     "DROP TABLE IF EXISTS lenient;"
		     "CREATE TABLE rows AS SELECT seq, kind, ino, birth, dino,"
		     " dbirth, old_dino, old_dbirth FROM c WHERE seq > %lld"
		     " AND root = " SQL_ROOT,
		     (long long)span->after, span->root);
	t_judge_exec(
		j,
		"CREATE TABLE edge AS SELECT dino, dbirth, ino, birth"
		" FROM \"%s\" UNION ALL SELECT dino, dbirth, ino, birth"
		" FROM \"%s\" UNION ALL SELECT dino, dbirth, ino, birth"
		" FROM rows WHERE kind IN (1, 4) UNION ALL SELECT old_dino,"
		" old_dbirth, ino, birth FROM rows WHERE kind = 4;"
		"CREATE INDEX edge_dir ON edge(dino, dbirth);"
		"CREATE TABLE lenient AS WITH RECURSIVE l(ino, birth) AS ("
		" SELECT ino, birth FROM outsider UNION"
		" SELECT e.ino, e.birth FROM l JOIN edge e"
		" ON e.dino = l.ino AND e.dbirth = l.birth)"
		"SELECT * FROM l UNION SELECT ino, birth FROM exempt;"
		"CREATE INDEX lenient_id ON lenient(ino, birth)",
		span->first, span->last);
}

static const char SQL_TOO_OFTEN[] =
	"SELECT k.kind, k.ino, k.birth, k.n, (SELECT path FROM c"
	" WHERE c.seq = k.seq), k.seq FROM (SELECT kind, ino, birth,"
	" count(*) AS n, max(seq) AS seq FROM rows WHERE kind IN (1, 5)"
	" GROUP BY kind, ino, birth) k WHERE k.n >"
	" (k.kind = 1 AND NOT EXISTS (SELECT 1 FROM \"%s\" f"
	" WHERE f.ino = k.ino AND f.birth = k.birth)) +"
	" (k.kind = 5 AND NOT EXISTS (SELECT 1 FROM \"%s\" l"
	" WHERE l.ino = k.ino AND l.birth = k.birth))"
	" AND NOT EXISTS (SELECT 1 FROM lenient x"
	" WHERE x.ino = k.ino AND x.birth = k.birth)";

void t_replay_check_counts(struct t_judge *j, const struct t_span *span)
{
	sqlite3_stmt *st;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int n = 0;

	spread_exemption(j, span);
	st = t_judge_prepare(j, SQL_TOO_OFTEN, span->first, span->last);
	while (sqlite3_step(st) == SQLITE_ROW)
		if (n++ < SHOWN)
			fprintf(f,
				"  %s %lld times: %s (ino %lld birth %lld, "
				"row %lld)\n",
				jb_kind_name(sqlite3_column_int(st, 0)),
				sqlite3_column_int64(st, 3),
				sqlite3_column_text(st, 4),
				sqlite3_column_int64(st, 1),
				sqlite3_column_int64(st, 2),
				sqlite3_column_int64(st, 5));
	sqlite3_finalize(st);
	fclose(f);
	if (n > 0)
		fail_msg("%d objects were created or deleted too often:\n%s", n,
			 text);
	free(text);
}

/* @st, of the rows that should not be there: name, ino, birth. */
static void check_none(const char *what, sqlite3_stmt *st)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int n = 0;

	while (sqlite3_step(st) == SQLITE_ROW)
		if (n++ < SHOWN)
			fprintf(f, "  %.*s (ino %lld birth %lld)\n",
				sqlite3_column_bytes(st, 0),
				(const char *)sqlite3_column_blob(st, 0),
				sqlite3_column_int64(st, 1),
				sqlite3_column_int64(st, 2));
	sqlite3_finalize(st);
	fclose(f);
	if (n > 0)
		fail_msg("%d files: %s:\n%s", n, what, text);
	free(text);
}

void t_replay_check_content(struct t_judge *j, const struct t_span *span)
{
	t_judge_exec(j,
		     "DROP TABLE IF EXISTS content;"
		     "CREATE TABLE content AS SELECT ino, birth, size, mtime,"
		     " max(seq) AS seq FROM c WHERE seq > %lld"
		     " AND root = " SQL_ROOT
		     " AND what & 1 GROUP BY ino, birth;"
		     "CREATE INDEX content_id ON content(ino, birth)",
		     (long long)span->after, span->root);
	check_none(
		"the last content row does not tell size and time",
		t_judge_prepare(j,
				"SELECT l.name, l.ino, l.birth FROM \"%s\" l"
				" JOIN content c ON c.ino = l.ino"
				" AND c.birth = l.birth"
				" WHERE (l.mode & 61440) = 32768"
				" AND (c.size, c.mtime) <> (l.size, l.mtime)",
				span->last));
	check_none("written, but no row says content",
		   t_judge_prepare(
			   j,
			   "SELECT l.name, l.ino, l.birth FROM \"%s\" l"
			   " JOIN written w ON w.ino = l.ino"
			   " AND w.birth = l.birth LEFT JOIN content c"
			   " ON c.ino = l.ino AND c.birth = l.birth"
			   " WHERE (l.mode & 61440) = 32768 AND c.seq IS NULL",
			   span->last));
}

/* But for ctime: who went away and came back has a new one, and no row. */
void t_replay_check_told(struct t_judge *j, const struct t_span *span)
{
	t_judge_exec(j,
		     "DROP TABLE IF EXISTS told; CREATE TABLE told AS"
		     " WITH r AS (SELECT * FROM c WHERE seq > %lld"
		     " AND root = " SQL_ROOT ")"
		     "SELECT ino, birth FROM r UNION SELECT dino, dbirth FROM r"
		     " UNION SELECT old_dino, old_dbirth FROM r",
		     (long long)span->after, span->root);
	t_judge_exec(j, "CREATE INDEX told_id ON told(ino, birth)");
	check_none(
		"changed, but no row tells",
		t_judge_prepare(
			j,
			"SELECT l.name, l.ino, l.birth FROM \"%s\" l"
			" JOIN \"%s\" f ON f.ino = l.ino"
			" AND f.birth = l.birth WHERE NOT l.mount"
			" AND NOT f.mount AND (f.mode, f.uid, f.gid, f.size,"
			" f.mtime) <> (l.mode, l.uid, l.gid, l.size, l.mtime)"
			" AND NOT EXISTS (SELECT 1 FROM told t"
			" WHERE t.ino = l.ino AND t.birth = l.birth)",
			span->last, span->first));
}
