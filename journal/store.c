/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/store.h"

#include "journal/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS	 5000
#define WRITER_CACHE_KIB 20000
#define READER_CACHE_KIB 4000
#define SHARE		 16 /* of a small disk */

/* A new file can be made smaller, a little at a time. An older one would have
 * to be written anew for that; its free pages are used again. */
static const char SQL_NEW_FILE[] = "PRAGMA auto_vacuum = INCREMENTAL";

static int code_of_sqlite(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return JB_OK;
	case SQLITE_NOMEM:
		return JB_ENOMEM;
	case SQLITE_FULL:
		return JB_ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return JB_EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return JB_ECORRUPT;
	case SQLITE_IOERR:
		return rc == SQLITE_IOERR_NOMEM ? JB_ENOMEM : JB_EIO;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return JB_EACCES;
	default:
		return JB_EDB;
	}
}

static bool same_error(int a, int b)
{
	return (a & 0xff) == (b & 0xff); /* extended or not */
}

int jb_store_error(sqlite3 *db, int rc, struct jb_error *err, const char *fmt,
		   ...)
{
	char what[JB_ERROR_TEXT_MAX / 2];
	int errnum = db != NULL && same_error(rc, SQLITE_CANTOPEN)
			     ? sqlite3_system_errno(db)
			     : 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	if (errnum != 0)
		return jb_error_errno(err, errnum, "%s", what);
	/* What we found ourselves is no error of the connection, and it may
	 * have had another one since. */
	return jb_error_set(err, code_of_sqlite(rc), rc, "%s: %s", what,
			    db != NULL && same_error(sqlite3_errcode(db), rc)
				    ? sqlite3_errmsg(db)
				    : sqlite3_errstr(rc));
}

static int set_pragmas(struct jb_store *s, enum jb_store_mode mode,
		       struct jb_error *err)
{
	char sql[256];
	int rc;

	if (mode == JB_STORE_WRITE)
		snprintf(sql, sizeof sql,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			 "PRAGMA cache_size = -%d;"
			 "PRAGMA foreign_keys = OFF",
			 WRITER_CACHE_KIB);
	else
		snprintf(sql, sizeof sql,
			 "PRAGMA query_only = ON; PRAGMA cache_size = -%d",
			 READER_CACHE_KIB);
	rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return jb_store_error(s->db, rc, err, "%s", s->path);
	return JB_OK;
}

void jb_store_make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

static bool is_empty(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_size == 0;
}

static int open_database(struct jb_store *s, enum jb_store_mode mode,
			 struct jb_error *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE;
	int rc;

	if (mode == JB_STORE_WRITE) {
		flags |= SQLITE_OPEN_CREATE;
		jb_store_make_file(s->path);
	}
	rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
	if (rc == SQLITE_CANTOPEN && access(s->path, F_OK) < 0 &&
	    errno == ENOENT)
		return jb_error_set(err, JB_ENOENT, ENOENT,
				    "%s: no journal yet: start the daemon",
				    s->path);
	if (rc != SQLITE_OK)
		return jb_store_error(s->db, rc, err, "%s", s->path);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	if (mode == JB_STORE_WRITE && is_empty(s->path))
		sqlite3_exec(s->db, SQL_NEW_FILE, NULL, NULL, NULL);
	return JB_OK;
}

int jb_store_open(const char *dir, enum jb_store_mode mode,
		  struct jb_store **ret, struct jb_error *err)
{
	struct jb_store *s;
	int rv;

	s = calloc(1, sizeof *s);
	if (s == NULL || asprintf(&s->path, "%s/journal.db", dir) < 0) {
		free(s);
		return jb_error_set(err, JB_ENOMEM, 0, "%s", dir);
	}
	rv = open_database(s, mode, err);
	/* Whose file is it? Before anything in it is changed. */
	if (rv == JB_OK && mode == JB_STORE_READ)
		rv = jb_migrate_check(s->db, &jb_journal_schema, s->path, err);
	if (rv == JB_OK && mode == JB_STORE_WRITE)
		rv = jb_migrate(s->db, &jb_journal_schema, s->path, err);
	if (rv == JB_OK)
		rv = set_pragmas(s, mode, err);
	if (rv != JB_OK) {
		jb_store_close(s);
		return rv;
	}
	*ret = s;
	return JB_OK;
}

void jb_store_close(struct jb_store *s)
{
	if (s == NULL)
		return;
	sqlite3_close(s->db);
	free(s->path);
	free(s);
}

int jb_store_prepare(struct jb_store *s, const char *sql, sqlite3_stmt **ret,
		     struct jb_error *err)
{
	int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
				    ret, NULL);

	if (rc != SQLITE_OK)
		return jb_store_error(s->db, rc, err, "%s: %.60s", s->path,
				      sql);
	return JB_OK;
}

int jb_store_exec(struct jb_store *s, const char *sql, struct jb_error *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return jb_store_error(s->db, rc, err, "%s: %.60s", s->path,
				      sql);
	return JB_OK;
}

int jb_store_check_there(struct jb_store *s, struct jb_error *err)
{
	struct stat st;
	int moved = 0;

	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	/* A disk that fails says so by itself. */
	if (moved == 0 || (stat(s->path, &st) < 0 && errno != ENOENT))
		return JB_OK;
	return jb_error_set(err, JB_ESYS, 0,
			    "%s: was removed or replaced while it was in use: "
			    "the next start begins with what is there then",
			    s->path);
}

int jb_store_begin(struct jb_store *s, struct jb_error *err)
{
	return jb_store_exec(s, "BEGIN IMMEDIATE", err);
}

int jb_store_commit(struct jb_store *s, struct jb_error *err)
{
	int rv = jb_store_exec(s, "COMMIT", err);

	if (rv != JB_OK)
		jb_store_rollback(s);
	return rv;
}

void jb_store_rollback(struct jb_store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

int jb_store_run(struct jb_store *s, sqlite3_stmt *st, struct jb_error *err)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	if (rc != SQLITE_DONE)
		return jb_store_error(s->db, rc, err, "%s", s->path);
	return JB_OK;
}

int jb_store_run_once(struct jb_store *s, const char *sql,
		      const int64_t *values, int n, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s, sql, &st, err);

	if (rv != JB_OK)
		return rv;
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(st, i + 1, values[i]);
	rv = jb_store_run(s, st, err);
	sqlite3_finalize(st);
	return rv;
}

int jb_store_step(struct jb_store *s, sqlite3_stmt *st, struct jb_error *err)
{
	int rc = sqlite3_step(st), rv = 0;

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		rv = jb_store_error(s->db, rc, err, "%s", s->path);
	sqlite3_reset(st);
	return rv;
}

int jb_store_get_meta(struct jb_store *s, const char *key, int64_t otherwise,
		      int64_t *ret, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(s, "SELECT value FROM meta WHERE key = ?1", &st,
			      err);
	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	rv = jb_store_step(s, st, err);
	if (rv >= 0) {
		*ret = rv > 0 ? sqlite3_column_int64(st, 0) : otherwise;
		rv = JB_OK;
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_store_set_meta(struct jb_store *s, const char *key, int64_t value,
		      struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(s,
			      "INSERT INTO meta(key, value) VALUES(?1, ?2)"
			      " ON CONFLICT(key) DO UPDATE SET value = ?2",
			      &st, err);
	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 2, value);
	rv = jb_store_run(s, st, err);
	sqlite3_finalize(st);
	return rv;
}

int64_t jb_store_wal_bytes(const char *path)
{
	int64_t bytes = JB_STORE_WAL_MOST, share;
	struct statvfs st;

	if (statvfs(path, &st) == 0 && st.f_blocks != 0) {
		share = (int64_t)(st.f_blocks * st.f_frsize) / SHARE;
		bytes = share < bytes ? share : bytes;
	}
	return bytes > JB_STORE_WAL_LEAST ? bytes : JB_STORE_WAL_LEAST;
}

int jb_store_limit_wal(struct jb_store *s, int64_t bytes, struct jb_error *err)
{
	int64_t page = 4096;
	sqlite3_stmt *st;
	char sql[128];
	int rv = jb_store_prepare(s, "PRAGMA page_size", &st, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(s, st, err);
	if (rv > 0)
		page = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	if (rv < 0)
		return rv;
	snprintf(sql, sizeof sql,
		 "PRAGMA wal_autocheckpoint = %lld;"
		 "PRAGMA journal_size_limit = %lld",
		 (long long)(bytes / page), (long long)bytes);
	return jb_store_exec(s, sql, err);
}

int jb_store_cut_wal(struct jb_store *s, int wait_ms, struct jb_error *err)
{
	int rc;

	sqlite3_busy_timeout(s->db, wait_ms);
	rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
				       NULL, NULL);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		return jb_store_error(s->db, rc, err, "%s: checkpoint",
				      s->path);
	return JB_OK;
}
