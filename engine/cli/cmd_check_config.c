/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/base/config_keys.h"
#include "engine/base/duration.h"
#include "engine/base/mount_place.h"
#include "engine/base/network_fs.h"
#include "engine/base/pattern.h"
#include "engine/deliver/plugin.h"
#include "engine/base/size.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LISTED_MAX 12 /* names of a kind per root; then a count */

/* One name of a root's first level. */
struct listed {
	char *name; /* owned */
	bool is_dir;
};

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
	if (jb_network_fs_is(place.type))
		printf("  warning  a network mount (%s): what others change "
		       "raises no event;\n           scanned every %s. Watch "
		       "on the server instead\n",
		       place.type,
		       r->rescan_us != 0 ? jb_duration_format(r->rescan_us,
							      text, sizeof text)
					 : "(never: RescanInterval=off)");
	jb_mount_place_fini(&place);
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
	print_rules(r->patterns, "  ");
	print_hints(r->patterns, "  ");
}

static void print_target(const struct jb_config_section *t)
{
	printf("\ntarget %s\n  path     %s (%s)%s\n", t->name,
	       jb_config_text(t, "Path"), jb_config_text(t, "Transport"),
	       jb_config_bool(t, "RequireMount") ? ", must be mounted" : "");
	if (jb_config_size(t, "MinFree") != 0)
		printf("  keeps    %s free\n", jb_config_text(t, "MinFree"));
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

static int compare_listed(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name,
		      ((const struct listed *)b)->name);
}

/* Some file systems leave the type out. */
static bool is_dir(const char *path, const struct dirent *d)
{
	char full[PATH_MAX];
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	snprintf(full, sizeof full, "%s/%s", path, d->d_name);
	return lstat(full, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The names right below @r, sorted. */
static int list_root(const struct jb_config_root *r, struct listed **ret,
		     size_t *ret_n, struct jb_error *err)
{
	struct dirent **found = NULL;
	struct listed *list;
	size_t n = 0;
	int n_found = scandir(r->path, &found, NULL, NULL);

	list = calloc((size_t)(n_found > 0 ? n_found : 0) + 1, sizeof *list);
	for (int i = 0; i < n_found; i++) {
		const char *name = found[i]->d_name;

		if (list != NULL && strcmp(name, ".") != 0 &&
		    strcmp(name, "..") != 0) {
			list[n].name = strdup(name);
			list[n].is_dir = is_dir(r->path, found[i]);
			n += list[n].name != NULL;
		}
		free(found[i]);
	}
	free(found);
	if (list == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", r->path);
	qsort(list, n, sizeof *list, compare_listed);
	*ret = list;
	*ret_n = n;
	return JB_OK;
}

/* The policies that write what is in @r, and what they take of it. */
struct taker {
	const struct jb_config_section *policy; /* borrowed */
	struct jb_patterns *patterns;		/* owned, may be NULL */
};

static int find_takers(const struct jb_config *c,
		       const struct jb_config_root *r, struct taker *takers,
		       size_t *n, struct jb_error *err)
{
	const struct jb_config_section *p;
	const char *root;
	int rv;

	for (size_t i = 0; i < c->n_policies; i++) {
		p = &c->policies[i];
		root = jb_config_text(p, "Root");
		if (root == NULL || strcmp(root, r->name) != 0 ||
		    jb_config_text(p, "Target") == NULL)
			continue;
		rv = jb_config_patterns(p, &takers[*n].patterns, err);
		if (rv != JB_OK)
			return rv;
		takers[(*n)++].policy = p;
	}
	return JB_OK;
}

static void print_name(const struct listed *l)
{
	for (const char *s = l->name; *s != '\0'; s++)
		putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	if (l->is_dir)
		putchar('/');
}

static size_t count_takers(const struct taker *takers, size_t n,
			   const struct listed *l, bool print)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!jb_patterns_takes_name(takers[i].patterns, l->name,
					    strlen(l->name), l->is_dir))
			continue;
		if (print)
			printf("%s%s", count == 0 ? " (" : ", ",
			       takers[i].policy->name);
		count++;
	}
	if (print && count > 0)
		putchar(')');
	return count;
}

/* What of @r's first level goes to no policy (@several: to more than one). */
static void print_shares(const struct jb_config_root *r, const struct listed *l,
			 size_t n_listed, const struct taker *takers, size_t n,
			 bool several)
{
	size_t found = 0, count;

	for (size_t i = 0; i < n_listed; i++) {
		if (!jb_patterns_takes_name(r->patterns, l[i].name,
					    strlen(l[i].name), l[i].is_dir))
			continue;
		count = count_takers(takers, n, &l[i], false);
		if (several ? count < 2 : count != 0)
			continue;
		if (found == 0)
			printf("%s", several ? "  to more than one policy: "
					     : "  to no policy: ");
		if (found < LISTED_MAX) {
			printf("%s", found > 0 ? ", " : "");
			print_name(&l[i]);
			if (several)
				count_takers(takers, n, &l[i], true);
		}
		found++;
	}
	if (found > LISTED_MAX)
		printf(" and %zu more", found - LISTED_MAX);
	if (found > 0)
		putchar('\n');
	else if (!several)
		printf("  everything goes to a policy\n");
}

static int print_coverage(const struct jb_config *c,
			  const struct jb_config_root *r, struct jb_error *err)
{
	struct taker *takers = calloc(c->n_policies + 1, sizeof *takers);
	struct listed *list = NULL;
	size_t n = 0, n_listed = 0;
	int rv;

	if (takers == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", r->path);
	rv = find_takers(c, r, takers, &n, err);
	if (rv == JB_OK)
		rv = list_root(r, &list, &n_listed, err);
	if (rv == JB_OK) {
		printf("\nof root %s, at its first level:\n", r->name);
		print_shares(r, list, n_listed, takers, n, false);
		print_shares(r, list, n_listed, takers, n, true);
	}
	for (size_t i = 0; i < n_listed; i++)
		free(list[i].name);
	for (size_t i = 0; i < n; i++)
		jb_patterns_free(takers[i].patterns);
	free(list);
	free(takers);
	return rv;
}

static int print_config(const struct jb_config *c, struct jb_error *err)
{
	int rv = JB_OK;

	print_journal(c);
	for (size_t i = 0; i < c->n_roots; i++)
		print_root(&c->roots[i]);
	for (size_t i = 0; i < c->n_targets; i++)
		print_target(&c->targets[i]);
	for (size_t i = 0; rv == JB_OK && i < c->n_policies; i++)
		rv = print_policy(c, &c->policies[i], err);
	if (c->n_policies == 0)
		printf("\nno policies: changes are journalled, nothing is "
		       "copied\n");
	for (size_t i = 0; rv == JB_OK && c->n_policies > 0 && i < c->n_roots;
	     i++)
		rv = print_coverage(c, &c->roots[i], err);
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
	rv = jb_config_check_available(config, &err);
	if (rv == JB_OK)
		rv = jb_config_check_paths(config, JB_CONFIG_ABSENT_IS_WRONG,
					   &err);
	if (rv == JB_OK)
		rv = jb_plugin_check_all(config, &err);
	if (rv == JB_OK)
		rv = print_config(config, &err);
	jb_config_free(config);
	return rv == JB_OK ? JB_EXIT_OK : jb_cli_fail(cli, &err);
}

const struct jb_command jb_command_check_config = {
	.name = "check-config",
	.synopsis = "[--keys]",
	.summary = "say what the configuration means, or what is wrong with it",
	.help = "Reads the configuration as the daemon does, and prints what "
		"is watched, and\nwhat of it goes where. Exit code 2, and one "
		"line, if something is wrong.\n\n"
		"  --keys               list every key, its default and what "
		"it is for\n",
	.run = run_check_config,
};
