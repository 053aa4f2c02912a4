/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/output.h"
#include "engine/cli/policy_request.h"
#include "engine/cli/reader.h"
#include "engine/deliver/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { OPT_CONTENT = JB_CLI_OPTION, OPT_REPAIR };

static const struct option longs[] = {
	{"content", no_argument, NULL, OPT_CONTENT},
	{"repair", no_argument, NULL, OPT_REPAIR},
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

/* What is to be done with a copy, and what is said of it. */
struct remedy {
	const char *request;
	int (*note)(struct jb_delivery *d, uint64_t rid, struct jb_error *err);
	const char *words;
};

static const struct remedy recopy = {"recopy", jb_delivery_recopy,
				     "will be copied again"};
static const struct remedy reattribute = {
	"reattribute", jb_delivery_reattribute,
	"will have their attributes set again"};

/* By the daemon, or without one noted for the next run. */
static int ask_for(const struct remedy *r, const struct jb_config *config,
		   const char *policy, uint64_t rid, struct jb_error *err)
{
	struct jb_delivery *d;
	int rv = jb_policy_request(config, policy, r->request,
				   json_pack("{s:I}", "rid", (json_int_t)rid),
				   NULL, err);

	if (rv != JB_ENOTRUN)
		return rv;
	rv = jb_delivery_open(config, policy, false, &d, err);
	if (rv != JB_OK)
		return rv;
	rv = r->note(d, rid, err);
	jb_delivery_close(d);
	return rv;
}

static int repair(const struct remedy *r, const struct jb_verify_rids *rids,
		  const struct jb_config *config, const char *policy,
		  struct jb_error *err)
{
	size_t n = 0;
	int rv;

	for (size_t i = 0; i < rids->n; i++) {
		rv = ask_for(r, config, policy, rids->v[i], err);
		/* Replaced meanwhile, perhaps by us under another name. */
		if (rv != JB_OK && rv != JB_ENOENT)
			return rv;
		n += rv == JB_OK;
	}
	if (n > 0)
		printf("policy %s: %zu %s\n", policy, n, r->words);
	return JB_OK;
}

/* What is known to be undone is no difference; but the copy isn't equal. */
static void say_undone(const struct jb_verify *v,
		       const struct jb_config *config, const char *policy)
{
	struct jb_delivery_status s;

	if (v->owes_full)
		printf("policy %s: it owes a full pass\n", policy);
	else if (v->unread > 0)
		printf("policy %s: %" PRId64 " change%s not carried out yet\n",
		       policy, v->unread, v->unread == 1 ? "" : "s");
	if (jb_delivery_status_read(config, policy, &s, NULL) != JB_OK ||
	    s.pending + s.owed == 0)
		return;
	printf("policy %s: %" PRId64 " not done yet, see 'query --policy %s "
	       "--unsynced'\n",
	       policy, s.pending + s.owed, policy);
}

/* What to do about @n differences. */
static void advise(const struct jb_verify *v, int64_t n, const char *policy)
{
	int64_t mended = (int64_t)(v->rotten.n + v->worn.n);

	if (mended > 0)
		printf("policy %s: 'verify --content --repair' mends rot and "
		       "attributes\n",
		       policy);
	if (n > mended)
		printf("policy %s: 'reset %s' compares again: what is missing "
		       "is copied, what somebody changed is pending then\n",
		       policy, policy);
}

static int check_policy(struct jb_verify *v, const struct jb_config *config,
			const char *policy, bool may_repair,
			struct jb_error *err)
{
	int64_t before = v->differ;
	int rv = jb_verify_policy(v, config, policy, err);

	if (!may_repair)
		advise(v, v->differ - before, policy);
	if (rv == JB_OK)
		say_undone(v, config, policy);
	if (rv == JB_OK && may_repair)
		rv = repair(&recopy, &v->rotten, config, policy, err);
	if (rv == JB_OK && may_repair)
		rv = repair(&reattribute, &v->worn, config, policy, err);
	return rv;
}

/* What can't be looked at is told, and keeps nothing else from being looked at.
 * Of several codes the smallest is the worst: 1 says that something is wrong, 3
 * and 75 that it can't be known now. */
static void note(struct jb_cli *cli, int rv, const struct jb_error *err,
		 int *code)
{
	int one;

	if (rv == JB_OK)
		return;
	fflush(stdout);
	one = jb_cli_fail(cli, err);
	if (*code == JB_EXIT_OK || one < *code)
		*code = one;
}

static int check_all(struct jb_cli *cli, struct jb_verify *v,
		     const struct jb_config *config, bool may_repair)
{
	const struct jb_config_section *p;
	int code = JB_EXIT_OK, rv;
	struct jb_error err;
	int64_t before;

	rv = check_databases(v, config, &err);
	note(cli, rv, &err, &code);
	if (v->differ > 0) /* nothing that they say can be believed */
		return code;
	for (size_t i = 0; i < config->n_roots; i++) {
		before = v->differ;
		rv = jb_verify_root(v, config, &config->roots[i], &err);
		if (v->differ > before)
			printf("root %s: 'scan %s' brings the journal up to "
			       "it\n",
			       config->roots[i].name, config->roots[i].name);
		note(cli, rv, &err, &code);
	}
	for (size_t i = 0; i < config->n_policies; i++) {
		p = &config->policies[i];
		if (jb_config_text(p, "Target") == NULL)
			continue;
		rv = check_policy(v, config, p->name, may_repair, &err);
		note(cli, rv, &err, &code);
	}
	return code;
}

static int verify(struct jb_cli *cli, struct jb_verify *v,
		  const struct jb_config *config, bool may_repair)
{
	struct jb_error err;
	int code;

	if (jb_reader_check(config->state_dir, &err) != JB_OK)
		return jb_cli_fail(cli, &err);
	code = check_all(cli, v, config, may_repair);
	printf("%" PRId64 " entries checked, %" PRId64 " differ\n", v->checked,
	       v->differ);
	return v->differ > 0 ? JB_EXIT_FAILED : code;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_verify v = {.tell = print_difference};
	struct jb_config *config;
	bool may_repair = false;
	int code, c;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0) {
		v.content = v.content || c == OPT_CONTENT;
		may_repair = may_repair || c == OPT_REPAIR;
	}
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (optind < argc)
		return jb_cli_usage(cli, "what is '%s' for? see --help",
				    argv[optind]);
	if (may_repair && !v.content)
		return jb_cli_usage(cli, "--repair needs --content");
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	code = verify(cli, &v, config, may_repair);
	jb_verify_fini(&v);
	jb_config_free(config);
	return code;
}

const struct jb_command jb_command_verify = {
	.name = "verify",
	.synopsis = "[--content [--repair]]",
	.summary = "is what is remembered true?",
	.help = "Check the databases, the catalog against the live trees, and "
		"what each policy\nremembers against its target. What differs "
		"is listed, exit 1. What is changing\nat the moment differs "
		"too: 'flush' first. What can't be looked at (a root or\n"
		"target that is not mounted) is told, and the others are "
		"looked at: exit 3 if\nnothing differs.\n\n"
		"      --content        read all copies, compare with the XXH3 "
		"of when they were\n"
		"                       made, and their xattrs and ACLs with "
		"the source's\n"
		"      --repair         copy again those whose content "
		"changed, though size and\n"
		"                       time did not, and set attributes that "
		"differ again;\n"
		"                       without it nothing is changed\n",
	.run = run,
};
