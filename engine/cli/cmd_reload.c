/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/client.h"

#include <poll.h>

#define BACK_MS 60000
#define LOOK_MS 20

static int ask(const struct jb_config *config, const char *command,
	       json_int_t *opened, struct jb_error *err)
{
	json_t *request = json_pack("{s:s}", "command", command), *reply;
	int rv = jb_client_call(config->runtime_dir, request, JB_CLIENT_WAIT_MS,
				&reply, err);

	json_decref(request);
	if (rv != JB_OK)
		return rv;
	*opened = json_integer_value(json_object_get(reply, "opened"));
	json_decref(reply);
	return JB_OK;
}

/* For a moment there is no socket; whoever asks next shall find it. */
static int wait_until_back(const struct jb_config *config, json_int_t before,
			   struct jb_error *err)
{
	json_int_t now = before;

	for (int ms = 0; ms < BACK_MS; ms += LOOK_MS) {
		if (ask(config, "ping", &now, err) == JB_OK && now != before)
			return JB_OK;
		poll(NULL, 0, LOOK_MS);
	}
	return jb_error_set(err, JB_ENOTRUN, 0,
			    "%s/control: the daemon did not come back: see its "
			    "log",
			    config->runtime_dir);
}

static int reload(const struct jb_config *config, struct jb_error *err)
{
	json_int_t before, ignored;
	int rv = ask(config, "ping", &before, err);

	if (rv == JB_OK)
		rv = ask(config, "reload", &ignored, err);
	return rv == JB_OK ? wait_until_back(config, before, err) : rv;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;
	struct jb_error err;
	int rv;

	if (!jb_cli_no_options(cli, argc, argv, 0))
		return cli->exit_code;
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	rv = reload(config, &err);
	jb_config_free(config);
	return rv == JB_OK ? JB_EXIT_OK : jb_cli_fail(cli, &err);
}

const struct jb_command jb_command_reload = {
	.name = "reload",
	.synopsis = "",
	.summary = "let the daemon read its configuration again",
	.help = "Check the configuration, then let the daemon go on with it. "
		"No event is lost;\nroots whose path or patterns are others "
		"now are scanned. What is wrong, or can't\nchange at run "
		"time, is said here, and the daemon goes on as before. SIGHUP "
		"does\nthe same; then it is said in the log. Returns when the "
		"daemon answers again.\n\n",
	.run = run,
};
