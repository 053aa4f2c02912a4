/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/client.h"

#include <stdio.h>

/* A worker may be in the middle of a large file's copy. */
#define WAIT_MS 60000

enum { OPT_BACK = JB_CLI_OPTION };

static const struct option options[] = {
	{"back", no_argument, NULL, OPT_BACK},
	JB_CLI_COMMON_OPTIONS,
};

static int release(struct jb_cli *cli, const struct jb_config *config,
		   const char *name, bool back)
{
	const struct jb_config_root *root = jb_config_root(config, name);
	json_t *request, *reply;
	struct jb_error err;
	int rv;

	if (root == NULL)
		return jb_cli_no_section(cli, config, "Root", name);
	request = json_pack("{s:s, s:s, s:b}", "command", "release-root",
			    "root", name, "back", back);
	rv = jb_client_call(config->runtime_dir, request, WAIT_MS, &reply,
			    &err);
	json_decref(request);
	if (rv != JB_OK)
		return jb_cli_fail(cli, &err);
	json_decref(reply);
	if (back)
		printf("%s is watched again; a scan looks for what was "
		       "missed\n",
		       root->path);
	else
		printf("%s can be unmounted; if it is not, '" JB_PROGRAM
		       " release-root --back %s' watches it again\n",
		       root->path, name);
	return JB_EXIT_OK;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	bool back = false;
	int c, code;

	while ((c = jb_cli_option(cli, argc, argv, ":h", options)) >= 0)
		back = c == OPT_BACK;
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (optind != argc - 1)
		return jb_cli_usage(cli, "which root? Give one NAME of a "
					 "[Root NAME]");
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	code = release(cli, config, argv[optind], back);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_release_root = {
	.name = "release-root",
	.synopsis = "[--back] ROOT",
	.summary = "let go of a root, so that it can be unmounted",
	.help = "Close all that keeps ROOT's file system busy, and wait for it "
		"to be unmounted\nand to come back: then it is watched again, "
		"and scanned. What changes meanwhile\nis a gap until then. "
		"Nothing is taken for deleted.\n\n"
		"      --back           it was not unmounted: watch it again\n",
	.run = run,
};
