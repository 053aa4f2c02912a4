/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_judge_internal.h - a judge's inside, for
 * planner_policy.c (the policy under judgement), planner_rows.c (what its
 * replica says), planner_watch.c (while a plan runs), planner_judge.c (what
 * must always hold) and planner_equal.c (how target and catalog agree).
 *
 * What does not hold is told by sim_break; the first reason is kept. */
#ifndef JB_PROPERTY_PLANNER_JUDGE_INTERNAL_H
#define JB_PROPERTY_PLANNER_JUDGE_INTERNAL_H

#include "property/planner_judge.h"

#include <stdlib.h>

#define JUDGE_ROWS 512

/* The test's own bugs. */
static inline void insist(bool ok)
{
	if (!ok)
		abort();
}

/* The replica's rows, read whole. */
struct judge_node {
	uint64_t rid;
	struct jb_node_row row;
	unsigned n_names;
};

struct judge_name {
	struct jb_name_row row;
	const struct judge_node *dir, *node; /* borrowed; NULL: no such row */
};

struct judge_rows {
	struct judge_node nodes[JUDGE_ROWS];
	struct judge_name names[JUDGE_ROWS];
	unsigned n_nodes, n_names;
};

/* Borrowed, until rows are read again: there is room for them once. */
const struct judge_rows *judge_read(struct policy *p);

/* The path of a node, a byte per name; false: it has none. */
bool judge_node_path(const struct judge_rows *all, const struct judge_node *n,
		     char path[W_DEPTH + 1]);

/* Has the target the entry, and under no name that it has in @cat? */
bool judge_is_elsewhere(const struct judge_rows *all, const struct w_state *cat,
			unsigned no);

/* Is there a row that says @what of the entry or node @no? */
bool judge_is_left(struct policy *p, const char *what, uint64_t no);

/* The target is what the live tree is: in all, or but for what is pending. */
void judge_fully(struct policy *p, const struct judge_rows *rows);
void judge_partly(struct policy *p, const struct judge_rows *rows);

#endif
