/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/store.h - an open journal.db (or another SQLite file of ours).
 *
 * Lifecycle: open -> prepare/begin/commit* -> close. A store belongs to the
 * thread that opened it. There is one writer per file (the recorder); readers
 * open as many as they like, and keep no read transaction for longer than a
 * page of rows.
 *
 * The writer runs in WAL mode with synchronous=FULL: what a reader can see
 * survives a power cut. */
#ifndef JB_JOURNAL_STORE_H
#define JB_JOURNAL_STORE_H

#include "jb/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jb_store_mode {
	JB_STORE_WRITE, /* creates and migrates */
	JB_STORE_READ,	/* sees committed data only */
};

struct jb_store {
	sqlite3 *db; /* owned */
	char *path;  /* owned */
};

/* Open DIR/journal.db. On success the caller owns *ret; it is untouched on
 * failure. JB_ECORRUPT: damaged; JB_ENEWER: of a newer version; JB_ENOENT: a
 * reader found no journal; JB_EBUSY: another process writes it. */
int jb_store_open(const char *dir, enum jb_store_mode mode,
		  struct jb_store **ret, struct jb_error *err);

/* Make an empty file for a database that only its owner can read, unless there
 * is one: it names every file of the server. SQLite's WAL gets the same mode.
 * What fails here is told by whoever opens it. */
void jb_store_make_file(const char *path);

/* Accepts NULL. All statements must have been finalized. */
void jb_store_close(struct jb_store *s);

/* Prepare a statement that lives as long as the store is used. */
int jb_store_prepare(struct jb_store *s, const char *sql, sqlite3_stmt **ret,
		     struct jb_error *err);

int jb_store_exec(struct jb_store *s, const char *sql, struct jb_error *err);

/* JB_ESYS: the file has no name any more, or another one has it: what is
 * written will never be read. */
int jb_store_check_there(struct jb_store *s, struct jb_error *err);

/* BEGIN IMMEDIATE, COMMIT, ROLLBACK. A commit that fails is rolled back. */
int jb_store_begin(struct jb_store *s, struct jb_error *err);
int jb_store_commit(struct jb_store *s, struct jb_error *err);
void jb_store_rollback(struct jb_store *s);

/* Run a prepared statement that returns no rows, and reset it. */
int jb_store_run(struct jb_store *s, sqlite3_stmt *st, struct jb_error *err);

/* Prepare a statement, bind the @n values, run it once: for what is rare. */
int jb_store_run_once(struct jb_store *s, const char *sql,
		      const int64_t *values, int n, struct jb_error *err);

/* Step once: 1 row, 0 done (and reset), or a negative JB_E*. The caller resets
 * the statement when it stops before the end. */
int jb_store_step(struct jb_store *s, sqlite3_stmt *st, struct jb_error *err);

/* Values of table `meta`. A missing one reads as @otherwise. */
int jb_store_get_meta(struct jb_store *s, const char *key, int64_t otherwise,
		      int64_t *ret, struct jb_error *err);
int jb_store_set_meta(struct jb_store *s, const char *key, int64_t value,
		      struct jb_error *err);

/* How large a WAL may be: a small disk has not room for JB_STORE_WAL_MOST. */
#define JB_STORE_WAL_MOST  (INT64_C(64) << 20)
#define JB_STORE_WAL_LEAST (INT64_C(256) << 10)
int64_t jb_store_wal_bytes(const char *path);
/* From now on the writer writes it back when it is that large, and cuts it to
 * that. A transaction, or somebody who reads, can make it larger meanwhile. */
int jb_store_limit_wal(struct jb_store *s, int64_t bytes, struct jb_error *err);

/* The writer: write the WAL back and cut it to nothing, for which it waits
 * @wait_ms for readers. That somebody reads for longer is no failure. */
int jb_store_cut_wal(struct jb_store *s, int wait_ms, struct jb_error *err);

/* Map an SQLite result code to ours, with SQLite's own words appended. */
__attribute__((format(printf, 4, 5))) int
jb_store_error(sqlite3 *db, int rc, struct jb_error *err, const char *fmt, ...);

#endif
