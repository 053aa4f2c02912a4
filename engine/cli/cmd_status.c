/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/client.h"
#include "engine/cli/output.h"
#include "engine/cli/reader.h"
#include "engine/cli/status.h"
#include "engine/cli/status_policies.h"

#include <signal.h>

enum { OPT_JSON = JB_CLI_OPTION };

static const struct option longs[] = {
	{"json", no_argument, NULL, OPT_JSON},
	JB_CLI_COMMON_OPTIONS,
};

/* What the database alone tells; its failure is part of the status. */
static void read_journal(struct jb_status *s, const struct jb_config *config)
{
	struct jb_reader reader;
	int rv;

	rv = jb_reader_open(&reader, config->state_dir, &s->journal_error);
	if (rv != JB_OK)
		return;
	rv = jb_overview_read(reader.store, &s->journal, &s->journal_error);
	s->has_journal = rv == JB_OK;
	jb_reader_close(&reader);
}

static void ask_daemon(struct jb_status *s, const struct jb_config *config)
{
	json_t *request = json_pack("{s:s}", "command", "status");

	s->is_running =
		jb_client_call(config->runtime_dir, request, JB_CLIENT_WAIT_MS,
			       &s->reply, &s->daemon_error) == JB_OK;
	json_decref(request);
}

static int show(struct jb_cli *cli, const struct jb_config *config, bool json)
{
	struct jb_status s = {.config = config};
	int code = JB_EXIT_OK;

	signal(SIGPIPE, SIG_IGN);
	ask_daemon(&s, config);
	read_journal(&s, config);
	s.policies = s.is_running
			     ? json_incref(json_object_get(s.reply, "policies"))
			     : jb_status_still_policies(config,
							s.daemon_error.code ==
								JB_ENOTRUN,
							s.journal.last_seq);
	if (json)
		jb_status_print_json(&s, stdout);
	else
		jb_status_print(&s, stdout);
	if (!s.is_running)
		code = jb_cli_exit_code(s.daemon_error.code);
	cli->exit_code = code;
	jb_overview_fini(&s.journal);
	json_decref(s.policies);
	json_decref(s.reply);
	return code;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	bool json = false;
	int code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0)
		json = true;
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (optind < argc)
		return jb_cli_usage(cli, "what is '%s' for? see --help",
				    argv[optind]);
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	code = show(cli, config, json);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_status = {
	.name = "status",
	.synopsis = "[--json]",
	.summary = "what is watched, how far it is, what is wrong",
	.help = "Show the roots: how each is watched and why so, up to when "
		"its changes are in\nthe journal, what waits, open gaps; and "
		"the policies: what each has left to do,\nwhen it ran last, "
		"and when it will though nothing changes. Exit 75 when the\n"
		"daemon is not running.\n\n"
		"      --json           one JSON object\n",
	.run = run,
};
