/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policies/template - the start of a policy of your own.
 *
 * Copy this folder, build it with the installed headers, put the result into
 * the plugin directory and name it in the configuration:
 *
 *     cc -shared -fPIC $(pkg-config --cflags jb-policy) -o mine.so template.c
 *     install mine.so "$(pkg-config --variable=plugindir jb-policy)"
 *
 *     [Policy second]
 *     Plugin=mine
 *     Root=nfs
 *     Target=disk
 *
 * The engine reads the journal and calls plan() with some changes at a time.
 * For each one that matters, emit() says so; the engine then makes the target
 * hold what the source has there. A policy never copies by itself.
 *
 * This one follows everything but deletions, which wait for a full pass
 * (`journalctl-backup reset second`), and says how much it moved. One that lets
 * nothing go by says so, with .flags = JB_POLICY_FOLLOWS_ALL. */
#include "jb/policy.h"

#include <stdio.h>
#include <stdlib.h>

struct template
{
	const struct jb_host *host; /* borrowed; lives longer than we do */
	int64_t bytes;
};

/* Called once per start of the worker. Failing here holds the policy. */
static int open_template(const void *settings, const struct jb_host *host,
			 void **ret, struct jb_error *err)
{
	struct template *t = calloc(1, sizeof *t);

	(void)settings; /* without an option table it is NULL */
	if (t == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "template");
	t->host = host;
	*ret = t;
	return JB_OK;
}

/* At least once, in order: after a crash the same changes come again. */
static int plan(void *policy, const struct jb_policy_change *changes, size_t n,
		jb_emit_fn *emit, struct jb_plan_sink *sink,
		struct jb_error *err)
{
	struct jb_operation op = {.kind = JB_OPERATION_FOLLOW};
	int rv;

	(void)policy;
	(void)err;
	for (size_t i = 0; i < n; i++) {
		if (changes[i].kind == JB_CHANGE_DELETED)
			continue;
		op.change = &changes[i];
		rv = emit(sink, &op);
		if (rv != JB_OK)
			return rv;
	}
	return JB_OK;
}

/* What became of it. `reason` says why something is left for later: it is
 * tried again, there is nothing to do for a policy. */
static void settled(void *policy, const struct jb_outcome_of *outcomes,
		    size_t n)
{
	struct template *t = policy;
	char line[64];

	for (size_t i = 0; i < n; i++)
		t->bytes += outcomes[i].reason == NULL ? outcomes[i].bytes : 0;
	snprintf(line, sizeof line, "%lld bytes so far", (long long)t->bytes);
	t->host->log(t->host, JB_HOST_DEBUG, line);
}

static void close_template(void *policy)
{
	free(policy);
}

/* The only symbol that the engine looks for. */
JB_POLICY_EXPORT
const struct jb_policy_ops jb_policy = {
	.abi = JB_POLICY_ABI,
	.size = sizeof(struct jb_policy_ops),
	.name = "template",
	.summary = "a start for others: follows everything but deletions",
	.open = open_template,
	.plan = plan,
	.settled = settled,
	.close = close_template,
};
