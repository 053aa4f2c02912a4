/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/query.h - which changes happened, page by page.
 *
 * Lifecycle: jb_query_open -> jb_query_next* -> jb_query_close. A query belongs
 * to the thread of its store. No read transaction outlives a call: a page has
 * at most JB_QUERY_PAGE rows, and a search that finds nothing interrupts
 * itself every 100 ms.
 *
 * A pattern is one of rsync's (engine/base/pattern.h): it takes what rsync
 * would leave out with --exclude=PATTERN, so the name of a directory takes all
 * that is below it. Old and new place of a rename are both tried. A pattern
 * that begins with a root's own path means that place in that root. */
#ifndef JB_JOURNAL_QUERY_H
#define JB_JOURNAL_QUERY_H

#include "jb/error.h"
#include "journal/change.h"
#include "journal/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JB_QUERY_PAGE	    1000
#define JB_QUERY_ALL	    UINT64_MAX
#define JB_QUERY_CURSOR_MAX 64

/* Which changes. The pointers are borrowed until jb_query_open returns. */
struct jb_query_filter {
	const char *const *patterns; /* any of them; none: all */
	size_t n_patterns;
	const char *const *roots; /* any of them, by name; none: all */
	size_t n_roots;
	unsigned kinds;		    /* bits 1 << JB_KIND_*; 0: all */
	int64_t since_us, until_us; /* both inclusive */
	const char *after_cursor;   /* NULL: from the journal's beginning */
	uint64_t limit;		    /* number of rows, or JB_QUERY_ALL */
	bool newest;		    /* the last @limit rows, not the first */
	bool reverse;		    /* newest first */
	bool follow; /* after the end, the next call gives what is new */
};

#define JB_QUERY_FILTER_INIT                                                   \
	{                                                                      \
		.since_us = INT64_MIN, .until_us = INT64_MAX,                  \
		.limit = JB_QUERY_ALL                                          \
	}

/* One change. Paths are bytes, relative to the root, "." is the root itself;
 * a NUL stands behind them. */
struct jb_query_row {
	int64_t seq, time_us;
	int kind, source; /* JB_KIND_*, JB_SOURCE_* */
	unsigned what;	  /* bits JB_WHAT_* */
	const char *root; /* its name */
	const char *path;
	size_t path_len;
	const char *old_root; /* NULL unless renamed */
	const char *old_path; /* NULL unless renamed */
	size_t old_path_len;
	struct jb_id id;
	uint32_t mode;
	int64_t size, mtime_ns;
	int64_t entries, bytes; /* of a whole tree, else -1 */
};

struct jb_query;

/* On success the caller owns *ret; @store is borrowed until it is closed.
 * JB_ENOENT: no such root; JB_EINVAL: the cursor can't be read; JB_ESTALE: it
 * belongs to another journal; JB_EGAP: what comes after it is gone. */
int jb_query_open(struct jb_store *store, const struct jb_query_filter *filter,
		  struct jb_query **ret, struct jb_error *err);

/* The next page; *n is 0 at the end. The rows are valid until the next call
 * on @q. A failure leaves @q where it was: the call may be repeated. */
int jb_query_next(struct jb_query *q, const struct jb_query_row **rows,
		  size_t *n, struct jb_error *err);

/* A cursor behind everything that was looked at so far: given as after_cursor
 * it continues with what was recorded later. */
void jb_query_cursor(const struct jb_query *q,
		     char cursor[JB_QUERY_CURSOR_MAX]);

/* The time of the oldest change, if older ones were dropped; else 0: the
 * journal has all since its beginning. */
int jb_query_kept_since(struct jb_query *q, int64_t *ret_us,
			struct jb_error *err);

/* How many roots the journal has ever known. */
size_t jb_query_n_roots(const struct jb_query *q);

/* Accepts NULL and half-built queries. */
void jb_query_close(struct jb_query *q);

#endif
