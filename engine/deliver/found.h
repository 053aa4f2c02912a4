/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/found.h - what a full pass has found and not handed out yet:
 * entries of the source and copies at the target that the planner is to see.
 *
 * Lifecycle: zeroed -> (add*, hand out*)* -> fini. Worker's thread. */
#ifndef JB_DELIVER_FOUND_H
#define JB_DELIVER_FOUND_H

#include "journal/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jb_found {
	struct jb_id *ids; /* owned; handed out up to next_id */
	size_t n_ids, cap_ids, next_id;
	uint64_t *rids; /* owned; so too */
	size_t n_rids, cap_rids, next_rid;
};

/* False: no memory; it is as it was. */
bool jb_found_add_entry(struct jb_found *f, struct jb_id id);
bool jb_found_add_copy(struct jb_found *f, uint64_t rid);

/* How many are left. */
size_t jb_found_count(const struct jb_found *f);

/* At most @max of them, borrowed until the next one is added. */
void jb_found_hand_out(struct jb_found *f, size_t max, const struct jb_id **ids,
		       size_t *n_ids, const uint64_t **rids, size_t *n_rids);

void jb_found_fini(struct jb_found *f);

#endif
