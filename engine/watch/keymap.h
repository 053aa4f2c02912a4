/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/keymap.h - a map from number to number, neither of them 0.
 *
 * Lifecycle: all zero -> (put, get, remove)* -> fini. One thread. */
#ifndef JB_WATCH_KEYMAP_H
#define JB_WATCH_KEYMAP_H

#include "jb/error.h"

#include <stddef.h>
#include <stdint.h>

struct jb_keymap_slot {
	uint64_t key, value; /* key 0: free */
};

struct jb_keymap {
	struct jb_keymap_slot *slots; /* owned */
	size_t n, size;		      /* size: a power of two, or 0 */
};

void jb_keymap_fini(struct jb_keymap *m);

/* A key that is there gets the new value. JB_ENOMEM: all is as it was. */
int jb_keymap_put(struct jb_keymap *m, uint64_t key, uint64_t value);

/* 0: not there. */
uint64_t jb_keymap_get(const struct jb_keymap *m, uint64_t key);

/* Does nothing where it is not there. */
void jb_keymap_remove(struct jb_keymap *m, uint64_t key);

#endif
