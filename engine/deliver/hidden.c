/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places that can't be looked at: somebody mounted something there, or put a
 * symlink on the way, or the disk has a bad spot. What is ours there is not
 * gone, so its rows stay; nothing is done to it, and it is tried again. */
#include "engine/deliver/plan.h"

bool jb_plan_is_hidden(const struct jb_node *n)
{
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		if (s->hidden != JB_REASON_NONE)
			return true;
	return false;
}

/* What is below a place that is hidden comes to light with it. */
void jb_plan_pend_hidden(struct jb_plan *p)
{
	struct jb_slot *s;

	if (!p->some_hidden)
		return;
	for (size_t i = 0; i < p->n_looks && !jb_plan_failed(p); i++) {
		s = p->looks[i];
		if (s->hidden != JB_REASON_NONE && s->holder != NULL &&
		    !jb_plan_is_hidden(s->dir))
			jb_plan_fail(p, s->holder, s->hidden);
	}
}
