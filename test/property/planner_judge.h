/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_judge.h - one policy at a simulated target, and what
 * must hold for it whatever happens.
 *
 * Lifecycle: init -> (plan -> check)* -> fini. Many cases in a row reuse one
 * database: reset empties it. */
#ifndef JB_PROPERTY_PLANNER_JUDGE_H
#define JB_PROPERTY_PLANNER_JUDGE_H

#include "engine/deliver/plan.h"
#include "property/planner_target.h"

#define P_PLANS 512

struct policy {
	struct world *world;	      /* borrowed */
	const struct w_select *sel;   /* borrowed */
	struct jb_patterns *patterns; /* owned */
	struct jb_replica *replica;   /* owned, in memory */
	struct w_view view;
	struct sim *sim; /* owned */
	struct jb_planner_options options;
	unsigned can;
	int64_t max_deleted;
	int number; /* which of the two */

	unsigned low;	 /* no older state may be the catalog's */
	unsigned cursor; /* rows that are done with */
	int64_t now, step;
	bool more;	    /* the last plan had more to list */
	bool crash_commits; /* a commit may fail */

	/* the judge's memory */
	unsigned seen_removed, seen_counted;
	const struct w_state *doomed; /* the catalog when deletions began */
	bool counting[SIM_OBJECTS];   /* deletions that the guard counted */
	struct {
		int64_t time;
		unsigned deleted;
	} truth[P_PLANS];
	unsigned n_truth;
	unsigned bound; /* of operations of the running plan */
	uint64_t n_plans, n_crashes, n_closed;
	struct jb_report report; /* of the last plan */
};

/* How exactly must target and catalog agree? */
enum exactness {
	P_ANYHOW, /* only what must never be */
	P_PARTLY, /* what is not pending is applied */
	P_FULLY,  /* everything, and nothing is left to do */
};

void policy_init(struct policy *p);
void policy_fini(struct policy *p);
void policy_reset(struct policy *p, struct world *w, const struct w_select *sel,
		  unsigned max_deleted);

/* One plan: rows up to @upto, the catalog as of @state. False: it crashed. */
bool policy_plan(struct policy *p, unsigned upto, unsigned state, bool full);

/* Plans of what there is room for, until all looks of the batch are done. */
bool policy_look(struct policy *p, struct jb_plan_batch *batch, unsigned state);

/* A full pass: what differs, in several plans. */
bool policy_reconcile(struct policy *p, unsigned state);

/* Plans until nothing more is to be listed. */
void policy_plan_all(struct policy *p, unsigned upto, unsigned state,
		     bool full);

/* What an adopting plan has taken over is ours from then on. */
void policy_take_over(struct policy *p);

void policy_release(struct policy *p);

/* One number from its database. */
int64_t policy_number(struct policy *p, const char *sql);

/* Called by plans: is a copy of this needless, the names change now, and it has
 * ended or died. */
bool judge_is_needless(void *arg, unsigned no, int64_t data);
void judge_on_names(void *arg, struct jb_plan *plan);
void judge_count(struct policy *p);

/* False: p->sim->broken says what does not hold. */
bool policy_check(struct policy *p, enum exactness exactness);

#endif
