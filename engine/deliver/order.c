/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps 6 and 7: the names.
 *
 * Directories top-down, then the rest. Each wanted place is settled by one
 * visible operation: a rename to a free name, a rename over a file that goes
 * (or has other names), or an exchange; a place once settled is never touched
 * again, so a plan is finite, and a name that is ours before and after, whose
 * directories stay, is never absent. An entry inside the one that it displaces
 * goes to OWN first. Then surplus names, and what goes, bottom-up.
 *
 * Every operation looks first, and the transport looks again while it acts: a
 * row that a look contradicts is dropped, its entry is left to a later plan. */
#include "engine/deliver/order.h"

#include <stdio.h>
#include <string.h>

static bool can_exchange(const struct jb_plan *p)
{
	return (p->planner->can & JB_CAN_EXCHANGE) != 0 &&
	       !JB_WITHOUT(EXCHANGE);
}

static bool goes_on(const struct jb_plan *p, const struct jb_node *n)
{
	return !jb_plan_failed(p) && n->alive;
}

/* ---- one name */

/* The row of the place is true, or it is dropped and the entry told. */
static bool checked(struct jb_plan *p, struct jb_slot *s)
{
	struct jb_node *n = s->holder;

	if (n == NULL)
		return false;
	switch (jb_plan_same(p, s)) {
	case JB_SAME:
		return true;
	case JB_DIFFERENT:
		jb_plan_lost(p, s);
		return false;
	default:
		jb_plan_fail(p, n, p->why);
		return false;
	}
}

/* Is the directory still the one in which we mean to change a name? */
static bool checked_dir(struct jb_plan *p, struct jb_node *dir)
{
	if (JB_WITHOUT(PARENT) || dir == p->d.top || dir == p->d.own)
		return true;
	return dir->places != NULL && checked(p, dir->places);
}

/* Has it another name, by a look and not by the row alone? */
static bool has_others(struct jb_plan *p, const struct jb_node *n,
		       const struct jb_slot *but)
{
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		if (s != but && jb_plan_same(p, s) == JB_SAME)
			return true;
	return false;
}

static bool is_free(struct jb_plan *p, struct jb_slot *s)
{
	struct jb_object found;

	return jb_plan_look(p, s, &found) == JB_OUTCOME_LOST;
}

/* A place of the node that it need not keep: one in OWN first, then one that
 * nobody wants. */
static struct jb_slot *spare(const struct jb_plan *p, const struct jb_node *n)
{
	struct jb_slot *best = NULL;
	int rank, best_rank = 3;

	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place) {
		if (s->want == n)
			continue;
		rank = s->dir == p->d.own ? 0 : s->want == NULL ? 1 : 2;
		if (rank < best_rank) {
			best = s;
			best_rank = rank;
		}
	}
	return best;
}

/* A name in OWN that nobody has: a node may have several there, and an exchange
 * leaves somebody else at one that was another's. NULL: failed. */
static struct jb_slot *free_in_own(struct jb_plan *p, const struct jb_node *n,
				   char letter)
{
	struct jb_slot *s;
	unsigned k = 0;
	char name[48];
	int len;

	do {
		len = snprintf(name, sizeof name, "%c%llu.%u", letter,
			       (unsigned long long)n->rid, k++);
		s = jb_draft_slot(&p->d, p->d.own, name, (size_t)len);
	} while (s != NULL && s->holder != NULL);
	return s;
}

/* Move it to OWN. */
static struct jb_slot *park(struct jb_plan *p, struct jb_node *n,
			    struct jb_slot *s)
{
	struct jb_slot *to = free_in_own(p, n, 'p');

	if (to == NULL || !checked(p, s))
		return NULL;
	p->why = JB_REASON_AGAIN;
	if (checked_dir(p, s->dir) && jb_op_rename(p, s, to))
		return to;
	if (goes_on(p, n))
		jb_plan_fail(p, n, p->why);
	return NULL;
}

/* ---- step 6 */

static void drop(struct jb_plan *p, struct jb_node *n);

/* Take out of a directory that goes all that is ours. False when something
 * foreign, held or stuck is left, or that can't be seen: p->why. */
static bool empty(struct jb_plan *p, struct jb_node *dir)
{
	struct jb_node *n;

	p->why = JB_REASON_NOT_EMPTY;
	if (dir->held)
		return false;
	if (jb_plan_stays(dir) != JB_REASON_NONE) {
		p->why = jb_plan_stays(dir);
		return false;
	}
	if (JB_WITHOUT(VACATE))
		return true;
	jb_draft_load_slots(&p->d, dir);
	for (struct jb_slot *s = dir->slots; s != NULL; s = s->next_slot) {
		n = s->holder;
		if (n == NULL || jb_plan_failed(p))
			continue;
		if (n->dropped)
			drop(p, n);
		else
			park(p, n, s);
	}
	return !dir->alive || jb_op_is_empty(p, dir);
}

static void settle_place(struct jb_plan *p, struct jb_slot *to);

/* A free place: whoever wants the place that the node leaves goes there first,
 * so that no name is absent. False when nothing more is to be done. */
static bool make_way(struct jb_plan *p, struct jb_slot *to, struct jb_node *n)
{
	struct jb_slot *s;

	while (can_exchange(p) && goes_on(p, n)) {
		s = spare(p, n);
		if (s == NULL || s->want == NULL || s->dir == p->d.own)
			break;
		settle_place(p, s);
		if (s->holder == n)
			break;
	}
	return goes_on(p, n) && to->holder == NULL;
}

static bool can_link(const struct jb_plan *p)
{
	return (p->planner->can & JB_CAN_LINK) != 0;
}

/* The place from which the node will come: a spare one, or a new link. */
static struct jb_slot *find_source(struct jb_plan *p, struct jb_node *n)
{
	struct jb_slot *from = spare(p, n), *any = n->places;

	if (from == NULL && any != NULL) {
		from = free_in_own(p, n, 'l');
		if (from == NULL || !checked(p, any)) {
			if (goes_on(p, n))
				jb_plan_fail(p, n, JB_REASON_LOST);
			return NULL;
		}
		if (!can_link(p) || !jb_op_link(p, any, from)) {
			if (goes_on(p, n))
				jb_plan_fail(p, n,
					     can_link(p) ? p->why
							 : JB_REASON_REFUSED);
			return NULL;
		}
	}
	if (from != NULL && checked(p, from))
		return from;
	if (goes_on(p, n))
		jb_plan_fail(p, n, JB_REASON_LOST);
	return NULL;
}

static void move_to_free(struct jb_plan *p, struct jb_slot *from,
			 struct jb_slot *to)
{
	struct jb_node *n = from->holder;

	if (!checked_dir(p, to->dir) || !checked_dir(p, from->dir)) {
		if (goes_on(p, n))
			jb_plan_fail(p, n, JB_REASON_WAITS);
	} else if (!is_free(p, to)) {
		if (goes_on(p, n))
			jb_plan_fail(p, n, JB_REASON_FOREIGN);
	} else if (!jb_op_rename(p, from, to) && goes_on(p, n)) {
		jb_plan_fail(p, n, p->why);
	}
}

/* May the file there just be renamed over? */
static bool is_replaceable(const struct jb_node *n, const struct jb_node *old,
			   const struct jb_slot *from, bool last)
{
	return !jb_node_is_dir(n) && !jb_node_is_dir(old) &&
	       from->want == NULL && (old->dropped || !last);
}

static void exchange(struct jb_plan *p, struct jb_slot *from,
		     struct jb_slot *to)
{
	struct jb_node *n = from->holder, *old = to->holder;

	if (jb_draft_inside(from->dir, old) ||
	    (jb_node_is_dir(n) && jb_draft_inside(to->dir, n))) {
		from = park(p, n, from);
		if (from == NULL)
			return;
	}
	if (can_exchange(p)) {
		if (!jb_op_exchange(p, from, to) && goes_on(p, n))
			jb_plan_fail(p, n, p->why);
		return;
	}
	if (park(p, old, to) != NULL && from->holder == n)
		move_to_free(p, from, to);
	else if (goes_on(p, n))
		jb_plan_fail(p, n,
			     to->holder == old ? p->why : JB_REASON_AGAIN);
}

/* Somebody of ours is there. */
static void displace(struct jb_plan *p, struct jb_slot *from,
		     struct jb_slot *to)
{
	struct jb_node *n = from->holder, *old = to->holder;
	bool last;

	if (!checked(p, to) || !old->alive) {
		if (goes_on(p, n))
			jb_plan_fail(p, n,
				     to->holder == old ? p->why
						       : JB_REASON_AGAIN);
		return;
	}
	if (!checked_dir(p, to->dir) || !checked_dir(p, from->dir)) {
		if (goes_on(p, n))
			jb_plan_fail(p, n, JB_REASON_WAITS);
		return;
	}
	if (from->holder != n || to->holder != old)
		return;
	last = !has_others(p, old, to);
	if (!is_replaceable(n, old, from, last))
		exchange(p, from, to);
	else if (!jb_op_replace(p, from, to, last) && goes_on(p, n))
		jb_plan_fail(p, n, p->why);
}

/* Can the place be settled at all? Else its entry is told why. */
static bool may_settle(struct jb_plan *p, struct jb_slot *to, struct jb_node *n)
{
	enum jb_reason why = JB_REASON_NONE;
	struct jb_node *old;

	if (!to->dir->alive) { /* its new directory could not be made */
		jb_plan_fail(p, n, JB_REASON_WAITS);
		return false;
	}
	if (to->holder != NULL)
		checked(p, to);
	if (!goes_on(p, n) || !to->dir->alive)
		return false;
	old = to->holder;
	if (old == NULL && !is_free(p, to))
		why = JB_REASON_FOREIGN;
	else if (jb_node_is_dir(n) && !JB_WITHOUT(INVERSE) &&
		 jb_draft_inside(to->dir, n))
		why = JB_REASON_WAITS; /* the inner directory could not leave */
	else if (old != NULL && old->dropped && jb_node_is_dir(old) &&
		 !empty(p, old))
		why = p->why;
	if (!goes_on(p, n))
		return false;
	if (why != JB_REASON_NONE)
		jb_plan_fail(p, n, why);
	return why == JB_REASON_NONE;
}

/* Bring about that the place is held by who is to be there. */
static void settle_place(struct jb_plan *p, struct jb_slot *to)
{
	struct jb_node *n = to->want;
	struct jb_slot *from;
	bool was_free;

	if (n == NULL || !goes_on(p, n) || to->holder == n ||
	    !may_settle(p, to, n))
		return;
	was_free = to->holder == NULL;
	if (was_free && !make_way(p, to, n))
		return;
	from = find_source(p, n);
	if (from == NULL || !goes_on(p, n))
		return;
	if (was_free && to->holder == NULL)
		move_to_free(p, from, to);
	else if (to->holder != NULL)
		displace(p, from, to);
	else
		jb_plan_fail(p, n, JB_REASON_AGAIN);
}

/* Where everything is before the first name changes. */
static void remember_start(struct jb_plan *p)
{
	struct jb_node *n;
	struct jb_seen *e;

	for (size_t i = 0; i < p->n_nodes; i++) {
		n = p->nodes[i];
		n->was = n->places;
		for (struct jb_slot *s = n->places; s != NULL;
		     s = s->next_place)
			s->start = n;
	}
	for (size_t i = 0; i < p->n_items; i++) {
		e = p->entries[i];
		if (e->node == NULL)
			continue;
		for (struct jb_slot *s = e->node->places; s != NULL;
		     s = s->next_place)
			s->start = e->node;
	}
}

void jb_plan_name(struct jb_plan *p)
{
	if (jb_plan_failed(p))
		return;
	remember_start(p);
	if (p->planner->on_names != NULL)
		p->planner->on_names(p->planner->names_arg, p);
	for (size_t i = 0; i < p->n_items && !jb_plan_failed(p); i++)
		for (struct jb_seen_name *n = p->entries[i]->names; n != NULL;
		     n = n->next)
			if (n->slot != NULL)
				settle_place(p, n->slot);
}

/* ---- step 7 */

/* One name; the last one of a file only when it is in the trash. */
static void remove_name(struct jb_plan *p, struct jb_node *n, struct jb_slot *s)
{
	bool last;

	if (!checked(p, s))
		return;
	if (!checked_dir(p, s->dir)) { /* which says nothing of this name */
		if (goes_on(p, n))
			jb_plan_fail(p, n, JB_REASON_WAITS);
		return;
	}
	if (s->holder != n)
		return;
	last = !has_others(p, n, s);
	if (!jb_op_remove(p, s, last) && goes_on(p, n))
		jb_plan_fail(p, n, p->why);
}

/* A node that goes: never from a place that a blocked newcomer still wants,
 * never what is held, a directory only when it is empty. */
static void drop(struct jb_plan *p, struct jb_node *n)
{
	struct jb_slot *next;

	if (n->held) {
		if (n->owed.reason != JB_REASON_HELD)
			jb_plan_tell_node(p, n, JB_REASON_HELD);
		jb_draft_owe(&p->d, n, JB_REASON_HELD);
		return;
	}
	if (jb_node_is_dir(n) && !empty(p, n)) {
		if (goes_on(p, n))
			jb_draft_owe(&p->d, n, p->why);
		return;
	}
	for (struct jb_slot *s = n->places; s != NULL && goes_on(p, n);
	     s = next) {
		next = s->next_place;
		if (s->want != NULL && s->want != n && !JB_WITHOUT(OLDSTAYS))
			jb_draft_owe(&p->d, n, JB_REASON_OLD_VERSION);
		else
			remove_name(p, n, s);
	}
}

static bool has_surplus(const struct jb_node *n)
{
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		if (s->want != n)
			return true;
	return false;
}

/* Somebody else should be there by now: until it is, the name stays. */
static bool is_blocked(const struct jb_slot *s)
{
	return s->want != NULL && s->start == s->holder &&
	       !JB_WITHOUT(OLDSTAYS);
}

/* Surplus names go when the node is where it is to be; what sits at a place
 * that is neither wanted nor its own makes room in OWN. */
static void clear_surplus(struct jb_plan *p, struct jb_seen *e)
{
	struct jb_node *n = e->node;
	struct jb_slot *next;
	bool ok = false;

	if (n == NULL || !n->alive || !has_surplus(n))
		return;
	for (struct jb_seen_name *name = e->names; name != NULL;
	     name = name->next)
		if (name->slot != NULL && name->slot->want == n &&
		    name->slot->holder == n && checked(p, name->slot))
			ok = true;
	for (struct jb_slot *s = n->places; s != NULL && goes_on(p, n);
	     s = next) {
		next = s->next_place;
		if (s->want == n || jb_plan_is_detached_place(e, s))
			continue;
		if (is_blocked(s))
			jb_draft_pend(&p->d, e->id, JB_REASON_WAITS);
		else if (ok && !jb_node_is_dir(n))
			remove_name(p, n, s);
		else if (s->dir != p->d.own && s->start != n)
			park(p, n, s);
	}
}

/* One that is away and had to give way is at no place that it ever had. */
static void clear_away(struct jb_plan *p, struct jb_node *n)
{
	struct jb_slot *next;

	for (struct jb_slot *s = n->places; s != NULL && goes_on(p, n);
	     s = next) {
		next = s->next_place;
		if (s->start != n && s->dir != p->d.own)
			park(p, n, s);
	}
}

void jb_plan_clear(struct jb_plan *p)
{
	struct jb_node *n;

	for (size_t i = 0; i < p->n_items && !jb_plan_failed(p); i++)
		clear_surplus(p, p->entries[i]);
	for (size_t i = 0; i < p->n_nodes && !jb_plan_failed(p); i++) {
		n = p->nodes[i];
		if (!n->alive)
			continue;
		if (n->dropped)
			drop(p, n);
		else if (n->keep == NULL)
			clear_away(p, n);
	}
}
