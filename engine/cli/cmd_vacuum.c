/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/base/duration.h"
#include "engine/base/size.h"
#include "engine/cli/client.h"
#include "engine/cli/output.h"
#include "engine/cli/reply.h"

#include <stdio.h>

enum { OPT_TIME = JB_CLI_OPTION, OPT_SIZE };

static const struct option longs[] = {
	{"time", required_argument, NULL, OPT_TIME},
	{"size", required_argument, NULL, OPT_SIZE},
	JB_CLI_COMMON_OPTIONS,
};

struct wanted {
	bool has_span;
	uint64_t span_us, size;
};

static bool parse_options(struct jb_cli *cli, int argc, char **argv,
			  struct wanted *w)
{
	struct jb_error err;
	int c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0) {
		if (c == OPT_TIME &&
		    jb_duration_parse(optarg, &w->span_us, &err) == JB_OK &&
		    w->span_us <= INT64_MAX / 2) {
			w->has_span = true;
		} else if (c == OPT_TIME) {
			jb_cli_usage(cli, "--time '%s': a span: 30d, 6h",
				     optarg);
			return false;
		} else if (jb_size_parse(optarg, &w->size, &err) != JB_OK ||
			   w->size == 0 || w->size > INT64_MAX) {
			jb_cli_usage(cli, "--size '%s': a size: 500M, 2G",
				     optarg);
			return false;
		}
	}
	if (c == JB_CLI_STOP)
		return false;
	if (optind == argc)
		return true;
	jb_cli_usage(cli, "what is '%s' for? see --help", argv[optind]);
	return false;
}

static void print_reply(const json_t *reply)
{
	const char *policy =
		json_string_value(json_object_get(reply, "held_by"));
	char n[JB_OUT_COUNT_MAX], size[JB_SIZE_TEXT_MAX];

	int64_t changes = jb_reply_int(reply, "changes");
	int64_t gaps = jb_reply_int(reply, "gaps");

	printf("%s change%s no longer kept", jb_out_count(changes, n),
	       changes == 1 ? " is" : "s are");
	if (gaps > 0)
		printf(", and %s gap%s", jb_out_count(gaps, n),
		       gaps == 1 ? "" : "s");
	printf("; %s given back\n",
	       jb_size_format((uint64_t)jb_reply_int(reply, "bytes"), size,
			      sizeof size));
	if (policy != NULL && jb_reply_int(reply, "first_seq") ==
				      jb_reply_int(reply, "held_seq") + 1)
		printf("changes from %s on are kept for policy '%s', which "
		       "reads on there when it is started anew: see its LAG in "
		       "'status'\n",
		       jb_out_count(jb_reply_int(reply, "held_seq") + 1, n),
		       policy);
}

static int vacuum(struct jb_cli *cli, const struct jb_config *config,
		  const struct wanted *w)
{
	json_t *request, *reply;
	struct jb_error err;
	int rv;

	request = json_pack("{s:s}", "command", "vacuum");
	if (w->has_span)
		json_object_set_new(request, "span_us",
				    json_integer((json_int_t)w->span_us));
	if (w->size > 0)
		json_object_set_new(request, "size",
				    json_integer((json_int_t)w->size));
	rv = jb_client_call(config->runtime_dir, request, -1, &reply, &err);
	json_decref(request);
	if (rv != JB_OK)
		return jb_cli_fail(cli, &err);
	print_reply(reply);
	json_decref(reply);
	return JB_EXIT_OK;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct wanted wanted = {0};
	struct jb_config *config;
	int code;

	if (!parse_options(cli, argc, argv, &wanted))
		return cli->exit_code;
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	code = vacuum(cli, config, &wanted);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_vacuum = {
	.name = "vacuum",
	.synopsis = "[--time SPAN] [--size SIZE]",
	.summary = "drop old changes now, and make the journal's file smaller",
	.help = "Drop what is older than Retain=, and give free space back to "
		"the file system.\nThe daemon does it in small steps, beside "
		"its work. What a policy has not read\nyet stays.\n\n"
		"      --time SPAN      keep only what is younger: 30d, 6h\n"
		"      --size SIZE      and no more than this: 500M, 2G\n",
	.run = run,
};
