/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step 5 and T2: make in OWN all that is new, and remember it.
 *
 * A new entry is made in OWN under s<rid>; what is below a directory that is
 * itself being made is made in it at once, so that a new tree costs one rename.
 * When all is durable, T2 stores each one's target inode: a crash after that
 * copies nothing again. What could not be made leaves things as they are: the
 * entry is pending, its old version keeps the places. */
#include "engine/deliver/pending.h"
#include "engine/deliver/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define AT_ONCE 256

struct stage {
	struct jb_plan *plan;
	struct jb_work *work; /* owned; AT_ONCE of them */
	size_t n;
};

/* ---- where */

static struct jb_slot *slot_in_own(struct jb_plan *p, const struct jb_node *n,
				   char letter)
{
	char name[32];
	int len;

	len = snprintf(name, sizeof name, "%c%llu", letter,
		       (unsigned long long)n->rid);
	return jb_draft_slot(&p->d, p->d.own, name, (size_t)len);
}

static bool may_hold(const struct jb_slot *s, const struct jb_seen *e)
{
	return s != NULL && s->want == e->node;
}

/* A wanted place in a directory that is being made now, else OWN. */
static struct jb_slot *choose_place(struct jb_plan *p, struct jb_seen *e)
{
	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next)
		if (may_hold(n->slot, e) && n->slot->dir->staged != NULL)
			return n->slot;
	return slot_in_own(p, e->node, 's');
}

/* Near its final neighbours, for the allocator. */
static const char *choose_near(struct jb_plan *p, const struct jb_seen *e,
			       const struct jb_slot *to)
{
	const char *path;

	if (to->dir != p->d.own || jb_seen_is_dir(e))
		return NULL;
	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next) {
		if (!may_hold(n->slot, e) || !n->slot->dir->alive)
			continue;
		path = jb_draft_path(&p->d, n->slot->dir);
		return path != NULL
			       ? jb_arena_copy(&p->d.arena, path, strlen(path))
			       : NULL;
	}
	return NULL;
}

static struct jb_seen_name *next_leading(struct jb_seen_name *n)
{
	while (n != NULL && !jb_seen_name_leads(n))
		n = n->next;
	return n;
}

/* ---- what could not be made */

/* What waits for its directory is listed with it, so it needn't be pending. But
 * an old version is somewhere else, where no listing comes to it: if both go
 * before they are made, nothing else says that it goes too. */
static bool is_remembered(const struct jb_seen *e, enum jb_reason why)
{
	if (why == JB_REASON_WAITS)
		return e->old != NULL && !JB_WITHOUT(WAITS);
	return why != JB_REASON_MOVED || !JB_WITHOUT(MOVED);
}

/* Its wants are withdrawn; an old version has them again. */
static void give_up(struct jb_plan *p, struct jb_seen *e, enum jb_reason why)
{
	struct jb_node *n = e->node;

	if (why == JB_REASON_HELD)
		jb_draft_hold(&p->d, e->id, e->cseq);
	else if (is_remembered(e, why))
		jb_draft_pend(&p->d, e->id, why);
	for (struct jb_seen_name *name = e->names; name != NULL;
	     name = name->next)
		if (may_hold(name->slot, e))
			name->slot->want = e->old;
	n->keep = NULL;
	n->staged = NULL;
	e->node = e->old;
	e->old = NULL;
	if (e->node == NULL)
		return;
	e->node->newer = NULL;
	e->node->keep = e;
	e->node->dropped = false;
}

/* By the ctime of the look that found the content, which no touch(1) sets. One
 * that lies far ahead of our clock says nothing. */
int64_t jb_plan_settles_at(const struct jb_plan *p, const struct jb_seen *e)
{
	int64_t settle = p->planner->o.settle_us;
	int64_t age = p->d.now_us - e->cctime / 1000;

	if (settle == 0 || jb_seen_type(e) != S_IFREG || age >= settle ||
	    age <= -settle)
		return 0;
	return e->cctime / 1000 + settle;
}

/* A person who waits for it does not wait for its rest. */
static int64_t rests_until(struct jb_plan *p, const struct jb_seen *e)
{
	const struct jb_rests *rests = p->planner->o.rests;
	int64_t until =
		rests != NULL ? jb_rests_until(rests, e->id, p->d.now_us) : 0;
	const struct jb_pending *x =
		until != 0 ? jb_draft_pending(&p->d, e->id) : NULL;

	return x != NULL && x->row.next_us == JB_PENDING_AT_ONCE_US ? 0 : until;
}

static void let_wait(struct jb_plan *p, struct jb_seen *e, enum jb_reason why,
		     int64_t until_us)
{
	struct jb_pending *x;

	jb_plan_tell(p, JB_VERB_COPY, why, e, 0);
	give_up(p, e, why);
	x = jb_draft_pending(&p->d, e->id);
	if (x != NULL)
		x->row.next_us = until_us;
}

/* The places in directories that could not be made are no places. */
static bool has_place_left(struct jb_seen *e)
{
	bool any = false;

	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next) {
		if (!may_hold(n->slot, e))
			continue;
		if (n->slot->dir->alive || n->slot->dir->staged != NULL)
			any = true;
		else
			n->slot->want = NULL;
	}
	return any;
}

/* ---- results */

static void remember(struct jb_plan *p, struct jb_seen *e,
		     const struct jb_work *w)
{
	const struct jb_object *o = &w->source;
	int64_t racy = p->planner->o.racy_ns;
	struct jb_node_row row = {
		.src = e->id,
		.type = jb_seen_type(e),
		.epoch = p->epoch,
		.cseq = e->cseq,
		.ctime = o->ctime,
		.size = o->size,
		.mtime = o->mtime,
		.at = jb_stamp_of(&w->target),
		.hash = w->has_hash ? jb_content_hash(&w->hash) : 0,
	};

	/* A write in the same tick leaves the ctime as it is. */
	if (racy != 0 && o->ctime > p->d.now_us * 1000 - racy)
		row.ctime = 0;
	if (!jb_seen_is_dir(e) && jb_plan_keeps_attrs(p, w))
		row.meta =
			jb_meta_of(o->mode, o->uid, o->gid, o->mtime, o->ctime);
	jb_draft_put(&p->d, e->node, &row);
	jb_draft_add(&p->d, e->node->staged, e->node);
	p->changed = true;
	p->report->copied += !jb_seen_is_dir(e);
	jb_plan_tell(p, jb_seen_is_dir(e) ? JB_VERB_MKDIR : JB_VERB_COPY,
		     JB_REASON_NONE, e, w->bytes);
}

static void take_result(struct jb_plan *p, struct jb_work *w)
{
	struct jb_seen *e = w->tag;
	enum jb_reason why;

	jb_plan_outcome(p, w->outcome, &w->err);
	if (jb_plan_failed(p))
		return;
	if (p->planner->o.rests != NULL && S_ISREG(w->mode))
		jb_rests_note(p->planner->o.rests, e->id,
			      p->d.now_us + w->took_us, w->took_us);
	if (!has_place_left(e)) {
		give_up(p, e, JB_REASON_WAITS);
		return;
	}
	if (w->outcome == JB_OUTCOME_DONE) {
		remember(p, e, w);
		return;
	}
	why = jb_plan_reason(w->outcome);
	if (why == JB_REASON_NO_SPACE)
		jb_plan_lack(p, jb_seen_is_dir(e) ? 0 : e->facts.size);
	jb_plan_tell(p, JB_VERB_COPY, why, e, 0);
	give_up(p, e, why);
}

/* It was not under the name that was tried; of several another may do. */
static void try_other_names(struct jb_plan *p, struct jb_work *w)
{
	struct jb_target *t = p->planner->target;
	struct jb_seen *e = w->tag;
	struct jb_seen_name *name = next_leading(e->names);

	while (w->outcome == JB_OUTCOME_MOVED && name != NULL &&
	       (name = next_leading(name->next)) != NULL) {
		w->from = (struct jb_place){name->dir->path, name->name};
		t->ops->make(t, w, 1, &p->d.err);
	}
}

static void make_all(struct stage *st)
{
	struct jb_plan *p = st->plan;
	struct jb_target *t = p->planner->target;

	if (st->n == 0 || jb_plan_failed(p))
		return;
	jb_plan_outcome(p, t->ops->make(t, st->work, st->n, &p->d.err),
			&p->d.err);
	for (size_t i = 0; i < st->n && !jb_plan_failed(p); i++) {
		try_other_names(p, &st->work[i]);
		take_result(p, &st->work[i]);
	}
	st->n = 0;
}

/* ---- the work */

static void add_work(struct stage *st, struct jb_seen *e)
{
	struct jb_plan *p = st->plan;
	struct jb_seen_name *from = next_leading(e->names);
	struct jb_work *w = &st->work[st->n];
	struct jb_slot *to;

	to = choose_place(p, e);
	if (to == NULL || from == NULL)
		return;
	e->node->staged = to;
	*w = (struct jb_work){
		.tag = e,
		.from = {from->dir->path, from->name},
		.ino = e->id.ino,
		.birth = e->id.birth,
		.mode = e->facts.mode,
		.mount = (e->flags & JB_ENTRY_MOUNT) != 0,
		.near = choose_near(p, e, to),
		.want_hash = p->planner->o.keep_hashes,
	};
	if (!jb_plan_place_copy(p, to, &w->to))
		return;
	if (e->old != NULL && e->old->places != NULL)
		jb_plan_place_copy(p, e->old->places, &w->old);
	if (!jb_plan_failed(p))
		st->n++;
}

static bool is_held(struct jb_plan *p, const struct jb_seen *e)
{
	return p->hold_new && e->old != NULL && !jb_plan_is_released(p, e);
}

static void stage_type(struct stage *st, bool dirs)
{
	struct jb_plan *p = st->plan;
	struct jb_seen *e;
	int64_t until;

	for (size_t i = 0; i < p->n_items && !jb_plan_failed(p); i++) {
		e = p->entries[i];
		if (e->node == NULL || e->node->alive ||
		    jb_seen_is_dir(e) != dirs)
			continue;
		if (!has_place_left(e))
			give_up(p, e, JB_REASON_WAITS);
		else if (is_held(p, e))
			give_up(p, e, JB_REASON_HELD);
		else if ((until = jb_plan_settles_at(p, e)) != 0)
			let_wait(p, e, JB_REASON_SETTLING, until);
		else if ((until = rests_until(p, e)) != 0)
			let_wait(p, e, JB_REASON_RESTING, until);
		else
			add_work(st, e);
		if (st->n == AT_ONCE)
			make_all(st);
	}
	make_all(st);
}

void jb_plan_stage(struct jb_plan *p)
{
	struct stage st = {.plan = p};

	if (jb_plan_failed(p))
		return;
	st.work = malloc(AT_ONCE * sizeof *st.work);
	if (st.work == NULL) {
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
		return;
	}
	stage_type(&st, true);
	stage_type(&st, false);
	free(st.work);
	if (p->changed)
		jb_plan_sync(p);
}

/* ---- T2 */

static void identify(struct jb_plan *p, struct jb_seen *e)
{
	struct jb_node *n = e->node;
	struct jb_node_row row, old;
	bool same;

	if (n == NULL || !n->alive)
		return;
	row = n->row;
	same = jb_id_equal(row.src, e->id);
	if (e->old != NULL) {
		/* The old version has no identity any more; but one that was
		 * matched by its name keeps its own: if its entry is selected
		 * again before it goes, it is not copied again. */
		old = e->old->row;
		if (!jb_id_equal(old.src, e->id))
			return;
		old.src = (struct jb_id){0, 0};
		jb_draft_put(&p->d, e->old, &old);
		jb_draft_put(&p->d, n, &row); /* it is the source's node now */
		return;
	}
	if (jb_plan_fits(p, n, e)) {
		if (same && row.epoch == p->epoch && row.cseq == e->cseq)
			return;
		row.src = e->id;
		row.epoch = p->epoch;
		row.cseq = e->cseq;
		if (!same)
			row.ctime = e->cctime;
		jb_draft_put(&p->d, n, &row);
	} else if (!same && JB_WITHOUT(REBIND)) {
		row.src = e->id;
		row.epoch = p->epoch;
		row.cseq = e->cseq;
		jb_draft_put(&p->d, n, &row);
	} else if (!same) {
		/* Its copy failed: it keeps its own identity and content. */
		jb_draft_owe(&p->d, n, JB_REASON_OLD_VERSION);
	}
}

void jb_plan_identify(struct jb_plan *p)
{
	for (size_t i = 0; i < p->n_items && !jb_plan_failed(p); i++)
		identify(p, p->entries[i]);
	if (!JB_WITHOUT(STAGE) && jb_draft_is_dirty(&p->d))
		jb_plan_commit(p, jb_plan_write_listings);
}
