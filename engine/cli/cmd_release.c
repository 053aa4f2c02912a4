/* SPDX-License-Identifier: GPL-2.0-or-later */
/* release: through the daemon, or by ourselves, under the policy's lock, when
 * none is there. */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/policy_request.h"
#include "engine/cli/reply.h"
#include "engine/deliver/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPT_SEQ = JB_CLI_OPTION };

static const struct option longs[] = {
	{"seq", required_argument, NULL, OPT_SEQ},
	JB_CLI_COMMON_OPTIONS,
};

#define NOW INT64_C(-1) /* up to what is held when the command begins */

static int release_there(const struct jb_config *config, const char *policy,
			 int64_t seq, struct jb_released *ret,
			 struct jb_error *err)
{
	json_t *status = NULL, *reply = NULL;
	int rv;

	if (seq == NOW) {
		rv = jb_policy_status(config, policy, &status, err);
		if (rv != JB_OK)
			return rv;
		seq = jb_reply_int(status, "held_seq");
		json_decref(status);
	}
	rv = jb_policy_request(config, policy, "release",
			       json_pack("{s:I}", "seq", (json_int_t)seq),
			       &reply, err);
	if (rv != JB_OK)
		return rv;
	ret->deletions = jb_reply_int(reply, "deletions");
	ret->overwrites = jb_reply_int(reply, "overwrites");
	ret->left.deletions = jb_reply_int(reply, "deletions_left");
	ret->left.overwrites = jb_reply_int(reply, "overwrites_left");
	json_decref(reply);
	return JB_OK;
}

static int release_here(const struct jb_config *config, const char *policy,
			int64_t seq, struct jb_released *ret,
			struct jb_error *err)
{
	struct jb_delivery *d;
	int rv = jb_delivery_open(config, policy, false, &d, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_delivery_release(d, seq == NOW ? INT64_MAX : seq, ret, err);
	jb_delivery_close(d);
	return rv;
}

static void print_released(const struct jb_released *r)
{
	char text[80];

	if (r->deletions + r->overwrites == 0)
		printf("nothing is held%s\n",
		       r->left.deletions + r->left.overwrites > 0
			       ? " from before that"
			       : "");
	if (r->deletions > 0)
		printf("%" PRId64 " deletion%s released\n", r->deletions,
		       r->deletions == 1 ? "" : "s");
	if (r->overwrites > 0)
		printf("%" PRId64 " overwrite%s released\n", r->overwrites,
		       r->overwrites == 1 ? "" : "s");
	if (r->left.deletions + r->left.overwrites == 0)
		return;
	jb_holding_say(&r->left, text, sizeof text);
	printf("%s: they came later, see 'status'\n", text);
}

static int release(struct jb_cli *cli, const struct jb_config *config,
		   const char *policy, int64_t seq)
{
	struct jb_released done = {0};
	struct jb_error err;
	int rv = release_there(config, policy, seq, &done, &err);

	if (rv == JB_ENOTRUN)
		rv = release_here(config, policy, seq, &done, &err);
	if (rv != JB_OK)
		return jb_cli_fail(cli, &err);
	print_released(&done);
	return JB_EXIT_OK;
}

static bool parse_seq(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *text >= '0' && *text <= '9';
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	int64_t seq = NOW;
	int code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0)
		if (!parse_seq(optarg, &seq))
			return jb_cli_usage(cli,
					    "--seq '%s': not a number; "
					    "'status' says which",
					    optarg);
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	config = jb_cli_load_policy(cli, argc, argv);
	if (config == NULL)
		return cli->exit_code;
	code = release(cli, config, argv[optind], seq);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_release = {
	.name = "release",
	.synopsis = "POLICY [--seq N]",
	.summary = "approve what a policy holds",
	.help = "Too many deletions at once (MaxDelete=), or overwrites "
		"(MaxReplace=), are held:\n'status' says how many, and the "
		"command that approves just those. What comes\nlater is "
		"counted anew.\n\n"
		"      --seq N          what was held up to N, as 'status' "
		"shows it; what came\n"
		"                       later stays held. Without it: all that "
		"is held now, be it\n"
		"                       more than you have seen\n",
	.run = run,
};
