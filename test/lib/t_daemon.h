/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_daemon.h - the program under test, driven from outside.
 *
 * Lifecycle: init -> root -> start -> (flush, request, stop, kill, start)* ->
 * fini. The program is JB_BIN of the environment, else the one just built.
 * Everything of a daemon (configuration, state, run-time directory, log) is
 * below one directory. */
#ifndef JB_LIB_T_DAEMON_H
#define JB_LIB_T_DAEMON_H

#include "lib/t_manager.h"
#include "lib/t_process.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum t_backend { T_auto, T_fanotify, T_inotify };

#define T_ROOTS 4

struct t_daemon {
	char root_name[T_ROOTS][16], root_path[T_ROOTS][128];
	unsigned n_roots;
	char dir[96];
	char config[128], state[128], control[128], log[128];
	pid_t pid;		   /* 0: not running */
	size_t log_start;	   /* of the present run */
	struct t_manager *manager; /* borrowed; NULL: none serves it */
	const char *preload;	   /* LD_PRELOAD of the program, or NULL */
	bool quiet; /* what it says is expected: do not show it */
};

/* The program's path. */
const char *t_daemon_program(void);

/* Make DIR with a configuration without roots. */
void t_daemon_init(struct t_daemon *d, const char *dir);

/* Append lines to the configuration: "[Root r]\nPath=...\n". */
__attribute__((format(printf, 2, 3))) void
t_daemon_configure(struct t_daemon *d, const char *format, ...);
void t_daemon_root(struct t_daemon *d, const char *name, const char *path,
		   enum t_backend backend);

/* Start; returns when it answers on its control socket. */
void t_daemon_start(struct t_daemon *d);

/* Start, and wait until the tree is in the catalog. */
void t_daemon_begin(struct t_daemon *d);

/* Start and let it end by itself: its exit code, or -1 when it lives on. */
int t_daemon_refused(struct t_daemon *d);

/* Stop it, change its configuration by this script of sed, start it. */
void t_daemon_reconfigure(struct t_daemon *d, const char *script);

/* SIGTERM, exit 0. */
void t_daemon_stop(struct t_daemon *d);
/* SIGKILL. */
void t_daemon_kill(struct t_daemon *d);
/* SIGSTOP, returns when it stands; SIGCONT. */
void t_daemon_freeze(struct t_daemon *d);
void t_daemon_thaw(struct t_daemon *d);
/* As t_shell(), while it stands still: one look sees all of it. */
__attribute__((format(printf, 2, 3))) void
t_daemon_shell(struct t_daemon *d, const char *format, ...);

/* The process that it started last, a worker; 0: none just now. */
pid_t t_daemon_child(struct t_daemon *d);

/* One request, one reply; the caller frees it. NULL: no daemon there. */
json_t *t_daemon_ask(struct t_daemon *d, const char *request);

/* Every change made before is in the journal. Fails the test, with the
 * status, if that takes more than a minute (@timeout_ms). */
void t_daemon_flush(struct t_daemon *d);
void t_daemon_flush_within(struct t_daemon *d, int timeout_ms);

/* The reply of `status`; the caller frees it. */
json_t *t_daemon_status(struct t_daemon *d);

/* Number @key of the status's "journal". */
int64_t t_daemon_journal_number(struct t_daemon *d, const char *key);

/* The first root's member @key of the status: borrowed from @status. */
json_t *t_daemon_root_member(json_t *status, const char *key);

/* Wait until the first root's member @key is true (@want) or false. */
void t_daemon_await(struct t_daemon *d, const char *key, bool want);

/* Run the program with --config and @args (up to the NULL). */
void t_daemon_command(struct t_daemon *d, struct t_output *o, ...)
	__attribute__((sentinel));

/* The same; its exit code must be @code, and what it said must have @words (may
 * be NULL) in it: on stderr, where it is refused. */
void t_daemon_expect(struct t_daemon *d, int code, const char *words, ...)
	__attribute__((sentinel));
void t_daemon_vexpect(struct t_daemon *d, int code, const char *words,
		      va_list ap);
void t_daemon_refuse(struct t_daemon *d, int code, const char *words, ...)
	__attribute__((sentinel));

/* Read the configuration again; returns when the same process has begun anew,
 * with all of its roots, and answers. */
void t_daemon_reload(struct t_daemon *d);

/* What it has logged in this run; the caller frees it. */
char *t_daemon_words(struct t_daemon *d);
bool t_daemon_said(struct t_daemon *d, const char *text);
/* Wait until it has. */
void t_daemon_await_words(struct t_daemon *d, const char *text);

/* Kill what runs; show the log if @show. */
void t_daemon_fini(struct t_daemon *d, bool show);

#endif
