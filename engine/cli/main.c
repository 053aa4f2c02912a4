/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/cli/output.h"
#include "jb/version.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In the order of --help. */
static const struct jb_command *const commands[] = {
	&jb_command_daemon,	  &jb_command_query,	    &jb_command_status,
	&jb_command_flush,	  &jb_command_run,	    &jb_command_pause,
	&jb_command_resume,	  &jb_command_release,	    &jb_command_reset,
	&jb_command_target,	  &jb_command_policy,	    &jb_command_verify,
	&jb_command_release_root, &jb_command_reload,	    &jb_command_scan,
	&jb_command_vacuum,	  &jb_command_check_config, &jb_command_worker,
};

#define N_COMMANDS ((int)(sizeof commands / sizeof commands[0]))

static const struct option global_options[] = {
	{"version", no_argument, NULL, 'V'},
	JB_CLI_COMMON_OPTIONS,
};

static void print_help(void)
{
	printf("Usage: " JB_PROGRAM " [--config FILE] COMMAND [...]\n\n"
	       "What changed on this file server, as it happens.\n\n"
	       "Commands:\n");
	for (int i = 0; i < N_COMMANDS; i++)
		if (commands[i]->summary != NULL)
			printf("  %-14s %s\n", commands[i]->name,
			       commands[i]->summary);
	printf("\nOptions:\n"
	       "  --config FILE  read FILE instead of\n"
	       "                 " JB_CONFIG_DEFAULT "\n"
	       "  -h, --help     this text; after a command: about it\n"
	       "  --version      which version this is\n");
}

static void print_command_help(const struct jb_command *c)
{
	printf("Usage: " JB_PROGRAM " %s%s%s\n\n%s", c->name,
	       c->synopsis[0] != '\0' ? " " : "", c->synopsis, c->help);
	printf("      --config FILE    read FILE instead of\n"
	       "                       " JB_CONFIG_DEFAULT "\n"
	       "  -h, --help           this text\n");
}

static const char *command_candidate(const void *ctx, int i)
{
	(void)ctx;
	return i < N_COMMANDS ? commands[i]->name : NULL;
}

static const char *option_candidate(const void *ctx, int i)
{
	const struct option *longs = ctx;

	return longs[i].name;
}

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance; long words count as far from everything. */
static int word_distance(const char *a, const char *b)
{
	int row[64], diagonal, above;
	size_t n = strlen(a), m = strlen(b);

	if (n >= 64 || m >= 64)
		return 64;
	for (size_t j = 0; j <= m; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		diagonal = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			above = row[j];
			row[j] = min3(above + 1, row[j - 1] + 1,
				      diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[m];
}

/* Gives the candidates one by one, NULL at the end. */
typedef const char *candidate_fn(const void *ctx, int i);

/* The nearest to @word, NULL if none has most of its letters. */
static const char *nearest(const char *word, candidate_fn *next,
			   const void *ctx)
{
	const char *name, *best = NULL;
	int distance, best_distance = 3;

	for (int i = 0; (name = next(ctx, i)) != NULL; i++) {
		distance = word_distance(word, name);
		if (distance < best_distance &&
		    (size_t)distance * 2 < strlen(name)) {
			best = name;
			best_distance = distance;
		}
	}
	return best;
}

static void print_name(const struct jb_cli *cli)
{
	fprintf(stderr, JB_PROGRAM "%s%s: ", cli->command != NULL ? " " : "",
		cli->command != NULL ? cli->command->name : "");
}

int jb_cli_usage(struct jb_cli *cli, const char *fmt, ...)
{
	struct jb_error err;
	char text[JB_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	/* Whatever was typed, it stays one line without control characters. */
	jb_error_set(&err, JB_EINVAL, 0, "%s", text);
	print_name(cli);
	fprintf(stderr, "%s\n", err.text);
	cli->exit_code = JB_EXIT_USAGE;
	return JB_EXIT_USAGE;
}

int jb_cli_exit_code(int code)
{
	switch (code) {
	case JB_OK:
		return JB_EXIT_OK;
	case JB_EINVAL:
	case JB_ECONFIG:
		return JB_EXIT_USAGE;
	case JB_EHELD:
		return JB_EXIT_HELD;
	case JB_ETIMEDOUT:
		return JB_EXIT_TIMEOUT;
	case JB_ENOTRUN:
		return JB_EXIT_TRY_AGAIN;
	default:
		return JB_EXIT_FAILED;
	}
}

int jb_cli_fail(struct jb_cli *cli, const struct jb_error *err)
{
	print_name(cli);
	fprintf(stderr, "%s\n", err->text);
	cli->exit_code = jb_cli_exit_code(err->code);
	return cli->exit_code;
}

/* getopt says only that something is wrong: find out what. */
static void report_option(struct jb_cli *cli, int argc, char **argv, int c,
			  const struct option *longs)
{
	const char *word, *near;
	char name[64];

	if (optopt > 0 && optopt < 0x80 && c == '?') {
		jb_cli_usage(cli, "unknown option '-%c': see --help", optopt);
		return;
	}
	word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
	if (c == ':') {
		jb_cli_usage(cli, "option '%s' needs a value: see --help",
			     word);
		return;
	}
	if (optopt != 0) {
		jb_cli_usage(cli, "option '%s' takes no value: see --help",
			     word);
		return;
	}
	snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="),
		 word + 2);
	near = nearest(name, option_candidate, longs);
	if (near != NULL)
		jb_cli_usage(cli, "unknown option '--%s': did you mean '--%s'?",
			     name, near);
	else
		jb_cli_usage(cli, "unknown option '--%s': see --help", name);
}

int jb_cli_option(struct jb_cli *cli, int argc, char **argv, const char *shorts,
		  const struct option *longs)
{
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case JB_CLI_CONFIG:
			cli->config_file = optarg;
			break;
		case 'h':
			if (cli->command != NULL)
				print_command_help(cli->command);
			else
				print_help();
			cli->exit_code = JB_EXIT_OK;
			return JB_CLI_STOP;
		case '?':
		case ':':
			report_option(cli, argc, argv, c, longs);
			return JB_CLI_STOP;
		default:
			return c;
		}
	}
	return JB_CLI_END;
}

bool jb_cli_no_options(struct jb_cli *cli, int argc, char **argv,
		       int max_operands)
{
	static const struct option longs[] = {JB_CLI_COMMON_OPTIONS};

	if (jb_cli_option(cli, argc, argv, ":h", longs) != JB_CLI_END)
		return false;
	if (argc - optind > max_operands) {
		jb_cli_usage(cli, "what is '%s' for? see --help",
			     argv[optind + max_operands]);
		return false;
	}
	return true;
}

struct jb_config *jb_cli_load_config(struct jb_cli *cli)
{
	struct jb_config *config;
	struct jb_error err;

	if (jb_config_load(cli->config_file, &config, &err) != JB_OK) {
		jb_cli_fail(cli, &err);
		return NULL;
	}
	return config;
}

static const char *section_name(const struct jb_config *c, const char *kind,
				size_t i)
{
	bool targets = strcmp(kind, "Target") == 0;

	if (strcmp(kind, "Root") == 0)
		return i < c->n_roots ? c->roots[i].name : NULL;
	if (i >= (targets ? c->n_targets : c->n_policies))
		return NULL;
	return (targets ? c->targets : c->policies)[i].name;
}

int jb_cli_no_section(struct jb_cli *cli, const struct jb_config *c,
		      const char *kind, const char *name)
{
	char names[200] = "";
	const char *one;
	size_t len = 0;

	for (size_t i = 0;
	     (one = section_name(c, kind, i)) != NULL && len < sizeof names;
	     i++)
		len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
					i > 0 ? ", " : "", one);
	return jb_cli_usage(cli, "%s: has no [%s %s]; it has: %s", c->file,
			    kind, name, len > 0 ? names : "none");
}

struct jb_config *jb_cli_load_policy(struct jb_cli *cli, int argc, char **argv)
{
	struct jb_config *config;

	if (optind == argc)
		jb_cli_usage(cli, "which policy? see --help");
	else if (argc - optind > 1)
		jb_cli_usage(cli, "what is '%s' for? see --help",
			     argv[optind + 1]);
	if (argc - optind != 1)
		return NULL;
	config = jb_cli_load_config(cli);
	if (config == NULL || jb_config_policy(config, argv[optind]) != NULL)
		return config;
	jb_cli_no_section(cli, config, "Policy", argv[optind]);
	jb_config_free(config);
	return NULL;
}

static int run_command(struct jb_cli *cli, int argc, char **argv)
{
	const char *near;

	for (int i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i]->name, argv[0]) != 0)
			continue;
		cli->command = commands[i];
		optind = 0; /* glibc: begin anew with another line */
		return commands[i]->run(cli, argc, argv);
	}
	near = nearest(argv[0], command_candidate, NULL);
	if (near != NULL)
		return jb_cli_usage(cli,
				    "unknown command '%s': did you mean '%s'?",
				    argv[0], near);
	return jb_cli_usage(cli, "unknown command '%s': see --help", argv[0]);
}

int main(int argc, char **argv)
{
	struct jb_cli cli = {0};
	int c, failed;

	setlocale(LC_CTYPE, "");
	c = jb_cli_option(&cli, argc, argv, "+:h", global_options);
	if (c == 'V') {
		printf(JB_PROGRAM " " JB_VERSION "\n");
		return JB_EXIT_OK;
	}
	if (c == JB_CLI_STOP)
		return cli.exit_code;
	if (optind == argc)
		return jb_cli_usage(&cli, "no command given: see --help");
	c = run_command(&cli, argc - optind, argv + optind);
	failed = jb_out_finish(stdout);
	return c != JB_EXIT_OK ? c : failed;
}
