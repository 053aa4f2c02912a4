/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy under judgement: its life, and its plans. */
#include "property/planner_judge_internal.h"

#include "engine/base/pattern.h"
#include "engine/deliver/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned jb_planner_without;

/* ---- life */

/* Any statement about the commit: some of them fail. */
static int on_commit(void *arg)
{
	struct policy *p = arg;

	if (!p->crash_commits || !world_may(p->world, p->sim->p_crash))
		return 0;
	p->sim->crashed = true;
	return 1;
}

void policy_init(struct policy *p)
{
	struct jb_error err;
	int rv;

	memset(p, 0, sizeof *p);
	rv = jb_replica_open(NULL, "model", &p->replica, &err);
	if (rv != JB_OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	sqlite3_commit_hook(jb_replica_store(p->replica)->db, on_commit, p);
	p->sim = malloc(sizeof *p->sim);
}

void policy_fini(struct policy *p)
{
	jb_patterns_free(p->patterns);
	jb_replica_close(p->replica);
	free(p->sim);
}

static void add_path(struct policy *p, bool include, const char *path)
{
	char text[4 * W_DEPTH], below[4 * W_DEPTH + 8];
	size_t at = 0;
	int rv;

	for (; *path != '\0'; path++) {
		text[at++] = '/';
		text[at++] = *path;
	}
	text[at] = '\0';
	snprintf(below, sizeof below, "%s/***", text);
	rv = jb_patterns_add(p->patterns, include, text, NULL);
	if (rv == JB_OK && include)
		rv = jb_patterns_add(p->patterns, include, below, NULL);
	insist(rv == JB_OK);
}

static void make_patterns(struct policy *p)
{
	const struct w_select *sel = p->sel;
	int rv;

	jb_patterns_free(p->patterns);
	p->patterns = NULL;
	if (jb_patterns_new(&p->patterns, NULL) != JB_OK)
		abort();
	for (int i = 0; i < 2; i++)
		if (sel->exclude[i] != NULL)
			add_path(p, false, sel->exclude[i]);
	for (int i = 0; i < 2; i++)
		if (sel->include[i] != NULL)
			add_path(p, true, sel->include[i]);
	if (sel->include[0] == NULL)
		return;
	if (sel->exclude[0] == NULL)
		rv = jb_patterns_only_included(p->patterns, NULL);
	else
		rv = jb_patterns_add(p->patterns, false, "/*", NULL);
	insist(rv == JB_OK);
}

void policy_reset(struct policy *p, struct world *w, const struct w_select *sel,
		  unsigned max_deleted)
{
	static const char *const tables[] = {"node", "name",   "pending",
					     "owed", "intent", "deleted",
					     "meta", "listing"};
	char sql[64];
	int rv;

	p->crash_commits = false;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM %s", tables[i]);
		rv = jb_store_exec(jb_replica_store(p->replica), sql, NULL);
		insist(rv == JB_OK);
	}
	p->world = w;
	p->sel = sel;
	make_patterns(p);
	sim_init(p->sim, w);
	p->sim->select = sel;
	p->sim->is_needless = judge_is_needless;
	p->sim->needless_arg = p;
	view_init(&p->view);
	p->low = p->cursor = 0;
	p->now = 1;
	p->more = false;
	p->seen_removed = p->seen_counted = p->n_truth = 0;
	p->doomed = NULL;
	memset(p->counting, 0, sizeof p->counting);
	p->can = JB_CAN_EXCHANGE | JB_CAN_LINK;
	p->max_deleted = max_deleted;
	p->options = (struct jb_planner_options){
		.policy = "model",
		.patterns = p->patterns,
		.delete_window_us = 4 * p->step,
		.max_delete = {.on = max_deleted < 1000,
			       .share = 5000,
			       .least = max_deleted,
			       .most = max_deleted},
		.keep_deleted = true,
		.levels = sel->levels,
	};
}

/* ---- plans */

static size_t make_looks(struct policy *p, unsigned upto,
			 struct jb_plan_look *looks)
{
	size_t n = 0;

	for (unsigned i = p->cursor; i < upto; i++) {
		const struct w_row *r = &p->world->rows[i];
		struct jb_plan_look *l = &looks[n++];

		l->id = world_id(r->no);
		l->n_places = r->n_places;
		for (unsigned k = 0; k < r->n_places; k++) {
			l->places[k].dir = world_id(r->places[k].dir);
			l->places[k].name = &r->places[k].name;
			l->places[k].len = 1;
		}
	}
	return n;
}

static bool run_plan(struct policy *p, struct jb_plan_batch *batch)
{
	struct jb_planner *planner = NULL;
	struct jb_report report;
	struct jb_error err = {0};
	int rv;

	p->now += p->step;
	batch->epoch = (uint64_t)p->view.state->epoch;
	batch->now_us = p->now;
	p->sim->crashed = false;
	p->sim->first_new = p->sim->n_objects + 1;
	sim_begin(p->sim); /* it may die before the names begin */
	p->bound = UINT32_MAX;
	p->doomed = p->view.state;
	p->n_plans++;
	rv = jb_planner_new(p->replica, &p->view.base, &p->sim->base, p->can,
			    &p->options, &planner, &err);
	insist(rv == JB_OK);
	rv = p->options.adopt ? jb_replica_begin_adoption(p->replica, &err)
			      : jb_replica_end_adoption(p->replica, &err);
	insist(rv == JB_OK);
	p->crash_commits = true;
	planner->on_names = judge_on_names;
	planner->names_arg = p;
	rv = jb_planner_run(planner, batch, &report, &err);
	jb_planner_free(planner);
	judge_count(p);
	p->crash_commits = false;
	p->sim->n_watched = 0;
	p->report = report;
	p->n_closed += report.closed;
	if (rv != JB_OK) {
		p->n_crashes++;
		if (!p->sim->crashed)
			sim_break(p->sim, "plan failed: %s", err.text);
		if (p->sim->verbose)
			printf("  CRASH %s\n", err.text);
		return false;
	}
	if (p->sim->crashed)
		sim_break(p->sim, "a crash was not noticed");
	if (p->sim->n_operations > p->bound)
		sim_break(p->sim, "plan too long: %u operations",
			  p->sim->n_operations);
	p->more = report.more;
	return true;
}

bool policy_plan(struct policy *p, unsigned upto, unsigned state, bool full)
{
	struct jb_plan_look *looks = malloc((upto + 1) * sizeof *looks);
	struct jb_plan_batch batch = {.looks = looks, .cursor = upto};
	bool ok;

	p->view.state = p->sim->cat = p->world->states[state];
	batch.n_looks = make_looks(p, upto, looks);
	batch.everything =
		full ||
		policy_number(p,
			      "SELECT value FROM meta WHERE key = 'epoch'") !=
			p->view.state->epoch;
	if (p->sim->verbose)
		printf(" plan %d: rows %u to %u of %u, catalog %u of %u, full "
		       "%d\n",
		       p->number, p->cursor, upto, p->world->n_rows, state,
		       p->world->n_states - 1, batch.everything);
	ok = run_plan(p, &batch);
	free(looks);
	if (ok)
		p->cursor = upto;
	return ok;
}

/* What the walk found, as a batch. */
static void take_found(struct jb_plan_look *looks, struct jb_plan_batch *batch,
		       const struct jb_differences *found)
{
	for (size_t i = 0; i < found->n_ids; i++)
		looks[i] = (struct jb_plan_look){.id = found->ids[i]};
	*batch = (struct jb_plan_batch){
		.looks = looks,
		.n_looks = found->n_ids,
		.rids = found->rids,
		.n_rids = found->n_rids,
	};
}

bool policy_look(struct policy *p, struct jb_plan_batch *batch, unsigned state)
{
	unsigned n = 0;

	p->view.state = p->sim->cat = p->world->states[state];
	batch->as_room_allows = true;
	do {
		if (!run_plan(p, batch))
			return false;
		insist(p->report.looked <= batch->n_looks);
		batch->looks += p->report.looked;
		batch->n_looks -= p->report.looked;
		batch->n_rids = 0;
		insist(++n < 200);
	} while (batch->n_looks > 0);
	return true;
}

bool policy_reconcile(struct policy *p, unsigned state)
{
	size_t max = 1 + world_below(p->world, 4);
	struct jb_differences found = {.end = false};
	struct jb_plan_look looks[4];
	struct jb_plan_batch batch;
	struct jb_compare *c;
	struct jb_error err;
	bool ok = true;
	int rv;

	p->view.state = p->sim->cat = p->world->states[state];
	rv = jb_compare_new(p->replica, &p->view.base, &p->sim->base,
			    &(struct jb_compare_options){
				    .patterns = p->patterns,
				    .epoch = (uint64_t)p->view.state->epoch,
			    },
			    &c, &err);
	insist(rv == JB_OK);
	while (ok && !found.end) {
		rv = jb_compare_next(c, max, 1 + world_below(p->world, 8),
				     &found, &err);
		insist(rv == JB_OK);
		if (p->sim->verbose)
			printf(" compare %d: %zu and %zu of %u differ\n",
			       p->number, found.n_ids, found.n_rids,
			       (unsigned)found.compared);
		take_found(looks, &batch, &found);
		ok = world_below(p->world, 2) != 0
			     ? policy_look(p, &batch, state)
			     : run_plan(p, &batch);
		jb_compare_planned(c);
	}
	jb_compare_free(c);
	/* Everything up to this state was looked at: no row of it is read. */
	while (ok && p->cursor < p->world->n_rows &&
	       p->world->rows[p->cursor].state <= state)
		p->cursor++;
	return ok;
}

void policy_plan_all(struct policy *p, unsigned upto, unsigned state, bool full)
{
	unsigned n = 0;

	do
		policy_plan(p, upto, state, full && n == 0);
	while (p->more && ++n < 200);
	if (p->more)
		sim_break(p->sim, "listings that never end");
}

void policy_release(struct policy *p)
{
	int rv = jb_planner_release(p->replica, INT64_MAX, NULL, NULL);

	insist(rv == JB_OK);
}
