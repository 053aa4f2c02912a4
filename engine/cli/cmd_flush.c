/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/base/duration.h"
#include "engine/cli/client.h"
#include "engine/cli/policy_request.h"

#include <limits.h>
#include <stdio.h>

/* The daemon keeps the time; should it be stuck, we do. */
#define GRACE_MS 2000

enum { OPT_TIMEOUT = JB_CLI_OPTION, OPT_POLICY };

static const struct option longs[] = {
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"policy", required_argument, NULL, OPT_POLICY},
	JB_CLI_COMMON_OPTIONS,
};

static bool parse_timeout(struct jb_cli *cli, int *ret_ms)
{
	struct jb_error err;
	uint64_t us;

	if (jb_duration_parse(optarg, &us, &err) != JB_OK) {
		jb_cli_usage(cli, "--timeout: %s", err.text);
		return false;
	}
	if (us == 0) /* at once; 0 is for ever */
		us = 1;
	*ret_ms =
		us / 1000 > INT_MAX - GRACE_MS ? -1 : (int)((us + 999) / 1000);
	return true;
}

static void print_away(const json_t *reply)
{
	const json_t *names = json_object_get(reply, "away");

	for (size_t i = 0; i < json_array_size(names); i++)
		fprintf(stderr,
			JB_PROGRAM
			" flush: root '%s' is not there: what "
			"changes in it is recorded when it is back\n",
			json_string_value(json_array_get(names, i)));
}

static int flush(struct jb_cli *cli, const char *runtime_dir,
		 const char *policy, int timeout_ms)
{
	json_t *request, *reply;
	struct jb_error err;
	int rv;

	request =
		json_pack("{s:s, s:i, s:s*}", "command", "flush", "timeout_ms",
			  timeout_ms >= 0 ? timeout_ms : 0, "policy", policy);
	if (request == NULL)
		return JB_EXIT_FAILED;
	rv = jb_client_call(runtime_dir, request,
			    timeout_ms >= 0 ? timeout_ms + GRACE_MS : -1,
			    &reply, &err);
	json_decref(request);
	if (rv != JB_OK)
		return jb_cli_fail(cli, &err);
	print_away(reply);
	rv = jb_policy_print_unsynced(reply) > 0 ? JB_EXIT_FAILED : JB_EXIT_OK;
	json_decref(reply);
	return rv;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	const char *policy = NULL;
	int timeout_ms = -1, code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0) {
		if (c == OPT_POLICY)
			policy = optarg;
		else if (!parse_timeout(cli, &timeout_ms))
			return cli->exit_code;
	}
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (optind < argc)
		return jb_cli_usage(cli, "what is '%s' for? see --help",
				    argv[optind]);
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	if (policy != NULL && jb_config_policy(config, policy) == NULL)
		code = jb_cli_no_section(cli, config, "Policy", policy);
	else
		code = flush(cli, config->runtime_dir, policy, timeout_ms);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_flush = {
	.name = "flush",
	.synopsis = "[--policy P] [--timeout T]",
	.summary = "wait until all changes made so far are in the journal",
	.help = "Return when every change made before this call is in the "
		"journal, or was carried\nout by policy P; what failed before "
		"is tried once more. Exit 1: some entries are\nnot at the "
		"target, or can't be removed there, they are listed; 3: the "
		"policy is\nheld. A root that is not there is named.\n\n"
		"      --policy P       wait for this policy's target\n"
		"      --timeout T      give up after T (30s, 5min), exit 4\n",
	.run = run,
};
