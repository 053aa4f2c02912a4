/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_journal.h - a journal.db with changes that never happened.
 *
 * Lifecycle: init -> root* -> (batch -> change*)* or fill -> fini. The real
 * schema, written without a daemon; each t_journal_commit is what a reader can
 * see. Failures end the program. */
#ifndef JB_LIB_T_JOURNAL_H
#define JB_LIB_T_JOURNAL_H

#include "journal/change.h"
#include "journal/store.h"

#include <stddef.h>
#include <stdint.h>

struct t_journal {
	struct jb_store *store; /* owned */
	sqlite3_stmt *put_place, *get_place, *put_batch,
		*put_change; /* owned */
	int64_t seq;	     /* of the last change */
	int n_roots;
};

/* Paths are relative to the root. Zero is a good default but for kind. */
struct t_change {
	int kind; /* JB_KIND_* */
	int root; /* its number; 0: the first */
	const char *path, *old_path;
	size_t path_len, old_path_len; /* 0: strlen */
	int source;		       /* JB_SOURCE_* */
	unsigned what;
	uint32_t mode; /* 0: a file */
	int64_t size, mtime, ino, birth;
	int64_t entries, bytes; /* 0: none */
};

/* Create DIR/journal.db, epoch 0x0123456789abcdef, and begin a transaction. */
void t_journal_init(struct t_journal *j, const char *dir);

/* Returns the root's number, the first is 1. */
int t_journal_root(struct t_journal *j, const char *name, const char *path);

/* The changes from now on were recorded at @time_us. */
void t_journal_batch(struct t_journal *j, int64_t time_us);

/* Returns its seq. */
int64_t t_journal_change(struct t_journal *j, const struct t_change *change);

/* A gap of root 1; @closed_us 0: open. */
void t_journal_gap(struct t_journal *j, const char *reason, int64_t since_us,
		   int64_t noticed_us, int64_t closed_us, int64_t found);

/* Commit, and begin the next transaction. */
void t_journal_commit(struct t_journal *j);

/* What t_journal_fill makes: a server's @span_us up to @end_us. */
struct t_fill {
	int64_t changes;
	int dirs;      /* "share-7/2013/album-00123", some much used */
	int per_batch; /* changes, on average */
	int64_t end_us, span_us;
};

/* Append to root 1. The same figures make the same journal. */
void t_journal_fill(struct t_journal *j, const struct t_fill *fill);

/* Commit and close; the file stays. */
void t_journal_fini(struct t_journal *j);

#endif
