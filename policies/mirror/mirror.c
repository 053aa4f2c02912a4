/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policies/mirror - a second copy that equals the source, seconds later.
 *
 * Every change is followed, deletions too. A file that is written all the time
 * may be given a rest: with Settle= it is copied only when it was left alone
 * that long, with MinInterval= no more often than that. Both concern content
 * alone; names and attributes follow at once. Settle= is the planner's, too: no
 * plan copies what is younger. Here it spares the plan. */
#include "jb/policy.h"

#include <stdlib.h>
#include <sys/stat.h>

/* How many files' last copies are remembered; more only copy sooner. */
#define SLOTS 8192

struct settings {
	uint64_t settle_us, interval_us;
};

struct recent {
	struct jb_identity id;
	int64_t next_us; /* not copied before */
	bool deferred;	 /* it will be copied then */
};

struct mirror {
	const struct settings *settings; /* borrowed */
	const struct jb_host *host;	 /* borrowed */
	struct recent recent[SLOTS];
};

static int open_mirror(const void *settings, const struct jb_host *host,
		       void **ret, struct jb_error *err)
{
	struct mirror *m = calloc(1, sizeof *m);

	if (m == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "mirror");
	m->settings = settings;
	m->host = host;
	*ret = m;
	return JB_OK;
}

static bool is_content(const struct jb_policy_change *c)
{
	return S_ISREG(c->mode) && (c->what & JB_CHANGE_CONTENT) != 0 &&
	       (c->kind == JB_CHANGE_CREATED || c->kind == JB_CHANGE_MODIFIED);
}

/* When may this version be copied at the earliest? */
static int64_t wait_until(struct mirror *m, const struct jb_policy_change *c,
			  int64_t now_us)
{
	const struct settings *s = m->settings;
	struct recent *r = &m->recent[c->id.ino % SLOTS];
	int64_t until = 0;

	if (!is_content(c))
		return 0;
	if (s->settle_us > 0)
		until = c->time_us + (int64_t)s->settle_us;
	if (s->interval_us == 0)
		return until;
	if (r->id.ino != c->id.ino || r->id.birth != c->id.birth)
		*r = (struct recent){.id = c->id};
	if (r->deferred && r->next_us <= now_us) {
		r->deferred = false; /* then it was copied */
		r->next_us += (int64_t)s->interval_us;
	}
	if (r->next_us > now_us) {
		r->deferred = true;
		return r->next_us > until ? r->next_us : until;
	}
	r->next_us = now_us + (int64_t)s->interval_us;
	return until;
}

static int plan(void *policy, const struct jb_policy_change *changes, size_t n,
		jb_emit_fn *emit, struct jb_plan_sink *sink,
		struct jb_error *err)
{
	struct mirror *m = policy;
	int64_t now_us = m->host->now_us(m->host);
	struct jb_operation op;
	int rv = JB_OK;

	(void)err;
	for (size_t i = 0; i < n && rv == JB_OK; i++) {
		op = (struct jb_operation){
			.kind = JB_OPERATION_FOLLOW,
			.change = &changes[i],
			.until_us = wait_until(m, &changes[i], now_us),
		};
		if (op.until_us > now_us)
			op.kind = JB_OPERATION_DEFER;
		rv = emit(sink, &op);
	}
	return rv;
}

static void close_mirror(void *policy)
{
	free(policy);
}

static const struct jb_option options[] = {
	{"Settle", JB_OPTION_DURATION, offsetof(struct settings, settle_us),
	 NULL,
	 "Copy a file only when its content was left alone this long, in a "
	 "first copy and a full pass too."},
	{"MinInterval", JB_OPTION_DURATION,
	 offsetof(struct settings, interval_us), NULL,
	 "Copy the same file no more often than this, except by a full pass "
	 "and after a restart."},
	{0},
};

JB_POLICY_EXPORT
const struct jb_policy_ops jb_policy = {
	.abi = JB_POLICY_ABI,
	.size = sizeof(struct jb_policy_ops),
	.name = "mirror",
	.summary = "a local copy, kept equal to the source",
	.options = options,
	.settings_size = sizeof(struct settings),
	.open = open_mirror,
	.plan = plan,
	.close = close_mirror,
	.flags = JB_POLICY_FOLLOWS_ALL,
};
