/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/rest.h - a file whose copy takes long rests nine times as long
 * before it is copied again.
 *
 * What is written all the time, a log or a disk image, would else be copied all
 * the time: so one file gets a tenth of the worker's time at most. Nothing is
 * stored; a worker that begins has seen no copy yet, and of files that share a
 * slot only the last one rests.
 *
 * Lifecycle: zeroed -> (note, until)*. One thread at a time. */
#ifndef JB_DELIVER_REST_H
#define JB_DELIVER_REST_H

#include "journal/entry.h"

#define JB_RESTS 1024

struct jb_rests {
	struct jb_rest {
		struct jb_id id;
		int64_t until_us;
	} slots[JB_RESTS];
};

/* Copying @id has taken @took_us, and ended at @now_us. */
void jb_rests_note(struct jb_rests *r, struct jb_id id, int64_t now_us,
		   int64_t took_us);

/* Until when it is not copied again; 0: it may be at @now_us. */
int64_t jb_rests_until(const struct jb_rests *r, struct jb_id id,
		       int64_t now_us);

#endif
