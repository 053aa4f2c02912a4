/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/sink.h - what a plugin asks for: the looks of the next plan.
 *
 * Lifecycle: zeroed -> (empty -> what the plugin is handed is set -> emit* ->
 * the plan reads the looks)* -> fini. Belongs to the worker's thread. Plugins
 * are somebody else's code: what they ask for is checked against what they were
 * handed. */
#ifndef JB_DELIVER_SINK_H
#define JB_DELIVER_SINK_H

#include "engine/deliver/feed.h"
#include "engine/deliver/planner.h"
#include "jb/policy.h"

struct jb_plan_sink {
	/* what the plugin was handed, and may ask for */
	const struct jb_feed_page *page;       /* borrowed; or NULL */
	const struct jb_policy_entry *entries; /* borrowed */
	size_t n_entries;
	struct jb_plan_look *looks; /* owned */
	size_t n_looks, cap_looks;
	uint64_t *rids; /* owned */
	size_t n_rids, cap_rids;
	struct jb_pending_row *deferred; /* owned */
	size_t n_deferred, cap_deferred;
	struct jb_error err;
};

/* Nothing was handed over, nothing asked for. */
void jb_sink_empty(struct jb_plan_sink *sink);

/* The first @n looks are done; the rest stays for the next plan. */
void jb_sink_looked(struct jb_plan_sink *sink, size_t n);

/* A plugin's emit(). JB_EPROTO: nonsense, sink->err says what; JB_ENOMEM. */
int jb_sink_emit(struct jb_plan_sink *sink, const struct jb_operation *op);

/* Look at an entry, whoever wants it. JB_ENOMEM. */
int jb_sink_look(struct jb_plan_sink *sink, const struct jb_policy_entry *e);

void jb_sink_fini(struct jb_plan_sink *sink);

#endif
