/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dry run: what a plan would do, told instead of done. */
#include "engine/deliver/plan.h"

static enum jb_verb verb_of(const struct jb_seen *e)
{
	if (!e->node->alive)
		return jb_seen_is_dir(e) ? JB_VERB_MKDIR : JB_VERB_COPY;
	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next)
		if (n->slot != NULL && n->slot->want == e->node &&
		    n->slot->holder != e->node)
			return e->n_wanted > 1 ? JB_VERB_LINK : JB_VERB_RENAME;
	return JB_VERB_ATTRS;
}

static void show_entry(struct jb_plan *p, const struct jb_seen *e)
{
	bool held = p->hold_new && e->old != NULL && !jb_plan_is_released(p, e);
	enum jb_verb verb;

	if (e->node == NULL)
		return;
	verb = verb_of(e);
	if (verb == JB_VERB_ATTRS && !jb_plan_needs_attrs(p, e))
		return;
	if (held || (verb == JB_VERB_COPY && jb_plan_settles_at(p, e) != 0)) {
		jb_plan_tell(p, verb,
			     held ? JB_REASON_HELD : JB_REASON_SETTLING, e, 0);
		return;
	}
	p->report->copied += verb == JB_VERB_COPY;
	jb_plan_tell(p, verb, JB_REASON_NONE, e,
		     verb == JB_VERB_COPY ? e->facts.size : 0);
}

static void show_removal(struct jb_plan *p, const struct jb_node *n)
{
	if (n->places != NULL)
		jb_plan_tell_place(p, JB_VERB_REMOVE,
				   n->held ? JB_REASON_HELD : JB_REASON_NONE,
				   n->places);
}

/* What can have no place there is nobody's item. */
static void show_barred(struct jb_plan *p)
{
	const struct jb_seen *e;

	for (struct jb_pending *x = p->d.all_pendings; x != NULL; x = x->next) {
		e = x->alive ? jb_sight_known(&p->s, x->row.id) : NULL;
		if (e != NULL && e->barred != JB_REASON_NONE &&
		    x->row.reason == e->barred)
			jb_plan_tell_barred(p, e);
	}
}

void jb_plan_show(struct jb_plan *p)
{
	for (size_t i = 0; i < p->n_items && !jb_plan_failed(p); i++)
		show_entry(p, p->entries[i]);
	for (size_t i = 0; i < p->n_nodes && !jb_plan_failed(p); i++)
		if (p->nodes[i]->alive && p->nodes[i]->dropped)
			show_removal(p, p->nodes[i]);
	if (!jb_plan_failed(p))
		show_barred(p);
}
