/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step 1: the closed set.
 *
 * A change only says where to look. What has to be looked at together with it
 * follows from catalog and replica, both ways, by five rules:
 *
 *   a  the directories above an entry that the target lacks
 *   b  who holds a place that an entry wants
 *   c  all below a node that goes
 *   d  all that is selected below a directory which the target lacks
 *   e  what a pattern can tell apart below a directory whose path changed
 *
 * Each entry and each node enters once, so the work is the sum of their names.
 * All is read in one snapshot of the catalog; only then is every node in the
 * set looked at, at the target, with the directories above it. A row which
 * that look contradicts is dropped with all below it, and the closure is begun
 * again, in a new snapshot: at most once per level of lost directories.
 *
 * Rules c and d can bring in any amount, so they are paged: when enough names
 * have been taken in, what is left becomes a row, taken up by the next plan.
 * That is only right for a directory that can't be matched with another one by
 * its name (listing.c, emptying.c): else what is below the old one would look
 * surplus. */
#include "engine/deliver/plan.h"

#include "engine/base/grow.h"
#include "engine/deliver/select.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 20000

/* As jb_grow(); without memory the plan fails. */
static void *grow(struct jb_plan *p, void *array, size_t n, size_t *cap,
		  size_t size)
{
	void *bigger = jb_grow(array, n, cap, size);

	if (bigger == NULL)
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
	return bigger;
}

/* ---- entering */

static void look_at(struct jb_plan *p, struct jb_slot *s)
{
	struct jb_slot **looks;

	if (s->looked == p->round)
		return;
	s->looked = p->round;
	looks = grow(p, p->looks, p->n_looks, &p->cap_looks, sizeof *looks);
	if (looks == NULL)
		return;
	p->looks = looks;
	p->looks[p->n_looks++] = s;
}

/* A node's places, and those of the directories that they are in. */
static void look(struct jb_plan *p, struct jb_node *n)
{
	if (n == p->d.top || n == p->d.own || n->looked == p->round)
		return;
	n->looked = p->round;
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place) {
		look(p, s->dir);
		look_at(p, s);
	}
}

void jb_plan_enter_node(struct jb_plan *p, struct jb_node *n)
{
	struct jb_node **nodes;

	if (n == NULL || n == p->d.top || n == p->d.own ||
	    n->closed == p->round)
		return;
	n->closed = p->round;
	nodes = grow(p, p->nodes, p->n_nodes, &p->cap_nodes, sizeof *nodes);
	if (nodes == NULL)
		return;
	p->nodes = nodes;
	p->nodes[p->n_nodes++] = n;
	look(p, n);
}

static void enter_below(struct jb_plan *p, struct jb_node *dir)
{
	jb_draft_load_slots(&p->d, dir);
	for (struct jb_slot *s = dir->slots; s != NULL; s = s->next_slot)
		jb_plan_enter_node(p, s->holder);
}

/* What a name that is detached will come to is not known yet: it must be looked
 * at again when it has a place in the tree, or none. */
static void wait_for_detached(struct jb_plan *p, const struct jb_seen *e)
{
	if (e->detached && !JB_WITHOUT(AWAY))
		jb_draft_pend(&p->d, e->id, JB_REASON_AWAY);
}

/* What bears the name of the target's own directory, or lies too deep, can't be
 * copied; unless it is such a directory itself, that is told. */
static void tell_barred(struct jb_plan *p, struct jb_seen *e)
{
	const struct jb_planner_options *o = &p->planner->o;

	if (e->barred == JB_REASON_RESERVED && o->is_own != NULL &&
	    o->is_own(o->own_arg, e->id))
		e->barred = JB_REASON_NONE;
	if (e->barred != JB_REASON_NONE)
		jb_draft_pend(&p->d, e->id, e->barred);
}

void jb_plan_enter(struct jb_plan *p, struct jb_seen *e)
{
	struct jb_seen **entries;

	if (e == NULL || e == p->s.top || e->closed == p->round)
		return;
	e->closed = p->round;
	tell_barred(p, e);
	wait_for_detached(p, e);
	if (e->n_wanted > 0) {
		entries = grow(p, p->entries, p->n_entries, &p->cap_entries,
			       sizeof *entries);
		if (entries == NULL)
			return;
		p->entries = entries;
		p->entries[p->n_entries++] = e;
	}
	jb_plan_enter_node(p, jb_draft_by_src(&p->d, e->id));
}

/* ---- the rules */

/* A tree that went down may reach beyond the limit now, one that came up may
 * have something that was too deep. How high it is nobody knows; but what is
 * not near the limit, before or after, would have to be nearly as high as
 * that: then its copies stay until they are looked at. */
static bool is_near_limit(const struct jb_plan *p, const char *path, size_t len)
{
	size_t levels = 1;

	for (size_t i = 0; i < len; i++)
		levels += path[i] == '/';
	return levels > p->s.levels / 16 || len > JB_SIGHT_PATH_SIZE / 4;
}

/* Rule e. */
static void follow_path(struct jb_plan *p, struct jb_seen *e, struct jb_node *n)
{
	struct jb_seen_dir *dir = jb_sight_dir(&p->s, e->dirkey);
	bool went = n->owed.reason != JB_REASON_NONE;
	const char *old;
	size_t old_len;

	if (dir == NULL)
		return;
	old = jb_draft_path(&p->d, n);
	if (old == NULL || jb_plan_failed(p))
		return;
	old_len = strlen(old);
	if (!went && old_len == dir->path_len &&
	    memcmp(old, dir->path, old_len) == 0)
		return;
	/* It was to go, and is wanted again: what came to be in it meanwhile
	 * was nobody's. */
	if (JB_WITHOUT(DESCEND) ||
	    !(went || jb_draft_inside(n, p->d.own) ||
	      is_near_limit(p, old, old_len) ||
	      is_near_limit(p, dir->path, dir->path_len) ||
	      jb_select_below(p->s.patterns, old, old_len) ||
	      jb_select_below(p->s.patterns, dir->path, dir->path_len)))
		return;
	jb_plan_list_below(p, e, false);
	enter_below(p, n);
}

static void close_entry(struct jb_plan *p, struct jb_seen *e)
{
	struct jb_node *n = jb_draft_by_src(&p->d, e->id), *above;
	struct jb_slot *s;

	for (struct jb_seen_name *name = e->names; name != NULL;
	     name = name->next) {
		if (!name->wanted)
			continue;
		above = jb_draft_by_src(&p->d, name->dir->id);
		if (above == NULL) {
			jb_plan_enter(p, jb_sight_entry(&p->s,
							name->dir->id)); /* a */
			continue;
		}
		look(p, above);
		s = jb_draft_slot(&p->d, above, name->name, name->len);
		if (s != NULL)
			jb_plan_enter_node(p, s->holder); /* b */
	}
	if (!jb_seen_is_dir(e) || jb_plan_failed(p))
		return;
	if (p->batch->everything)
		jb_plan_list_below(p, e, false);
	else if (n != NULL)
		follow_path(p, e, n);
	else if (!JB_WITHOUT(SAMENAME))
		jb_plan_list_below(p, e, true); /* d */
}

/* Does the catalog have at this place the very entry of the node that is
 * there? Then nobody need be asked who is. */
static bool is_at(const struct jb_seen *e, const struct jb_slot *s)
{
	for (struct jb_seen_name *name = e->names; name != NULL;
	     name = name->next)
		if (name->attached && name->len == s->len &&
		    jb_id_equal(name->dir->id, s->dir->row.src) &&
		    memcmp(name->name, s->name, s->len) == 0)
			return true;
	return false;
}

/* Rule c. A dry run tells of all that goes. */
static void leave(struct jb_plan *p, struct jb_node *dir)
{
	if (!p->batch->dry_run &&
	    (JB_WITHOUT(FORGOOD) || jb_plan_goes_for_good(p, dir)))
		jb_plan_empty(p, dir);
	else
		enter_below(p, dir);
}

static void close_node(struct jb_plan *p, struct jb_node *n)
{
	struct jb_seen *e = NULL, *above;

	if (jb_node_has_src(n)) {
		e = jb_sight_entry(&p->s, n->row.src);
		if (e == NULL)
			return;
	}
	if (e != NULL)
		wait_for_detached(p, e);
	if (e != NULL && e->n_wanted > 0)
		jb_plan_enter(p, e);
	else if (jb_node_is_dir(n) && (e == NULL || !e->away))
		leave(p, n); /* c */
	if (p->batch->everything && jb_node_is_dir(n))
		enter_below(p, n);
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place) {
		if (!jb_node_has_src(s->dir) || (e != NULL && is_at(e, s)))
			continue;
		jb_plan_enter(p, jb_sight_at(&p->s, s->dir->row.src, s->name,
					     s->len));
		/* A directory whose own entry is gone may be another's by its
		 * name, and then so may what is in it. */
		above = jb_sight_entry(&p->s, s->dir->row.src);
		if (above != NULL && !above->exists)
			jb_plan_enter_node(p, s->dir);
	}
}

/* ---- what the closure starts from */

static void start_look(struct jb_plan *p, const struct jb_plan_look *l)
{
	struct jb_node *dir;
	struct jb_slot *s;

	if (l->id.ino != 0)
		jb_plan_enter(p, jb_sight_entry(&p->s, l->id));
	for (unsigned k = 0; k < l->n_places; k++) {
		/* A name that came or went changed its directory. */
		jb_plan_enter(p, jb_sight_entry(&p->s, l->places[k].dir));
		jb_plan_enter(p,
			      jb_sight_at(&p->s, l->places[k].dir,
					  l->places[k].name, l->places[k].len));
		dir = jb_draft_by_src(&p->d, l->places[k].dir);
		if (dir == NULL)
			continue;
		s = jb_draft_slot(&p->d, dir, l->places[k].name,
				  l->places[k].len);
		if (s != NULL)
			jb_plan_enter_node(p, s->holder);
	}
}

static void start_rids(struct jb_plan *p)
{
	for (size_t i = 0; i < p->batch->n_rids && !jb_plan_failed(p); i++)
		jb_plan_enter_node(p, jb_draft_node(&p->d, p->batch->rids[i]));
}

/* Has its last try failed, and is the next one not due yet? */
static bool is_waiting(struct jb_plan *p, const struct jb_node *n)
{
	const struct jb_pending *x =
		jb_node_has_src(n) ? jb_draft_pending(&p->d, n->row.src) : NULL;

	if (x != NULL)
		return x->row.next_us > p->d.now_us;
	return n->owed.reason != JB_REASON_NONE && !n->owed.approved &&
	       n->owed.next_us > p->d.now_us;
}

/* What is parked: by every plan, as long as it only waits for its place. */
static void enter_parked(struct jb_plan *p)
{
	struct jb_slot *s;

	jb_draft_load_slots(&p->d, p->d.own);
	for (s = p->d.own->slots; s != NULL; s = s->next_slot)
		if (s->holder != NULL && !is_waiting(p, s->holder))
			jb_plan_enter_node(p, s->holder);
}

static void start_left_over(struct jb_plan *p)
{
	struct jb_pending *next;

	for (struct jb_pending *x = p->d.all_pendings; x != NULL; x = next) {
		next = x->next; /* enter() may put others in front */
		if (x->alive && x->row.next_us <= p->d.now_us)
			jb_plan_enter(p, jb_sight_entry(&p->s, x->row.id));
	}
	for (struct jb_due_rid *x = p->d.due_rids; x != NULL; x = x->next)
		jb_plan_enter_node(p, jb_draft_node(&p->d, x->rid));
	enter_parked(p);
}

/* A full plan in one piece: every entry below the top, every node. */
static void start_everything(struct jb_plan *p)
{
	jb_plan_list_below(p, p->s.top, false);
	enter_below(p, p->d.top);
}

/* ---- one round */

static size_t page_of(const struct jb_plan *p)
{
	return p->planner->o.page != 0 ? p->planner->o.page : PAGE;
}

bool jb_plan_has_room(const struct jb_plan *p, size_t n)
{
	return n < page_of(p);
}

static bool has_room(const struct jb_plan *p)
{
	return jb_plan_has_room(p, p->n_listed);
}

static struct jb_plan_listing **next_stack(struct jb_plan *p)
{
	if (p->open_whole != NULL)
		return &p->open_whole;
	return p->open_paged != NULL && has_room(p) ? &p->open_paged : NULL;
}

/* Take a stored listing up; false when there is none, or no room for it. */
static bool next_stored(struct jb_plan *p, struct jb_id *after)
{
	struct jb_listing_row row;
	int rv;

	if (jb_plan_failed(p))
		return false;
	rv = jb_replica_next_listing(p->d.replica, *after, &row, &p->d.err);
	if (rv < 0)
		p->d.rv = rv;
	if (rv <= 0)
		return false;
	if (!has_room(p)) {
		p->report->more = true;
		return false;
	}
	*after = row.id;
	jb_plan_resume_listing(p, &row);
	return true;
}

/* Until nothing enters any more. */
static void close_on(struct jb_plan *p, size_t *i, size_t *k)
{
	struct jb_plan_listing **stack;

	while (!jb_plan_failed(p)) {
		if (*i < p->n_entries)
			close_entry(p, p->entries[(*i)++]);
		else if (*k < p->n_nodes)
			close_node(p, p->nodes[(*k)++]);
		else if ((stack = next_stack(p)) != NULL)
			jb_plan_list_on(p, stack);
		else if (p->open_emptyings != NULL &&
			 jb_plan_has_room(p, p->n_emptied))
			jb_plan_empty_on(p);
		else
			return;
	}
}

/* Behind what is stored, and each with all that comes with it: so a new tree
 * whose top has many directories is made directory by directory. */
static void take_looks(struct jb_plan *p, size_t *i, size_t *k)
{
	const struct jb_plan_batch *b = p->batch;
	size_t *n = &p->report->looked;

	while (*n < b->n_looks && (!b->as_room_allows || has_room(p)) &&
	       !jb_plan_failed(p)) {
		start_look(p, &b->looks[(*n)++]);
		if (!b->as_room_allows)
			continue;
		p->n_listed++;
		close_on(p, i, k);
	}
}

static void close_in_snapshot(struct jb_plan *p)
{
	struct jb_id after = {0, INT64_MIN};
	size_t i = 0, k = 0;

	p->report->looked = 0;
	p->n_entries = p->n_nodes = p->n_looks = p->n_listed = 0;
	p->listings = p->open_whole = p->open_paged = NULL;
	jb_plan_forget_emptyings(p);
	jb_sight_reset(&p->s);
	if (jb_plan_failed(p))
		return;
	if (!p->batch->as_room_allows)
		take_looks(p, &i, &k);
	start_rids(p);
	start_left_over(p);
	if (p->batch->everything)
		start_everything(p);
	close_on(p, &i, &k);
	/* What is stored has a page of its own: a directory that can't be made
	 * is listed again by each try, and must not take the room. */
	p->n_listed = 0;
	while (next_stored(p, &after))
		close_on(p, &i, &k);
	if (p->batch->as_room_allows)
		take_looks(p, &i, &k);
	p->rest = 0;
	if (p->open_emptyings != NULL)
		jb_plan_count_rest(p, jb_plan_deletions_left(p));
}

/* Look at the places. True: all rows are true, as far as can be seen. */
static bool verify(struct jb_plan *p)
{
	bool all = true;
	enum jb_sameness same;
	struct jb_slot *s;

	p->some_hidden = false;
	if (JB_WITHOUT(LOOK))
		return true;
	for (size_t i = 0; i < p->n_looks && !jb_plan_failed(p); i++) {
		s = p->looks[i];
		s->hidden = JB_REASON_NONE;
		same = s->holder != NULL ? jb_plan_same(p, s) : JB_SAME;
		if (same == JB_UNKNOWN) {
			s->hidden = p->why;
			p->some_hidden = true;
		} else if (same == JB_DIFFERENT) {
			jb_plan_lost(p, s);
			all = false;
		}
	}
	return all;
}

void jb_plan_close(struct jb_plan *p)
{
	bool all;

	jb_draft_load_due(&p->d);
	do {
		if (jb_plan_failed(p))
			return;
		p->d.rv = jb_replica_begin_read(p->d.replica, &p->d.err);
		if (!jb_plan_failed(p))
			p->d.rv = p->s.view->ops->begin(p->s.view, &p->d.err);
		if (jb_plan_failed(p))
			return;
		p->round++;
		close_in_snapshot(p);
		p->s.view->ops->end(p->s.view);
		all = verify(p);
	} while (!all);
	p->report->more = p->report->more || p->open_emptyings != NULL;
	p->report->closed += p->n_entries + p->n_nodes;
}
