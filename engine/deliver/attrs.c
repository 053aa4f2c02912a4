/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step 8: attributes, last of all, since every name that changes changes its
 * directory's times. First what is no directory, then directories bottom-up:
 * one that nobody may enter any more has nothing left to be done in it. */
#include "engine/deliver/plan.h"

#include <stdlib.h>
#include <sys/stat.h>

#define AT_ONCE 256

struct attrs {
	struct jb_plan *plan;
	struct jb_work *work; /* owned; AT_ONCE of them */
	size_t n;
};

/* A target may take a mode or an owner and not keep it, without a word. */
bool jb_plan_keeps_attrs(const struct jb_plan *p, const struct jb_work *w)
{
	const struct jb_object *o = &w->source;

	return !w->partial &&
	       (w->mount || jb_attrs_fit(p->planner->o.preserve, o->mode,
					 o->uid, o->gid, &w->target));
}

/* Somebody else gave the copy another mode or owner. */
static bool is_changed_there(const struct jb_plan *p, const struct jb_seen *e)
{
	const struct jb_facts *f = &e->facts;
	const struct jb_node *n = e->node;
	const struct jb_object there = {
		.mode = n->seen_mode,
		.uid = n->seen_uid,
		.gid = n->seen_gid,
	};

	return n->is_seen && !(e->flags & JB_ENTRY_MOUNT) &&
	       !jb_attrs_fit(p->planner->o.preserve, f->mode, f->uid, f->gid,
			     &there);
}

/* All of its content is there, but an attribute is not. Without a `meta` it is
 * set again by every plan that comes by: when the entry changes, in a full
 * pass, or when it has waited. What waits for more than this keeps its reason,
 * and its time. */
static void leave_partial(struct jb_plan *p, const struct jb_work *w)
{
	const struct jb_seen *e = w->tag;
	const struct jb_pending *x = jb_draft_pending(&p->d, e->id);

	if (x == NULL || x->retry || x->row.reason == JB_REASON_PARTIAL)
		jb_draft_pend(&p->d, e->id, JB_REASON_PARTIAL);
	jb_plan_tell_partial(p, e, w->partial ? w->err.text : "mode or owner");
}

/* A directory that is no entry of this plan, or the top, which is never one:
 * nothing but its attributes can be pending. */
static void end_pending(struct jb_plan *p, const struct jb_seen *e)
{
	struct jb_pending *x = jb_draft_pending(&p->d, e->id);

	if (x != NULL && (x->row.reason == JB_REASON_PARTIAL || e == p->s.top))
		jb_draft_unpend(&p->d, x);
}

static void take_set(struct jb_plan *p, const struct jb_work *w)
{
	const struct jb_seen *e = w->tag;
	struct jb_node *n = e->node;
	const struct jb_object *o = &w->source;
	struct jb_node_row row = n->row;

	if (!jb_plan_keeps_attrs(p, w)) {
		leave_partial(p, w);
		row.meta = 0;
	} else {
		if (n->staged == NULL &&
		    (row.meta != jb_seen_meta(e) || is_changed_there(p, e)))
			jb_plan_tell(p, JB_VERB_ATTRS, JB_REASON_NONE, e, 0);
		end_pending(p, e);
		row.meta =
			jb_meta_of(o->mode, o->uid, o->gid, o->mtime, o->ctime);
	}
	row.at = jb_stamp_of(&w->target);
	/* The content is known to be the one that this mtime is of: w->ctime.
	 * A restored source is recognised by it. */
	if (!jb_seen_is_dir(e))
		row.mtime = o->mtime;
	jb_draft_put(&p->d, n, &row);
	n->touched = false;
	n->is_seen = false;
	p->changed = true;
}

static void take_result(struct jb_plan *p, struct jb_work *w)
{
	struct jb_seen *e = w->tag;
	enum jb_reason why;

	jb_plan_outcome(p, w->outcome, &w->err);
	if (jb_plan_failed(p))
		return;
	if (w->outcome == JB_OUTCOME_DONE) {
		take_set(p, w);
		return;
	}
	why = jb_plan_reason(w->outcome);
	if (why == JB_REASON_TORN)
		why = JB_REASON_MOVED; /* the journal will speak of it again */
	if (why == JB_REASON_FOREIGN)
		why = jb_plan_is_hidden(e->node) ? JB_REASON_WAITS
						 : JB_REASON_LOST;
	if (why == JB_REASON_NO_SPACE)
		jb_plan_lack(p, 0);
	jb_plan_tell(p, JB_VERB_ATTRS, why, e, 0);
	jb_draft_pend(&p->d, e->id, why);
}

static void apply(struct attrs *a)
{
	struct jb_plan *p = a->plan;
	struct jb_target *t = p->planner->target;

	if (a->n == 0 || jb_plan_failed(p))
		return;
	jb_plan_outcome(p, t->ops->attrs(t, a->work, a->n, &p->d.err),
			&p->d.err);
	for (size_t i = 0; i < a->n && !jb_plan_failed(p); i++)
		take_result(p, &a->work[i]);
	a->n = 0;
}

static void add_work(struct attrs *a, struct jb_seen *e, struct jb_place from,
		     struct jb_place to)
{
	a->work[a->n++] = (struct jb_work){
		.tag = e,
		.from = from,
		.to = to,
		.ino = e->id.ino,
		.birth = e->id.birth,
		.mode = e->facts.mode,
		.ctime = jb_seen_is_dir(e) ? 0 : e->facts.ctime,
		.mtime = e->facts.mtime,
		.mount = (e->flags & JB_ENTRY_MOUNT) != 0,
		.expect = e->node->row.at,
	};
	if (a->n == AT_ONCE)
		apply(a);
}

static void add_entry(struct attrs *a, struct jb_seen *e)
{
	struct jb_plan *p = a->plan;
	struct jb_seen_name *from = e->names;
	struct jb_place to;

	while (from != NULL && !jb_seen_name_leads(from))
		from = from->next;
	if (from != NULL && e->node->places != NULL &&
	    jb_plan_place_copy(p, e->node->places, &to))
		add_work(a, e, (struct jb_place){from->dir->path, from->name},
			 to);
}

/* Old content, whose new version could not be copied, keeps its old attributes:
 * with the new mtime it would pass for the new version. */
bool jb_plan_needs_attrs(const struct jb_plan *p, const struct jb_seen *e)
{
	return e->node != NULL && e->node->alive &&
	       (e->node->touched || e->node->row.meta != jb_seen_meta(e) ||
		is_changed_there(p, e)) &&
	       jb_plan_fits(p, e->node, e);
}

/* Directories that the closed set doesn't have, but names in them changed. */
static size_t see_touched(struct jb_plan *p, struct jb_seen **ret)
{
	struct jb_error err;
	struct jb_seen *e;
	size_t n = 0;

	if (p->s.view->ops->begin(p->s.view, &err) != JB_OK)
		return 0; /* only their times: the next full pass sees it */
	for (struct jb_node *x = p->touched; x != NULL; x = x->next_touched) {
		if (!x->alive || !x->touched || x->keep != NULL ||
		    !jb_node_has_src(x) || x == p->d.top)
			continue;
		e = jb_sight_entry(&p->s, x->row.src);
		if (e == NULL || e->n_wanted == 0)
			continue;
		e->node = x;
		if (ret != NULL)
			ret[n] = e;
		n++;
	}
	p->s.view->ops->end(p->s.view);
	return n;
}

static int deepest_first(const void *va, const void *vb)
{
	const struct jb_seen *a = *(struct jb_seen *const *)va;
	const struct jb_seen *b = *(struct jb_seen *const *)vb;

	return a->depth != b->depth ? (a->depth > b->depth ? -1 : 1) : 0;
}

/* The directories whose attributes are to be set; the caller frees them. */
static struct jb_seen **collect_dirs(struct jb_plan *p, size_t *ret)
{
	size_t n = see_touched(p, NULL);
	struct jb_seen **dirs;

	for (size_t i = 0; i < p->n_items; i++)
		n += jb_seen_is_dir(p->entries[i]);
	dirs = malloc((n + 1) * sizeof(struct jb_seen *));
	if (dirs == NULL) {
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
		return NULL;
	}
	n = see_touched(p, dirs);
	for (size_t i = 0; i < p->n_items; i++)
		if (jb_seen_is_dir(p->entries[i]) &&
		    jb_plan_needs_attrs(p, p->entries[i]))
			dirs[n++] = p->entries[i];
	qsort(dirs, n, sizeof(struct jb_seen *), deepest_first);
	*ret = n;
	return dirs;
}

static void set_dirs(struct attrs *a)
{
	struct jb_plan *p = a->plan;
	struct jb_seen **dirs;
	size_t n = 0;

	dirs = collect_dirs(p, &n);
	for (size_t i = 0; i < n && !jb_plan_failed(p); i++) {
		if (i > 0 && dirs[i]->depth != dirs[i - 1]->depth)
			apply(a);
		add_entry(a, dirs[i]);
	}
	apply(a);
	free(dirs);
}

/* The top itself, whose row holds nothing but its attributes. */
static void set_top(struct attrs *a)
{
	struct jb_plan *p = a->plan;
	struct jb_seen *e = p->s.top;
	struct jb_object found;
	struct jb_target *t = p->planner->target;
	const struct jb_place top = {"", ""};
	struct jb_error err = {0};

	if (e == NULL || jb_plan_failed(p))
		return;
	e->node = p->d.top;
	if (jb_plan_outcome(p, t->ops->look(t, top, &found, &err), &err) !=
	    JB_OUTCOME_DONE)
		return;
	jb_node_note_seen(e->node, &found);
	if (!jb_plan_needs_attrs(p, e)) {
		end_pending(p, e);
		return;
	}
	e->node->row.at = jb_stamp_of(&found);
	add_work(a, e, top, top);
	apply(a);
}

/* A directory whose times could not be set again must be seen to, however
 * equal its row looks. */
static void remember_touched(struct jb_plan *p)
{
	for (struct jb_node *n = p->touched; n != NULL && !jb_plan_failed(p);
	     n = n->next_touched) {
		if (!n->touched || !n->alive || n->row.meta == 0)
			continue;
		n->row.meta = 0;
		jb_draft_put(&p->d, n, &n->row);
		if (n != p->d.top && jb_node_has_src(n) &&
		    jb_draft_pending(&p->d, n->row.src) == NULL)
			jb_draft_pend(&p->d, n->row.src, JB_REASON_AGAIN);
	}
}

void jb_plan_attrs(struct jb_plan *p)
{
	struct attrs a = {.plan = p};

	if (jb_plan_failed(p))
		return;
	a.work = malloc(AT_ONCE * sizeof *a.work);
	if (a.work == NULL) {
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
		return;
	}
	for (size_t i = 0; i < p->n_items && !jb_plan_failed(p); i++)
		if (!jb_seen_is_dir(p->entries[i]) &&
		    jb_plan_needs_attrs(p, p->entries[i]))
			add_entry(&a, p->entries[i]);
	apply(&a);
	set_dirs(&a);
	set_top(&a);
	remember_touched(p);
	free(a.work);
}
