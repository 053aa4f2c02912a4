/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/retain.h - dropping what the journal no longer has to keep.
 *
 * In small steps, each a transaction of its own with at most JB_RETAIN_ROWS
 * changes or JB_RETAIN_MS milliseconds, so that whoever writes the journal is
 * never kept waiting: old changes, the batches, sessions and places that
 * nothing refers to any more, old closed gaps; then free pages go back to the
 * file system.
 *
 * The last change always stays: it is what the next seq is counted from.
 *
 * Lifecycle: open -> step* -> close. Belongs to the thread that writes the
 * store, outside of its transactions. */
#ifndef JB_JOURNAL_RETAIN_H
#define JB_JOURNAL_RETAIN_H

#include "jb/error.h"
#include "journal/store.h"

#include <stdbool.h>
#include <stdint.h>

#define JB_RETAIN_ROWS 1000
#define JB_RETAIN_MS   100

/* What may go. */
struct jb_retain_order {
	int64_t before_us; /* changes recorded earlier; INT64_MIN: none */
	int64_t max_bytes; /* and the oldest until the journal needs no more
			    * than this; 0: no limit */
	int64_t upto;	   /* but none above this seq: somebody reads them */
	bool shrink;	   /* give back all free pages, not only many */
	bool gently;	   /* steps a tenth as large: the disk is full */
};

/* What has gone. */
struct jb_retained {
	int64_t changes, places, gaps;
	int64_t bytes;	   /* given back to the file system */
	int64_t first_seq; /* the oldest change that is kept; 0: none is */
};

/* How large the journal is. */
struct jb_extent {
	int64_t file_bytes; /* journal.db */
	int64_t used_bytes; /* without its free pages */
	int64_t wal_bytes;
	int64_t changes;
};

struct jb_retain;

int jb_retain_open(struct jb_store *store, struct jb_retain **ret,
		   struct jb_error *err);
void jb_retain_close(struct jb_retain *r);

/* One step; adds to *done. *more: call again. On failure nothing of the step
 * has happened. */
int jb_retain_step(struct jb_retain *r, const struct jb_retain_order *order,
		   struct jb_retained *done, bool *more, struct jb_error *err);

int jb_retain_extent(struct jb_retain *r, struct jb_extent *ret,
		     struct jb_error *err);

#endif
