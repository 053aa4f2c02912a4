/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/upkeep.h - what the recorder does for the journal between two
 * batches: dropping what is no longer kept, and minding its size.
 *
 * Retention is by orders, carried out one after another, a step or a few after
 * each batch: never longer than a part of the time that the batch took. The
 * size is minded without an order.
 *
 * Lifecycle: open -> (run, breathe)* -> close. Recorder thread, but for what
 * takes an order. */
#ifndef JB_RECORD_UPKEEP_H
#define JB_RECORD_UPKEEP_H

#include "engine/record/recorder.h"
#include "engine/record/room.h"
#include "journal/changes.h"
#include "journal/retain.h"

#include <pthread.h>

struct jb_upkeep_order;

struct jb_upkeep {
	struct jb_store *store;	    /* borrowed */
	struct jb_changes *changes; /* borrowed */
	struct jb_retain *retain;   /* owned */
	struct jb_room room;
	bool is_large;			/* its oldest changes are going */
	int64_t rows;			/* of the store at the last breath */
	struct jb_upkeep_order *orders; /* owned; in their order */

	pthread_mutex_t mutex; /* guards what follows */
	struct jb_upkeep_order *new_orders;
};

int jb_upkeep_open(struct jb_upkeep *u, struct jb_store *store,
		   struct jb_changes *changes, int64_t max_bytes,
		   struct jb_error *err);
void jb_upkeep_close(struct jb_upkeep *u);

/* Any thread: carry this out; @waiting (NULL: nobody) is handed back. */
int jb_upkeep_take(struct jb_upkeep *u, const struct jb_retain_order *order,
		   void *waiting, struct jb_error *err);

/* Between two batches, of which the last took @batch_ns. True: there is more
 * to do. */
bool jb_upkeep_run(struct jb_upkeep *u, int64_t batch_ns,
		   const struct jb_recorder_events *events);

/* Within a batch, where its transaction may be cut in two: where room is short,
 * transactions are small. JB_ENOSPC: there is no room for the rest. */
bool jb_upkeep_must_breathe(const struct jb_upkeep *u);
int jb_upkeep_breathe(struct jb_upkeep *u, struct jb_error *err);

#endif
