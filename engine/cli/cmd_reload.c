/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/client.h"

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	json_t *request, *reply;
	struct jb_error err;
	int rv;

	if (!jb_cli_no_options(cli, argc, argv, 0))
		return cli->exit_code;
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	request = json_pack("{s:s}", "command", "reload");
	rv = jb_client_call(config->runtime_dir, request, JB_CLIENT_WAIT_MS,
			    &reply, &err);
	json_decref(request);
	jb_config_free(config);
	if (rv != JB_OK)
		return jb_cli_fail(cli, &err);
	json_decref(reply);
	return JB_EXIT_OK;
}

const struct jb_command jb_command_reload = {
	.name = "reload",
	.synopsis = "",
	.summary = "let the daemon read its configuration again",
	.help = "Check the configuration, then let the daemon go on with it. "
		"No event is lost;\nroots whose path or patterns are others "
		"now are scanned. What is wrong, or can't\nchange at run "
		"time, is said here, and the daemon goes on as before. SIGHUP "
		"does\nthe same; then it is said in the log.\n\n",
	.run = run,
};
