/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/watch/barrier.h"

#include <stdlib.h>

struct jb_mark *jb_mark_new(void)
{
	struct jb_mark *m = calloc(1, sizeof *m);

	if (m != NULL)
		atomic_init(&m->refs, 1);
	return m;
}

struct jb_mark *jb_mark_ref(struct jb_mark *m)
{
	atomic_fetch_add(&m->refs, 1);
	return m;
}

void jb_mark_unref(struct jb_mark *m)
{
	if (m != NULL && atomic_fetch_sub(&m->refs, 1) == 1)
		free(m);
}

static bool holds_count(const struct jb_mark *m, const struct jb_dirty *set)
{
	for (unsigned i = 0; i < JB_SOURCES; i++)
		if (set->upto[i] < m->count[i])
			return false;
	return true;
}

bool jb_mark_passed(struct jb_mark *m, const struct jb_dirty *set,
		    uint64_t oldest_left)
{
	if (m == NULL || !atomic_load(&m->answered))
		return false;
	if (m->passed == 0 && set->no > m->batch && holds_count(m, set))
		m->passed = set->no;
	return m->passed != 0 && oldest_left > m->passed;
}
