/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/daemon.h"

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	struct jb_reload reload;
	struct jb_error err;
	int code = JB_EXIT_OK;

	if (!jb_cli_no_options(cli, argc, argv, 0))
		return cli->exit_code;
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	if (jb_daemon_run(config, &reload, &err) != JB_OK ||
	    (reload.again && jb_reload_exec(config, &reload, &err) != JB_OK))
		code = jb_cli_fail(cli, &err);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_daemon = {
	.name = "daemon",
	.synopsis = "",
	.summary = "watch and journal; the service, in the foreground",
	.help = "Watch the configured roots and journal what changes, until "
		"SIGTERM or SIGINT.\nSIGHUP: read the configuration again.\n"
		"\n",
	.run = run,
};
