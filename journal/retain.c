/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A step goes through the oldest changes one by one: deletes the row, notes its
 * places; then looks which of these places are still in use. So a step costs
 * what it deletes, however large the journal is. */
#include "journal/retain.h"

#include "engine/base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NS_PER_MS 1000000
/* Free pages that are kept for what comes: a share of the file, and some. */
#define KEEP_SHARE   4
#define KEEP_BYTES   (16 << 20)
#define SHRINK_PAGES 256
#define GENTLY	     10

static const char SQL_OLDEST[] =
	"SELECT seq, place, old_place, (SELECT max(seq) FROM change)"
	" FROM change ORDER BY seq LIMIT 1";
static const char SQL_BATCH[] = "SELECT seq, time FROM batch WHERE seq <= ?1"
				" ORDER BY seq DESC LIMIT 1";
static const char SQL_DELETE[] = "DELETE FROM change WHERE seq = ?1";
static const char SQL_UNUSED[] =
	"DELETE FROM place WHERE id = ?1"
	" AND NOT EXISTS (SELECT 1 FROM change WHERE place = ?1)"
	" AND NOT EXISTS (SELECT 1 FROM change WHERE old_place = ?1)";
static const char SQL_BATCHES[] = "DELETE FROM batch WHERE seq < ?1";
static const char SQL_CLOCKS[] = "DELETE FROM clock WHERE seq <= ?1";
static const char SQL_SESSIONS[] =
	"DELETE FROM session WHERE seq <"
	" (SELECT max(seq) FROM session WHERE seq < ?1)";
static const char SQL_GAPS[] =
	"DELETE FROM gap WHERE id IN (SELECT id FROM gap"
	" WHERE closed < ?1 AND noticed < ?1 ORDER BY id LIMIT ?2)";
static const char SQL_SIZE[] =
	"SELECT (SELECT page_count FROM pragma_page_count),"
	" (SELECT freelist_count FROM pragma_freelist_count),"
	" (SELECT page_size FROM pragma_page_size),"
	" (SELECT max(seq) FROM change), (SELECT min(seq) FROM change)";
static const char SQL_SHRINKS[] = "SELECT auto_vacuum FROM pragma_auto_vacuum";

enum {
	ST_OLDEST,
	ST_BATCH,
	ST_DELETE,
	ST_UNUSED,
	ST_BATCHES,
	ST_CLOCKS,
	ST_SESSIONS,
	ST_GAPS,
	ST_SIZE,
	N_STATEMENTS
};

static const char *const statements[N_STATEMENTS] = {
	SQL_OLDEST, SQL_BATCH,	  SQL_DELETE, SQL_UNUSED, SQL_BATCHES,
	SQL_CLOCKS, SQL_SESSIONS, SQL_GAPS,   SQL_SIZE,
};

struct jb_retain {
	struct jb_store *store;		/* borrowed */
	sqlite3_stmt *st[N_STATEMENTS]; /* owned */
	bool shrinks;			/* the file can be made smaller */
	int64_t places[2 * JB_RETAIN_ROWS];
	size_t n_places;
};

/* The oldest change. */
struct oldest {
	int64_t seq, last_seq;
	int64_t place, old_place; /* old_place 0: none */
};

/* Can free pages be cut off? Not in a file that is older than this. */
static int read_shrinks(struct jb_retain *r, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(r->store, SQL_SHRINKS, &st, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(r->store, st, err);
	if (rv > 0)
		r->shrinks = sqlite3_column_int(st, 0) != 0;
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

int jb_retain_open(struct jb_store *store, struct jb_retain **ret,
		   struct jb_error *err)
{
	struct jb_retain *r = calloc(1, sizeof *r);
	int rv = JB_OK;

	if (r == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "retention");
	r->store = store;
	for (int i = 0; i < N_STATEMENTS && rv == JB_OK; i++)
		rv = jb_store_prepare(store, statements[i], &r->st[i], err);
	if (rv == JB_OK)
		rv = read_shrinks(r, err);
	if (rv != JB_OK) {
		jb_retain_close(r);
		return rv;
	}
	*ret = r;
	return JB_OK;
}

void jb_retain_close(struct jb_retain *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(r->st[i]);
	free(r);
}

/* ---- what is there */

static int read_size(struct jb_retain *r, struct jb_extent *ret,
		     struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_SIZE];
	int rv = jb_store_step(r->store, st, err);
	int64_t page;

	if (rv <= 0)
		return rv;
	page = sqlite3_column_int64(st, 2);
	ret->file_bytes = sqlite3_column_int64(st, 0) * page;
	ret->used_bytes = ret->file_bytes - sqlite3_column_int64(st, 1) * page;
	ret->changes =
		sqlite3_column_int64(st, 3) - sqlite3_column_int64(st, 4);
	sqlite3_reset(st);
	return JB_OK;
}

int jb_retain_extent(struct jb_retain *r, struct jb_extent *ret,
		     struct jb_error *err)
{
	char path[4096];
	struct stat st;

	*ret = (struct jb_extent){0};
	snprintf(path, sizeof path, "%s-wal", r->store->path);
	if (stat(path, &st) == 0)
		ret->wal_bytes = st.st_size;
	return read_size(r, ret, err);
}

/* 1, or 0: there is no change but the last one. */
static int read_oldest(struct jb_retain *r, struct oldest *ret,
		       struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_OLDEST];
	int rv = jb_store_step(r->store, st, err);

	if (rv <= 0)
		return rv;
	ret->seq = sqlite3_column_int64(st, 0);
	ret->place = sqlite3_column_int64(st, 1);
	ret->old_place = sqlite3_column_int64(st, 2);
	ret->last_seq = sqlite3_column_int64(st, 3);
	sqlite3_reset(st);
	return ret->seq < ret->last_seq;
}

/* The batch of @seq. 1, 0 or an error. */
static int read_batch(struct jb_retain *r, int64_t seq, int64_t *begin,
		      int64_t *time_us, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_BATCH];
	int rv;

	sqlite3_bind_int64(st, 1, seq);
	rv = jb_store_step(r->store, st, err);
	if (rv <= 0)
		return rv;
	*begin = sqlite3_column_int64(st, 0);
	*time_us = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 1;
}

/* ---- changes */

/* Does the order take the change? A time that is still to come was written by
 * a clock that was wrong: it holds nobody up. */
static int is_old(struct jb_retain *r, const struct jb_retain_order *order,
		  int64_t seq, struct jb_error *err)
{
	int64_t begin, time_us, now = jb_clock_us(CLOCK_REALTIME);
	int rv;

	if (order->before_us == INT64_MIN)
		return 0;
	rv = read_batch(r, seq, &begin, &time_us, err);
	if (rv <= 0)
		return rv < 0 ? rv : 1;
	return time_us < order->before_us || time_us > now;
}

static int is_too_large(struct jb_retain *r,
			const struct jb_retain_order *order,
			struct jb_error *err)
{
	struct jb_extent extent;
	int rv;

	if (order->max_bytes == 0)
		return 0;
	rv = read_size(r, &extent, err);
	return rv != JB_OK ? rv : extent.used_bytes > order->max_bytes;
}

static void note_place(struct jb_retain *r, int64_t id)
{
	for (size_t i = r->n_places; i > 0 && i + 8 > r->n_places; i--)
		if (r->places[i - 1] == id)
			return; /* neighbours are often in one place */
	r->places[r->n_places++] = id;
}

static int run_with(struct jb_retain *r, int which, int64_t value,
		    struct jb_error *err)
{
	sqlite3_bind_int64(r->st[which], 1, value);
	return jb_store_run(r->store, r->st[which], err);
}

/* What only deleted changes needed. */
static int drop_unused(struct jb_retain *r, int64_t first,
		       struct jb_retained *done, struct jb_error *err)
{
	int64_t begin, time_us;
	int rv = JB_OK;

	for (size_t i = 0; i < r->n_places && rv == JB_OK; i++) {
		rv = run_with(r, ST_UNUSED, r->places[i], err);
		done->places += sqlite3_changes(r->store->db);
	}
	if (rv == JB_OK)
		rv = read_batch(r, first, &begin, &time_us, err);
	if (rv > 0) {
		rv = run_with(r, ST_BATCHES, begin, err);
		if (rv == JB_OK)
			rv = run_with(r, ST_CLOCKS, begin, err);
	}
	if (rv == JB_OK)
		rv = run_with(r, ST_SESSIONS, first, err);
	return rv;
}

static int drop_changes(struct jb_retain *r,
			const struct jb_retain_order *order,
			struct jb_retained *done, bool *more,
			struct jb_error *err)
{
	int64_t stop = jb_clock_ns(CLOCK_MONOTONIC) + JB_RETAIN_MS * NS_PER_MS;
	struct oldest o;
	int most = order->gently ? JB_RETAIN_ROWS / GENTLY : JB_RETAIN_ROWS;
	bool large;
	int n = 0, rv = is_too_large(r, order, err);

	large = rv > 0;
	r->n_places = 0;
	while (rv >= 0 && (rv = read_oldest(r, &o, err)) > 0) {
		if (o.seq > order->upto)
			rv = 0;
		else if (!large)
			rv = is_old(r, order, o.seq, err);
		*more = rv > 0;
		if (rv <= 0 || n == most ||
		    (n % 16 == 15 && jb_clock_ns(CLOCK_MONOTONIC) > stop))
			break;
		rv = run_with(r, ST_DELETE, o.seq, err);
		note_place(r, o.place);
		if (o.old_place != 0)
			note_place(r, o.old_place);
		n++;
	}
	*more = *more && rv > 0;
	if (rv >= 0 && n > 0) {
		done->changes += n;
		rv = drop_unused(r, o.seq, done, err);
	}
	return rv < 0 ? rv : JB_OK;
}

/* ---- gaps */

/* Closed ones that are older than what is kept, or than the order says. */
static int drop_gaps(struct jb_retain *r, const struct jb_retain_order *order,
		     struct jb_retained *done, bool *more, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_GAPS];
	int64_t begin, time_us, before = order->before_us;
	struct oldest o = {0};
	int n, rv = read_oldest(r, &o, err);

	done->first_seq = o.seq;
	if (rv >= 0 && o.seq > 1)
		rv = read_batch(r, o.seq, &begin, &time_us, err);
	else if (rv >= 0)
		rv = 0;
	if (rv > 0 && time_us > before &&
	    time_us <= jb_clock_us(CLOCK_REALTIME))
		before = time_us;
	if (rv < 0 || before == INT64_MIN)
		return rv < 0 ? rv : JB_OK;
	sqlite3_bind_int64(st, 1, before);
	sqlite3_bind_int64(st, 2, JB_RETAIN_ROWS);
	rv = jb_store_run(r->store, st, err);
	n = sqlite3_changes(r->store->db);
	if (rv == JB_OK && n > 0) {
		done->gaps += n;
		*more = *more || n == JB_RETAIN_ROWS;
	}
	return rv;
}

/* ---- the file */

/* Cut free pages off, a few at a time. */
static int shrink(struct jb_retain *r, const struct jb_retain_order *order,
		  struct jb_retained *done, bool *more, struct jb_error *err)
{
	struct jb_extent was, is;
	char sql[64];
	int64_t free_bytes, keep = 0;
	int rv = read_size(r, &was, err);

	if (rv != JB_OK || !r->shrinks)
		return rv;
	free_bytes = was.file_bytes - was.used_bytes;
	if (!order->shrink)
		keep = was.used_bytes / KEEP_SHARE + KEEP_BYTES;
	if (free_bytes <= keep)
		return JB_OK;
	snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)",
		 order->gently ? SHRINK_PAGES / GENTLY : SHRINK_PAGES);
	rv = jb_store_exec(r->store, sql, err);
	if (rv == JB_OK)
		rv = read_size(r, &is, err);
	if (rv != JB_OK)
		return rv;
	done->bytes += was.file_bytes - is.file_bytes;
	*more = is.file_bytes < was.file_bytes;
	return JB_OK;
}

int jb_retain_step(struct jb_retain *r, const struct jb_retain_order *order,
		   struct jb_retained *done, bool *more, struct jb_error *err)
{
	struct jb_retained now = {0};
	int rv = jb_store_begin(r->store, err);

	*more = false;
	if (rv == JB_OK)
		rv = drop_changes(r, order, &now, more, err);
	if (rv == JB_OK && !*more)
		rv = drop_gaps(r, order, &now, more, err);
	if (rv == JB_OK)
		rv = jb_store_commit(r->store, err);
	else
		jb_store_rollback(r->store);
	if (rv == JB_OK && !*more)
		rv = shrink(r, order, &now, more, err);
	if (rv != JB_OK)
		return rv;
	done->changes += now.changes;
	done->places += now.places;
	done->gaps += now.gaps;
	done->bytes += now.bytes;
	if (now.first_seq != 0)
		done->first_seq = now.first_seq;
	return JB_OK;
}
