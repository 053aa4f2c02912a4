/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/compare.h - find what a full pass has to look at.
 *
 * Walks the catalog directory by directory beside the replica and the target's
 * own lists, and hands out only what differs: a tree that is unchanged costs
 * three readings in order and no plan at all. What it hands out is hints, as
 * changes are: the planner looks again.
 *
 * Lifecycle: new -> (next -> plan what it found -> planned)* -> free. Belongs
 * to the worker's thread; the target is between start() and end() during
 * next(). Between calls nothing is held open, and the tree, the replica and the
 * target may change. */
#ifndef JB_DELIVER_COMPARE_H
#define JB_DELIVER_COMPARE_H

#include "engine/deliver/planner.h"

struct jb_compare;

/* What was found; arrays are borrowed until the next call. */
struct jb_differences {
	const struct jb_id *ids; /* entries of the source */
	size_t n_ids;
	const uint64_t *rids; /* nodes of the replica */
	size_t n_rids;
	uint64_t compared; /* names, since the walk began */
	bool end;	   /* of the walk */
};

struct jb_compare_options {
	const struct jb_patterns *patterns; /* borrowed; NULL: everything */
	unsigned preserve;		    /* JB_PRESERVE_* */
	uint64_t epoch;			    /* the journal's */
	/* That list the target besides the caller's (0: it alone, after it has
	 * read the databases); only where JB_CAN_LIST. */
	unsigned threads;
};

/* All but @options is borrowed. */
int jb_compare_new(struct jb_replica *replica, struct jb_catalog_view *view,
		   struct jb_target *target,
		   const struct jb_compare_options *options,
		   struct jb_compare **ret, struct jb_error *err);

/* Go on until @max differences are found, about @names names are compared, or
 * the walk ends; then hand out at most @max. */
int jb_compare_next(struct jb_compare *c, size_t max, size_t names,
		    struct jb_differences *ret, struct jb_error *err);

/* A plan has been carried out: directories may have moved. */
void jb_compare_planned(struct jb_compare *c);

/* Accepts NULL. */
void jb_compare_free(struct jb_compare *c);

#endif
