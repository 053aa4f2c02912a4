/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One batch: take the dirty set whole; look at all its places and at what was
 * left over, parents first; then at the other names of its inodes; settle who
 * is detached; commit; tell the loop and the scans.
 *
 * Failure: a transaction that can't be committed is rolled back, what the set
 * held is lost, so every root owes a scan; the thread goes on after a while. A
 * damaged database ends the thread: the daemon sets it aside. */
#include "engine/record/recorder_priv.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RETRY_AFTER_S 1
#define ROOM_LOOK_NS  200000000

struct jb_mark *jb_recorder_mark(struct jb_recorder *r)
{
	if (r->mark == NULL) {
		r->mark = r->spare_mark;
		r->spare_mark = NULL;
	}
	assert(r->mark != NULL);
	return r->mark;
}

/* Whoever needs a mark in the batch can't do without. */
static int spare_mark(struct jb_recorder *r, struct jb_error *err)
{
	if (r->spare_mark == NULL)
		r->spare_mark = jb_mark_new();
	if (r->spare_mark == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "a barrier");
	return JB_OK;
}

uint64_t jb_recorder_oldest_left(const struct jb_recorder *r)
{
	return jb_todo_oldest(&r->carry);
}

static int record_batch(struct jb_recorder *r, struct jb_error *err)
{
	int rv;

	r->now_us = jb_clock_us(CLOCK_REALTIME);
	r->budget = JB_LIST_BUDGET;
	r->batch_dirs = r->created_dirs;
	r->batch_seq = jb_changes_last(r->changes);
	r->wrote = false;
	jb_keyset_clear(&r->named);
	if (r->ahead != NULL && r->known.bits == NULL) {
		jb_ahead_stop(r->ahead); /* nothing is certainly new now */
		r->ahead = NULL;
	}
	if (r->ahead != NULL)
		jb_ahead_begin(r->ahead);
	jb_changes_begin(r->changes, r->now_us);
	rv = jb_store_check_there(r->store, err);
	if (rv == JB_OK)
		rv = spare_mark(r, err);
	if (rv == JB_OK)
		rv = jb_store_begin(r->store, err);
	if (rv == JB_OK)
		rv = jb_gaps_note(r, err);
	if (rv == JB_OK)
		rv = jb_batch_merge_beyond(r, err);
	if (rv == JB_OK)
		rv = jb_batch_look(r, err);
	if (rv == JB_OK && r->carry.n > JB_CARRY_MAX)
		rv = jb_gaps_bound_carry(r, err);
	if (rv == JB_OK)
		rv = jb_settle(r, err);
	if (rv == JB_OK)
		rv = jb_gaps_settle(r, err);
	if (rv == JB_OK)
		rv = jb_drift_write(r, err);
	/* As in jb_batch_breathe(). */
	if (rv == JB_OK)
		rv = jb_list_map_new(r, err);
	if (rv == JB_OK)
		rv = jb_store_commit(r->store, err);
	return rv;
}

/* ---- after the commit */

static int send_messages(struct jb_recorder *r, struct jb_error *err)
{
	int rv = JB_OK;

	jb_batch_filter_beyond(r);
	if (r->n_gone > 0)
		rv = jb_intake_remove_dirs(r->intake, r->gone_dirs, r->n_gone,
					   err);
	r->n_gone = 0;
	if (rv == JB_OK && r->mark != NULL)
		rv = jb_intake_ask(r->intake, r->mark, err);
	jb_mark_unref(r->mark);
	r->mark = NULL;
	if (r->set->credits > 0)
		r->events.credits(r->events.arg, r->set->credits);
	if (r->events.committed != NULL &&
	    jb_changes_last(r->changes) != r->last_seq)
		r->events.committed(r->events.arg, jb_changes_last(r->changes));
	jb_gaps_let_go(r);
	jb_gaps_start_scans(r);
	return rv;
}

static void publish(struct jb_recorder *r)
{
	int64_t names = -1;

	if (r->set != NULL) /* not before the first batch: it takes a while */
		jb_catalog_count(r->catalog, &names, NULL);
	pthread_mutex_lock(&r->mutex);
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		r->mail[i].status.complete_ns = r->roots[i].complete;
		r->mail[i].status.gap_open = r->roots[i].gap.id != 0;
		r->mail[i].status.scanning = r->roots[i].running;
		r->mail[i].status.detached = r->roots[i].detached.count;
		r->mail[i].status.drift = r->roots[i].drift;
		r->mail[i].status.no_room = r->upkeep.room.lacking;
	}
	r->last_seq = jb_changes_last(r->changes);
	r->names = names;
	pthread_mutex_unlock(&r->mutex);
}

/* When is the next set wanted, though it may be empty? Who waits for a scan, or
 * for somebody detached, is served by their own marks. */
static enum jb_want what_next(struct jb_recorder *r)
{
	bool new_flushes;

	pthread_mutex_lock(&r->mutex);
	new_flushes = r->new_flushes != NULL;
	pthread_mutex_unlock(&r->mutex);
	if (r->carry.n > 0)
		return JB_WANT_MORE;
	if (new_flushes || jb_flushes_want_set(r))
		return JB_WANT_NOW;
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		const struct jb_record_root *root = &r->roots[i];

		/* Of a scan that has to be done again the mark is of no use. */
		if ((root->scan_mark != NULL && !root->owed &&
		     !root->running) ||
		    (root->detached.n_groups > 0 && !jb_gaps_is_open(root)))
			return JB_WANT_NOW;
	}
	return r->time != NULL || r->looked != 0 ? JB_WANT_SOON
						 : JB_WANT_EVENTS;
}

/* The batch is lost: back to what is committed, and everything is scanned. */
static int recover(struct jb_recorder *r, const struct jb_error *why,
		   struct jb_error *err)
{
	struct timespec pause = {.tv_sec = RETRY_AFTER_S};
	int rv;

	jb_store_rollback(r->store);
	if (jb_store_check_there(r->store, err) != JB_OK)
		return err->code; /* no pause brings it back */
	if (why->code == JB_ENOSPC)
		jb_room_failed(&r->upkeep.room, why);
	else
		jb_log_error("journal: %s: what was seen meanwhile is found by "
			     "a scan",
			     why->text);
	jb_catalog_reset(r->catalog);
	if (r->set->credits > 0)
		r->events.credits(r->events.arg, r->set->credits);
	jb_recorder_drop_memory(r);
	nanosleep(&pause, NULL);
	rv = jb_changes_reset(r->changes, err);
	if (rv == JB_OK)
		rv = jb_recorder_load(r, err);
	for (unsigned i = 0; i < r->settings.n_roots; i++)
		jb_recorder_owe_scan(r, r->roots[i].root,
				     why->code == JB_ENOSPC ? JB_GAP_NO_ROOM
							    : JB_GAP_UNWRITTEN);
	return rv;
}

/* No room: the set is dropped, what was in it is found by a scan. */
static void drop_set(struct jb_recorder *r)
{
	struct timespec pause = {.tv_nsec = ROOM_LOOK_NS};

	for (unsigned i = 0; i < r->settings.n_roots; i++)
		jb_recorder_owe_scan(r, r->roots[i].root, JB_GAP_NO_ROOM);
	if (r->set->credits > 0)
		r->events.credits(r->events.arg, r->set->credits);
	nanosleep(&pause, NULL);
}

/* Between two batches. */
static enum jb_want keep_up(struct jb_recorder *r, int64_t batch_ns,
			    enum jb_want want)
{
	bool more;

	if (r->wrote)
		jb_room_after_commit(&r->upkeep.room);
	more = jb_upkeep_run(&r->upkeep, batch_ns, &r->events);
	if (r->upkeep.room.lacking)
		return JB_WANT_NOW;
	return more && want == JB_WANT_EVENTS ? JB_WANT_SOON : want;
}

/* Is all that was handed over in the journal, or told by an open gap? */
static bool may_rest(struct jb_recorder *r)
{
	bool may = r->rest.token != 0 && !r->upkeep.room.lacking;

	pthread_mutex_lock(&r->mutex);
	for (unsigned i = 0; i < r->settings.n_roots; i++)
		may = may && r->mail[i].owed_reason == NULL;
	pthread_mutex_unlock(&r->mutex);
	return may;
}

/* Without it the stop is none the worse; the next start scans. */
static int leave_mark(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_recorder_rest_leave(r, err);

	r->rested = rv == JB_OK;
	if (rv == JB_OK || rv == JB_ECORRUPT)
		return rv;
	jb_log_warning("journal: %s: the next start will scan", err->text);
	return JB_OK;
}

static void *run(void *arg)
{
	struct jb_recorder *r = arg;
	struct jb_error err = {0}, why;
	enum jb_want want = JB_WANT_NOW;
	int64_t start;
	int rv = JB_OK;

	while (rv == JB_OK &&
	       (r->set = jb_intake_take(r->intake, want)) != NULL) {
		start = jb_clock_ns(CLOCK_MONOTONIC);
		jb_flushes_take(r);
		if (!jb_room_check(&r->upkeep.room)) {
			drop_set(r);
			want = keep_up(r, 0, JB_WANT_NOW);
			publish(r);
			jb_dirty_clear(r->set);
			continue;
		}
		rv = record_batch(r, &why);
		if (rv == JB_OK)
			rv = send_messages(r, &why);
		if (rv == JB_OK) {
			jb_flushes_settle(r);
			want = what_next(r);
		} else if (rv != JB_ECORRUPT) {
			rv = recover(r, &why, &err);
			want = JB_WANT_NOW;
		} else {
			jb_store_rollback(r->store);
			err = why;
		}
		if (rv == JB_OK)
			want = keep_up(r, jb_clock_ns(CLOCK_MONOTONIC) - start,
				       want);
		publish(r);
		jb_dirty_clear(r->set);
	}
	if (rv == JB_OK && may_rest(r))
		rv = leave_mark(r, &err);
	r->events.ended(r->events.arg, rv == JB_OK ? NULL : &err);
	return NULL;
}

int jb_recorder_start(struct jb_recorder *r, struct jb_intake *intake,
		      struct jb_error *err)
{
	int rc;

	r->intake = intake;
	publish(r);
	if (r->known.bits != NULL) /* without the thread it just takes longer */
		(void)jb_ahead_start(&r->ahead, NULL);
	rc = pthread_create(&r->thread, NULL, run, r);
	if (rc != 0)
		return jb_error_errno(err, rc, "recorder thread");
	r->started = true;
	return JB_OK;
}

void jb_recorder_rest(struct jb_recorder *r, const struct jb_rest_mark *mark)
{
	r->rest = *mark; /* seen through the intake's mutex */
}

bool jb_recorder_rested(const struct jb_recorder *r)
{
	return r->rested;
}

void jb_recorder_join(struct jb_recorder *r)
{
	if (r->started)
		pthread_join(r->thread, NULL);
	r->started = false;
}
