/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories that go, whose names the closure takes in some at a time: as many
 * as there is room for. What is left is owed with its directory, so the next
 * plan goes on there. What was removed is no longer in its way then, nor what
 * is owed itself, since it is held or has failed: that comes when it is due.
 *
 * Only below a directory that goes for good, whatever the rest of the catalog
 * says: what may be another's by its name must be seen whole. */
#include "engine/deliver/plan.h"

#include "engine/base/grow.h"

#include <stdlib.h>
#include <string.h>

struct jb_emptying {
	struct jb_node *dir;
	char after[JB_NAME_MAX + 1]; /* the last name taken */
	uint8_t len;
	bool done;	/* no name is left */
	bool some_wait; /* some are not in this plan: they are not due */
	struct jb_emptying *next, *next_open;
};

/* Can nobody of the catalog be matched with it by its name, nor with a
 * directory that it is in? */
bool jb_plan_goes_for_good(struct jb_plan *p, struct jb_node *n)
{
	struct jb_seen *e, *at;

	if (n->asked == p->round)
		return n->for_good;
	n->asked = p->round;
	n->for_good = false;
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place) {
		if (s->dir == p->d.own)
			continue;
		e = jb_node_has_src(s->dir)
			    ? jb_sight_entry(&p->s, s->dir->row.src)
			    : NULL;
		if (e != NULL && e->away)
			return false;
		if ((e == NULL || (e->n_wanted == 0 && e != p->s.top)) &&
		    !jb_plan_goes_for_good(p, s->dir))
			return false;
		at = e != NULL ? jb_sight_at(&p->s, s->dir->row.src, s->name,
					     s->len)
			       : NULL;
		if (at != NULL && at->n_wanted > 0)
			return false;
	}
	n->for_good = !jb_plan_failed(p);
	return n->for_good;
}

void jb_plan_empty(struct jb_plan *p, struct jb_node *dir)
{
	struct jb_emptying *m;

	if (dir->emptying != NULL)
		return;
	m = jb_draft_alloc(&p->d, sizeof *m);
	if (m == NULL)
		return;
	m->dir = dir;
	m->next = p->emptyings;
	m->next_open = p->open_emptyings;
	p->emptyings = p->open_emptyings = m;
	dir->emptying = m;
}

void jb_plan_forget_emptyings(struct jb_plan *p)
{
	for (struct jb_emptying *m = p->emptyings; m != NULL; m = m->next)
		m->dir->emptying = NULL;
	p->emptyings = p->open_emptyings = NULL;
	p->n_emptied = 0;
}

enum jb_reason jb_plan_stays(const struct jb_node *dir)
{
	const struct jb_emptying *m = dir->emptying;

	if (m == NULL || (m->done && !m->some_wait))
		return JB_REASON_NONE;
	return m->done ? JB_REASON_NOT_EMPTY : JB_REASON_AGAIN;
}

static bool is_closed(const struct jb_plan *p, uint64_t rid)
{
	const struct jb_node *n = jb_draft_known(&p->d, rid);

	return n != NULL && n->closed == p->round;
}

static int on_name(void *arg, const struct jb_name_row *name,
		   enum jb_removal is)
{
	struct jb_plan *p = arg;
	struct jb_emptying *m = p->open_emptyings;
	struct jb_slot *s;
	size_t before = p->n_nodes;

	memcpy(m->after, name->name, name->len + 1u);
	m->len = name->len;
	if (is != JB_REMOVAL_NEW) {
		if (!is_closed(p, name->rid))
			m->some_wait = true;
		return 0;
	}
	s = jb_draft_slot(&p->d, m->dir, name->name, name->len);
	if (s != NULL)
		jb_plan_enter_node(p, s->holder);
	if (jb_plan_failed(p))
		return p->d.rv;
	if (p->n_nodes == before)
		return 0;
	p->n_emptied++;
	/* What is below it comes first. */
	return jb_node_is_dir(s->holder) || !jb_plan_has_room(p, p->n_emptied);
}

void jb_plan_empty_on(struct jb_plan *p)
{
	struct jb_emptying *m = p->open_emptyings;
	int rv = jb_replica_removals_in(p->d.replica, m->dir->rid, m->after,
					m->len, on_name, p, &p->d.err);

	if (rv < 0)
		p->d.rv = rv;
	if (rv != 0)
		return;
	m->done = true;
	p->open_emptyings = m->next_open;
	/* What the plan has put there since has no row yet. */
	for (struct jb_slot *s = m->dir->slots; s != NULL; s = s->next_slot)
		jb_plan_enter_node(p, s->holder);
	m->dir->all_slots = m->dir->all_slots || !m->some_wait;
}

/* ---- what is left, for the guard */

struct rest {
	struct jb_plan *plan;
	struct jb_hash_table counted; /* numbers in the draft's arena */
	uint64_t *dirs;		      /* owned; below which to go on */
	size_t n_dirs, cap_dirs;
	int64_t most;
};

static bool same_number(const void *item, const void *key)
{
	return *(const uint64_t *)item == *(const uint64_t *)key;
}

/* Under how many names ever it goes. */
static bool is_counted(struct rest *r, uint64_t rid)
{
	struct jb_plan *p = r->plan;
	uint64_t hash = jb_hash_number(rid), *number;

	if (jb_hash_table_find(&r->counted, hash, same_number, &rid) != NULL)
		return true;
	number = jb_draft_alloc(&p->d, sizeof *number);
	if (number == NULL)
		return true;
	*number = rid;
	if (!jb_hash_table_add(&r->counted, hash, number))
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
	return false;
}

static void go_below(struct rest *r, uint64_t rid)
{
	struct jb_plan *p = r->plan;
	uint64_t *dirs =
		jb_grow(r->dirs, r->n_dirs, &r->cap_dirs, sizeof *r->dirs);

	if (dirs == NULL) {
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
		return;
	}
	r->dirs = dirs;
	r->dirs[r->n_dirs++] = rid;
}

static int on_rest(void *arg, const struct jb_name_row *name,
		   enum jb_removal is)
{
	struct rest *r = arg;
	struct jb_plan *p = r->plan;
	struct jb_node_row row;
	struct jb_seen *e;
	bool is_dir;
	int rv;

	if (is_closed(p, name->rid)) /* counted by itself */
		return 0;
	rv = jb_replica_node(p->d.replica, name->rid, &row, &p->d.err);
	if (rv <= 0)
		return rv;
	is_dir = (row.type & 0170000) == 0040000;
	if (is != JB_REMOVAL_NEW && !is_dir)
		return 0;
	e = row.src.ino != 0 ? jb_sight_entry(&p->s, row.src) : NULL;
	if (e != NULL && (e->n_wanted > 0 || e->away))
		return jb_plan_failed(p) ? p->d.rv : 0;
	if (is_dir)
		go_below(r, name->rid);
	if (is == JB_REMOVAL_NEW && row.src.ino != 0 &&
	    !is_counted(r, name->rid))
		p->rest++;
	if (jb_plan_failed(p))
		return p->d.rv;
	return p->rest > r->most;
}

static void count_in(struct rest *r, uint64_t rid, const char *after,
		     size_t len)
{
	struct jb_plan *p = r->plan;
	int rv = jb_plan_failed(p) || p->rest > r->most
			 ? 0
			 : jb_replica_removals_in(p->d.replica, rid, after, len,
						  on_rest, r, &p->d.err);

	if (rv < 0)
		p->d.rv = rv;
}

void jb_plan_count_rest(struct jb_plan *p, int64_t most)
{
	struct rest r = {.plan = p, .most = most};

	if (most == INT64_MAX)
		return;
	for (struct jb_emptying *m = p->open_emptyings; m != NULL;
	     m = m->next_open) {
		count_in(&r, m->dir->rid, m->after, m->len);
		while (r.n_dirs > 0 && !jb_plan_failed(p))
			count_in(&r, r.dirs[--r.n_dirs], "", 0);
	}
	jb_hash_table_fini(&r.counted);
	free(r.dirs);
}
