/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/query_clock.h"

static const char SQL_AT[] = "SELECT seq, time FROM batch WHERE seq <= ?1"
			     " ORDER BY seq DESC LIMIT 1";
static const char SQL_AFTER[] = "SELECT seq, time FROM batch WHERE seq > ?1"
				" ORDER BY seq LIMIT 1";
static const char SQL_UP[] = "SELECT seq FROM batch WHERE seq > ?1"
			     " AND time BETWEEN ?2 AND ?3"
			     " ORDER BY seq LIMIT 1";
static const char SQL_DOWN[] = "SELECT seq FROM batch WHERE seq < ?1"
			       " AND time BETWEEN ?2 AND ?3"
			       " ORDER BY seq DESC LIMIT 1";
static const char SQL_RUN[] = "SELECT seq FROM clock WHERE seq > ?1"
			      " ORDER BY seq LIMIT 1";

int jb_query_clock_init(struct jb_query_clock *c, struct jb_store *store,
			int64_t since_us, int64_t until_us,
			struct jb_error *err)
{
	int rv;

	*c = (struct jb_query_clock){.store = store,
				     .since_us = since_us,
				     .until_us = until_us};
	rv = jb_store_prepare(store, SQL_AT, &c->at, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_AFTER, &c->after, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_UP, &c->up, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_DOWN, &c->down, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_RUN, &c->run, err);
	return rv;
}

bool jb_query_clock_is_limited(const struct jb_query_clock *c)
{
	return c->since_us != INT64_MIN || c->until_us != INT64_MAX;
}

/* The greatest seq of the batch that begins at @begin. */
static int find_end(struct jb_query_clock *c, int64_t begin, int64_t *end,
		    struct jb_error *err)
{
	int rv;

	sqlite3_bind_int64(c->after, 1, begin);
	rv = jb_store_step(c->store, c->after, err);
	if (rv < 0)
		return rv;
	*end = rv > 0 ? sqlite3_column_int64(c->after, 0) : INT64_MAX;
	sqlite3_reset(c->after);
	return JB_OK;
}

void jb_query_clock_refresh(struct jb_query_clock *c)
{
	c->batch = (struct jb_query_clock_batch){0};
}

int jb_query_clock_find(struct jb_query_clock *c, int64_t seq,
			struct jb_error *err)
{
	struct jb_query_clock_batch *b = &c->batch;
	int rv;

	if (seq >= b->begin && seq < b->end)
		return JB_OK;
	sqlite3_bind_int64(c->at, 1, seq);
	rv = jb_store_step(c->store, c->at, err);
	if (rv < 0)
		return rv;
	b->begin = rv > 0 ? sqlite3_column_int64(c->at, 0) : 0;
	b->time_us = rv > 0 ? sqlite3_column_int64(c->at, 1) : 0;
	sqlite3_reset(c->at);
	return find_end(c, seq, &b->end, err);
}

/* The first seq of @seq's run of growing times that is not in the next one. */
static int find_run_end(struct jb_query_clock *c, int64_t seq, int64_t *end,
			struct jb_error *err)
{
	int rv;

	sqlite3_bind_int64(c->run, 1, seq);
	rv = jb_store_step(c->store, c->run, err);
	if (rv < 0)
		return rv;
	*end = rv > 0 ? sqlite3_column_int64(c->run, 0) : INT64_MAX;
	sqlite3_reset(c->run);
	return JB_OK;
}

/* Halve [begin, end), whose times do not fall: *ret becomes the first seq whose
 * batch has a time of at least @time_us, @end if none has. */
static int find_time(struct jb_query_clock *c, int64_t begin, int64_t end,
		     int64_t time_us, int64_t *ret, struct jb_error *err)
{
	int64_t middle;
	int rv;

	while (begin < end) {
		middle = begin + (end - begin) / 2;
		rv = jb_query_clock_find(c, middle, err);
		if (rv != JB_OK)
			return rv;
		if (c->batch.time_us >= time_us)
			end = c->batch.begin > begin ? c->batch.begin : begin;
		else
			begin = c->batch.end < end ? c->batch.end : end;
	}
	*ret = begin;
	return JB_OK;
}

int jb_query_clock_bounds(struct jb_query_clock *c, int64_t first, int64_t last,
			  int64_t *low, int64_t *high, struct jb_error *err)
{
	int64_t begin = first, end, from, to;
	int rv = JB_OK;

	*low = INT64_MAX;
	*high = 0;
	for (; rv == JB_OK && begin <= last; begin = end) {
		rv = find_run_end(c, begin, &end, err);
		if (rv == JB_OK)
			end = end > last ? last + 1 : end;
		if (rv == JB_OK)
			rv = find_time(c, begin, end, c->since_us, &from, err);
		to = end;
		if (rv == JB_OK && c->until_us < INT64_MAX)
			rv = find_time(c, from, end, c->until_us + 1, &to, err);
		if (rv != JB_OK || from >= to)
			continue;
		*low = from < *low ? from : *low;
		*high = to - 1;
	}
	return rv;
}

bool jb_query_clock_is_inside(const struct jb_query_clock *c)
{
	return c->batch.time_us >= c->since_us &&
	       c->batch.time_us <= c->until_us;
}

int jb_query_clock_skip(struct jb_query_clock *c, int64_t seq, bool down,
			int64_t *ret, struct jb_error *err)
{
	sqlite3_stmt *st = down ? c->down : c->up;
	int64_t found;
	int rv;

	/* c->batch holds seq: all of it is outside. */
	sqlite3_bind_int64(st, 1, down ? c->batch.begin : seq);
	sqlite3_bind_int64(st, 2, c->since_us);
	sqlite3_bind_int64(st, 3, c->until_us);
	rv = jb_store_step(c->store, st, err);
	if (rv <= 0)
		return rv;
	found = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	*ret = found;
	if (down) {
		rv = find_end(c, found, ret, err);
		--*ret;
	}
	return rv < 0 ? rv : 1;
}

void jb_query_clock_fini(struct jb_query_clock *c)
{
	sqlite3_finalize(c->at);
	sqlite3_finalize(c->after);
	sqlite3_finalize(c->up);
	sqlite3_finalize(c->down);
	sqlite3_finalize(c->run);
}
