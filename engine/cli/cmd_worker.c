/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config_pass.h"
#include "engine/base/log.h"
#include "engine/deliver/worker.h"

#include <unistd.h>

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	struct jb_error err;
	int code = JB_EXIT_OK;

	if (!jb_cli_no_options(cli, argc, argv, 1))
		return cli->exit_code;
	if (optind == argc)
		return jb_cli_usage(cli, "which policy? see --help");
	if (jb_config_load_passed(JB_WORKER_CONFIG_FD, &config, &err) != JB_OK)
		return jb_cli_fail(cli, &err);
	close(JB_WORKER_CONFIG_FD);
	jb_log_set_level((enum jb_log_level)config->log_level);
	if (jb_worker_run(config, argv[optind], &err) != JB_OK)
		code = jb_cli_fail(cli, &err);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_worker = {
	.name = "worker",
	.synopsis = "POLICY",
	.summary = NULL, /* not for people */
	.help = "Serve one policy; started by the daemon.\n\n",
	.run = run,
};
