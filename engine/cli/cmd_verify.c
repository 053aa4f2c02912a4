/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/output.h"
#include "engine/deliver/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_CONTENT = JB_CLI_OPTION };

static const struct option longs[] = {
	{"content", no_argument, NULL, OPT_CONTENT},
	JB_CLI_COMMON_OPTIONS,
};

static void print_difference(void *arg, const char *where, const char *path,
			     const char *what)
{
	(void)arg;
	printf("%s: ", where);
	if (path[0] != '\0') {
		jb_out_text(stdout, path, strlen(path));
		fputs(": ", stdout);
	}
	printf("%s\n", what);
}

static int check_databases(struct jb_verify *v, const struct jb_config *config,
			   struct jb_error *err)
{
	char path[4096];
	int rv;

	snprintf(path, sizeof path, "%s/journal.db", config->state_dir);
	rv = jb_verify_database(v, path, err);
	for (size_t i = 0; i < config->n_policies && rv == JB_OK; i++) {
		snprintf(path, sizeof path, "%s/policy-%s.db",
			 config->state_dir, config->policies[i].name);
		rv = jb_verify_database(v, path, err);
	}
	return rv;
}

static int check_all(struct jb_verify *v, const struct jb_config *config,
		     struct jb_error *err)
{
	int rv = check_databases(v, config, err);

	if (rv != JB_OK || v->differ > 0)
		return rv;
	for (size_t i = 0; i < config->n_roots && rv == JB_OK; i++)
		rv = jb_verify_root(v, config, &config->roots[i], err);
	for (size_t i = 0; i < config->n_policies && rv == JB_OK; i++)
		if (jb_config_text(&config->policies[i], "Target") != NULL)
			rv = jb_verify_policy(v, config,
					      config->policies[i].name, err);
	return rv;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_verify v = {.tell = print_difference};
	struct jb_config *config;
	struct jb_error err;
	int code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0)
		v.content = true;
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (optind < argc)
		return jb_cli_usage(cli, "what is '%s' for? see --help",
				    argv[optind]);
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	if (check_all(&v, config, &err) != JB_OK) {
		code = jb_cli_fail(cli, &err);
	} else {
		printf("%" PRId64 " entries checked, %" PRId64 " differ\n",
		       v.checked, v.differ);
		code = v.differ > 0 ? JB_EXIT_FAILED : JB_EXIT_OK;
	}
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_verify = {
	.name = "verify",
	.synopsis = "[--content]",
	.summary = "is what is remembered true? changes nothing",
	.help = "Check the databases, the catalog against the live trees, and "
		"what each policy\nremembers against its target. What differs "
		"is listed, exit 1. What is changing at the\nmoment differs "
		"too: 'flush' first.\n\n"
		"      --content        read all copies, compare with the XXH3 "
		"of when they were made\n",
	.run = run,
};
