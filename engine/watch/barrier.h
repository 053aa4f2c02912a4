/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/barrier.h - has everything that was queued at a moment been
 * read, looked at and committed?
 *
 * A mark is asked for by the recorder, counted by the loop thread (which alone
 * knows what it has read and not yet put into a set), and passed when a dirty
 * set that was handed over after the answer, and holds the count, has been
 * recorded with all that it left over. Users: detached entries, the end of a
 * scan, 'complete until', flush.
 *
 * A mark is shared by all who ask for one in the same commit, so it is
 * reference counted; the message to the loop holds a reference too. But for
 * refs and answered it belongs to the loop until it is answered, then to the
 * recorder. */
#ifndef JB_WATCH_BARRIER_H
#define JB_WATCH_BARRIER_H

#include "engine/watch/dirty.h"

#include <stdatomic.h>

struct jb_mark {
	atomic_uint refs;
	atomic_bool answered;
	uint64_t count[JB_SOURCES]; /* units that must have been read */
	uint64_t batch;		    /* last set handed over at the answer */
	int64_t clock;		    /* ns, at the answer */
	uint64_t passed;	    /* batch that held the count, 0: none yet */
};

/* NULL without memory. One reference. */
struct jb_mark *jb_mark_new(void);
struct jb_mark *jb_mark_ref(struct jb_mark *m);
/* Accepts NULL. */
void jb_mark_unref(struct jb_mark *m);

/* @oldest_left: the lowest batch number among what is left over to later
 * batches, UINT64_MAX if nothing is. @m may be NULL: never passed. */
bool jb_mark_passed(struct jb_mark *m, const struct jb_dirty *set,
		    uint64_t oldest_left);

#endif
