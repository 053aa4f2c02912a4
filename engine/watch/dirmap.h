/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/dirmap.h - is this directory ours, and which one?
 *
 * Maps (file system, directory handle) to the catalog's key. It never says
 * where a directory is. One handle may have several keys for a moment: a
 * directory that moved from one root to another is known to both until the
 * recorder has settled it.
 *
 * Lifecycle: init -> (add, remove, find)* -> fini. Belongs to the loop
 * thread. */
#ifndef JB_WATCH_DIRMAP_H
#define JB_WATCH_DIRMAP_H

#include "engine/tree/handle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JB_DIRMAP_INLINE 24 /* bytes of a handle that need no allocation */

struct jb_dirmap_slot {
	uint64_t key; /* 0: free */
	uint32_t hash;
	uint8_t fs, len;
	union {
		uint8_t in[JB_DIRMAP_INLINE];
		uint8_t *out; /* owned, when len > JB_DIRMAP_INLINE */
	} handle;
};

struct jb_dirmap {
	struct jb_dirmap_slot *slots; /* owned */
	size_t n, size;		      /* size: a power of two */
};

int jb_dirmap_init(struct jb_dirmap *m, struct jb_error *err);
void jb_dirmap_fini(struct jb_dirmap *m);

/* Adding what is there already changes nothing. */
int jb_dirmap_add(struct jb_dirmap *m, uint8_t fs, struct jb_handle_ref handle,
		  uint64_t key, struct jb_error *err);

/* Remove this pair; another key of the same handle stays. */
void jb_dirmap_remove(struct jb_dirmap *m, uint8_t fs,
		      struct jb_handle_ref handle, uint64_t key);

/* Iterate over the keys of a handle: start with *pos = SIZE_MAX; 0 at the
 * end. Nothing may be added or removed meanwhile. */
uint64_t jb_dirmap_next(const struct jb_dirmap *m, uint8_t fs,
			struct jb_handle_ref handle, uint32_t hash,
			size_t *pos);

uint32_t jb_dirmap_hash(uint8_t fs, struct jb_handle_ref handle);

#endif
