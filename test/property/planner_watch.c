/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the judge does while a plan runs: which names must never be absent, what
 * the guard has counted, and which copies are needless. */
#include "property/planner_judge_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

/* Is there a true row of a node that has this content already: the entry's own,
 * or one that has its place and whose own entry is gone? */
static bool is_true(const struct policy *p, const struct judge_rows *all,
		    const struct judge_node *n)
{
	bool any = false;

	for (unsigned i = 0; i < all->n_names; i++) {
		const struct judge_name *x = &all->names[i];

		if (x->node != n)
			continue;
		any = true;
		if (x->dir == NULL ||
		    sim_at(p->sim, (unsigned)x->dir->row.at.ino, x->row.name) !=
			    n->row.at.ino)
			return false;
	}
	return any && p->sim->objects[n->row.at.ino].mtime == n->row.at.mtime;
}

static bool wants_path(const struct policy *p, unsigned no, const char *path)
{
	const struct w_state *s = p->view.state;
	char its[W_DEPTH + 1];

	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].no == no &&
		    select_wants(p->sel, s, &s->names[i]) &&
		    state_path(s, &s->names[i], its) >= 0 &&
		    strcmp(its, path) == 0)
			return true;
	return false;
}

bool judge_is_needless(void *arg, unsigned no, int64_t data)
{
	struct policy *p = arg;
	const struct w_state *live = world_live(p->world);
	const struct judge_rows *rows = judge_read(p);
	char path[W_DEPTH + 1];
	unsigned src;

	for (unsigned i = 0; i < rows->n_nodes; i++) {
		const struct judge_node *n = &rows->nodes[i];

		src = world_no(n->row.src);
		if (n->row.src.ino == 0 || n->row.type == S_IFDIR ||
		    p->sim->objects[n->row.at.ino].data != data ||
		    !is_true(p, rows, n))
			continue;
		if (src == no)
			return true;
		if (state_entry(live, src) == NULL &&
		    n->row.mtime == state_entry(live, no)->sig &&
		    judge_node_path(rows, n, path) && wants_path(p, no, path))
			return true;
	}
	return false;
}

/* What a plan has removed of that which the guard had counted. */
void judge_count(struct policy *p)
{
	struct sim *s = p->sim;
	unsigned n = 0;

	for (; p->seen_counted < s->n_removed; p->seen_counted++)
		n += p->counting[s->removed[p->seen_counted]];
	memset(p->counting, 0, sizeof p->counting);
	if (n > 0 && p->n_truth < P_PLANS) {
		p->truth[p->n_truth].time = p->now;
		p->truth[p->n_truth++].deleted = n;
	}
}
