/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One operation at the target, and the draft kept true to it. */
#include "engine/deliver/order.h"

#include <string.h>

/* Names in this directory were changed. */
static void touch(struct jb_plan *p, struct jb_node *dir)
{
	p->changed = true;
	if (dir == p->d.own || dir->touched)
		return;
	dir->touched = true;
	dir->next_touched = p->touched;
	p->touched = dir;
}

/* Places and stamps of two slots; false when nothing may be done. */
static bool prepare(struct jb_plan *p, struct jb_slot *a, struct jb_slot *b,
		    struct jb_place places[2])
{
	p->report->operations++;
	return !jb_plan_failed(p) && jb_plan_place_copy(p, a, &places[0]) &&
	       (b == NULL || jb_plan_place_copy(p, b, &places[1]));
}

static bool done(struct jb_plan *p, enum jb_outcome o,
		 const struct jb_error *err)
{
	p->why = jb_plan_reason(o);
	/* What lies there instead is for a later look to say. */
	if (o == JB_OUTCOME_FOREIGN || o == JB_OUTCOME_LOST ||
	    o == JB_OUTCOME_REFUSED)
		p->why = JB_REASON_FAILED;
	if (o == JB_OUTCOME_NO_SPACE)
		jb_plan_lack(p, 0);
	return jb_plan_outcome(p, o, err) == JB_OUTCOME_DONE;
}

/* A name that was staged has been told of as it was made. */
static void tell_name(struct jb_plan *p, const struct jb_slot *from,
		      const struct jb_slot *to)
{
	const struct jb_node *n = to->holder;

	if (to->want != n)
		return;
	if (from->dir == p->d.own && n->places->next_place != NULL)
		jb_plan_tell_place(p, JB_VERB_LINK, JB_REASON_NONE, to);
	else if (n->staged == NULL)
		jb_plan_tell_place(p, JB_VERB_RENAME, JB_REASON_NONE, to);
}

bool jb_op_rename(struct jb_plan *p, struct jb_slot *from, struct jb_slot *to)
{
	struct jb_target *t = p->planner->target;
	struct jb_node *n = from->holder;
	struct jb_error err = {0};
	struct jb_place at[2];

	if (!prepare(p, from, to, at) ||
	    !done(p, t->ops->rename(t, at[0], &n->row.at, at[1], &err), &err))
		return false;
	jb_draft_cut(&p->d, from);
	jb_draft_add(&p->d, to, n);
	touch(p, from->dir);
	touch(p, to->dir);
	tell_name(p, from, to);
	return true;
}

/* On xfs a directory that comes into another one by an exchange has a new
 * mtime, since its '..' is written anew; by a rename it has not. */
static void touch_moved(struct jb_plan *p, struct jb_node *n)
{
	if (jb_node_is_dir(n))
		touch(p, n);
}

bool jb_op_exchange(struct jb_plan *p, struct jb_slot *a, struct jb_slot *b)
{
	struct jb_target *t = p->planner->target;
	struct jb_node *x = a->holder, *y = b->holder;
	struct jb_error err = {0};
	struct jb_place at[2];

	if (!prepare(p, a, b, at) ||
	    !done(p,
		  t->ops->exchange(t, at[0], &x->row.at, at[1], &y->row.at,
				   &err),
		  &err))
		return false;
	jb_draft_cut(&p->d, a);
	jb_draft_add(&p->d, b, x);
	jb_draft_add(&p->d, a, y);
	touch(p, a->dir);
	touch(p, b->dir);
	if (a->dir != b->dir) {
		touch_moved(p, x);
		touch_moved(p, y);
	}
	tell_name(p, a, b);
	tell_name(p, b, a);
	return true;
}

bool jb_op_link(struct jb_plan *p, struct jb_slot *from, struct jb_slot *to)
{
	struct jb_target *t = p->planner->target;
	struct jb_node *n = from->holder;
	struct jb_error err = {0};
	struct jb_place at[2];

	if (!prepare(p, from, to, at) ||
	    !done(p, t->ops->link(t, at[0], &n->row.at, at[1], &err), &err))
		return false;
	jb_draft_add(&p->d, to, n);
	touch(p, to->dir);
	return true;
}

/* Under which path the trash keeps it: the one that it had, as long as its
 * directory is known. *ret NULL: it is not kept. False: the plan has failed. */
static bool keep_as(struct jb_plan *p, const struct jb_slot *s, bool last,
		    struct jb_place *place, const struct jb_place **ret)
{
	const struct jb_node *n = s->holder;

	*ret = NULL;
	if (!last || !p->planner->o.keep_deleted || jb_node_is_dir(n))
		return true;
	*ret = place;
	if (s->dir == p->d.own && n->was != NULL &&
	    jb_plan_place_copy(p, n->was, place))
		return true;
	return jb_plan_place_copy(p, s, place);
}

bool jb_op_replace(struct jb_plan *p, struct jb_slot *from, struct jb_slot *to,
		   bool last)
{
	struct jb_target *t = p->planner->target;
	struct jb_node *n = from->holder, *old = to->holder;
	struct jb_error err = {0};
	struct jb_place at[2], kept;
	const struct jb_place *keep;

	if (!prepare(p, from, to, at) || !keep_as(p, to, last, &kept, &keep))
		return false;
	if (!done(p,
		  t->ops->replace(t, at[0], &n->row.at, at[1], &old->row.at,
				  keep, &err),
		  &err))
		return false;
	jb_draft_cut(&p->d, from);
	jb_draft_cut(&p->d, to);
	jb_draft_add(&p->d, to, n);
	p->report->freed += last;
	/* A place that can't be seen may be another name of it. */
	if (last && !jb_plan_is_hidden(old))
		jb_draft_forget(&p->d, old);
	touch(p, from->dir);
	touch(p, to->dir);
	return true;
}

bool jb_op_remove(struct jb_plan *p, struct jb_slot *s, bool last)
{
	struct jb_target *t = p->planner->target;
	struct jb_node *n = s->holder;
	struct jb_error err = {0};
	struct jb_place at[2], kept;
	const struct jb_place *keep;
	const struct jb_slot *told = s;

	if (!prepare(p, s, NULL, at) || !keep_as(p, s, last, &kept, &keep))
		return false;
	if (s->dir == p->d.own && n->was != NULL)
		told = n->was;
	if (!done(p, t->ops->remove(t, at[0], &n->row.at, keep, &err), &err)) {
		p->report->kept_back +=
			keep != NULL && p->why == JB_REASON_NO_SPACE;
		return false;
	}
	jb_draft_cut(&p->d, s);
	if (n->places == NULL) {
		jb_draft_forget(&p->d, n);
		p->report->freed += !jb_node_is_dir(n);
	}
	/* An old version that its new one has replaced is no removal. */
	if (told->want == NULL && told->dir != p->d.own)
		jb_plan_tell_place(p, JB_VERB_REMOVE, JB_REASON_NONE, told);
	touch(p, s->dir);
	return true;
}

static int on_any(void *arg, const char *name, const struct jb_object *o)
{
	(void)name;
	(void)o;
	*(bool *)arg = true;
	return 1;
}

bool jb_plan_is_empty(struct jb_plan *p, const char *path)
{
	struct jb_target *t = p->planner->target;
	struct jb_error err = {0};
	bool any = false;
	enum jb_outcome o;

	p->why = JB_REASON_NOT_EMPTY;
	o = t->ops->list(t, path, on_any, &any, &err);
	if (any || o == JB_OUTCOME_DONE)
		return !any;
	p->why = jb_plan_unseen(o);
	jb_plan_outcome(p, o, &err);
	return false;
}

bool jb_op_is_empty(struct jb_plan *p, struct jb_node *dir)
{
	const char *path = jb_plan_failed(p) ? NULL : jb_draft_path(&p->d, dir);

	return path != NULL && jb_plan_is_empty(p, path);
}

bool jb_plan_is_detached_place(const struct jb_seen *e, const struct jb_slot *s)
{
	if (JB_WITHOUT(AWAY))
		return false;
	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next)
		if (!n->attached && n->len == s->len &&
		    jb_id_equal(n->dir->id, s->dir->row.src) &&
		    memcmp(n->name, s->name, s->len) == 0)
			return true;
	return false;
}
