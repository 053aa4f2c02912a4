/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/cursor.h - how far a policy has read the journal, as its database
 * says: for whoever decides what the journal may drop.
 *
 * The database belongs to the policy's worker (engine/deliver/replica.h);
 * here it is only looked at, and never waited for. */
#ifndef JB_JOURNAL_CURSOR_H
#define JB_JOURNAL_CURSOR_H

#include "jb/error.h"

#include <stdbool.h>
#include <stdint.h>

struct jb_cursor {
	int64_t seq;	/* read up to here, durably */
	uint64_t epoch; /* of this journal */
	bool is_full;	/* it owes a full pass: it needs no change */
};

/* Read DIR/policy-<name>.db. 1: *ret is filled; 0: there is none yet. JB_EBUSY,
 * JB_ECORRUPT ...: it can't be said now. */
int jb_cursor_read(const char *dir, const char *policy, struct jb_cursor *ret,
		   struct jb_error *err);

#endif
