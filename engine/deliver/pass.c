/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy looks at next: the journal's changes behind its cursor, or, in
 * a full pass, what differs between catalog, replica and target.
 *
 * The first copy lists the top only: what is below comes with it, page by page,
 * by the planner's own listings. A pass that is cut short begins anew; what it
 * has done costs a comparison then. The cursor moves with the last page, to
 * where the journal stood at the first one. */
#include "engine/base/clock.h"
#include "engine/base/grow.h"
#include "engine/deliver/compare.h"
#include "engine/deliver/delivery_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PLAN_BYTES  (UINT64_C(512) << 20)
#define LEAST_PAGE  500
#define MOST_PAGE   12000
#define STORE_EVERY 10000 /* changes of other roots */
#define NAMES_ONCE  50000 /* compared in one step */
#define LISTERS	    2	  /* threads that wait for the disk */

/* A plugin may not care what emit() said. */
static int check_sink(struct jb_delivery *d, int rv, struct jb_error *err)
{
	const struct jb_error *said = &d->sink.err;

	if (said->code == JB_OK)
		return rv;
	return jb_error_set(err, said->code, 0,
			    "policy '%s': its plugin '%s' %s", d->policy->name,
			    d->plugin.ops->name, said->text);
}

/* ---- one plan */

static void count_effect(struct jb_delivery *d, const struct jb_effect *e)
{
	if (e->reason == JB_REASON_TORN)
		atomic_fetch_add(&d->torn, 1);
	else if (jb_reason_counts((int)e->reason))
		atomic_fetch_add(&d->failed, 1);
	if (e->reason != JB_REASON_NONE)
		return;
	switch (e->verb) {
	case JB_VERB_COPY:
		atomic_fetch_add(&d->copied, 1);
		atomic_fetch_add(&d->bytes, (uint64_t)e->bytes);
		break;
	case JB_VERB_RENAME:
		atomic_fetch_add(&d->renamed, 1);
		break;
	case JB_VERB_REMOVE:
		atomic_fetch_add(&d->removed, 1);
		break;
	default:
		break;
	}
	if (d->pass.is_first &&
	    (e->verb == JB_VERB_COPY || e->verb == JB_VERB_MKDIR ||
	     e->verb == JB_VERB_ADOPT))
		atomic_fetch_add(&d->done, 1);
}

static void keep_outcome(struct jb_delivery *d, const struct jb_effect *e)
{
	struct jb_outcome_of *list;

	if (!jb_plugin_wants_outcomes(&d->plugin))
		return;
	list = jb_grow(d->outcomes, d->n_outcomes, &d->cap_outcomes,
		       sizeof *list);
	if (list == NULL)
		return;
	d->outcomes = list;
	list[d->n_outcomes++] = (struct jb_outcome_of){
		.verb = jb_verb_word(e->verb),
		.path = strdup(e->path),
		.reason = e->reason != JB_REASON_NONE
				  ? jb_reason_text(e->reason)
				  : NULL,
		.bytes = e->bytes,
	};
}

static void on_effect(void *arg, const struct jb_effect *e)
{
	struct jb_delivery *d = arg;

	count_effect(d, e);
	keep_outcome(d, e);
	jb_delivery_say_partial(d, e);
	if (d->on_effect != NULL)
		d->on_effect(d->effect_arg, e);
}

static void tell_outcomes(struct jb_delivery *d)
{
	if (d->n_outcomes > 0)
		jb_plugin_settled(&d->plugin, d->outcomes, d->n_outcomes);
	for (size_t i = 0; i < d->n_outcomes; i++)
		free((char *)d->outcomes[i].path);
	d->n_outcomes = 0;
}

/* What is to be copied later is remembered before the cursor moves. */
static int write_deferred(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_plan_sink *sink = &d->sink;
	int rv;

	if (sink->n_deferred == 0)
		return JB_OK;
	rv = jb_replica_begin(d->replica, err);
	for (size_t i = 0; i < sink->n_deferred && rv == JB_OK; i++)
		rv = jb_replica_put_pending(d->replica, &sink->deferred[i],
					    err);
	if (rv == JB_OK)
		return jb_replica_commit(d->replica, err);
	jb_replica_rollback(d->replica);
	return rv;
}

/* The target is still started. */
static int clean_up(struct jb_delivery *d, const struct jb_report *r, int rv,
		    struct jb_error *err)
{
	int failed = JB_OK;

	d->no_trash = false;
	if (d->dry)
		return rv;
	if (rv == JB_OK) {
		jb_delivery_say_unswept(d, &r->unswept);
		jb_delivery_expire_trash(d, r);
	}
	if (r->no_space > 0 || d->lacking > 0)
		failed = jb_delivery_make_room(d, r, rv == JB_OK ? err : NULL);
	return rv == JB_OK ? failed : rv;
}

/* How many entries a new tree may add to one plan: what a crash costs is what
 * was staged since the last one, so large files come in small plans. */
static size_t choose_page(struct jb_delivery *d)
{
	uint64_t copied = atomic_load(&d->copied);
	uint64_t mean = copied > 0 ? atomic_load(&d->bytes) / copied : 0;
	uint64_t page = PLAN_BYTES / (mean + 1);

	if (copied == 0 || page < LEAST_PAGE)
		return LEAST_PAGE;
	return page < MOST_PAGE ? (size_t)page : MOST_PAGE;
}

static int run_planner(struct jb_delivery *d, const struct jb_plan_batch *batch,
		       unsigned can, struct jb_report *report,
		       struct jb_error *err)
{
	struct jb_planner *planner;
	int rv;

	d->options.page = choose_page(d);
	d->options.keep_deleted = d->keep_us > 0 && !d->no_trash;
	d->options.adopt = d->adopt > 0;
	d->options.adopt_content = d->adopt > 1;
	rv = jb_planner_new(d->replica, d->view, d->target, can, &d->options,
			    &planner, err);
	if (rv != JB_OK)
		return rv;
	jb_planner_on_effect(planner, on_effect, d);
	rv = jb_planner_run(planner, batch, report, err);
	jb_planner_free(planner);
	if (d->compare != NULL)
		jb_compare_planned(d->compare);
	return rv;
}

static int check_stopped(struct jb_delivery *d, struct jb_error *err)
{
	if (atomic_load(&d->stopped))
		return jb_error_set(err, JB_ECANCELED, 0, "stopped");
	return JB_OK;
}

int jb_delivery_plan(struct jb_delivery *d, int64_t cursor,
		     struct jb_error *err)
{
	struct jb_plan_batch batch = {
		.cursor = cursor,
		.epoch = d->journal.epoch,
		.now_us = jb_clock_us(CLOCK_REALTIME),
		.dry_run = d->dry,
		.everything = d->dry && d->is_full,
		.as_room_allows = d->pass.is_running && d->pass.is_first,
	};
	struct jb_report report = {0};
	unsigned can = 0;
	int rv = jb_delivery_start_target(d, &can, err);

	if (rv == JB_OK && cursor != 0)
		rv = jb_feed_session(d->feed, cursor, &batch.session, err);
	if (rv == JB_OK)
		rv = check_stopped(d, err);
	if (rv == JB_OK)
		rv = d->dry ? jb_delivery_add_left_over(d, err)
			    : write_deferred(d, err);
	if (rv == JB_OK) {
		batch.looks = d->sink.looks;
		batch.n_looks = d->sink.n_looks;
		batch.rids = d->sink.rids;
		batch.n_rids = d->sink.n_rids;
		d->again = false;
		rv = run_planner(d, &batch, can, &report, err);
	}
	rv = clean_up(d, &report, rv, err);
	d->target->ops->end(d->target);
	if (rv == JB_OK)
		rv = jb_delivery_try_rest(d, err);
	if (rv == JB_OK)
		jb_sink_looked(&d->sink, report.looked);
	else
		jb_sink_empty(&d->sink);
	tell_outcomes(d);
	if (rv == JB_OK && cursor != 0 && !d->dry)
		d->stored = cursor;
	d->more = rv == JB_OK && report.more;
	return rv;
}

/* ---- following */

static int call_plugin(struct jb_delivery *d, const struct jb_feed_page *page,
		       struct jb_error *err)
{
	int rv;

	jb_sink_empty(&d->sink);
	d->sink.page = page;
	rv = jb_plugin_plan(&d->plugin, page->changes, page->n, jb_sink_emit,
			    &d->sink, err);
	return check_sink(d, rv, err);
}

/* Changes of other roots need no plan. But the journal keeps what lies behind
 * the stored cursor, and MaxBacklog= counts from there. */
static int64_t store_every(const struct jb_delivery *d)
{
	uint64_t most = d->config->max_backlog, half = most / 2 + most % 2;

	return most > 0 && half < STORE_EVERY ? (int64_t)half : STORE_EVERY;
}

static int store_cursor(struct jb_delivery *d, int64_t seq,
			struct jb_error *err)
{
	int64_t session = 0;
	int rv = jb_feed_session(d->feed, seq, &session, err);

	if (rv != JB_OK || d->dry)
		return rv;
	rv = jb_replica_begin(d->replica, err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_CURSOR, seq, err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_SESSION, session, err);
	if (rv == JB_OK)
		rv = jb_replica_commit(d->replica, err);
	if (rv == JB_OK)
		d->stored = seq;
	else
		jb_replica_rollback(d->replica);
	return rv;
}

int jb_delivery_follow(struct jb_delivery *d, struct jb_step *ret,
		       struct jb_error *err)
{
	struct jb_feed_page page;
	int rv = jb_feed_page(d->feed, d->cursor, JB_PASS_PAGE, &page, err);

	ret->more = true;
	if (rv == JB_EGAP && !d->dry) /* dropped just now */
		return jb_delivery_owe_full(d, err);
	if (rv == JB_OK && page.n > 0)
		rv = call_plugin(d, &page, err);
	if (rv != JB_OK)
		return rv;
	if (page.n == 0 && page.last_seq - d->stored >= store_every(d))
		rv = store_cursor(d, page.last_seq, err);
	if (rv != JB_OK)
		return rv;
	if (d->sink.n_looks + d->sink.n_rids + d->sink.n_deferred > 0 ||
	    page.n > 0) {
		rv = jb_delivery_plan(d, page.last_seq, err);
		if (rv != JB_OK)
			return rv;
		ret->worked = true;
	}
	d->cursor = page.last_seq;
	ret->more = page.more || d->more || d->again;
	return JB_OK;
}

/* ---- a full pass */

static int begin_pass(struct jb_delivery *d, struct jb_error *err)
{
	int64_t nodes = 0, names = 0;
	int rv = jb_replica_get(d->replica, JB_KEY_NODES, 0, &nodes, err);

	if (rv == JB_OK)
		rv = jb_feed_count(d->feed, &names, err);
	if (rv != JB_OK)
		return rv;
	jb_compare_free(d->compare);
	d->compare = NULL;
	jb_sink_empty(&d->sink);
	d->pass = (struct jb_pass){
		.is_running = true,
		.is_first = nodes == 0,
		.cursor = d->journal.last_seq,
		.at = {.children_only = nodes == 0},
	};
	atomic_store(&d->phase, nodes == 0 ? JB_PHASE_FIRST : JB_PHASE_FULL);
	atomic_store(&d->done, 0);
	atomic_store(&d->total, (uint64_t)names);
	atomic_store(&d->began_us, jb_clock_us(CLOCK_REALTIME));
	return JB_OK;
}

static int hand_over(struct jb_delivery *d,
		     const struct jb_policy_entry *entries, size_t n,
		     struct jb_error *err)
{
	int rv = JB_OK;

	jb_sink_empty(&d->sink);
	d->sink.entries = entries;
	d->sink.n_entries = n;
	if (jb_plugin_reconciles(&d->plugin)) {
		rv = jb_plugin_reconcile(&d->plugin, entries, n, jb_sink_emit,
					 &d->sink, err);
		return check_sink(d, rv, err);
	}
	for (size_t i = 0; i < n && rv == JB_OK; i++)
		rv = jb_sink_look(&d->sink, &entries[i]);
	return rv == JB_OK ? rv : jb_error_set(err, rv, 0, "full pass");
}

/* The next entries of a first copy. */
static int walk_top(struct jb_delivery *d, struct jb_policy_entry *entries,
		    size_t *n, struct jb_error *err)
{
	int rv = jb_feed_walk(d->feed, &d->pass.at, JB_PASS_PAGE, entries, n,
			      err);

	d->pass.is_over = rv == JB_OK && *n == 0;
	return rv;
}

static int compare_on(struct jb_delivery *d, struct jb_differences *found,
		      struct jb_error *err)
{
	unsigned can = 0;
	int rv = jb_delivery_start_target(d, &can, err);

	if (rv == JB_OK)
		rv = check_stopped(d, err);
	if (rv == JB_OK && d->compare == NULL)
		rv = jb_compare_new(
			d->replica, d->view, d->target,
			&(struct jb_compare_options){
				.patterns = d->patterns,
				.preserve = d->options.preserve,
				.epoch = d->journal.epoch,
				.threads = can & JB_CAN_LIST ? LISTERS : 0,
			},
			&d->compare, err);
	if (rv == JB_OK)
		rv = jb_compare_next(d->compare, JB_PASS_PAGE, NAMES_ONCE,
				     found, err);
	d->target->ops->end(d->target);
	return rv;
}

/* The next entries that differ, and copies that do. */
static int walk_all(struct jb_delivery *d, struct jb_policy_entry *entries,
		    size_t *n, struct jb_error *err)
{
	struct jb_differences found;
	int rv = compare_on(d, &found, err);

	*n = 0;
	if (rv != JB_OK)
		return rv;
	for (size_t i = 0; i < found.n_ids; i++)
		entries[(*n)++] = (struct jb_policy_entry){
			.id = {found.ids[i].ino, found.ids[i].birth}};
	for (size_t i = 0; i < found.n_rids; i++)
		entries[(*n)++] =
			(struct jb_policy_entry){.rid = found.rids[i]};
	d->pass.is_over = found.end;
	atomic_store(&d->done, found.compared);
	return JB_OK;
}

/* Everything was looked at: from here on the journal is followed. */
static int end_pass(struct jb_delivery *d, struct jb_error *err)
{
	int rv = jb_delivery_plan(d, d->pass.cursor, err);

	if (rv != JB_OK)
		return rv;
	if (d->adopt != 0)
		rv = jb_replica_end_adoption(d->replica, err);
	if (rv == JB_OK)
		rv = jb_delivery_note(d, JB_KEY_ADOPT, 0, err);
	if (rv == JB_OK)
		rv = jb_delivery_note(d, JB_KEY_FULL, 0, err);
	if (rv != JB_OK)
		return rv;
	d->cursor = d->pass.cursor;
	d->adopt = 0;
	d->is_full = false;
	d->pass = (struct jb_pass){.is_running = false};
	jb_compare_free(d->compare);
	d->compare = NULL;
	return JB_OK;
}

/* The next page; none is the end, or a stretch without differences. */
static int pass_on(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_policy_entry *entries =
		malloc(JB_PASS_PAGE * sizeof *entries);
	size_t n = 0;
	int rv;

	if (entries == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "full pass");
	rv = d->pass.is_first ? walk_top(d, entries, &n, err)
			      : walk_all(d, entries, &n, err);
	if (rv == JB_OK && n > 0) {
		rv = hand_over(d, entries, n, err);
		if (rv == JB_OK)
			rv = jb_delivery_plan(d, 0, err);
	}
	free(entries);
	return rv;
}

int jb_delivery_pass(struct jb_delivery *d, struct jb_step *ret,
		     struct jb_error *err)
{
	int rv = JB_OK;

	if (!d->pass.is_running)
		rv = begin_pass(d, err);
	if (rv != JB_OK)
		return rv;
	ret->more = ret->worked = true;
	if (d->more || d->sink.n_looks > 0) /* what the last plan left */
		rv = jb_delivery_plan(d, 0, err);
	else
		rv = d->pass.is_over ? end_pass(d, err) : pass_on(d, err);
	if (rv != JB_OK)
		d->pass.is_running = false; /* from its beginning */
	return rv;
}
