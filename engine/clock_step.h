/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/clock_step.h - tell when the wall clock is set.
 *
 * 'Complete until' and the doubt about young files compare the times of files
 * with the clock. After a step back the same times are given again, and after
 * one forward that will be taken back they may be: so whoever trusted them has
 * to look at everything once more.
 *
 * Loop thread. Lifecycle: start -> stop. See timerfd_create(2),
 * TFD_TIMER_CANCEL_ON_SET: no wake-up but at a step. */
#ifndef JB_ENGINE_CLOCK_STEP_H
#define JB_ENGINE_CLOCK_STEP_H

#include "jb/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* @moved_us: negative, it was set back. */
typedef void jb_clock_step_fn(void *arg, int64_t moved_us);

struct jb_clock_step {
	int fd; /* owned; -1: not started */
	uv_poll_t poll;
	int64_t offset_us; /* wall clock less monotonic clock */
	jb_clock_step_fn *fn;
	void *arg;
};

int jb_clock_step_start(struct jb_clock_step *c, uv_loop_t *loop,
			jb_clock_step_fn *fn, void *arg, struct jb_error *err);

/* Wall clock less time since boot: the same until somebody sets the clock. */
int64_t jb_clock_step_offset(void);
/* Is a difference of two such offsets more than what measuring costs? */
bool jb_clock_step_is_one(int64_t moved_us);

/* Accepts one that was never started (fd -1). The loop runs on once more. */
void jb_clock_step_stop(struct jb_clock_step *c);

#endif
