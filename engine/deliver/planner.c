/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan, from the first row read to the last one written.
 *
 *   settle, sweep   find out where things are, if the last plan did not end
 *   close           what has to be looked at together           (close.c)
 *   match           which node is whose, who is to be where     (match.c)
 *   guard           what goes, and may it?                      (guard.c)
 *   T1  intend      durable: what this plan may be doing        (intent.c)
 *   stage           make all that is new, where nobody sees it  (stage.c)
 *   T2  identify    durable: which inode is which entry
 *   name, clear     one visible operation per place             (order.c)
 *   attrs           attributes, directories last                (attrs.c)
 *   T3  finish      durable: the new replica, and the cursor
 *
 * A crash before T1 has changed nothing. After T1 the next plan looks at what
 * the intents name: an object is where its inode is found. After T2 nothing
 * that was copied is copied again. After T3 it is done. The target is durable
 * before T2 and before T3, so no row promises what a power cut takes away. */
#include "engine/deliver/plan.h"

#include "engine/base/clock.h"

#include <stdlib.h>
#include <string.h>

/* ---- the middle of a plan: what must not be forgotten */

/* What this plan looks at needn't be pending any more, unless it fails again:
 * that is decided by its end, and becomes true with T3. */
static void retry_pending(struct jb_plan *p)
{
	struct jb_pending *x;
	struct jb_seen *e;

	for (size_t i = 0; i < p->n_entries && !jb_plan_failed(p); i++) {
		x = jb_draft_pending(&p->d, p->entries[i]->id);
		if (x != NULL && !p->entries[i]->detached &&
		    p->entries[i]->barred == JB_REASON_NONE)
			x->retry = true;
	}
	/* What was looked at and is gone is over, due or not. */
	for (size_t i = 0; i < p->batch->n_looks && !jb_plan_failed(p); i++)
		if (p->batch->looks[i].id.ino != 0)
			jb_draft_pending(&p->d, p->batch->looks[i].id);
	for (size_t i = 0; i < p->n_nodes && !jb_plan_failed(p); i++)
		if (jb_node_has_src(p->nodes[i]))
			jb_draft_pending(&p->d, p->nodes[i]->row.src);
	for (x = p->d.all_pendings; x != NULL; x = x->next) {
		e = x->alive ? jb_sight_known(&p->s, x->row.id) : NULL;
		if (e != NULL && e->n_wanted == 0 && !e->detached &&
		    e->barred == JB_REASON_NONE)
			x->retry = true;
	}
}

static bool is_unfinished(struct jb_plan *p, const struct jb_plan_listing *l)
{
	/* One that could not be made will be listed when it is. */
	return !l->done && jb_draft_by_src(&p->d, l->id) != NULL;
}

/* With T2 already: from then on the target does not lack the directory. */
void jb_plan_write_listings(struct jb_plan *p)
{
	struct jb_listing_row row;

	for (struct jb_plan_listing *l = p->listings;
	     l != NULL && !jb_plan_failed(p); l = l->next) {
		if (!is_unfinished(p, l))
			continue;
		row.id = l->id;
		row.len = l->len;
		memcpy(row.after, l->after, sizeof row.after);
		p->d.rv = jb_replica_put_listing(p->d.replica, &row, &p->d.err);
		p->report->more = true;
	}
}

static void drop_listings(struct jb_plan *p)
{
	for (struct jb_plan_listing *l = p->listings;
	     l != NULL && !jb_plan_failed(p); l = l->next)
		if (l->stored && !is_unfinished(p, l))
			p->d.rv = jb_replica_drop_listing(p->d.replica, l->id,
							  &p->d.err);
}

static void end_pending(struct jb_plan *p)
{
	struct jb_node *n;

	for (struct jb_pending *x = p->d.all_pendings; x != NULL; x = x->next)
		if (x->retry)
			jb_draft_unpend(&p->d, x);
	for (size_t i = 0; i < p->n_items; i++) {
		n = p->entries[i]->node;
		if (n != NULL && n->alive &&
		    jb_id_equal(n->row.src, p->entries[i]->id))
			jb_draft_unowe(&p->d, n);
	}
	/* What is parked waits for its place. */
	for (struct jb_slot *s = p->d.own->slots; s != NULL; s = s->next_slot)
		if (s->holder != NULL && jb_node_has_src(s->holder) &&
		    jb_draft_pending(&p->d, s->holder->row.src) == NULL)
			jb_draft_pend(&p->d, s->holder->row.src,
				      JB_REASON_PARKED);
}

static void write_end(struct jb_plan *p)
{
	const struct jb_plan_batch *b = p->batch;

	jb_plan_recount(p);
	jb_plan_write_listings(p);
	drop_listings(p);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_drop_intents(p->d.replica, &p->d.err);
	if (!jb_plan_failed(p) && b->cursor != 0)
		p->d.rv = jb_replica_set(p->d.replica, JB_KEY_CURSOR, b->cursor,
					 &p->d.err);
	if (!jb_plan_failed(p) && b->cursor != 0)
		p->d.rv = jb_replica_set(p->d.replica, JB_KEY_SESSION,
					 b->session, &p->d.err);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_set(p->d.replica, JB_KEY_EPOCH,
					 (int64_t)b->epoch, &p->d.err);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_set(p->d.replica, JB_KEY_EPOCH_NO,
					 p->epoch, &p->d.err);
	if (!jb_plan_failed(p))
		p->d.rv =
			jb_replica_set(p->d.replica, JB_KEY_LAST_US,
				       jb_clock_us(CLOCK_REALTIME), &p->d.err);
}

/* T3. */
static void finish(struct jb_plan *p)
{
	if (p->changed)
		jb_plan_sync(p);
	if (jb_plan_failed(p))
		return;
	end_pending(p);
	/* More removals may be due. When nothing came of these, others have
	 * their turn later. */
	if (p->changed && p->d.n_due_rids == JB_DUE_AT_ONCE)
		p->report->more = true;
	jb_plan_commit(p, write_end);
}

/* ---- what several steps need */

void jb_plan_commit(struct jb_plan *p, void (*write)(struct jb_plan *p))
{
	if (jb_plan_failed(p))
		return;
	p->d.rv = jb_replica_begin(p->d.replica, &p->d.err);
	if (jb_plan_failed(p))
		return;
	if (write != NULL)
		write(p);
	jb_draft_write(&p->d);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_commit(p->d.replica, &p->d.err);
	if (jb_plan_failed(p))
		jb_replica_rollback(p->d.replica);
}

static void sync_target(struct jb_plan *p, bool all)
{
	struct jb_target *t = p->planner->target;

	if (jb_plan_failed(p))
		return;
	p->d.rv = t->ops->sync(t, all, &p->d.err);
	if (p->d.rv == JB_ENOSPC)
		jb_plan_lack(p, 0);
}

void jb_plan_sync(struct jb_plan *p)
{
	sync_target(p, false);
}

void jb_plan_sync_all(struct jb_plan *p)
{
	sync_target(p, true);
}

enum jb_outcome jb_plan_outcome(struct jb_plan *p, enum jb_outcome outcome,
				const struct jb_error *err)
{
	if (outcome != JB_OUTCOME_STOPPED && outcome != JB_OUTCOME_SKIPPED)
		return outcome;
	if (jb_plan_failed(p))
		return outcome;
	if (err != &p->d.err)
		p->d.err = *err;
	if (p->d.err.code == JB_OK)
		jb_error_set(&p->d.err, JB_ECANCELED, 0, "stopped");
	p->d.rv = p->d.err.code;
	return outcome;
}

enum jb_reason jb_plan_reason(enum jb_outcome outcome)
{
	switch (outcome) {
	case JB_OUTCOME_MOVED:
		return JB_REASON_MOVED;
	case JB_OUTCOME_TORN:
		return JB_REASON_TORN;
	case JB_OUTCOME_UNREADABLE:
		return JB_REASON_UNREADABLE;
	case JB_OUTCOME_FOREIGN:
		return JB_REASON_FOREIGN;
	case JB_OUTCOME_LOST:
		return JB_REASON_LOST;
	case JB_OUTCOME_NOT_EMPTY:
		return JB_REASON_NOT_EMPTY;
	case JB_OUTCOME_REFUSED:
		return JB_REASON_REFUSED;
	case JB_OUTCOME_DENIED:
		return JB_REASON_DENIED;
	case JB_OUTCOME_DAMAGED:
		return JB_REASON_DAMAGED;
	case JB_OUTCOME_NO_SPACE:
		return JB_REASON_NO_SPACE;
	default:
		return JB_REASON_FAILED;
	}
}

enum jb_reason jb_plan_unseen(enum jb_outcome look)
{
	return look == JB_OUTCOME_FOREIGN ? JB_REASON_HIDDEN
					  : jb_plan_reason(look);
}

void jb_plan_lack(struct jb_plan *p, int64_t bytes)
{
	struct jb_report *r = p->report;

	if (r->no_space == 0 || (uint64_t)bytes < r->least_lacking)
		r->least_lacking = (uint64_t)bytes;
	r->lacking_bytes += (uint64_t)bytes;
	r->no_space++;
}

void jb_plan_fail(struct jb_plan *p, struct jb_node *n, enum jb_reason why)
{
	if (jb_plan_failed(p))
		return;
	if (jb_node_has_src(n))
		jb_draft_pend(&p->d, n->row.src, why);
	else
		jb_draft_owe(&p->d, n, why);
	jb_plan_tell_node(p, n, why);
}

void jb_plan_lost(struct jb_plan *p, struct jb_slot *s)
{
	struct jb_node *n = s->holder;

	jb_draft_cut(&p->d, s);
	if (jb_node_has_src(n))
		jb_draft_pend(&p->d, n->row.src, JB_REASON_LOST);
	if (n->places == NULL)
		jb_draft_forget(&p->d, n);
}

bool jb_plan_place(struct jb_plan *p, const struct jb_slot *s,
		   struct jb_place *ret)
{
	ret->dir = jb_plan_failed(p) ? NULL : jb_draft_path(&p->d, s->dir);
	ret->name = s->name;
	return ret->dir != NULL;
}

bool jb_plan_place_copy(struct jb_plan *p, const struct jb_slot *s,
			struct jb_place *ret)
{
	char *copy;

	if (!jb_plan_place(p, s, ret))
		return false;
	copy = jb_arena_copy(&p->d.arena, ret->dir, strlen(ret->dir));
	if (copy == NULL)
		p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0, "plan");
	ret->dir = copy;
	return copy != NULL;
}

enum jb_outcome jb_plan_look(struct jb_plan *p, const struct jb_slot *s,
			     struct jb_object *ret)
{
	struct jb_target *t = p->planner->target;
	struct jb_error err;
	struct jb_place place;

	err.code = JB_OK;
	if (!jb_plan_place(p, s, &place))
		return JB_OUTCOME_SKIPPED;
	return jb_plan_outcome(p, t->ops->look(t, place, ret, &err), &err);
}

enum jb_sameness jb_plan_same(struct jb_plan *p, struct jb_slot *s)
{
	struct jb_node *n = s->holder;
	struct jb_object found;
	enum jb_outcome o = jb_plan_look(p, s, &found);

	switch (o) {
	case JB_OUTCOME_DONE:
		if ((found.mode & 0170000) != n->row.type ||
		    !jb_stamp_fits(&n->row.at, &found))
			return JB_DIFFERENT;
		jb_node_note_seen(n, &found);
		return JB_SAME;
	case JB_OUTCOME_LOST:
		return JB_DIFFERENT;
	default:
		p->why = jb_plan_unseen(o);
		return JB_UNKNOWN;
	}
}

/* ---- the planner */

int jb_planner_new(struct jb_replica *replica, struct jb_catalog_view *view,
		   struct jb_target *target, unsigned can,
		   const struct jb_planner_options *options,
		   struct jb_planner **ret, struct jb_error *err)
{
	struct jb_planner *p = calloc(1, sizeof *p);

	if (p == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'",
				    options->policy);
	p->replica = replica;
	p->view = view;
	p->target = target;
	p->can = can;
	p->o = *options;
	*ret = p;
	return JB_OK;
}

void jb_planner_free(struct jb_planner *p)
{
	free(p);
}

void jb_planner_on_effect(struct jb_planner *p, jb_effect_fn *fn, void *arg)
{
	p->on_effect = fn;
	p->effect_arg = arg;
}

static void carry_out(struct jb_plan *p)
{
	p->d.rv = jb_replica_epoch(p->d.replica, p->batch->epoch, &p->epoch,
				   &p->d.err);
	if (!p->batch->dry_run) {
		jb_plan_settle(p);
		jb_plan_sweep(p);
	}
	jb_plan_close(p);
	retry_pending(p);
	jb_plan_match(p);
	jb_plan_guard(p);
	if (p->batch->dry_run) {
		jb_plan_show(p);
		return;
	}
	jb_plan_intend(p);
	jb_plan_stage(p);
	jb_plan_identify(p);
	jb_plan_name(p);
	jb_plan_clear(p);
	jb_plan_attrs(p);
	jb_plan_pend_hidden(p);
	finish(p);
}

int jb_planner_run(struct jb_planner *planner,
		   const struct jb_plan_batch *batch, struct jb_report *report,
		   struct jb_error *err)
{
	struct jb_plan p = {.planner = planner,
			    .batch = batch,
			    .report = report};
	int rv;

	*report = (struct jb_report){0};
	rv = planner->o.adopt ? jb_replica_begin_adoption(planner->replica, err)
			      : JB_OK;
	if (rv == JB_OK)
		rv = jb_draft_init(&p.d, planner->replica, batch->now_us, err);
	if (rv != JB_OK)
		return rv;
	p.d.seq = batch->cursor != 0 ? batch->cursor : p.d.seq;
	jb_sight_init(&p.s, planner->view, planner->o.patterns,
		      planner->o.levels, &p.d);
	carry_out(&p);
	rv = p.d.rv;
	if (rv != JB_OK && err != NULL)
		*err = p.d.err;
	jb_sight_fini(&p.s);
	jb_draft_fini(&p.d);
	free(p.entries);
	free(p.nodes);
	free(p.looks);
	return rv;
}
