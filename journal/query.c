/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A query makes one or two passes over the journal as it was when it began:
 * [low, high] in seq. Where the plan found the rows through the indexes, a
 * pass visits these; else it walks over all changes. "The last N, oldest
 * first" counts downwards for N rows in a pass of its own and then shows
 * upwards from there, so that no pass keeps more than a page. A follower's
 * next pass begins behind the last one. */
#include "journal/query.h"

#include "engine/base/clock.h"
#include "journal/query_clock.h"
#include "journal/query_cursor.h"
#include "journal/query_match.h"
#include "journal/query_page.h"
#include "journal/query_plan.h"
#include "journal/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_NS  100000000 /* a read transaction's longest life */
#define WALK_MAX  20000	    /* so few changes are walked over at once */
#define PLAN_MAX  500000    /* so many rows are worth a plan */
#define PLAN_SOME 50000	    /* ... where only some are wanted */

static const char SQL_UP[] =
	JB_PAGE_SELECT "WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
static const char SQL_DOWN[] =
	JB_PAGE_SELECT "WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC";
static const char SQL_ONE[] = JB_PAGE_SELECT "WHERE seq = ?1";
static const char SQL_ENDS[] =
	"SELECT (SELECT min(seq) FROM change), (SELECT max(seq) FROM change)";

/* Where a pass is. */
struct pass {
	int64_t low, high; /* seq, inclusive */
	int64_t next;	   /* the seq to look at next */
	size_t next_i;	   /* the same in plan.seqs */
	bool down;
	bool counting; /* looking for the first of the last `left` */
	bool ended;
	uint64_t left; /* rows that it may still give */
};

struct jb_query {
	struct jb_store *store; /* borrowed */
	struct jb_match *match; /* owned */
	struct jb_query_clock clock;
	sqlite3_stmt *up, *down, *one, *ends; /* owned */
	uint64_t epoch;
	unsigned kinds;
	bool follow, newest, planned;
	int64_t after;	      /* the cursor's seq */
	int64_t first, last;  /* of the journal */
	int64_t lowest_match; /* while counting */
	struct jb_query_plan plan;
	struct pass pass;
	struct jb_page page;
};

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "query: out of memory");
}

/* ---- opening ---- */

static int read_ends(struct jb_query *q, struct jb_error *err)
{
	int64_t epoch = 0;
	int rv = JB_OK;

	/* A follower may be there before the journal has got its epoch. */
	if (q->epoch == 0)
		rv = jb_store_get_meta(q->store, "epoch", 0, &epoch, err);
	if (rv != JB_OK)
		return rv;
	if (q->epoch == 0)
		q->epoch = (uint64_t)epoch;
	rv = jb_store_step(q->store, q->ends, err);
	if (rv > 0) {
		q->first = sqlite3_column_int64(q->ends, 0);
		q->last = sqlite3_column_int64(q->ends, 1);
	}
	sqlite3_reset(q->ends);
	return rv < 0 ? rv : JB_OK;
}

static int set_cursor(struct jb_query *q, const char *text,
		      struct jb_error *err)
{
	struct jb_query_place p;
	int64_t session = 0;
	int rv;

	if (!jb_query_place_parse(text, &p))
		return jb_error_set(err, JB_EINVAL, 0,
				    "cursor '%s': not one of --show-cursor",
				    text);
	rv = jb_session_at(q->store, p.seq, &session, err);
	if (rv != JB_OK)
		return rv;
	if (p.epoch != q->epoch || p.seq > q->last ||
	    (p.session != 0 && p.session != session && p.seq >= q->first - 1))
		return jb_error_set(err, JB_ESTALE, 0,
				    "cursor '%s': of another journal than %s, "
				    "or of what it was before it was put back; "
				    "query without it and begin anew",
				    text, q->store->path);
	if (q->first > 0 && p.seq < q->first - 1)
		return jb_error_set(err, JB_EGAP, 0,
				    "cursor '%s': the journal begins later, "
				    "with change %lld; query without it and "
				    "begin anew",
				    text, (long long)q->first);
	q->after = p.seq;
	return JB_OK;
}

static void begin_pass(struct jb_query *q, bool down, uint64_t limit)
{
	struct pass *p = &q->pass;

	p->down = down;
	p->left = limit;
	p->ended = p->low > p->high || limit == 0;
	p->next = down ? p->high : p->low;
	p->next_i = 0;
	if (down && q->plan.n > 0)
		p->next_i = q->plan.n - 1;
	while (!down && p->next_i < q->plan.n &&
	       q->plan.seqs[p->next_i] < p->low)
		p->next_i++;
}

/* The range of seq, and what of it is to be visited. */
static int make_plan(struct jb_query *q, uint64_t limit, struct jb_error *err)
{
	struct pass *p = &q->pass;
	size_t max = limit <= PLAN_SOME ? PLAN_SOME : PLAN_MAX;
	int64_t low, high;
	int rv;

	p->low = q->after + 1 > q->first ? q->after + 1 : q->first;
	p->high = q->last;
	if (jb_query_clock_is_limited(&q->clock)) {
		rv = jb_query_clock_bounds(&q->clock, p->low, p->high, &low,
					   &high, err);
		if (rv != JB_OK)
			return rv;
		p->low = low > p->low ? low : p->low;
		if (low > high && q->clock.until_us == INT64_MAX)
			p->low = p->high + 1;
		else
			p->high = high < p->high ? high : p->high;
	}
	if (p->high - p->low < WALK_MAX)
		return JB_OK;
	return jb_query_plan_collect(q->store, q->match, p->low, p->high, max,
				     &q->plan, &q->planned, err);
}

static int prepare(struct jb_query *q, struct jb_error *err)
{
	int rv;

	rv = jb_store_prepare(q->store, SQL_UP, &q->up, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(q->store, SQL_DOWN, &q->down, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(q->store, SQL_ONE, &q->one, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(q->store, SQL_ENDS, &q->ends, err);
	return rv == JB_OK ? read_ends(q, err) : rv;
}

int jb_query_open(struct jb_store *store, const struct jb_query_filter *filter,
		  struct jb_query **ret, struct jb_error *err)
{
	struct jb_query *q;
	int rv;

	q = calloc(1, sizeof *q);
	if (q == NULL)
		return no_memory(err);
	q->store = store;
	q->kinds = filter->kinds != 0 ? filter->kinds : ~0u;
	q->follow = filter->follow;
	q->newest = filter->newest;
	rv = jb_query_clock_init(&q->clock, store, filter->since_us,
				 filter->until_us, err);
	if (rv == JB_OK)
		rv = prepare(q, err);
	if (rv == JB_OK && filter->after_cursor != NULL)
		rv = set_cursor(q, filter->after_cursor, err);
	if (rv == JB_OK)
		rv = jb_match_open(store, filter, &q->match, err);
	if (rv == JB_OK)
		rv = make_plan(q, filter->limit, err);
	if (rv != JB_OK) {
		jb_query_close(q);
		return rv;
	}
	q->pass.counting = filter->newest && !filter->reverse &&
			   filter->limit != JB_QUERY_ALL && filter->limit > 0;
	begin_pass(q, filter->reverse || q->pass.counting, filter->limit);
	*ret = q;
	return JB_OK;
}

/* ---- one row ---- */

static int read_end(struct jb_query *q, sqlite3_stmt *st, int place, int name,
		    struct jb_match_end *end, struct jb_error *err)
{
	end->name = sqlite3_column_blob(st, name);
	end->len = (size_t)sqlite3_column_bytes(st, name);
	return jb_match_find_place(q->match, sqlite3_column_int64(st, place),
				   &end->place, err);
}

/* Does the row of @st belong to the query, but for its time? 1, 0 or error. */
static int judge_row(struct jb_query *q, sqlite3_stmt *st,
		     struct jb_match_end *now, struct jb_match_end *old,
		     struct jb_error *err)
{
	bool is_dir =
		(sqlite3_column_int64(st, JB_COL_MODE) & 0170000) == 0040000;
	bool taken = false;
	int rv;

	if ((q->kinds & 1u << (sqlite3_column_int(st, JB_COL_KIND) & 31)) == 0)
		return 0;
	rv = read_end(q, st, JB_COL_PLACE, JB_COL_NAME, now, err);
	if (rv == JB_OK)
		rv = jb_match_takes(q->match, now, is_dir, &taken, err);
	if (rv != JB_OK ||
	    sqlite3_column_type(st, JB_COL_OLD_PLACE) == SQLITE_NULL)
		return rv == JB_OK ? taken : rv;
	rv = read_end(q, st, JB_COL_OLD_PLACE, JB_COL_OLD_NAME, old, err);
	if (rv == JB_OK && !taken)
		rv = jb_match_takes(q->match, old, is_dir, &taken, err);
	return rv == JB_OK ? taken : rv;
}

/* A row that is taken: shown, or counted. */
static int take_row(struct jb_query *q, sqlite3_stmt *st,
		    const struct jb_match_end *now,
		    const struct jb_match_end *old, struct jb_error *err)
{
	int rv = JB_OK;

	if (q->pass.counting)
		q->lowest_match = sqlite3_column_int64(st, JB_COL_SEQ);
	else
		rv = jb_page_add(&q->page, st, q->clock.batch.time_us, now, old,
				 err);
	if (rv == JB_OK && q->pass.left != JB_QUERY_ALL)
		q->pass.left--;
	return rv;
}

/* Visit one row. *skip_to: 0, or where the time window goes on. */
static int visit_row(struct jb_query *q, sqlite3_stmt *st, int64_t *skip_to,
		     struct jb_error *err)
{
	struct jb_match_end now = {0}, old = {0};
	int64_t seq = sqlite3_column_int64(st, JB_COL_SEQ);
	int rv;

	*skip_to = 0;
	if (jb_query_clock_is_limited(&q->clock)) {
		rv = jb_query_clock_find(&q->clock, seq, err);
		if (rv != JB_OK)
			return rv;
		if (!jb_query_clock_is_inside(&q->clock)) {
			if (q->planned)
				return JB_OK;
			rv = jb_query_clock_skip(&q->clock, seq, q->pass.down,
						 skip_to, err);
			if (rv == 0)
				*skip_to = -1;
			return rv < 0 ? rv : JB_OK;
		}
	}
	rv = judge_row(q, st, &now, &old, err);
	if (rv <= 0)
		return rv;
	rv = jb_query_clock_find(&q->clock, seq, err);
	return rv == JB_OK ? take_row(q, st, &now, &old, err) : rv;
}

/* ---- passes ---- */

/* Bind the statement that gives the rows from p->next on. */
static sqlite3_stmt *bind_walk(struct jb_query *q, const struct pass *p)
{
	sqlite3_stmt *st = p->down ? q->down : q->up;

	sqlite3_reset(st);
	sqlite3_bind_int64(st, 1, p->down ? p->low : p->next);
	sqlite3_bind_int64(st, 2, p->down ? p->next : p->high);
	return st;
}

/* Step to the next row that the plan names. */
static int step_plan(struct jb_query *q, struct pass *p, struct jb_error *err)
{
	int rv;

	for (;;) {
		sqlite3_reset(q->one);
		if (p->next_i >= q->plan.n)
			return 0;
		sqlite3_bind_int64(q->one, 1, q->plan.seqs[p->next_i]);
		p->next_i = p->down ? p->next_i - 1 : p->next_i + 1;
		rv = jb_store_step(q->store, q->one, err);
		if (rv != 0) /* 0: retention was faster */
			return rv;
	}
}

static bool is_page_done(const struct jb_query *q, const struct pass *p,
			 size_t visited, int64_t stop)
{
	return q->page.n == JB_QUERY_PAGE || p->left == 0 ||
	       (visited % 256 == 0 && jb_clock_ns(CLOCK_MONOTONIC) > stop);
}

/* Visit rows until the page is full, time is up or the pass has ended; @p is
 * moved. */
static int visit_rows(struct jb_query *q, struct pass *p, struct jb_error *err)
{
	int64_t stop = jb_clock_ns(CLOCK_MONOTONIC) + SLICE_NS, skip_to;
	sqlite3_stmt *st = q->planned ? q->one : bind_walk(q, p);
	size_t visited = 0;
	int rv;

	for (;;) {
		rv = q->planned ? step_plan(q, p, err)
				: jb_store_step(q->store, st, err);
		if (rv <= 0) {
			p->ended = true;
			break;
		}
		p->next = sqlite3_column_int64(st, JB_COL_SEQ) +
			  (p->down ? -1 : 1);
		rv = visit_row(q, st, &skip_to, err);
		if (rv != JB_OK)
			break;
		if (skip_to < 0) {
			p->ended = true;
			break;
		}
		if (skip_to > 0) {
			p->next = skip_to;
			st = bind_walk(q, p);
		}
		if (is_page_done(q, &q->pass, ++visited, stop))
			break;
	}
	sqlite3_reset(st);
	return rv;
}

/* One read transaction's worth of a pass. */
static int run_slice(struct jb_query *q, struct jb_error *err)
{
	struct pass next = q->pass;
	uint64_t left = q->pass.left;
	int rv;

	jb_page_clear(&q->page);
	jb_match_trim(q->match);
	jb_query_clock_refresh(&q->clock);
	rv = jb_store_exec(q->store, "BEGIN", err);
	if (rv != JB_OK)
		return rv;
	rv = visit_rows(q, &next, err);
	jb_store_exec(q->store, "COMMIT", NULL);
	if (rv != JB_OK) {
		q->pass.left = left;
		jb_page_clear(&q->page);
		return rv;
	}
	next.left = q->pass.left;
	next.ended = next.ended || next.left == 0;
	q->pass = next;
	jb_page_finish(&q->page);
	return JB_OK;
}

/* What follows the end of a pass; false: nothing. */
static int begin_next_pass(struct jb_query *q, bool *begun,
			   struct jb_error *err)
{
	struct pass *p = &q->pass;
	int rv;

	*begun = false;
	if (p->counting) {
		p->counting = false;
		p->low = q->lowest_match > 0 ? q->lowest_match : p->high + 1;
		begin_pass(q, false, JB_QUERY_ALL);
		*begun = !p->ended;
	}
	if (*begun || !q->follow)
		return JB_OK;
	rv = read_ends(q, err);
	if (rv != JB_OK || q->last <= p->high)
		return rv;
	jb_query_plan_fini(&q->plan);
	q->planned = false;
	p->low = p->high + 1;
	p->high = q->last;
	begin_pass(q, false, JB_QUERY_ALL);
	*begun = true;
	return JB_OK;
}

int jb_query_next(struct jb_query *q, const struct jb_query_row **rows,
		  size_t *n, struct jb_error *err)
{
	bool begun;
	int rv;

	*n = 0;
	do {
		if (q->pass.ended) {
			rv = begin_next_pass(q, &begun, err);
			if (rv != JB_OK || !begun)
				return rv;
		}
		rv = run_slice(q, err);
		if (rv != JB_OK)
			return rv;
	} while (q->page.n == 0);
	*rows = q->page.rows;
	*n = q->page.n;
	return JB_OK;
}

void jb_query_cursor(const struct jb_query *q, char cursor[JB_QUERY_CURSOR_MAX])
{
	const struct pass *p = &q->pass;
	struct jb_query_place place = {.epoch = q->epoch};
	int64_t seq = p->high;

	/* Cut short by the limit or by the caller: behind the last row. */
	if (!p->down && !p->counting && p->next <= p->high &&
	    (!p->ended || (p->left == 0 && !q->newest)))
		seq = p->next - 1;
	if (seq < q->after)
		seq = q->after;
	place.seq = seq;
	jb_session_at(q->store, seq, &place.session, NULL);
	jb_query_place_format(&place, cursor, JB_QUERY_CURSOR_MAX);
}

int jb_query_kept_since(struct jb_query *q, int64_t *ret_us,
			struct jb_error *err)
{
	int rv = JB_OK;

	*ret_us = 0;
	if (q->first <= 1)
		return JB_OK;
	rv = jb_query_clock_find(&q->clock, q->first, err);
	if (rv == JB_OK)
		*ret_us = q->clock.batch.time_us;
	jb_query_clock_refresh(&q->clock);
	return rv;
}

size_t jb_query_n_roots(const struct jb_query *q)
{
	return jb_match_n_roots(q->match);
}

void jb_query_close(struct jb_query *q)
{
	if (q == NULL)
		return;
	sqlite3_finalize(q->up);
	sqlite3_finalize(q->down);
	sqlite3_finalize(q->one);
	sqlite3_finalize(q->ends);
	jb_query_clock_fini(&q->clock);
	jb_query_plan_fini(&q->plan);
	jb_match_close(q->match);
	jb_page_fini(&q->page);
	free(q);
}
