/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories whose names the closure takes in, some at a time: whole, or as
 * far as there is room in this plan; the next one goes on behind that. */
#include "engine/deliver/plan.h"

#include <stdlib.h>
#include <string.h>

#define LISTED_ONCE 64

static struct jb_plan_listing *add_listing(struct jb_plan *p, struct jb_id id,
					   uint64_t dirkey, bool paged)
{
	struct jb_plan_listing *l = jb_draft_alloc(&p->d, sizeof *l);

	if (l == NULL)
		return NULL;
	l->id = id;
	l->dirkey = dirkey;
	l->paged = paged;
	l->next = p->listings;
	p->listings = l;
	return l;
}

/* The last one first, so that a tree is listed directory by directory. */
static void open_listing(struct jb_plan *p, struct jb_plan_listing *l)
{
	struct jb_plan_listing **stack =
		l->paged ? &p->open_paged : &p->open_whole;

	l->next_open = *stack;
	*stack = l;
}

/* Is there no old node that a new directory could be matched with by its name,
 * or that a directory above it could be? */
static bool is_fresh(struct jb_plan *p, struct jb_seen_dir *dir)
{
	struct jb_seen *e;
	struct jb_node *above;
	struct jb_slot *s;

	if (dir->asked || dir->parent == NULL)
		return dir->fresh;
	dir->asked = true;
	e = jb_sight_entry(&p->s, dir->id);
	above = jb_draft_by_src(&p->d, dir->parent->id);
	if (e == NULL || e->names == NULL)
		return false;
	if (above == NULL) {
		dir->fresh = is_fresh(p, dir->parent);
		return dir->fresh;
	}
	s = jb_draft_slot(&p->d, above, e->names->name, e->names->len);
	dir->fresh = s != NULL && s->holder == NULL;
	return dir->fresh;
}

void jb_plan_list_below(struct jb_plan *p, struct jb_seen *e, bool may_page)
{
	struct jb_seen_dir *dir = jb_sight_dir(&p->s, e->dirkey);
	struct jb_plan_listing *l;

	if (dir == NULL)
		return;
	for (struct jb_seen_detached *x = p->s.detached; x != NULL; x = x->next)
		if (x->parent == e->dirkey)
			jb_plan_enter(p, jb_sight_entry(&p->s, x->id));
	may_page = may_page && (JB_WITHOUT(FRESH) || is_fresh(p, dir));
	l = add_listing(p, e->id, e->dirkey, may_page);
	if (l != NULL)
		open_listing(p, l);
}

struct listing_step {
	struct jb_plan *plan;
	bool depth_first; /* stop behind a directory */
	size_t n;
	struct listed_row *first, **last;
};

struct listed_row {
	struct listed_row *next;
	struct jb_entry row;
};

static int on_listed(void *arg, const struct jb_entry *row)
{
	struct listing_step *step = arg;
	struct listed_row *r = malloc(sizeof *r);

	if (r == NULL)
		return jb_error_set(&step->plan->d.err, JB_ENOMEM, 0, "plan");
	r->next = NULL;
	r->row = *row;
	*step->last = r;
	step->last = &r->next;
	step->n++;
	/* What is below it comes first. */
	return step->depth_first && row->dirkey != 0 ? 1 : 0;
}

/* Some more names of the directory opened last. Where a plan may end in the
 * middle of a tree it goes depth first, so that all but a few directories are
 * in one plan with what is in them: that is made in them at once, while in a
 * directory which the target has already each name costs a rename. */
void jb_plan_list_on(struct jb_plan *p, struct jb_plan_listing **stack)
{
	struct jb_plan_listing *l = *stack;
	struct listing_step step = {.plan = p};
	size_t page = p->planner->o.page, max = LISTED_ONCE;
	struct listed_row *r;
	int rv;

	step.last = &step.first;
	step.depth_first = l->paged;
	if (l->paged && page != 0 && page < max)
		max = page;
	rv = p->s.view->ops->children(p->s.view, l->dirkey, l->after, l->len,
				      max, on_listed, &step, &p->d.err);
	if (rv < 0)
		p->d.rv = rv;
	if (l->paged)
		p->n_listed += step.n;
	if (rv == 0 && step.n < max) {
		l->done = true;
		*stack = l->next_open;
	}
	while ((r = step.first) != NULL) {
		step.first = r->next;
		memcpy(l->after, r->row.name, r->row.name_len + 1u);
		l->len = r->row.name_len;
		if (!jb_plan_failed(p))
			jb_plan_enter(p, jb_sight_row(&p->s, &r->row));
		free(r);
	}
}

void jb_plan_resume_listing(struct jb_plan *p, const struct jb_listing_row *row)
{
	struct jb_seen *e = jb_sight_entry(&p->s, row->id);
	struct jb_plan_listing *l;

	if (e == NULL || e->away)
		return;
	l = add_listing(p, row->id, e->dirkey, true);
	if (l == NULL)
		return;
	l->stored = true;
	/* Gone; or the target lacks it again: then rule d lists all of it. */
	l->done = e->n_wanted == 0 || e->dirkey == 0 ||
		  jb_draft_by_src(&p->d, row->id) == NULL;
	if (l->done) {
		jb_plan_enter(p, e);
		return;
	}
	memcpy(l->after, row->after, sizeof l->after);
	l->len = row->len;
	open_listing(p, l);
}
