/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/plan.h - what a policy wants done, and what became of it.
 *
 * A policy does not say how: the engine compares the source's catalog with
 * what the target holds, closes the set of what belongs together, and carries
 * it out so that a crash at any point loses nothing. */
#ifndef JB_PLAN_H
#define JB_PLAN_H

#include "jb/change.h"

#include <stddef.h>

enum jb_operation_kind {
	/* Make the copy of what this change or entry concerns equal to the
	 * source as it is now: content, names, attributes, deletions. */
	JB_OPERATION_FOLLOW = 1,
	/* The same, but not before until_us. A later change of the same entry
	 * may ask for another time. */
	JB_OPERATION_DEFER = 2,
};

/* One of `change` and `entry` is set, from the list that was handed over. */
struct jb_operation {
	enum jb_operation_kind kind;
	const struct jb_policy_change *change; /* borrowed */
	const struct jb_policy_entry *entry;   /* borrowed */
	int64_t until_us;		       /* DEFER */
};

/* Ask for an operation. What is not asked for is not done. Returns JB_OK or a
 * negative JB_E*, which plan() returns. */
struct jb_plan_sink;
typedef int jb_emit_fn(struct jb_plan_sink *sink,
		       const struct jb_operation *operation);

/* What became of one entry. */
struct jb_outcome_of {
	const char *verb;   /* "copy", "rename", "remove", ... */
	const char *path;   /* borrowed; "" if it has none */
	const char *reason; /* NULL: done; else why it is left for later */
	int64_t bytes;
};

#endif
