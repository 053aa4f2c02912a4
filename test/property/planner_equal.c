/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the target holds, next to what it should hold. */
#include "property/planner_judge_internal.h"

#include <stdio.h>
#include <string.h>

/* What there is, and what there should be. */
struct held {
	char path[W_DEPTH + 1];
	char type;
	int64_t data, meta, times;
	unsigned id;
};

struct holding {
	struct held v[SIM_NAMES];
	unsigned n;
};

static void walk_target(const struct sim *s, unsigned dir, const char *path,
			struct holding *all)
{
	for (unsigned i = 0; i < s->n_names; i++) {
		const struct sim_object *o = &s->objects[s->names[i].object];
		struct held *h = &all->v[all->n];

		if (s->names[i].dir != dir || !o->ours)
			continue;
		if (strlen(path) + 1 > W_DEPTH)
			continue;
		snprintf(h->path, sizeof h->path, "%s%c", path,
			 s->names[i].name[0]);
		h->type = o->type;
		h->data = o->type == 'd' ? 0 : o->data;
		h->meta = o->meta;
		h->times = o->mtime;
		h->id = s->names[i].object;
		all->n++;
		if (o->type == 'd')
			walk_target(s, s->names[i].object, h->path, all);
	}
}

static void list_wanted(const struct policy *p, const struct w_state *cat,
			struct holding *all)
{
	for (unsigned i = 0; i < cat->n_names; i++) {
		const struct w_name *n = &cat->names[i];
		const struct w_entry *e = state_entry(cat, n->no);
		struct held *h = &all->v[all->n];

		if (!select_wants(p->sel, cat, n) ||
		    state_path(cat, n, h->path) < 0)
			continue;
		h->type = e->type;
		h->data = e->type == 'd' ? 0 : e->data;
		h->meta = e->meta;
		h->times = e->sig;
		h->id = e->no;
		all->n++;
	}
}

static const struct held *find_held(const struct holding *all, const char *path)
{
	for (unsigned i = 0; i < all->n; i++)
		if (strcmp(all->v[i].path, path) == 0)
			return &all->v[i];
	return NULL;
}

static bool agree(const struct policy *p, const struct held *a,
		  const struct held *b)
{
	return a != NULL && a->type == b->type && a->data == b->data &&
	       a->meta == b->meta &&
	       (p->sim->had_foreign || a->times == b->times);
}

static struct holding have, must; /* too large for the stack */

static void hold_both(struct policy *p)
{
	have.n = must.n = 0;
	walk_target(p->sim, SIM_TOP, "", &have);
	list_wanted(p, world_live(p->world), &must);
}

static void check_trees(struct policy *p)
{
	struct sim *s = p->sim;

	for (unsigned i = 0; i < must.n; i++) {
		const struct held *h = find_held(&have, must.v[i].path);

		if (!agree(p, h, &must.v[i]))
			sim_break(s,
				  "%s: entry %u is %s (data %ld, %ld; meta "
				  "%ld, %ld; times %ld, %ld)",
				  must.v[i].path, must.v[i].id,
				  h == NULL ? "not there" : "another",
				  h ? (long)h->data : 0, (long)must.v[i].data,
				  h ? (long)h->meta : 0, (long)must.v[i].meta,
				  h ? (long)h->times : 0,
				  (long)must.v[i].times);
	}
	for (unsigned i = 0; i < have.n; i++)
		if (find_held(&must, have.v[i].path) == NULL)
			sim_break(s, "%s: surplus, object %u", have.v[i].path,
				  have.v[i].id);
}

/* Two names are one file here if and only if they are there. */
static void check_hard_links(struct sim *s)
{
	for (unsigned i = 0; i < must.n && s->broken[0] == '\0'; i++)
		for (unsigned k = 0; k < i; k++) {
			bool same = must.v[i].id == must.v[k].id;

			if ((find_held(&have, must.v[i].path)->id ==
			     find_held(&have, must.v[k].path)->id) != same)
				sim_break(s, "hard links %s %s", must.v[i].path,
					  must.v[k].path);
		}
}

/* Nothing is left to do, and the rows are as many as there should be. */
static void check_nothing_left(struct policy *p, const struct judge_rows *rows)
{
	struct sim *s = p->sim;

	if (policy_number(p, "SELECT count(*) FROM pending"
			     " WHERE reason != 26") != 0) /* TOO_DEEP */
		sim_break(s, "still pending: reason %d",
			  (int)policy_number(p, "SELECT reason FROM pending"));
	if (policy_number(p, "SELECT count(*) FROM owed") != 0)
		sim_break(s, "still owed: reason %d",
			  (int)policy_number(p, "SELECT reason FROM owed"));
	if (policy_number(p, "SELECT count(*) FROM listing") != 0)
		sim_break(s, "still to be listed");
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == SIM_OWN)
			sim_break(s, "left in OWN: %s", s->names[i].name);
	if (rows->n_names != must.n)
		sim_break(s, "%u names in the replica, %u wanted",
			  rows->n_names, must.n);
	if (policy_number(p, "SELECT value FROM meta WHERE key = 'nodes'") !=
	    (int64_t)rows->n_nodes)
		sim_break(s, "the count of nodes is wrong");
}

void judge_fully(struct policy *p, const struct judge_rows *rows)
{
	hold_both(p);
	check_trees(p);
	check_hard_links(p->sim);
	check_nothing_left(p, rows);
}

/* Is the entry, or a directory above it, pending? What the target has elsewhere
 * must be so itself: it is seen there. */
static bool waits(struct policy *p, const struct judge_rows *rows, unsigned no)
{
	const struct w_state *cat = world_live(p->world);

	if (no == W_TOP)
		return false;
	if (judge_is_left(p, "pending WHERE birth", no))
		return true;
	if (judge_is_elsewhere(rows, cat, no))
		return false;
	for (unsigned i = 0; i < cat->n_names; i++)
		if (cat->names[i].no == no && waits(p, rows, cat->names[i].dir))
			return true;
	return false;
}

void judge_partly(struct policy *p, const struct judge_rows *rows)
{
	hold_both(p);
	for (unsigned i = 0; i < must.n; i++) {
		const struct held *h = find_held(&have, must.v[i].path);

		if ((h == NULL || h->type != must.v[i].type ||
		     h->data != must.v[i].data || h->meta != must.v[i].meta) &&
		    !waits(p, rows, must.v[i].id))
			sim_break(p->sim, "%s: not applied, not pending",
				  must.v[i].path);
	}
}
