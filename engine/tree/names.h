/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/tree/names.h - all names of an open directory, sorted by their bytes.
 *
 * Lifecycle: zeroed -> read -> use -> reset (to read again) or fini. Any
 * thread, one owner. */
#ifndef JB_TREE_NAMES_H
#define JB_TREE_NAMES_H

#include "jb/error.h"

#include <stddef.h>
#include <stdint.h>

struct jb_names {
	char *bytes; /* owned; each name ends with NUL */
	size_t size, cap;
	uint32_t *at; /* owned; offsets in their order */
	size_t n, cap_at;
};

/* Read what @fd (at its beginning) holds, without "." and "..". A directory
 * that is gone has no names. */
int jb_names_read(int fd, struct jb_names *ret, struct jb_error *err);

static inline const char *jb_names_get(const struct jb_names *names, size_t i)
{
	return names->bytes + names->at[i];
}

void jb_names_reset(struct jb_names *names);
void jb_names_fini(struct jb_names *names);

#endif
