/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a delivery: how far it is, what it does just now, and what
 * the target does not have yet. */
#include "engine/deliver/delivery.h"

#include "engine/deliver/delivery_priv.h"

#include <stdlib.h>

bool jb_delivery_reached(const struct jb_delivery *d, int64_t seq)
{
	return d->journal.complete && !d->is_full && !d->more && !d->again &&
	       d->cursor >= seq;
}

int jb_delivery_status(struct jb_delivery *d, struct jb_delivery_status *ret,
		       struct jb_error *err)
{
	int rv;

	*ret = (struct jb_delivery_status){
		.paused = d->paused,
		.cursor = d->cursor,
		.last_seq = d->journal.last_seq,
	};
	rv = jb_planner_holding(d->replica, &ret->holding, err);
	if (rv == JB_OK)
		rv = jb_replica_count_rows(d->replica, "pending", &ret->pending,
					   err);
	if (rv == JB_OK)
		rv = jb_replica_count_rows(d->replica, "owed", &ret->owed, err);
	if (rv == JB_OK)
		rv = jb_replica_get(d->replica, JB_KEY_NODES, 0, &ret->entries,
				    err);
	ret->lacking = d->lacking;
	return rv;
}

static int tell_unsynced(struct jb_delivery *d, sqlite3_stmt *st,
			 jb_unsynced_fn *fn, void *arg)
{
	struct jb_pending_row row = {
		.id = {(uint64_t)sqlite3_column_int64(st, 0),
		       sqlite3_column_int64(st, 1)},
		.reason = (enum jb_reason)sqlite3_column_int(st, 2),
		.attempts = (uint32_t)sqlite3_column_int64(st, 3),
		.since_us = sqlite3_column_int64(st, 4),
		.next_us = sqlite3_column_int64(st, 5),
	};
	char *path = d->feed == NULL
			     ? NULL
			     : jb_feed_path(d->feed,
					    (struct jb_identity){row.id.ino,
								 row.id.birth});
	int rv = fn(arg, path, &row);

	free(path);
	return rv;
}

int jb_delivery_unsynced(struct jb_delivery *d, size_t max, jb_unsynced_fn *fn,
			 void *arg, struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(d->replica);
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store,
				  "SELECT ino, birth, reason, attempts, since,"
				  " next FROM pending ORDER BY since LIMIT ?1",
				  &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, (int64_t)max);
	while ((rv = jb_store_step(store, st, err)) > 0)
		if (tell_unsynced(d, st, fn, arg) != 0) {
			rv = JB_OK;
			break;
		}
	sqlite3_finalize(st);
	return rv;
}

void jb_delivery_progress(const struct jb_delivery *d, struct jb_progress *ret)
{
	*ret = (struct jb_progress){
		.phase = (enum jb_delivery_phase)atomic_load(&d->phase),
		.done = atomic_load(&d->done),
		.total = atomic_load(&d->total),
		.copied = atomic_load(&d->copied),
		.bytes = atomic_load(&d->bytes),
		.renamed = atomic_load(&d->renamed),
		.removed = atomic_load(&d->removed),
		.failed = atomic_load(&d->failed),
		.began_us = atomic_load(&d->began_us),
	};
}

void jb_delivery_stop(struct jb_delivery *d)
{
	atomic_store(&d->stopped, true);
	d->target->ops->stop(d->target);
}
