/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/unsynced.h - what a policy's target does not have yet: what
 * is pending, removals that are owed, and what changed behind the cursor.
 *
 * Reads the journal and the policy's database beside the daemon and the worker;
 * writes nothing. Any thread. */
#ifndef JB_DELIVER_UNSYNCED_H
#define JB_DELIVER_UNSYNCED_H

#include "engine/base/config.h"
#include "jb/change.h"

struct jb_feed;
struct jb_replica;

struct jb_unsynced_item {
	/* Relative to the root; of what the source no longer has the copy's.
	 * NULL: it has no place there either. */
	const char *path;
	bool is_gone;	       /* from the source */
	struct jb_identity id; /* of what is pending */
	const char *reason;
	int64_t since_us;
	int64_t next_us; /* of the next try, 0: not known */
};

struct jb_unsynced {
	bool is_full;	/* a full pass is owed, or the first copy: what it will
			 * find is not known yet */
	int64_t cursor; /* of the journal */
};

/* Another value than 0 ends the list and is returned. */
typedef int jb_unsynced_item_fn(void *arg, const struct jb_unsynced_item *item);

/* What is pending, the oldest first, at most @max; @feed may be NULL. */
int jb_unsynced_pending(struct jb_feed *feed, struct jb_replica *replica,
			size_t max, jb_unsynced_item_fn *fn, void *arg,
			struct jb_error *err);

/* The removals that are owed, at most @max; @held: those that wait for release,
 * too. */
int jb_unsynced_owed(struct jb_replica *replica, bool held, size_t max,
		     jb_unsynced_item_fn *fn, void *arg, struct jb_error *err);

/* All of it, and what changed behind the cursor. */
int jb_unsynced_list(const struct jb_config *config,
		     const struct jb_config_section *policy,
		     jb_unsynced_item_fn *fn, void *arg,
		     struct jb_unsynced *ret, struct jb_error *err);

#endif
