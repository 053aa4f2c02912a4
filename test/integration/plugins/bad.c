/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy that misbehaves as How= says, as soon as an entry called "trigger"
 * has changed; until then it follows every change. */
#include "jb/policy.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct settings {
	const char *how;
	uint64_t patience_us;
};

static const struct jb_policy_entry forged_entry = {.rid = 1};
static const struct jb_policy_change forged_change = {.seq = 1, .path = "x"};

static int open_bad(const void *settings, const struct jb_host *host,
		    void **ret, struct jb_error *err)
{
	const struct settings *s = settings;

	(void)host;
	(void)err;
	if (s->how != NULL && strcmp(s->how, "closed") == 0)
		return JB_ENOTSUP;
	*ret = (void *)settings;
	return JB_OK;
}

static int misbehave(const char *how, const struct jb_policy_change *c,
		     jb_emit_fn *emit, struct jb_plan_sink *sink)
{
	struct jb_operation op = {.kind = JB_OPERATION_FOLLOW, .change = c};

	if (strcmp(how, "crash") == 0)
		raise(SIGKILL);
	if (strcmp(how, "hang") == 0)
		for (;;)
			pause();
	if (strcmp(how, "number") == 0)
		return 7;
	if (strcmp(how, "kind") == 0)
		op.kind = (enum jb_operation_kind)77;
	if (strcmp(how, "change") == 0)
		op.change = &forged_change;
	if (strcmp(how, "entry") == 0) {
		op.change = NULL;
		op.entry = &forged_entry;
	}
	if (strcmp(how, "nothing") == 0)
		op.change = NULL;
	emit(sink, &op); /* what it says is not heard */
	return JB_OK;
}

static int plan(void *policy, const struct jb_policy_change *changes, size_t n,
		jb_emit_fn *emit, struct jb_plan_sink *sink,
		struct jb_error *err)
{
	const struct settings *s = policy;
	int rv = JB_OK;

	(void)err;
	for (size_t i = 0; i < n && rv == JB_OK; i++) {
		struct jb_operation op = {.kind = JB_OPERATION_FOLLOW,
					  .change = &changes[i]};

		if (strcmp(changes[i].path, "trigger") == 0 && s->how != NULL)
			rv = misbehave(s->how, &changes[i], emit, sink);
		else
			rv = emit(sink, &op);
	}
	return rv;
}

static void close_bad(void *policy)
{
	(void)policy;
}

static const struct jb_option options[] = {
	{"How", JB_OPTION_TEXT, offsetof(struct settings, how), NULL,
	 "What it does wrong."},
	{"Patience", JB_OPTION_DURATION, offsetof(struct settings, patience_us),
	 "1s", "Nothing."},
	{0},
};

JB_POLICY_EXPORT
const struct jb_policy_ops jb_policy = {
	.abi = JB_POLICY_ABI,
	.size = sizeof(struct jb_policy_ops),
	.name = "bad",
	.summary = "misbehaves",
	.options = options,
	.settings_size = sizeof(struct settings),
	.open = open_bad,
	.plan = plan,
	.close = close_bad,
};
