/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/clock.h - clock_gettime(2) as one number. Any thread.
 *
 * What is stored or shown is CLOCK_REALTIME; how long something takes, or when
 * it is due while we run, is CLOCK_MONOTONIC. */
#ifndef JB_BASE_CLOCK_H
#define JB_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t jb_clock_us(clockid_t clock);
int64_t jb_clock_ns(clockid_t clock);

/* A file's time in ns; one before 1677 or after 2262 is the first or last that
 * there is. */
int64_t jb_clock_ns_of(int64_t seconds, uint32_t ns);

#endif
