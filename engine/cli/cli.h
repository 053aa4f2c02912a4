/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/cli.h - the command line: a table of commands.
 *
 * main() finds the command in the table of main.c and calls its handler with
 * what follows on the line; argv[0] is the command's own name. A handler parses
 * with jb_cli_option(), which also knows --config and --help, and returns the
 * program's exit code. One thread. */
#ifndef JB_CLI_CLI_H
#define JB_CLI_CLI_H

#include "jb/error.h"

#include <getopt.h>
#include <stdbool.h>

#define JB_PROGRAM "journalctl-backup"

enum jb_exit {
	JB_EXIT_OK = 0,
	JB_EXIT_FAILED = 1,
	JB_EXIT_USAGE = 2, /* usage or configuration */
	JB_EXIT_HELD = 3,
	JB_EXIT_TIMEOUT = 4,
	JB_EXIT_TRY_AGAIN = 75, /* the daemon is not running */
};

struct jb_config;
struct jb_command;

struct jb_cli {
	const char *config_file;	  /* borrowed; NULL: the default */
	const struct jb_command *command; /* borrowed; the one that runs */
	int exit_code; /* when jb_cli_option() says JB_CLI_STOP */
};

typedef int jb_command_fn(struct jb_cli *cli, int argc, char **argv);

struct jb_command {
	const char *name;
	const char *synopsis; /* what follows the name, "" if nothing */
	const char *summary;  /* one line, for the list of commands; NULL: not
			       * in it */
	const char *help;     /* the lines below, for --help; ends in \n */
	jb_command_fn *run;
};

enum {
	JB_CLI_END = -1,  /* no more options; operands from optind on */
	JB_CLI_STOP = -2, /* all is said: return cli->exit_code */
	JB_CLI_CONFIG = 0x100,
	JB_CLI_OPTION = 0x101, /* first value for a command's long options */
};

/* What each command's table of long options ends with. */
#define JB_CLI_COMMON_OPTIONS                                                  \
	{"config", required_argument, NULL, JB_CLI_CONFIG},                    \
		{"help", no_argument, NULL, 'h'},                              \
	{                                                                      \
		NULL, 0, NULL, 0                                               \
	}

/* The next option of the command, JB_CLI_END or JB_CLI_STOP. --config and
 * --help are dealt with here; what is wrong is reported in one line. */
int jb_cli_option(struct jb_cli *cli, int argc, char **argv, const char *shorts,
		  const struct option *longs);

/* For a command without options of its own: true when its handler may go on,
 * false: return cli->exit_code. At most @max_operands may follow. */
bool jb_cli_no_options(struct jb_cli *cli, int argc, char **argv,
		       int max_operands);

/* "journalctl-backup: query: <text>" to stderr. Returns JB_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int jb_cli_usage(struct jb_cli *cli,
						       const char *fmt, ...);

/* The exit code that belongs to a JB_E*. */
int jb_cli_exit_code(int code);

/* Report @err in one line; returns the exit code that belongs to it. */
int jb_cli_fail(struct jb_cli *cli, const struct jb_error *err);

/* Read the configuration; failure is reported: return cli->exit_code. The
 * caller owns the result. NULL on failure. */
struct jb_config *jb_cli_load_config(struct jb_cli *cli);
/* The same, where the one operand, argv[optind], names one of its policies. */
struct jb_config *jb_cli_load_policy(struct jb_cli *cli, int argc, char **argv);

/* The configuration has no [@kind @name]: which it has. Returns JB_EXIT_USAGE.
 */
int jb_cli_no_section(struct jb_cli *cli, const struct jb_config *c,
		      const char *kind, const char *name);

/* The commands: cmd_<name>.c. */
extern const struct jb_command jb_command_check_config;
extern const struct jb_command jb_command_daemon;
extern const struct jb_command jb_command_flush;
extern const struct jb_command jb_command_pause;
extern const struct jb_command jb_command_policy;
extern const struct jb_command jb_command_query;
extern const struct jb_command jb_command_release;
extern const struct jb_command jb_command_release_root;
extern const struct jb_command jb_command_reload;
extern const struct jb_command jb_command_reset;
extern const struct jb_command jb_command_resume;
extern const struct jb_command jb_command_run;
extern const struct jb_command jb_command_scan;
extern const struct jb_command jb_command_status;
extern const struct jb_command jb_command_target;
extern const struct jb_command jb_command_vacuum;
extern const struct jb_command jb_command_verify;
extern const struct jb_command jb_command_worker;

#endif
