/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step 4: what goes, and may it?
 *
 * An entry that is gone, none of whose places anybody else wants, is a
 * deletion. Deletions are counted over a sliding window, across plans and
 * restarts; when they are too many for the replica's size, or the first level
 * becomes empty, they are held: what would go stays as it is, and everything
 * else goes on. What was counted in T1 and then did not happen is taken off
 * again in T3, or when a plan that did not end is settled. Overwrites have a
 * limit of their own, if it is wanted. */
#include "engine/deliver/plan.h"

#include <stdio.h>
#include <string.h>

static bool is_wanted(const struct jb_node *n)
{
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		if (s->want != NULL)
			return true;
	return false;
}

bool jb_plan_is_away(struct jb_plan *p, const struct jb_node *n)
{
	struct jb_seen *e;

	if (!jb_node_has_src(n) || JB_WITHOUT(AWAY))
		return false;
	e = jb_sight_known(&p->s, n->row.src);
	return e != NULL && e->away;
}

/* All nodes of the closed set that nobody keeps go. */
static int64_t mark_dropped(struct jb_plan *p)
{
	int64_t gone = 0;
	struct jb_node *n;

	for (size_t i = 0; i < p->n_nodes; i++) {
		n = p->nodes[i];
		if (!n->alive || n->keep != NULL || jb_plan_is_away(p, n))
			continue;
		n->dropped = true;
		n->goes = n->newer == NULL && jb_node_has_src(n) &&
			  !is_wanted(n) && !n->owed.approved;
		gone += n->goes;
	}
	return gone;
}

static int64_t count_replaced(struct jb_plan *p)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->n_items; i++)
		n += p->entries[i]->old != NULL &&
		     !jb_plan_is_released(p, p->entries[i]);
	return n;
}

/* Does nothing stay at the target's first level of what was there? */
static bool empties_top(struct jb_plan *p)
{
	bool goes = false;

	jb_draft_load_slots(&p->d, p->d.top);
	for (struct jb_slot *s = p->d.top->slots; s != NULL; s = s->next_slot) {
		if (s->want != NULL ||
		    (s->holder != NULL && !s->holder->dropped))
			return false;
		goes = goes || (s->holder != NULL && s->holder->goes);
	}
	return goes;
}

bool jb_plan_is_released(struct jb_plan *p, const struct jb_seen *e)
{
	const struct jb_pending *x = jb_draft_pending(&p->d, e->id);

	/* Whatever else has kept it from being copied meanwhile. */
	return x != NULL && x->alive && x->row.seq == JB_SEQ_RELEASED &&
	       x->row.cseq == e->cseq;
}

/* How many more may be counted in this window. */
static int64_t left_in_window(struct jb_plan *p, enum jb_counted what,
			      const struct jb_limit *l)
{
	const struct jb_planner_options *o = &p->planner->o;
	int64_t count = 0, size = p->d.n_nodes, limit;

	if (!l->on)
		return INT64_MAX;
	p->d.rv = jb_replica_counted(p->d.replica, what,
				     p->d.now_us - o->delete_window_us, &count,
				     &size, &p->d.err);
	limit = size * l->share / 10000;
	if (limit < l->least)
		limit = l->least;
	if (limit > l->most)
		limit = l->most;
	return limit - count;
}

static void hold(struct jb_plan *p)
{
	struct jb_node *n;

	for (size_t i = 0; i < p->n_nodes; i++) {
		n = p->nodes[i];
		if (!n->dropped || !n->goes)
			continue;
		n->goes = false;
		/* When all that is below it is held, too. */
		n->held = jb_plan_stays(n) != JB_REASON_AGAIN ||
			  n->owed.reason == JB_REASON_HELD;
	}
}

/* What is held holds what comes after it, until it is released, or until
 * nothing of it is left: somebody put the tree back. */
static bool still_holds(struct jb_plan *p, const char *key)
{
	int64_t was_held = 0, removals = 0, overwrites = 0, seq;

	p->d.rv = jb_replica_get(p->d.replica, key, 0, &was_held, &p->d.err);
	if (jb_plan_failed(p) || was_held == 0)
		return false;
	p->d.rv = jb_replica_held(p->d.replica, &removals, &overwrites, &seq,
				  &p->d.err);
	return (strcmp(key, JB_KEY_HELD) == 0 ? removals : overwrites) > 0;
}

/* An overwrite is new content for a file that has some. Held ones are pending
 * until `release`, and so are those that come after them. */
static void guard_overwrites(struct jb_plan *p)
{
	const struct jb_limit *l = &p->planner->o.max_replace;
	bool holds;

	p->replaced = count_replaced(p);
	if (!l->on || jb_plan_failed(p))
		return;
	holds = still_holds(p, JB_KEY_REPLACE_HELD);
	if (jb_plan_failed(p))
		return;
	p->hold_new = holds ||
		      (p->replaced > 0 &&
		       p->replaced > left_in_window(p, JB_COUNTED_REPLACED, l));
	if (p->hold_new)
		p->replaced = 0;
}

int64_t jb_plan_deletions_left(struct jb_plan *p)
{
	if (jb_plan_failed(p) || still_holds(p, JB_KEY_HELD))
		return INT64_MAX;
	return left_in_window(p, JB_COUNTED_DELETED, &p->planner->o.max_delete);
}

void jb_plan_guard(struct jb_plan *p)
{
	const struct jb_limit *l = &p->planner->o.max_delete;
	int64_t gone;

	if (jb_plan_failed(p))
		return;
	gone = mark_dropped(p);
	p->hold = still_holds(p, JB_KEY_HELD);
	if (jb_plan_failed(p))
		return;
	if (gone > 0 && !p->hold)
		p->hold = gone + p->rest >
				  left_in_window(p, JB_COUNTED_DELETED, l) ||
			  (l->on && empties_top(p));
	if (p->hold)
		hold(p);
	p->counted = p->hold || JB_WITHOUT(COUNT) ? 0 : gone;
	if (!jb_plan_failed(p))
		guard_overwrites(p);
}

/* ---- the window's rows, inside a transaction */

static void count(struct jb_plan *p, enum jb_counted what, int64_t n)
{
	if (!jb_plan_failed(p) && n > 0)
		p->d.rv = jb_replica_count(p->d.replica, what, p->d.now_us, n,
					   p->d.n_nodes, &p->d.err);
}

void jb_plan_count(struct jb_plan *p)
{
	int64_t before = p->d.now_us - p->planner->o.delete_window_us;

	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_forget_counted(p->d.replica, before,
						    &p->d.err);
	count(p, JB_COUNTED_DELETED, p->counted);
	count(p, JB_COUNTED_REPLACED, p->replaced);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_set(p->d.replica, JB_KEY_HELD, p->hold,
					 &p->d.err);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_set(p->d.replica, JB_KEY_REPLACE_HELD,
					 p->hold_new, &p->d.err);
}

static void recount(struct jb_plan *p, enum jb_counted what, int64_t counted,
		    int64_t n)
{
	if (!jb_plan_failed(p) && counted > 0)
		p->d.rv = jb_replica_count(p->d.replica, what, p->d.now_us, n,
					   p->d.n_nodes, &p->d.err);
}

void jb_plan_recount(struct jb_plan *p)
{
	int64_t deleted = 0, replaced = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		deleted += p->nodes[i]->goes && !p->nodes[i]->alive;
	/* Those whose new version could not be made have no old one now. */
	for (size_t i = 0; i < p->n_items; i++)
		replaced += p->entries[i]->old != NULL;
	recount(p, JB_COUNTED_DELETED, p->counted, deleted);
	recount(p, JB_COUNTED_REPLACED, p->replaced,
		replaced < p->replaced ? replaced : p->replaced);
}

/* ---- held and released */

int jb_planner_holding(struct jb_replica *r, struct jb_holding *ret,
		       struct jb_error *err)
{
	int rv;

	*ret = (struct jb_holding){.on = false};
	rv = jb_replica_held(r, &ret->deletions, &ret->overwrites, &ret->seq,
			     err);
	ret->on = rv == JB_OK && (ret->deletions > 0 || ret->overwrites > 0);
	return rv;
}

void jb_holding_say(const struct jb_holding *h, char *text, size_t size)
{
	long long d = h->deletions, o = h->overwrites;
	const char *ds = d == 1 ? "" : "s", *os = o == 1 ? "" : "s";

	if (o == 0)
		snprintf(text, size, "%lld deletion%s held", d,
			 d == 1 ? " is" : "s are");
	else if (d == 0)
		snprintf(text, size, "%lld overwrite%s held", o,
			 o == 1 ? " is" : "s are");
	else
		snprintf(text, size,
			 "%lld deletion%s and %lld overwrite%s are held", d, ds,
			 o, os);
}

/* Inside a transaction. What stays held goes on to hold what comes after it. */
static int release(struct jb_replica *r, int64_t seq, struct jb_released *ret,
		   struct jb_error *err)
{
	struct jb_holding was, *left = &ret->left;
	int rv = jb_planner_holding(r, &was, err);

	if (rv == JB_OK)
		rv = jb_replica_approve(r, seq, err);
	if (rv == JB_OK)
		rv = jb_planner_holding(r, left, err);
	if (rv == JB_OK)
		rv = jb_replica_set(r, JB_KEY_HELD, left->deletions > 0, err);
	if (rv == JB_OK)
		rv = jb_replica_set(r, JB_KEY_REPLACE_HELD,
				    left->overwrites > 0, err);
	if (rv != JB_OK)
		return rv;
	ret->deletions = was.deletions - left->deletions;
	ret->overwrites = was.overwrites - left->overwrites;
	return JB_OK;
}

int jb_planner_release(struct jb_replica *r, int64_t seq,
		       struct jb_released *ret, struct jb_error *err)
{
	struct jb_released done;
	int rv = jb_replica_begin(r, err);

	if (rv != JB_OK)
		return rv;
	rv = release(r, seq, &done, err);
	if (rv == JB_OK)
		rv = jb_replica_commit(r, err);
	if (rv != JB_OK) {
		jb_replica_rollback(r);
		return rv;
	}
	if (ret != NULL)
		*ret = done;
	return JB_OK;
}
