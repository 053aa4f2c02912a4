/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the judge does when names are about to change: which of them must never
 * be absent, and what the guard has counted. */
#include "property/planner_judge.h"

#include <stdio.h>

/* Does a directory, with all above it, stay where it is in this plan? */
static bool stays(struct jb_plan *plan, const struct jb_node *dir)
{
	while (dir != plan->d.top) {
		if (dir == plan->d.own || dir->dropped || dir->places == NULL)
			return false;
		if (dir->places->want != NULL && dir->places->want != dir)
			return false;
		if (dir->keep != NULL)
			for (struct jb_seen_name *n = dir->keep->names;
			     n != NULL; n = n->next)
				if (n->slot != NULL && n->slot->want == dir &&
				    n->slot != dir->places)
					return false;
		dir = dir->places->dir;
	}
	return true;
}

static unsigned object_of_dir(const struct jb_plan *plan,
			      const struct jb_node *dir)
{
	if (dir == plan->d.top)
		return SIM_TOP;
	return dir == plan->d.own ? SIM_OWN : (unsigned)dir->row.at.ino;
}

/* Is what the rows say of the node true? */
static bool is_where_it_was(const struct sim *sim, const struct jb_plan *plan,
			    const struct jb_node *n)
{
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		if (sim_at(sim, object_of_dir(plan, s->dir), s->name) !=
		    n->row.at.ino)
			return false;
	return jb_node_is_dir(n) || n->places == NULL ||
	       sim->objects[n->row.at.ino].mtime == n->row.at.mtime;
}

static void watch(struct policy *p, struct jb_plan *plan, struct jb_slot *s)
{
	struct sim *sim = p->sim;
	struct sim_foreign *f = &sim->watched[sim->n_watched];

	if (s->want == NULL || s->holder == NULL || !s->dir->alive ||
	    !stays(plan, s->dir) || !is_where_it_was(sim, plan, s->holder) ||
	    !is_where_it_was(sim, plan, s->want)) /* somebody took it */
		return;
	f->dir = object_of_dir(plan, s->dir);
	snprintf(f->name, sizeof f->name, "%s", s->name);
	sim->n_watched++;
}

void policy_take_over(struct policy *p)
{
	struct sim *s = p->sim;
	unsigned no;

	if (!p->options.adopt)
		return;
	for (unsigned i = 0; i < s->n_names; i++) {
		no = s->names[i].object;
		if (s->objects[no].old_copy && !s->objects[no].ours &&
		    jb_replica_by_target(p->replica, no, 7, NULL) > 0)
			sim_take_over(s, no);
	}
}

/* Never absent: a name that we hold before and after, all of whose directories
 * keep their places. Exceptions that no order avoids: names below a directory
 * which itself moves or is replaced; what somebody else or a failing operation
 * does; and, without exchange, a name whose holder moves on. */
void judge_on_names(void *arg, struct jb_plan *plan)
{
	struct policy *p = arg;
	struct sim *sim = p->sim;
	unsigned n = 0;

	policy_take_over(p);
	sim_begin(sim);
	sim->n_watched = 0;
	for (size_t i = 0; i < plan->n_items; i++) {
		n++;
		for (struct jb_seen_name *x = plan->entries[i]->names;
		     x != NULL; x = x->next) {
			if (x->slot == NULL)
				continue;
			n++;
			if (sim->p_fail == 0 && (p->can & JB_CAN_EXCHANGE))
				watch(p, plan, x->slot);
		}
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct jb_node *x = plan->nodes[i];

		for (struct jb_slot *s = x->places; s != NULL;
		     s = s->next_place)
			n++;
		if (x->goes)
			p->counting[x->row.at.ino] = true;
		if (x->alive && jb_node_has_src(x))
			sim->objects[x->row.at.ino].src = world_no(x->row.src);
	}
	p->bound = sim->n_operations + 6 * n + 6;
}
