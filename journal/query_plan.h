/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/query_plan.h - find the rows of anchored patterns through the
 * indexes on places, instead of looking at every change. Private to query. */
#ifndef JB_JOURNAL_QUERY_PLAN_H
#define JB_JOURNAL_QUERY_PLAN_H

#include "journal/query_match.h"

struct jb_query_plan {
	int64_t *seqs; /* owned; ascending, each once */
	size_t n;
};

/* Collect every seq in [low, high] that a pattern of @match may take, and some
 * that none takes. *found is false, and nothing collected, where a walk over
 * all changes is the better way: a pattern that is not anchored, or more than
 * @max rows. Many short read transactions; the caller must not be in one. */
int jb_query_plan_collect(struct jb_store *store, const struct jb_match *match,
			  int64_t low, int64_t high, size_t max,
			  struct jb_query_plan *plan, bool *found,
			  struct jb_error *err);

void jb_query_plan_fini(struct jb_query_plan *plan);

#endif
