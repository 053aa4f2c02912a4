/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_script.h - what a random test did, step by step, and which of
 * its steps it shall do.
 *
 * A step is (round, thread, number): it depends on the seed and these alone,
 * so others can be left out without changing it. test/property/run uses that
 * to make a failure short: it reads the steps of a run (JB_TEST_TRACE), keeps
 * some (JB_TEST_STEPS) and looks whether it still fails.
 *
 * Lifecycle: open -> (wants -> tell)* -> close. Any thread may ask and tell.
 * Without these variables every step is wanted and nothing is written. */
#ifndef JB_LIB_T_SCRIPT_H
#define JB_LIB_T_SCRIPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define T_SCRIPT_FAULT 99 /* the "thread" whose steps are faults */

struct t_script {
	FILE *trace;	/* owned, or NULL */
	uint64_t *kept; /* owned, sorted; NULL: all */
	size_t n;
	pthread_mutex_t lock;
};

void t_script_open(struct t_script *s);
void t_script_close(struct t_script *s);

bool t_script_wants(const struct t_script *s, unsigned round, unsigned thread,
		    unsigned i);

/* Does anybody read what tell() says? */
bool t_script_listens(const struct t_script *s);

/* The step was done: "3 0 17 rename a/b -> c". */
__attribute__((format(printf, 5, 6))) void
t_script_tell(struct t_script *s, unsigned round, unsigned thread, unsigned i,
	      const char *format, ...);

/* The seed of a step: a good mix of all four. */
uint64_t t_script_seed(uint64_t seed, unsigned round, unsigned thread,
		       unsigned i);

#endif
