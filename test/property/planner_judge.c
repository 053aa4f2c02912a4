/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must always hold: whatever happened, wherever a plan was cut short. */
#include "property/planner_judge_internal.h"

#include <string.h>

/* No more deletions in any window than the guard allows. */
static void check_window(struct policy *p)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < p->n_truth; i++)
		if (p->truth[i].time > p->now - 4 * p->step)
			sum += p->truth[i].deleted;
	if (sum > p->max_deleted)
		sim_break(p->sim, "%u deletions, %d are allowed", sum,
			  (int)p->max_deleted);
}

/* Another copy of the entry than this object. */
static bool has_other_node(const struct judge_rows *all, unsigned src,
			   unsigned object)
{
	for (unsigned i = 0; i < all->n_nodes; i++)
		if (world_no(all->nodes[i].row.src) == src &&
		    all->nodes[i].row.at.ino != object)
			return true;
	return false;
}

/* No content goes that the catalog, as the plan saw it, still had; nor what is
 * only detached. */
static void check_needless(struct policy *p, const struct judge_rows *rows)
{
	struct sim *s = p->sim;
	const struct w_state *cat = p->doomed;
	const struct w_entry *e;

	for (unsigned i = p->seen_removed; i < s->n_removed; i++) {
		unsigned no = s->removed[i], src = s->objects[no].src;
		bool wanted = false;

		e = cat != NULL ? state_entry(cat, src) : NULL;
		if (e == NULL || e->type == 'd' ||
		    e->data != s->objects[no].data)
			continue;
		for (unsigned k = 0; k < cat->n_names; k++) {
			char path[W_DEPTH + 1];

			if (cat->names[k].no != src)
				continue;
			wanted = wanted ||
				 select_wants(p->sel, cat, &cat->names[k]) ||
				 state_path(cat, &cat->names[k], path) < 0;
		}
		if (wanted && !has_other_node(rows, src, no))
			sim_break(s, "needless deletion of %u, object %u", src,
				  no);
	}
}

/* Nor is there a new copy, or none, of what an entry with another identity
 * could have had by its name; one that it came to on the way to its end is
 * none. */
static void check_same_name(struct policy *p)
{
	struct sim *s = p->sim;
	const struct w_state *cat = p->doomed;
	char path[W_DEPTH + 1], its[W_DEPTH + 1];

	for (unsigned i = p->seen_removed; i < s->n_removed; i++) {
		const struct sim_object *o = &s->objects[s->removed[i]];
		const struct sim_foreign *at = &s->removed_at[i];
		unsigned now = sim_at(s, at->dir, at->name);

		if (o->type == 'd' || !s->removed_in_place[i] ||
		    (now != 0 && now < s->removed_before[i]) ||
		    state_entry(cat, o->src) != NULL ||
		    !sim_path(s, at->dir, at->name, path))
			continue;
		for (unsigned k = 0; k < cat->n_names; k++) {
			const struct w_name *n = &cat->names[k];

			if (select_wants(p->sel, cat, n) &&
			    state_path(cat, n, its) > 0 &&
			    strcmp(path, its) == 0 &&
			    state_entry(cat, n->no)->data == o->data &&
			    state_entry(cat, n->no)->sig == o->mtime)
				sim_break(s, "%s: needless replacement of %u",
					  path, s->removed[i]);
		}
	}
}

/* A directory that goes does not take along what is somebody else's. */
static void check_taken_along(struct policy *p)
{
	struct sim *s = p->sim;

	for (unsigned i = 0; i < s->n_names; i++) {
		const struct sim_name *n = &s->names[i];

		if (n->dir == SIM_OWN && s->objects[n->object].type == 'd' &&
		    state_entry(p->view.state, s->objects[n->object].src) ==
			    NULL &&
		    !sim_has_begun_there(s, n) &&
		    sim_holds_foreign(s, n->object))
			sim_break(s,
				  "object %u taken away with what is foreign",
				  n->object);
	}
}

enum fate { GOES, STAYS, AWAY }; /* away: detached, and not selected */

static enum fate fate_of(const struct policy *p, unsigned no)
{
	const struct w_state *cat = p->view.state;
	enum fate fate = GOES;
	char path[W_DEPTH + 1];

	for (unsigned i = 0; i < cat->n_names; i++) {
		if (cat->names[i].no != no)
			continue;
		if (select_wants(p->sel, cat, &cat->names[i]))
			return STAYS;
		if (state_path(cat, &cat->names[i], path) < 0)
			fate = AWAY;
	}
	return fate;
}

/* Will a later plan come to it: by itself, with what is parked, or with the
 * directory in which it goes? */
static bool is_remembered(struct policy *p, const struct judge_rows *rows,
			  const struct judge_node *n)
{
	unsigned no = world_no(n->row.src);

	if (n->rid == JB_RID_OWN ||
	    judge_is_left(p, "pending WHERE birth", no) ||
	    judge_is_left(p, "owed WHERE rid", n->rid))
		return true;
	if (n->rid == JB_RID_TOP || fate_of(p, no) != GOES)
		return false;
	for (unsigned i = 0; i < rows->n_names; i++)
		if (rows->names[i].node == n &&
		    is_remembered(p, rows, rows->names[i].dir))
			return true;
	return false;
}

/* Has a plan ended that had read all which this catalog is made of? */
static bool has_read_all(struct policy *p)
{
	const struct world *w = p->world;
	unsigned state = 0;

	while (state < w->n_states && w->states[state] != p->view.state)
		state++;
	return state < w->n_states && !p->sim->crashed && !p->more &&
	       (p->cursor == w->n_rows || w->rows[p->cursor].state > state) &&
	       policy_number(p, "SELECT count(*) FROM intent") == 0;
}

/* What is not where it is to be, or not to be at all, is not forgotten: no
 * change that is yet to be read need tell of it again. */
static void check_forgotten(struct policy *p, const struct judge_rows *rows)
{
	const struct judge_node *n;
	enum fate fate;
	unsigned no;

	if (!has_read_all(p))
		return;
	for (unsigned i = 0; i < rows->n_nodes; i++) {
		n = &rows->nodes[i];
		if (n->row.src.ino == 0)
			continue;
		no = world_no(n->row.src);
		fate = fate_of(p, no);
		if (fate == AWAY ||
		    (fate == STAYS &&
		     !judge_is_elsewhere(rows, p->view.state, no)))
			continue;
		if (!is_remembered(p, rows, n))
			sim_break(p->sim, "entry %u is forgotten: object %u",
				  no, (unsigned)n->row.at.ino);
	}
}

static void check_always(struct policy *p, const struct judge_rows *rows)
{
	struct sim *s = p->sim;

	check_window(p);
	check_needless(p, rows);
	check_same_name(p);
	check_taken_along(p);
	check_forgotten(p, rows);
	p->seen_removed = s->n_removed;
	for (unsigned i = 0; i < s->n_foreign; i++)
		if (sim_at(s, s->foreign[i].dir, s->foreign[i].name) !=
		    s->foreign[i].object)
			sim_break(s, "foreign entry gone: %s in object %u",
				  s->foreign[i].name, s->foreign[i].dir);
	for (unsigned i = 0; i < rows->n_names; i++)
		if (rows->names[i].dir == NULL || rows->names[i].node == NULL)
			sim_break(s, "a name row without node");
	for (unsigned i = 0; i < rows->n_nodes; i++)
		if (rows->nodes[i].n_names == 0 &&
		    policy_number(p, "SELECT count(*) FROM intent") == 0)
			sim_break(s, "a node without place");
}

bool policy_check(struct policy *p, enum exactness exactness)
{
	const struct judge_rows *rows = judge_read(p);

	check_always(p, rows);
	if (exactness == P_FULLY)
		judge_fully(p, rows);
	else if (exactness == P_PARTLY)
		judge_partly(p, rows);
	return p->sim->broken[0] == '\0';
}
