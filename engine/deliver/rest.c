/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/rest.h"

#include "engine/deliver/pending.h"

/* A copy that takes less is as good as none. */
#define LONG_US	    INT64_C(100000)
#define TIMES	    9
#define MOST_US	    JB_PENDING_MOST_WAIT_US
#define SLOT_OF(id) ((id).ino % JB_RESTS)

void jb_rests_note(struct jb_rests *r, struct jb_id id, int64_t now_us,
		   int64_t took_us)
{
	int64_t rest = took_us < MOST_US / TIMES ? took_us * TIMES : MOST_US;

	if (took_us >= LONG_US)
		r->slots[SLOT_OF(id)] = (struct jb_rest){id, now_us + rest};
}

int64_t jb_rests_until(const struct jb_rests *r, struct jb_id id,
		       int64_t now_us)
{
	const struct jb_rest *s = &r->slots[SLOT_OF(id)];

	/* Further away than any rest is long: the clock was set back. */
	return jb_id_equal(s->id, id) && s->until_us > now_us &&
			       s->until_us <= now_us + MOST_US
		       ? s->until_us
		       : 0;
}
