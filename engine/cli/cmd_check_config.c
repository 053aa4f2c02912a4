/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/birth.h"
#include "engine/base/config.h"
#include "engine/base/config_keys.h"
#include "engine/base/duration.h"
#include "engine/base/fs_type.h"
#include "engine/base/mount_place.h"
#include "engine/base/pattern.h"
#include "engine/base/size.h"
#include "engine/cli/coverage.h"
#include "engine/cli/dir_state.h"
#include "engine/deliver/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_journal(const struct jb_config *c)
{
	char retain[JB_DURATION_TEXT_MAX], size[JB_SIZE_TEXT_MAX];

	printf("%s: no errors", c->file);
	if (c->n_files > 1)
		printf(" (nor in %zu of conf.d)", c->n_files - 1);
	printf("\n\njournal  %s, changes are kept %s", c->state_dir,
	       c->retain_us == 0 ? "for ever"
				 : jb_duration_format(c->retain_us, retain,
						      sizeof retain));
	if (c->max_journal != 0)
		printf(", at most %s",
		       jb_size_format(c->max_journal, size, sizeof size));
	printf("\ncontrol  %s\n", c->runtime_dir);
}

static void print_rules(const struct jb_patterns *p, const char *indent)
{
	static const char *const heads[] = {"but not", "takes  "};
	const char *pattern;
	bool include, last = false;

	for (size_t i = 0; (pattern = jb_patterns_at(p, i, &include)); i++) {
		if (i > 0 && include == last)
			printf(" %s", pattern);
		else
			printf("%s%s%s  %s", i > 0 ? "\n" : "", indent,
			       heads[include], pattern);
		last = include;
	}
	if (p != NULL)
		printf("%s\n", jb_patterns_are_only(p) ? "  (only that)" : "");
}

/* rsync's meaning is not always the one that was meant. */
static void print_hints(const struct jb_patterns *p, const char *indent)
{
	const char *pattern;
	bool include;

	for (size_t i = 0; jb_patterns_are_only(p) &&
			   (pattern = jb_patterns_at(p, i, &include));
	     i++) {
		size_t len = strlen(pattern);

		if (len > 1 && pattern[len - 1] == '/')
			printf("%snote     %s takes the directory alone, "
			       "nothing in it: write %s***\n",
			       indent, pattern, pattern);
	}
}

/* The kernel reports what this machine does, no more. */
static void print_network(const struct jb_config_root *r)
{
	struct jb_mount_place place = {0};
	char text[JB_DURATION_TEXT_MAX];

	if (jb_mount_place_find(r->path, &place, NULL) != JB_OK)
		return;
	if (jb_fs_type_is_network(place.type))
		printf("  warning  a network mount (%s): what others change "
		       "raises no event;\n           scanned every %s. Watch "
		       "on the server instead\n",
		       place.type,
		       r->rescan_us != 0 ? jb_duration_format(r->rescan_us,
							      text, sizeof text)
					 : "(never: RescanInterval=off)");
	jb_mount_place_fini(&place);
}

static void print_seconds(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0 && jb_keeps_whole_seconds(fd))
		printf("  warning  its inodes of 128 bytes keep times as whole "
		       "seconds: a second change\n           within one of "
		       "them may be missed; unmounted, 'tune2fs -I 256' "
		       "makes room\n");
	if (fd >= 0)
		close(fd);
}

static void print_root(const struct jb_config_root *r)
{
	static const char *const backends[] = {"auto", "fanotify", "inotify"};
	char patrol[JB_DURATION_TEXT_MAX];

	printf("\nroot %s\n  path     %s\n  backend  %s\n", r->name, r->path,
	       backends[r->backend]);
	if (r->patrol_us != 0)
		printf("  patrol   every %s\n",
		       jb_duration_format(r->patrol_us, patrol, sizeof patrol));
	print_network(r);
	print_seconds(r->path);
	print_rules(r->patterns, "  ");
	print_hints(r->patterns, "  ");
}

/* What a policy would be held for, as far as a look tells. */
static void print_state(bool must_be_mounted, const struct jb_dir_state *s)
{
	const char *type =
		s->errnum == 0 ? jb_fs_type_renumbers(s->type) : NULL;

	if (s->errnum == ETIMEDOUT)
		printf("  warning  nothing answers there within %d s: see to "
		       "its server; policies wait for it\n",
		       JB_DIR_STATE_WAIT_S);
	else if (s->errnum == ENOENT || s->errnum == ENOTDIR)
		printf("  warning  no such directory: mount or make it, its "
		       "policies are held until then\n");
	else if (s->errnum != 0)
		printf("  warning  %s: its policies are held\n",
		       strerrordesc_np(s->errnum));
	else if (must_be_mounted && !s->is_mount)
		printf("  warning  not mounted: its policies are held until it "
		       "is\n");
	else if (type != NULL)
		printf("  warning  no target: %s gives files new inode numbers "
		       "from time to time, so\n           nobody can tell "
		       "which are ours: use ext4, xfs or btrfs\n",
		       type);
}

static int print_target(const struct jb_config_section *t, struct jb_error *err)
{
	const char *path = jb_config_text(t, "Path");
	bool must_be_mounted = jb_config_bool(t, "RequireMount");
	struct jb_dir_state state;
	int rv = jb_dir_state_ask(path, &state, err);

	if (rv != JB_OK)
		return rv;
	printf("\ntarget %s\n  path     %s (%s)%s\n", t->name, path,
	       jb_config_text(t, "Transport"),
	       must_be_mounted ? ", must be mounted" : "");
	print_state(must_be_mounted, &state);
	if (jb_config_size(t, "MinFree") != 0)
		printf("  keeps    %s free\n", jb_config_text(t, "MinFree"));
	return JB_OK;
}

static int print_policy(const struct jb_config *c,
			const struct jb_config_section *p, struct jb_error *err)
{
	const char *root = jb_config_text(p, "Root");
	struct jb_patterns *patterns = NULL;
	char *dir = NULL;
	int rv;

	printf("\npolicy %s\n  plugin   %s\n", p->name,
	       jb_config_text(p, "Plugin"));
	rv = jb_config_target_dir(c, p, &dir, err);
	if (rv == JB_OK)
		rv = jb_config_patterns(p, &patterns, err);
	if (root != NULL)
		printf("  root     %s\n", root);
	if (dir != NULL)
		printf("  target   %s, %s\n", jb_config_text(p, "Target"), dir);
	print_rules(patterns, "  ");
	print_hints(patterns, "  ");
	jb_patterns_free(patterns);
	free(dir);
	return rv;
}

static int print_config(const struct jb_config *c, struct jb_error *err)
{
	int rv = JB_OK;

	print_journal(c);
	for (size_t i = 0; i < c->n_roots; i++)
		print_root(&c->roots[i]);
	for (size_t i = 0; rv == JB_OK && i < c->n_targets; i++)
		rv = print_target(&c->targets[i], err);
	for (size_t i = 0; rv == JB_OK && i < c->n_policies; i++)
		rv = print_policy(c, &c->policies[i], err);
	if (c->n_policies == 0)
		printf("\nno policies: changes are journalled, nothing is "
		       "copied\n");
	for (size_t i = 0; rv == JB_OK && c->n_policies > 0 && i < c->n_roots;
	     i++)
		rv = jb_coverage_print(c, &c->roots[i], err);
	return rv;
}

static void print_keys(void)
{
	const struct jb_config_option *o;
	const char *section = "";

	for (size_t i = 0; i < jb_config_n_options; i++) {
		o = &jb_config_options[i];
		if (o->is_reserved)
			continue;
		if (strcmp(section, o->section) != 0)
			printf("%s[%s%s]\n", i > 0 ? "\n" : "", o->section,
			       strcmp(o->section, "Journal") != 0 ? " NAME"
								  : "");
		section = o->section;
		printf("%s=%s\n    %s\n", o->key,
		       o->fallback != NULL ? o->fallback : "", o->help);
		if (o->choices != NULL)
			printf("    Choices: %s\n", o->choices);
	}
}

/* Before anything else looks at them. */
static int check_answers(const struct jb_config *c, struct jb_error *err)
{
	const struct jb_config_root *r;
	struct jb_dir_state state;
	int rv = JB_OK;

	for (size_t i = 0; rv == JB_OK && i < c->n_roots; i++) {
		r = &c->roots[i];
		rv = jb_dir_state_ask(r->path, &state, err);
		if (rv == JB_OK && state.errnum == ETIMEDOUT)
			rv = jb_error_set(
				err, JB_ECONFIG, ETIMEDOUT,
				"%s:%d: [Root %s] %s: nothing answers "
				"there within %d s; see to its "
				"server, or change Path=",
				r->where.file, r->where.line, r->name, r->path,
				JB_DIR_STATE_WAIT_S);
	}
	return rv;
}

static int check(const struct jb_config *c, struct jb_error *err)
{
	int rv = jb_config_check_available(c, err);

	if (rv == JB_OK)
		rv = check_answers(c, err);
	if (rv == JB_OK)
		rv = jb_config_check_paths(c, JB_CONFIG_ABSENT_IS_WRONG, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_plugin_check_all(c, err);
	if (rv != JB_OK && rv != JB_ENOMEM)
		err->code = JB_ECONFIG; /* it names what is not there */
	return rv;
}

static int run_check_config(struct jb_cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{"keys", no_argument, NULL, 'k'},
		JB_CLI_COMMON_OPTIONS,
	};
	struct jb_config *config;
	struct jb_error err;
	bool keys = false;
	int c, rv;

	while ((c = jb_cli_option(cli, argc, argv, ":h", longs)) >= 0)
		keys = true;
	if (c == JB_CLI_STOP)
		return cli->exit_code;
	if (optind < argc)
		return jb_cli_usage(cli, "what is '%s' for? see --help",
				    argv[optind]);
	if (keys) {
		print_keys();
		return JB_EXIT_OK;
	}
	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	rv = check(config, &err);
	if (rv == JB_OK)
		rv = print_config(config, &err);
	jb_config_free(config);
	return rv == JB_OK ? JB_EXIT_OK : jb_cli_fail(cli, &err);
}

const struct jb_command jb_command_check_config = {
	.name = "check-config",
	.synopsis = "[--keys]",
	.summary = "say what the configuration means, or what is wrong with it",
	.help = "Read the configuration as the daemon does, and print what is "
		"watched, and what\nof it goes where: the tree is looked at as "
		"far as patterns can tell its names\napart. Exit 2, and one "
		"line, if something is wrong.\n\n"
		"      --keys           list every key, its default and what "
		"it is for\n",
	.run = run_check_config,
};
