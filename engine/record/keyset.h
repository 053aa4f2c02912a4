/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/keyset.h - a set of directories' keys (never 0).
 *
 * Lifecycle: all zero -> (add, has)* -> clear or fini. One owner. */
#ifndef JB_RECORD_KEYSET_H
#define JB_RECORD_KEYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jb_keyset {
	uint64_t *keys; /* owned; a hash set, 0: free slot */
	size_t n, size; /* size: a power of two */
	uint64_t last;	/* added last: most are added many times in a row */
};

/* 1: added; 0: it was there; JB_ENOMEM. */
int jb_keyset_add(struct jb_keyset *s, uint64_t key);
bool jb_keyset_has(const struct jb_keyset *s, uint64_t key);
/* Empty it; memory is kept unless it is much. */
void jb_keyset_clear(struct jb_keyset *s);
void jb_keyset_fini(struct jb_keyset *s);

#endif
