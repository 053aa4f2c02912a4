/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pause, resume, reset, policy remove: through the daemon, or by
 * ourselves, under the policy's lock, when none is there. */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/policy_request.h"
#include "engine/cli/reader.h"
#include "engine/deliver/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Parse "POLICY"; NULL: return cli->exit_code. The caller frees. */
static struct jb_config *parse(struct jb_cli *cli, int argc, char **argv)
{
	return jb_cli_no_options(cli, argc, argv, 1)
		       ? jb_cli_load_policy(cli, argc, argv)
		       : NULL;
}

static int do_alone(struct jb_delivery *d, const char *what,
		    struct jb_error *err)
{
	if (strcmp(what, "pause") == 0)
		return jb_delivery_pause(d, true, err);
	if (strcmp(what, "resume") == 0)
		return jb_delivery_pause(d, false, err);
	return jb_delivery_reset(d, err);
}

static int request(const struct jb_config *config, const char *policy,
		   const char *what, struct jb_error *err)
{
	struct jb_delivery *d;
	int rv = jb_policy_request(config, policy, what, NULL, NULL, err);

	if (rv != JB_ENOTRUN)
		return rv;
	rv = jb_delivery_open(config, policy, false, &d, err);
	if (rv != JB_OK)
		return rv;
	rv = do_alone(d, what, err);
	jb_delivery_close(d);
	return rv;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config = parse(cli, argc, argv);
	struct jb_error err;
	int code = JB_EXIT_OK;

	if (config == NULL)
		return cli->exit_code;
	if (request(config, argv[optind], cli->command->name, &err) != JB_OK)
		code = jb_cli_fail(cli, &err);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_pause = {
	.name = "pause",
	.synopsis = "POLICY",
	.summary = "let a policy rest; it stays so until 'resume'",
	.help = "The policy does nothing from now on, also after a restart. "
		"The journal goes on;\nwhat changes meanwhile is carried out "
		"after 'resume'.\n\n",
	.run = run,
};

const struct jb_command jb_command_resume = {
	.name = "resume",
	.synopsis = "POLICY",
	.summary = "let a paused policy go on",
	.help = "End a 'pause'.\n\n",
	.run = run,
};

const struct jb_command jb_command_reset = {
	.name = "reset",
	.synopsis = "POLICY",
	.summary = "compare everything again, and try all that failed",
	.help = "The policy owes a full pass, and all that is pending is tried "
		"at once. Nothing\nthat is equal is copied.\n\n",
	.run = run,
};

/* ---- policy remove */

static int remove_files(const struct jb_config *config, const char *name,
			struct jb_error *err)
{
	static const char *const suffixes[] = {".db-wal", ".db-shm", ".db",
					       ".lock"};
	char path[4096];
	int fd, n = 0;

	snprintf(path, sizeof path, "%s/policy-%s.lock", config->state_dir,
		 name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT) {
		jb_error_errno(err, errno, "%s", path);
		return jb_reader_explain(path, err);
	}
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return jb_error_set(err, JB_EBUSY, errno,
				    "policy '%s' is at work: take it out of "
				    "the configuration and reload the daemon "
				    "first",
				    name);
	}
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(path, sizeof path, "%s/policy-%s%s", config->state_dir,
			 name, suffixes[i]);
		if (unlink(path) == 0)
			n++;
	}
	if (fd >= 0)
		close(fd);
	if (n > 0)
		return JB_OK;
	return jb_error_set(err, JB_ENOENT, 0,
			    "nothing is known of a policy '%s'", name);
}

static int run_policy(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	struct jb_error err;
	int code = JB_EXIT_OK;

	if (!jb_cli_no_options(cli, argc, argv, 2))
		return cli->exit_code;
	if (argc - optind != 2 || strcmp(argv[optind], "remove") != 0)
		return jb_cli_usage(cli, "policy remove NAME: see --help");
	if (strchr(argv[optind + 1], '/') != NULL)
		return jb_cli_usage(cli, "'%s' is no policy's name",
				    argv[optind + 1]);
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	if (remove_files(config, argv[optind + 1], &err) != JB_OK)
		code = jb_cli_fail(cli, &err);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_policy = {
	.name = "policy",
	.synopsis = "remove NAME",
	.summary = "forget a policy that is no longer wanted",
	.help = "Remove what is remembered of a policy: its cursor, its "
		"replica and what is\npending. The copy at the target stays "
		"as it is.\n\n",
	.run = run_policy,
};
