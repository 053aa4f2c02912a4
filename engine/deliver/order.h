/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/order.h - changing names at the target, one at a time.
 *
 * operate.c carries one operation out and keeps the draft true to it; order.c
 * decides which one comes next. */
#ifndef JB_DELIVER_ORDER_H
#define JB_DELIVER_ORDER_H

#include "engine/deliver/plan.h"

/* Each: true when done, and the draft says so; false when nothing was changed.
 * The caller has looked. */
bool jb_op_rename(struct jb_plan *p, struct jb_slot *from, struct jb_slot *to);
bool jb_op_exchange(struct jb_plan *p, struct jb_slot *a, struct jb_slot *b);
bool jb_op_link(struct jb_plan *p, struct jb_slot *from, struct jb_slot *to);

/* @last: it is the last name of what is replaced or removed, which is then
 * kept in the trash and forgotten. */
bool jb_op_replace(struct jb_plan *p, struct jb_slot *from, struct jb_slot *to,
		   bool last);
bool jb_op_remove(struct jb_plan *p, struct jb_slot *s, bool last);

/* Is there nothing in the directory, ours or not? */
bool jb_op_is_empty(struct jb_plan *p, struct jb_node *dir);

/* Is it the place of a name of the entry that is detached? See seen.h. */
bool jb_plan_is_detached_place(const struct jb_seen *e,
			       const struct jb_slot *s);

#endif
