/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/client.h"

#include <stdio.h>

static int scan(struct jb_cli *cli, const struct jb_config *config,
		const char *root)
{
	json_t *request, *reply;
	struct jb_error err;
	int rv;

	/* Unknown here, or to a daemon with an older configuration? */
	if (root != NULL && jb_config_root(config, root) == NULL)
		return jb_cli_no_section(cli, config, "Root", root);
	request = json_pack("{s:s, s:s*}", "command", "scan", "root", root);
	if (request == NULL)
		return JB_EXIT_FAILED;
	rv = jb_client_call(config->runtime_dir, request, JB_CLIENT_WAIT_MS,
			    &reply, &err);
	json_decref(request);
	if (rv != JB_OK)
		return jb_cli_fail(cli, &err);
	json_decref(reply);
	return JB_EXIT_OK;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	int code;

	if (!jb_cli_no_options(cli, argc, argv, 1))
		return cli->exit_code;
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	code = scan(cli, config, optind < argc ? argv[optind] : NULL);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_scan = {
	.name = "scan",
	.synopsis = "[ROOT]",
	.summary = "compare the whole tree with the journal, in the background",
	.help = "Begin a scan of ROOT, or of all roots, and return. What it "
		"finds is journalled\nwith source 'scan'; 'status' shows how "
		"far it is, 'flush' waits for its end.\n\n",
	.run = run,
};
