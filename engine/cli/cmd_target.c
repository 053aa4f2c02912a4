/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/policy_request.h"
#include "engine/deliver/delivery.h"

#include <stdio.h>
#include <string.h>

enum { OPT_ADOPT = JB_CLI_OPTION, OPT_CONTENT };

static const struct option longs[] = {
	{"adopt", no_argument, NULL, OPT_ADOPT},
	{"content", no_argument, NULL, OPT_CONTENT},
	JB_CLI_COMMON_OPTIONS,
};

static int init_for(const struct jb_config *config, const char *policy,
		    bool adopt, bool content, bool *was_known,
		    struct jb_error *err)
{
	struct jb_delivery *d;
	json_t *reply = NULL;
	int rv;

	rv = jb_policy_request(config, policy, "init",
			       json_pack("{s:b, s:b}", "adopt", adopt,
					 "content", content),
			       &reply, err);
	*was_known =
		rv == JB_OK && json_is_true(json_object_get(reply, "known"));
	json_decref(reply);
	if (rv != JB_ENOTRUN)
		return rv;
	rv = jb_delivery_open(config, policy, false, &d, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_delivery_init_target(d, adopt, content, was_known, err);
	jb_delivery_close(d);
	return rv;
}

static int init_target(struct jb_cli *cli, const struct jb_config *config,
		       const char *name, bool adopt, bool content)
{
	const char *target;
	struct jb_error err;
	bool was_known;
	size_t n = 0;

	if (jb_config_target(config, name) == NULL)
		return jb_cli_no_section(cli, config, "Target", name);
	for (size_t i = 0; i < config->n_policies; i++) {
		target = jb_config_text(&config->policies[i], "Target");
		if (target == NULL || strcmp(target, name) != 0)
			continue;
		n++;
		if (init_for(config, config->policies[i].name, adopt, content,
			     &was_known, &err) != JB_OK)
			return jb_cli_fail(cli, &err);
		if (was_known)
			printf("target '%s' is already the target of policy "
			       "'%s': nothing to do\n",
			       name, config->policies[i].name);
	}
	if (n == 0)
		return jb_cli_usage(cli, "no policy has Target=%s", name);
	return JB_EXIT_OK;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	bool adopt = false, content = false;
	struct jb_config *config;
	int code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0) {
		adopt = adopt || c == OPT_ADOPT;
		content = content || c == OPT_CONTENT;
	}
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (argc - optind != 2 || strcmp(argv[optind], "init") != 0)
		return jb_cli_usage(cli, "target init NAME: see --help");
	if (content && !adopt)
		return jb_cli_usage(cli, "--content needs --adopt");
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	code = init_target(cli, config, argv[optind + 1], adopt, content);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_target = {
	.name = "target",
	.synopsis = "init NAME [--adopt [--content]]",
	.summary = "say that a directory is to hold a copy",
	.help = "Put our marker into a target. An empty one gets it by itself; "
		"for one that holds\nsomething, and for another disk in its "
		"place, a person says so with this.\nWhat is ours already is "
		"left as it is.\n\n"
		"      --adopt          what equals the source there becomes "
		"ours, without\n                       copying it\n"
		"      --content        compare byte by byte, not by size and "
		"time\n",
	.run = run,
};
