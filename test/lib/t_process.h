/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_process.h - run a program and keep what it said. */
#ifndef JB_LIB_T_PROCESS_H
#define JB_LIB_T_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

struct t_output {
	int status; /* exit code, or 128 + signal */
	char *out;  /* owned; NUL added */
	char *err;  /* owned; NUL added */
	size_t out_len, err_len;
};

/* Run argv[0] of PATH (NULL ends @argv) to its end. It dies with us. */
void t_process_run(struct t_output *o, const char *const *argv);
void t_output_fini(struct t_output *o);

/* The same for a shell line in @format; fails the test unless it exits 0. */
__attribute__((format(printf, 1, 2))) void t_shell(const char *format, ...);

/* The number that such a line prints (first). */
__attribute__((format(printf, 1, 2))) long t_shell_number(const char *format,
							  ...);

/* Start in the background; stdout and stderr are appended to @log. */
pid_t t_process_start(const char *const *argv, const char *log);

/* @prepare (may be NULL) is called in the child. */
pid_t t_process_start_with(const char *const *argv, const char *log,
			   void (*prepare)(void *arg), void *arg);

/* Wait up to @timeout_ms for its end; exit code, 128 + signal, or -1. */
int t_process_wait(pid_t pid, int timeout_ms);

#endif
