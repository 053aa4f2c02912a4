/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/pattern.h - rsync's include and exclude patterns.
 *
 * Semantics are rsync's own (rsync(1), FILTER RULES): anchors, a trailing
 * slash, '*', '**', '***', '?', classes, the first match decides, and a name
 * below an excluded directory is never reached. Paths are bytes relative to
 * the root, without leading slash.
 *
 * Lifecycle: new -> add* -> match* -> free. Immutable once filled: any thread
 * may match. */
#ifndef JB_BASE_PATTERN_H
#define JB_BASE_PATTERN_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>

struct jb_patterns;

/* On success the caller owns *ret. */
int jb_patterns_new(struct jb_patterns **ret, struct jb_error *err);

/* Append one pattern (copied). JB_EINVAL: can't be parsed, one line says why
 * and what to write. */
int jb_patterns_add(struct jb_patterns *p, bool include, const char *pattern,
		    struct jb_error *err);

/* 'Include= without Exclude= means only that': to be called after the last
 * add when only includes were given: what no pattern names is excluded, but
 * the directories above an included name are kept reachable. */
int jb_patterns_only_included(struct jb_patterns *p, struct jb_error *err);

/* What the first rule that matches @path says; one level only. */
enum jb_pattern_verdict {
	JB_PATTERN_NONE,
	JB_PATTERN_INCLUDED,
	JB_PATTERN_EXCLUDED,
};
enum jb_pattern_verdict jb_patterns_verdict(const struct jb_patterns *p,
					    const char *path, size_t len,
					    bool is_dir);

/* Is @path itself taken, given that its parents are? One level only. */
bool jb_patterns_takes_name(const struct jb_patterns *p, const char *path,
			    size_t len, bool is_dir);

/* Is @path taken, with every directory above it? @p may be NULL: all is. */
bool jb_patterns_takes(const struct jb_patterns *p, const char *path,
		       size_t len, bool is_dir);

/* Is all that is below the directory @dir taken, whatever it is called, given
 * that @dir is? False may mean that it depends. */
bool jb_patterns_takes_below(const struct jb_patterns *p, const char *dir,
			     size_t len);

/* Can a pattern tell names below different directories apart (an anchored one,
 * or one with a slash in its middle)? If not, a renamed directory keeps its
 * selection. */
bool jb_patterns_depend_on_path(const struct jb_patterns *p);

/* The rules as they were given, for messages: the pattern at @index, NULL
 * behind the last one. Borrowed. */
const char *jb_patterns_at(const struct jb_patterns *p, size_t index,
			   bool *ret_include);

/* Was jb_patterns_only_included() called? */
bool jb_patterns_are_only(const struct jb_patterns *p);

/* One pattern alone: does it match @path (of a directory)? A pattern that
 * can't be parsed matches nothing. For many paths use jb_patterns_verdict(). */
bool jb_pattern_matches(const char *pattern, const char *path, size_t len,
			bool is_dir);

void jb_patterns_free(struct jb_patterns *p);

#endif
