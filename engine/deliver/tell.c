/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan does, told to whoever listens, one effect at a time. */
#include "engine/deliver/plan.h"

#include <stdio.h>
#include <stdlib.h>

const char *jb_verb_word(enum jb_verb verb)
{
	static const char *const words[] = {
		[JB_VERB_COPY] = "copy",     [JB_VERB_MKDIR] = "make",
		[JB_VERB_RENAME] = "rename", [JB_VERB_LINK] = "link",
		[JB_VERB_ATTRS] = "attrs",   [JB_VERB_REMOVE] = "remove",
		[JB_VERB_ADOPT] = "adopt",
	};

	return words[verb];
}

static void tell_effect(const struct jb_plan *p, const char *dir,
			const char *name, struct jb_effect effect)
{
	const struct jb_planner *planner = p->planner;
	char *path = NULL;

	if (*dir != '\0' && asprintf(&path, "%s/%s", dir, name) < 0)
		path = NULL;
	effect.path = path != NULL ? path : name;
	planner->on_effect(planner->effect_arg, &effect);
	free(path);
}

static void tell(const struct jb_plan *p, enum jb_verb verb,
		 enum jb_reason reason, const char *dir, const char *name,
		 int64_t bytes)
{
	tell_effect(p, dir, name,
		    (struct jb_effect){
			    .verb = verb, .reason = reason, .bytes = bytes});
}

static void tell_entry(const struct jb_plan *p, const struct jb_seen *e,
		       struct jb_effect effect)
{
	const struct jb_seen_name *n = e->names;

	if (p->planner->on_effect == NULL)
		return;
	while (n != NULL && !n->wanted)
		n = n->next;
	tell_effect(p, n != NULL ? n->dir->path : "", n != NULL ? n->name : "",
		    effect);
}

void jb_plan_tell(struct jb_plan *p, enum jb_verb verb, enum jb_reason reason,
		  const struct jb_seen *e, int64_t bytes)
{
	tell_entry(p, e,
		   (struct jb_effect){
			   .verb = verb, .reason = reason, .bytes = bytes});
}

void jb_plan_tell_partial(struct jb_plan *p, const struct jb_seen *e,
			  const char *what)
{
	tell_entry(p, e,
		   (struct jb_effect){.verb = JB_VERB_ATTRS,
				      .reason = JB_REASON_PARTIAL,
				      .what = what});
}

void jb_plan_tell_place(struct jb_plan *p, enum jb_verb verb,
			enum jb_reason reason, const struct jb_slot *s)
{
	const char *dir;

	if (p->planner->on_effect == NULL)
		return;
	dir = jb_draft_path(&p->d, s->dir);
	if (dir != NULL)
		tell(p, verb, reason, dir, s->name, 0);
}

void jb_plan_tell_barred(struct jb_plan *p, const struct jb_seen *e)
{
	const struct jb_seen_name *n = e->names;

	while (n != NULL && !n->barred)
		n = n->next;
	if (n != NULL && p->planner->on_effect != NULL)
		tell(p, jb_seen_is_dir(e) ? JB_VERB_MKDIR : JB_VERB_COPY,
		     e->barred, n->dir->path, n->name, 0);
}

void jb_plan_tell_node(struct jb_plan *p, const struct jb_node *n,
		       enum jb_reason reason)
{
	enum jb_verb verb = n->staged != NULL ? JB_VERB_COPY : JB_VERB_RENAME;

	if (n->keep != NULL)
		jb_plan_tell(p, verb, reason, n->keep, 0);
	else if (n->dropped && n->places != NULL)
		jb_plan_tell_place(p, JB_VERB_REMOVE, reason, n->places);
}
