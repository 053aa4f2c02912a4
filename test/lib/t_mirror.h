/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_mirror.h - a source, a target on a file system of its own, and a
 * daemon that mirrors; rsync is the judge.
 *
 * Lifecycle: init -> (change things -> check)* -> fini. Root "r" is
 * T_SPACE/fs/r, target "t" is mounted at T_MIRROR, the policy is called "m". */
#ifndef JB_LIB_T_MIRROR_H
#define JB_LIB_T_MIRROR_H

#include "lib/t_case.h"

#define T_MIRROR_ROOT T_SPACE "/fs/r"
#define T_MIRROR      T_SPACE "/target"

struct t_mirror {
	struct t_world *w; /* borrowed */
	struct t_mount target;
	bool strangers; /* names at the target that begin with "foreign" are
			 * somebody else's */
};

/* Make the source by shell line @made, start, wait until the journal has it all
 * (the first copy: t_mirror_check). @more are lines for [Policy m], and of
 * further sections. */
void t_mirror_init(struct t_mirror *m, struct t_world *w, enum t_fs target,
		   const char *made, const char *more);
/* The same with what is mounted at T_MIRROR already. */
void t_mirror_begin(struct t_mirror *m, struct t_world *w, const char *made,
		    const char *more);
void t_mirror_fini(struct t_mirror *m);

/* `flush --policy m`: fails the test unless it ends with @code, and says
 * @words.
 */
void t_mirror_flush(struct t_mirror *m, int code);
void t_mirror_flush_says(struct t_mirror *m, int code, const char *words);

/* What rsync would do, "" where the target equals the source; owned by the
 * caller. */
char *t_mirror_differences(struct t_mirror *m);
/* The target equals the source; fails the test, with the differences. */
void t_mirror_compare(struct t_mirror *m);

/* Flush, exit 0, compare. */
void t_mirror_check(struct t_mirror *m);

/* Run a command (up to the NULL) with --config; its exit code must be @code,
 * and what it said must have @words (may be NULL) in it. */
void t_mirror_command(struct t_mirror *m, int code, const char *words, ...)
	__attribute__((sentinel));

/* The policy stands still until it is resumed. */
void t_mirror_pause(struct t_mirror *m);
void t_mirror_resume(struct t_mirror *m);

/* Ask for a full pass: the next flush waits for it. */
void t_mirror_full_pass(struct t_mirror *m);

/* A member of the policy's status, as a number; of its worker's pid too. */
int64_t t_mirror_number(struct t_mirror *m, const char *key);

#endif
