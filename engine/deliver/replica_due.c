/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy still has to do, as rows: pending, listing, owed, intents, and
 * the guard's window. */
#include "engine/deliver/replica.h"

#include "engine/deliver/replica_priv.h"

#include <stdio.h>
#include <string.h>

const char *jb_reason_text(int reason)
{
	switch (reason) {
#define X(name, number, counts, text)                                          \
	case JB_REASON_##name:                                                 \
		return text;
		JB_REASONS(X)
#undef X
	default:
		return "unknown";
	}
}

int jb_reason_counts(int reason)
{
	switch (reason) {
#define X(name, number, counts, text)                                          \
	case JB_REASON_##name:                                                 \
		return counts;
		JB_REASONS(X)
#undef X
	default:
		return 0;
	}
}

/* ---- pending */

static void read_pending(sqlite3_stmt *st, struct jb_pending_row *ret)
{
	ret->id.ino = (uint64_t)sqlite3_column_int64(st, 0);
	ret->id.birth = sqlite3_column_int64(st, 1);
	ret->reason = (enum jb_reason)sqlite3_column_int(st, 2);
	ret->attempts = (uint32_t)sqlite3_column_int64(st, 3);
	ret->since_us = sqlite3_column_int64(st, 4);
	ret->next_us = sqlite3_column_int64(st, 5);
	ret->seq = sqlite3_column_int64(st, 6);
	ret->cseq = sqlite3_column_int64(st, 7);
}

static void bind_id(sqlite3_stmt *st, struct jb_id id)
{
	sqlite3_bind_int64(st, 1, (int64_t)id.ino);
	sqlite3_bind_int64(st, 2, id.birth);
}

int jb_replica_due(struct jb_replica *r, int64_t now_us, jb_pending_fn *fn,
		   void *arg, struct jb_error *err)
{
	struct jb_pending_row row;
	int rv;

	sqlite3_bind_int64(r->st[ST_DUE], 1, now_us);
	while ((rv = jb_replica_step(r, ST_DUE, err)) > 0) {
		read_pending(r->st[ST_DUE], &row);
		rv = fn(arg, &row);
		if (rv != 0) {
			sqlite3_reset(r->st[ST_DUE]);
			return rv;
		}
	}
	return rv;
}

int jb_replica_pending(struct jb_replica *r, struct jb_id id,
		       struct jb_pending_row *ret, struct jb_error *err)
{
	int rv;

	bind_id(r->st[ST_PENDING], id);
	rv = jb_replica_step(r, ST_PENDING, err);
	if (rv > 0) {
		read_pending(r->st[ST_PENDING], ret);
		sqlite3_reset(r->st[ST_PENDING]);
	}
	return rv;
}

int jb_replica_put_pending(struct jb_replica *r,
			   const struct jb_pending_row *row,
			   struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_PUT_PENDING];

	bind_id(st, row->id);
	sqlite3_bind_int(st, 3, row->reason);
	sqlite3_bind_int64(st, 4, row->attempts);
	sqlite3_bind_int64(st, 5, row->since_us);
	sqlite3_bind_int64(st, 6, row->next_us);
	sqlite3_bind_int64(st, 7, row->seq);
	sqlite3_bind_int64(st, 8, row->cseq);
	return jb_replica_run(r, ST_PUT_PENDING, err);
}

int jb_replica_drop_pending(struct jb_replica *r, struct jb_id id,
			    struct jb_error *err)
{
	bind_id(r->st[ST_DROP_PENDING], id);
	return jb_replica_run(r, ST_DROP_PENDING, err);
}

int jb_replica_any(struct jb_replica *r, bool *pending, bool *owed,
		   struct jb_error *err)
{
	int rv = jb_replica_step(r, ST_ANY, err);

	if (rv <= 0)
		return rv;
	*pending = sqlite3_column_int(r->st[ST_ANY], 0) != 0;
	*owed = sqlite3_column_int(r->st[ST_ANY], 1) != 0;
	sqlite3_reset(r->st[ST_ANY]);
	return JB_OK;
}

/* ---- listing */

int jb_replica_next_listing(struct jb_replica *r, struct jb_id after,
			    struct jb_listing_row *ret, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_NEXT_LISTING];
	int rv, len;

	bind_id(st, after);
	rv = jb_replica_step(r, ST_NEXT_LISTING, err);
	if (rv <= 0)
		return rv;
	ret->id.ino = (uint64_t)sqlite3_column_int64(st, 0);
	ret->id.birth = sqlite3_column_int64(st, 1);
	len = sqlite3_column_bytes(st, 2);
	if (len > JB_NAME_MAX)
		len = JB_NAME_MAX;
	if (len > 0)
		memcpy(ret->after, sqlite3_column_blob(st, 2), (size_t)len);
	ret->after[len] = '\0';
	ret->len = (uint8_t)len;
	sqlite3_reset(st);
	return 1;
}

int jb_replica_put_listing(struct jb_replica *r,
			   const struct jb_listing_row *row,
			   struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_PUT_LISTING];

	bind_id(st, row->id);
	sqlite3_bind_blob(st, 3, row->after, row->len, SQLITE_STATIC);
	return jb_replica_run(r, ST_PUT_LISTING, err);
}

int jb_replica_drop_listing(struct jb_replica *r, struct jb_id id,
			    struct jb_error *err)
{
	bind_id(r->st[ST_DROP_LISTING], id);
	return jb_replica_run(r, ST_DROP_LISTING, err);
}

/* ---- owed */

static void read_owed(sqlite3_stmt *st, struct jb_owed_row *ret)
{
	ret->rid = (uint64_t)sqlite3_column_int64(st, 0);
	ret->reason = (enum jb_reason)sqlite3_column_int(st, 1);
	ret->attempts = (uint32_t)sqlite3_column_int64(st, 2);
	ret->approved = sqlite3_column_int(st, 3) != 0;
	ret->seq = sqlite3_column_int64(st, 4);
	ret->next_us = sqlite3_column_int64(st, 5);
}

int jb_replica_owed_due(struct jb_replica *r, int64_t now_us, jb_owed_fn *fn,
			void *arg, struct jb_error *err)
{
	struct jb_owed_row row;
	int rv;

	sqlite3_bind_int64(r->st[ST_OWED_DUE], 1, now_us);
	while ((rv = jb_replica_step(r, ST_OWED_DUE, err)) > 0) {
		read_owed(r->st[ST_OWED_DUE], &row);
		rv = fn(arg, &row);
		if (rv != 0) {
			sqlite3_reset(r->st[ST_OWED_DUE]);
			return rv;
		}
	}
	return rv;
}

int jb_replica_owed(struct jb_replica *r, uint64_t rid, struct jb_owed_row *ret,
		    struct jb_error *err)
{
	int rv;

	sqlite3_bind_int64(r->st[ST_OWED], 1, (int64_t)rid);
	rv = jb_replica_step(r, ST_OWED, err);
	if (rv > 0) {
		read_owed(r->st[ST_OWED], ret);
		sqlite3_reset(r->st[ST_OWED]);
	}
	return rv;
}

int jb_replica_put_owed(struct jb_replica *r, const struct jb_owed_row *row,
			struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_PUT_OWED];

	sqlite3_bind_int64(st, 1, (int64_t)row->rid);
	sqlite3_bind_int(st, 2, row->reason);
	sqlite3_bind_int64(st, 3, row->attempts);
	sqlite3_bind_int(st, 4, row->approved);
	sqlite3_bind_int64(st, 5, row->seq);
	if (row->reason == JB_REASON_HELD && !row->approved)
		sqlite3_bind_null(st, 6);
	else
		sqlite3_bind_int64(st, 6, row->next_us);
	return jb_replica_run(r, ST_PUT_OWED, err);
}

int jb_replica_drop_owed(struct jb_replica *r, uint64_t rid,
			 struct jb_error *err)
{
	sqlite3_bind_int64(r->st[ST_DROP_OWED], 1, (int64_t)rid);
	return jb_replica_run(r, ST_DROP_OWED, err);
}

int jb_replica_held(struct jb_replica *r, int64_t *removals,
		    int64_t *overwrites, int64_t *seq, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_HELD];
	int rv;

	sqlite3_bind_int(st, 1, JB_REASON_HELD);
	rv = jb_replica_step(r, ST_HELD, err);
	if (rv <= 0)
		return rv;
	*removals = sqlite3_column_int64(st, 0);
	*overwrites = sqlite3_column_int64(st, 1);
	*seq = sqlite3_column_int64(st, 2);
	sqlite3_reset(st);
	return JB_OK;
}

int jb_replica_approve(struct jb_replica *r, int64_t seq, struct jb_error *err)
{
	int rv;

	sqlite3_bind_int64(r->st[ST_APPROVE], 1, seq);
	rv = jb_replica_run(r, ST_APPROVE, err);
	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int(r->st[ST_RELEASE], 1, JB_REASON_HELD);
	sqlite3_bind_int(r->st[ST_RELEASE], 2, JB_REASON_RELEASED);
	sqlite3_bind_int64(r->st[ST_RELEASE], 3, seq);
	return jb_replica_run(r, ST_RELEASE, err);
}

/* ---- intents */

int jb_replica_intents(struct jb_replica *r, jb_intent_fn *fn, void *arg,
		       struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_INTENTS];
	struct jb_intent_row row;
	int rv, len;

	while ((rv = jb_replica_step(r, ST_INTENTS, err)) > 0) {
		row.rid = (uint64_t)sqlite3_column_int64(st, 0);
		row.dir = (uint64_t)sqlite3_column_int64(st, 1);
		len = sqlite3_column_bytes(st, 2);
		if (len > JB_NAME_MAX)
			len = JB_NAME_MAX;
		if (len > 0)
			memcpy(row.name, sqlite3_column_blob(st, 2),
			       (size_t)len);
		row.name[len] = '\0';
		row.len = (uint8_t)len;
		row.flags = (unsigned)sqlite3_column_int(st, 3);
		row.mtime = sqlite3_column_int64(st, 4);
		rv = fn(arg, &row);
		if (rv != 0) {
			sqlite3_reset(st);
			return rv;
		}
	}
	return rv;
}

int jb_replica_put_intent(struct jb_replica *r, const struct jb_intent_row *row,
			  struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_PUT_INTENT];

	sqlite3_bind_int64(st, 1, (int64_t)row->rid);
	if (row->dir != 0) {
		sqlite3_bind_int64(st, 2, (int64_t)row->dir);
		sqlite3_bind_blob(st, 3, row->name, row->len, SQLITE_STATIC);
	} else {
		sqlite3_bind_null(st, 2);
		sqlite3_bind_null(st, 3);
	}
	sqlite3_bind_int64(st, 4, row->flags);
	if (row->flags & JB_INTENT_ATTRS)
		sqlite3_bind_int64(st, 5, row->mtime);
	else
		sqlite3_bind_null(st, 5);
	return jb_replica_run(r, ST_PUT_INTENT, err);
}

int jb_replica_drop_intents(struct jb_replica *r, struct jb_error *err)
{
	return jb_replica_run(r, ST_DROP_INTENTS, err);
}

/* ---- the guard's window */

int jb_replica_counted(struct jb_replica *r, enum jb_counted what,
		       int64_t since_us, int64_t *count, int64_t *size,
		       struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_COUNTED];
	int rv;

	sqlite3_bind_int(st, 1, (int)what);
	sqlite3_bind_int64(st, 2, since_us);
	rv = jb_replica_step(r, ST_COUNTED, err);
	if (rv <= 0)
		return rv;
	*count = sqlite3_column_int64(st, 0);
	if (sqlite3_column_type(st, 1) != SQLITE_NULL)
		*size = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return JB_OK;
}

int jb_replica_count(struct jb_replica *r, enum jb_counted what,
		     int64_t time_us, int64_t count, int64_t size,
		     struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_COUNT];

	sqlite3_bind_int(st, 1, (int)what);
	sqlite3_bind_int64(st, 2, time_us);
	sqlite3_bind_int64(st, 3, count);
	sqlite3_bind_int64(st, 4, size);
	return jb_replica_run(r, ST_COUNT, err);
}

int jb_replica_last_counted(struct jb_replica *r, enum jb_counted what,
			    int64_t *time_us, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_LAST_COUNTED];
	int rv;

	sqlite3_bind_int(st, 1, (int)what);
	rv = jb_replica_step(r, ST_LAST_COUNTED, err);
	if (rv <= 0)
		return rv;
	*time_us = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return JB_OK;
}

int jb_replica_forget_counted(struct jb_replica *r, int64_t before_us,
			      struct jb_error *err)
{
	sqlite3_bind_int64(r->st[ST_FORGET_COUNTED], 1, before_us);
	return jb_replica_run(r, ST_FORGET_COUNTED, err);
}

int jb_replica_count_rows(struct jb_replica *r, const char *table, int64_t *ret,
			  struct jb_error *err)
{
	sqlite3_stmt *st;
	char sql[64];
	int rv;

	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	rv = jb_store_prepare(&r->store, sql, &st, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(&r->store, st, err);
	if (rv > 0)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}
