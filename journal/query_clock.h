/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/query_clock.h - which change was recorded when. Private to query.
 *
 * A change has the time of its batch. The clock may have been set back, so
 * times need not grow with seq: a time window is a set of batches, and its
 * bounds in seq are only where the search begins and ends. */
#ifndef JB_JOURNAL_QUERY_CLOCK_H
#define JB_JOURNAL_QUERY_CLOCK_H

#include "journal/store.h"

#include <stdbool.h>
#include <stdint.h>

/* One batch: seq in [begin, end). */
struct jb_query_clock_batch {
	int64_t begin, end;
	int64_t time_us;
};

struct jb_query_clock {
	struct jb_store *store;			    /* borrowed */
	sqlite3_stmt *at, *after, *up, *down, *run; /* owned */
	int64_t since_us, until_us;
	struct jb_query_clock_batch batch; /* the last one found; end 0: none */
};

int jb_query_clock_init(struct jb_query_clock *c, struct jb_store *store,
			int64_t since_us, int64_t until_us,
			struct jb_error *err);

bool jb_query_clock_is_limited(const struct jb_query_clock *c);

/* Smallest and greatest seq within [@first, @last] that the window can hold;
 * *low > *high if none. */
int jb_query_clock_bounds(struct jb_query_clock *c, int64_t first, int64_t last,
			  int64_t *low, int64_t *high, struct jb_error *err);

/* Each read transaction may see more batches. */
void jb_query_clock_refresh(struct jb_query_clock *c);

/* Let c->batch be the one of @seq. */
int jb_query_clock_find(struct jb_query_clock *c, int64_t seq,
			struct jb_error *err);

/* Is c->batch in the window? */
bool jb_query_clock_is_inside(const struct jb_query_clock *c);

/* The next seq above @seq (below it, if @down) whose batch is in the window.
 * 1 found, 0 there is none. */
int jb_query_clock_skip(struct jb_query_clock *c, int64_t seq, bool down,
			int64_t *ret, struct jb_error *err);

void jb_query_clock_fini(struct jb_query_clock *c);

#endif
