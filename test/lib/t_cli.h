/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_cli.h - the program's command line, with a configuration and a
 * journal of a test's own.
 *
 * Lifecycle: init -> (make, run, words, out)* -> fini, which are a test's
 * fixture. */
#ifndef JB_LIB_T_CLI_H
#define JB_LIB_T_CLI_H

#include "lib/t_journal.h"
#include "lib/t_process.h"

#define T_CLI_T0 INT64_C(1764000000000000) /* 2025-11-24 16:00:00 UTC */

struct t_cli {
	char dir[64], config[96], state[96];
	struct t_output o; /* of the last line run */
};

int t_cli_init(void **state);
int t_cli_fini(void **state);

/* Run "PROGRAM --config FILE LINE" with a shell; expects @code. */
__attribute__((format(printf, 3, 4))) void t_cli_run(struct t_cli *t, int code,
						     const char *format, ...);
/* It said one line on stderr, that has all of the words (up to the NULL). */
void t_cli_words(struct t_cli *t, ...);
/* It printed this. */
void t_cli_out(struct t_cli *t, const char *text);

/* A journal of five changes, of all kinds, in two batches; for more, or closed.
 */
void t_cli_make(struct t_cli *t, struct t_journal *j);
void t_cli_make_only(struct t_cli *t);

#endif
