/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/arena.h - memory that lives as long as a plan.
 *
 * Lifecycle: {0} -> alloc* -> fini. What is taken is zeroed and never given
 * back alone. */
#ifndef JB_DELIVER_ARENA_H
#define JB_DELIVER_ARENA_H

#include <stddef.h>

struct jb_arena {
	struct arena_block *blocks; /* owned */
	char *at;
	size_t left, total;
};

/* NULL without memory. */
void *jb_arena_alloc(struct jb_arena *a, size_t size);

/* A copy with a NUL added. */
char *jb_arena_copy(struct jb_arena *a, const char *bytes, size_t len);

/* Empties it; it can be used again. */
void jb_arena_fini(struct jb_arena *a);

#endif
