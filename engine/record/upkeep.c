/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each step of retention is a transaction of its own. One that fails is logged
 * and ends its order: what it would have dropped goes with the next one. */
#include "engine/record/upkeep.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"

#include <stdlib.h>

#define SHARE		 4	    /* of the batch's time */
#define MOST_NS		 100000000u /* between two batches */
#define MOST_STEPS	 200	    /* to make room within a batch */
#define MAX_ORDERS	 100
#define CUT_WAIT_MS	 100
#define BYTES_PER_CHANGE 100

struct jb_upkeep_order {
	struct jb_upkeep_order *next;
	struct jb_retain_order what;
	struct jb_retained done;
	void *waiting;
};

int jb_upkeep_open(struct jb_upkeep *u, struct jb_store *store,
		   struct jb_changes *changes, int64_t max_bytes,
		   struct jb_error *err)
{
	int rv;

	*u = (struct jb_upkeep){.store = store, .changes = changes};
	pthread_mutex_init(&u->mutex, NULL);
	rv = jb_retain_open(store, &u->retain, err);
	if (rv == JB_OK)
		rv = jb_room_init(&u->room, store, u->retain, max_bytes, err);
	return rv;
}

static void drop_orders(struct jb_upkeep_order *o)
{
	struct jb_upkeep_order *next;

	for (; o != NULL; o = next) {
		next = o->next;
		free(o);
	}
}

void jb_upkeep_close(struct jb_upkeep *u)
{
	if (u->store == NULL)
		return;
	drop_orders(u->orders);
	drop_orders(u->new_orders);
	jb_retain_close(u->retain);
	pthread_mutex_destroy(&u->mutex);
	*u = (struct jb_upkeep){0};
}

/* ---- orders */

int jb_upkeep_take(struct jb_upkeep *u, const struct jb_retain_order *order,
		   void *waiting, struct jb_error *err)
{
	struct jb_upkeep_order *o = calloc(1, sizeof *o), **at;
	unsigned n = 0;

	if (o == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "retention");
	o->what = *order;
	o->waiting = waiting;
	pthread_mutex_lock(&u->mutex);
	for (at = &u->new_orders; *at != NULL; at = &(*at)->next)
		n++;
	if (n < MAX_ORDERS)
		*at = o;
	pthread_mutex_unlock(&u->mutex);
	if (n < MAX_ORDERS)
		return JB_OK;
	free(o);
	return jb_error_set(err, JB_EBUSY, 0, "retention: too many orders");
}

static void collect_orders(struct jb_upkeep *u)
{
	struct jb_upkeep_order **at = &u->orders;

	while (*at != NULL)
		at = &(*at)->next;
	pthread_mutex_lock(&u->mutex);
	*at = u->new_orders;
	u->new_orders = NULL;
	pthread_mutex_unlock(&u->mutex);
}

/* ---- steps */

static bool step(struct jb_upkeep *u, const struct jb_retain_order *what,
		 struct jb_retained *done)
{
	int64_t places = done->places;
	struct jb_error err;
	bool more = false;

	if (jb_retain_step(u->retain, what, done, &more, &err) != JB_OK) {
		jb_log_error("retention: %s", err.text);
		return false;
	}
	if (done->places != places)
		jb_changes_forget_places(u->changes);
	return more;
}

/* Too large? Then the oldest changes go until it is small enough. */
static bool mind_size(struct jb_upkeep *u)
{
	struct jb_retain_order what = {
		.before_us = INT64_MIN,
		.max_bytes = jb_room_soft_limit(&u->room),
		.upto = INT64_MAX, /* who still reads them owes a full pass */
	};
	struct jb_retained done = {0};
	struct jb_extent extent;

	if (what.max_bytes == 0 ||
	    jb_retain_extent(u->retain, &extent, NULL) != JB_OK)
		return false;
	if (!u->is_large && extent.used_bytes > what.max_bytes)
		jb_log_notice("%s: MaxJournalSize= is near: the oldest changes "
			      "go",
			      u->store->path);
	u->is_large = extent.used_bytes > what.max_bytes;
	return u->is_large && step(u, &what, &done);
}

/* The disk is full: the journal's oldest changes go, if that can help. What
 * others have filled it does not pay for with all that it knows. */
static bool make_room(struct jb_upkeep *u)
{
	struct jb_retain_order what = {.before_us = INT64_MIN,
				       .upto = INT64_MAX,
				       .shrink = true,
				       .gently = true};
	int64_t need = jb_room_need(&u->room);
	struct jb_retained done = {0};
	struct jb_extent extent;
	bool more;

	if (!u->room.lacking || need == 0 ||
	    jb_retain_extent(u->retain, &extent, NULL) != JB_OK ||
	    need > extent.changes * BYTES_PER_CHANGE + extent.file_bytes -
			    extent.used_bytes)
		return false;
	what.max_bytes = extent.file_bytes - need;
	more = step(u, &what, &done);
	jb_store_cut_wal(u->store, CUT_WAIT_MS, NULL);
	return more;
}

static void end_order(struct jb_upkeep *u,
		      const struct jb_recorder_events *events)
{
	struct jb_upkeep_order *o = u->orders;

	u->orders = o->next;
	if (o->done.bytes > 0) /* only now the file gets smaller */
		jb_store_cut_wal(u->store, CUT_WAIT_MS, NULL);
	if (o->done.changes > 0)
		jb_log_info("retention: %lld changes are no longer kept",
			    (long long)o->done.changes);
	if (o->waiting != NULL && events->retained != NULL)
		events->retained(events->arg, o->waiting, &o->done);
	free(o);
}

bool jb_upkeep_run(struct jb_upkeep *u, int64_t batch_ns,
		   const struct jb_recorder_events *events)
{
	int64_t start = jb_clock_ns(CLOCK_MONOTONIC), most = batch_ns / SHARE;
	bool more;

	collect_orders(u);
	do {
		more = mind_size(u) || make_room(u);
		if (!more && u->orders != NULL) {
			if (!step(u, &u->orders->what, &u->orders->done))
				end_order(u, events);
			more = u->orders != NULL;
		}
		if (u->is_large) /* it must not grow faster than it shrinks */
			most = batch_ns;
		else if (u->room.lacking || most > MOST_NS)
			most = MOST_NS;
	} while (more && jb_clock_ns(CLOCK_MONOTONIC) - start < most);
	return more;
}

bool jb_upkeep_must_breathe(const struct jb_upkeep *u)
{
	return u->room.rows_at_once != 0 &&
	       sqlite3_total_changes64(u->store->db) - u->rows >=
		       u->room.rows_at_once;
}

int jb_upkeep_breathe(struct jb_upkeep *u, struct jb_error *err)
{
	int rv, n = 0;

	rv = jb_store_commit(u->store, err);
	if (rv != JB_OK)
		return rv;
	jb_room_after_commit(&u->room);
	while (n++ < MOST_STEPS && mind_size(u))
		;
	u->rows = sqlite3_total_changes64(u->store->db);
	if (!jb_room_check(&u->room))
		return jb_error_set(err, JB_ENOSPC, 0, "%s: no room",
				    u->store->path);
	return jb_store_begin(u->store, err);
}
