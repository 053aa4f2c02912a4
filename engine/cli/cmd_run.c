/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass now: by the daemon's worker, or by ourselves when none is there. */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/base/size.h"
#include "engine/cli/client.h"
#include "engine/cli/output.h"
#include "engine/cli/policy_request.h"
#include "engine/deliver/delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LISTED 10

enum { OPT_DRY_RUN = JB_CLI_OPTION };

static const struct option longs[] = {
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	JB_CLI_COMMON_OPTIONS,
};

static int run_there(struct jb_cli *cli, const struct jb_config *config,
		     const char *policy, struct jb_error *err)
{
	json_t *request =
		json_pack("{s:s, s:s}", "command", "flush", "policy", policy);
	json_t *reply = NULL;
	int rv = jb_client_call(config->runtime_dir, request, -1, &reply, err);

	json_decref(request);
	if (rv == JB_OK && jb_policy_print_unsynced(reply) > 0)
		cli->exit_code = JB_EXIT_FAILED;
	json_decref(reply);
	return rv;
}

/* ---- without a daemon */

static int print_unsynced(void *arg, const struct jb_unsynced_item *item)
{
	size_t *told = arg;

	++*told;
	jb_policy_print_path(stderr, item->path, item->reason);
	return 0;
}

static int work_to_end(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_step step = {0};
	bool retry = true;
	int rv = jb_delivery_retry_all(d, err);

	if (rv != JB_OK)
		return rv;
	do {
		rv = jb_delivery_step(d, retry, &step, err);
		if (rv == JB_OK && !step.worked && !step.more &&
		    !jb_delivery_reached(d, 0))
			return jb_error_set(err, JB_ENOTRUN, 0,
					    "the journal has not seen the root "
					    "yet: start the daemon first");
		retry = false;
	} while (rv == JB_OK && step.more);
	return rv;
}

static int run_here(struct jb_cli *cli, const struct jb_config *config,
		    const char *policy, struct jb_error *err)
{
	struct jb_delivery_status s;
	char size[JB_SIZE_TEXT_MAX], held[80];
	struct jb_delivery *d;
	struct jb_progress p;
	size_t told = 0;
	int rv = jb_delivery_open(config, policy, false, &d, err);

	if (rv != JB_OK)
		return rv;
	rv = work_to_end(d, err);
	if (rv == JB_OK)
		rv = jb_delivery_status(d, &s, err);
	if (rv == JB_OK && s.paused)
		rv = jb_error_set(err, JB_EHELD, 0,
				  "policy '%s' is paused: 'resume %s' lets it "
				  "go on",
				  policy, policy);
	if (rv == JB_OK) {
		jb_delivery_progress(d, &p);
		printf("%" PRIu64 " copied (%s), %" PRIu64 " renamed, %" PRIu64
		       " removed\n",
		       p.copied, jb_size_format(p.bytes, size, sizeof size),
		       p.renamed, p.removed);
		if (s.unsynced > 0)
			cli->exit_code = JB_EXIT_FAILED;
		jb_delivery_unsynced(d, LISTED, print_unsynced, &told, NULL);
		jb_policy_print_more(s.unsynced, told);
	}
	if (rv == JB_OK && s.holding.on) {
		jb_holding_say(&s.holding, held, sizeof held);
		rv = jb_error_set(err, JB_EHELD, 0,
				  "%s: 'release %s --seq %" PRId64
				  "' approves them",
				  held, policy, s.holding.seq);
	}
	jb_delivery_close(d);
	return rv;
}

/* ---- dry */

static void print_effect(void *arg, const struct jb_effect *e)
{
	struct jb_holding *held = arg;

	if (e->reason == JB_REASON_HELD && e->verb == JB_VERB_REMOVE)
		held->deletions++;
	else if (e->reason == JB_REASON_HELD)
		held->overwrites++;
	printf("%-7s ", jb_verb_word(e->verb));
	jb_out_text(stdout, e->path, strlen(e->path));
	if (e->reason != JB_REASON_NONE)
		printf("  (%s)", jb_reason_text((int)e->reason));
	putchar('\n');
}

static int run_dry(const struct jb_config *config, const char *policy,
		   struct jb_error *err)
{
	struct jb_holding held = {.on = false};
	struct jb_delivery *d;
	char text[80];
	int rv = jb_delivery_open(config, policy, true, &d, err);

	if (rv != JB_OK)
		return rv;
	jb_delivery_on_effect(d, print_effect, &held);
	rv = jb_delivery_dry_run(d, err);
	jb_delivery_close(d);
	if (held.deletions + held.overwrites > 0) {
		jb_holding_say(&held, text, sizeof text);
		fprintf(stderr,
			"%s: 'status' shows the command that approves them\n",
			text);
	}
	return rv;
}

static int run_policy(struct jb_cli *cli, const struct jb_config *config,
		      const char *policy, bool dry)
{
	struct jb_error err;
	int rv;

	cli->exit_code = JB_EXIT_OK;
	if (dry) {
		rv = run_dry(config, policy, &err);
	} else {
		rv = run_there(cli, config, policy, &err);
		if (rv == JB_ENOTRUN)
			rv = run_here(cli, config, policy, &err);
	}
	return rv == JB_OK ? cli->exit_code : jb_cli_fail(cli, &err);
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	bool dry = false;
	int code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0)
		dry = true;
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	config = jb_cli_load_policy(cli, argc, argv);
	if (config == NULL)
		return cli->exit_code;
	code = run_policy(cli, config, argv[optind], dry);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_run = {
	.name = "run",
	.synopsis = "POLICY [--dry-run]",
	.summary = "one pass of a policy now",
	.help = "Carry out what the journal has for this policy, try again "
		"what failed before,\nand return when that is done. Without a "
		"daemon: what the journal had last.\nExit 1: some entries are "
		"not at the target, or can't be removed there, they are\n"
		"listed; 3: the policy is held.\n\n"
		"      --dry-run        say what would be done, do nothing\n",
	.run = run,
};
