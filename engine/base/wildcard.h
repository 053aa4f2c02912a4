/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/wildcard.h - one pattern with '*', '**', '?', '[...]' and '\',
 * compiled once and matched often, with the meaning that rsync gives it.
 *
 * Lifecycle: compile -> match* -> free. Immutable once compiled: any thread
 * may match. Matching takes no memory, and time that grows with the product of
 * text and pattern, never exponentially: file names come from strangers. */
#ifndef JB_BASE_WILDCARD_H
#define JB_BASE_WILDCARD_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>

struct jb_wildcard;

/* Bytes to match, with a '/' that is not in memory before or after them. */
struct jb_wildcard_text {
	const char *bytes; /* borrowed */
	size_t len;
	bool slash_before, slash_after;
};

/* Compile @pattern. JB_EINVAL: a class that has no end or no such name, or a
 * backslash at the very end; rsync would let these match nothing. On success
 * the caller owns *ret. */
int jb_wildcard_compile(const char *pattern, struct jb_wildcard **ret,
			struct jb_error *err);

/* Does it match all of @text? */
bool jb_wildcard_matches(const struct jb_wildcard *w,
			 const struct jb_wildcard_text *text);

/* Does it match all of @text, or all that follows one of its slashes? */
bool jb_wildcard_matches_tail(const struct jb_wildcard *w,
			      const struct jb_wildcard_text *text);

/* Could it match something below the directory @text? */
bool jb_wildcard_reaches(const struct jb_wildcard *w, const char *dir,
			 size_t len);

/* Accepts NULL. */
void jb_wildcard_free(struct jb_wildcard *w);

#endif
