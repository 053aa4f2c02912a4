/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/duration.h - spans of time as systemd.time(7) writes them:
 * "200ms", "5min", "1h 30min", "7d", "1.5h", "infinity"; a bare number counts
 * seconds. No state: any thread may call. */
#ifndef JB_BASE_DURATION_H
#define JB_BASE_DURATION_H

#include "jb/error.h"

#include <stddef.h>
#include <stdint.h>

#define JB_USEC_PER_MSEC UINT64_C(1000)
#define JB_USEC_PER_SEC	 UINT64_C(1000000)

/* The longest: a point in time and this are another one. */
#define JB_DURATION_MAX (INT64_MAX / 2)

/* What "infinity" is read as. */
#define JB_DURATION_INFINITY UINT64_MAX

/* Enough for every formatted duration, with its '\0'. */
#define JB_DURATION_TEXT_MAX 48

/* Read all of @text into microseconds. On failure (JB_EINVAL) *ret_us is
 * untouched and @err holds one line with an example of what is right. */
int jb_duration_parse(const char *text, uint64_t *ret_us, struct jb_error *err);

/* Write @us for people, its two greatest units: "1h 30min", "200ms", "3d 4h".
 * What it writes is read back as the same figure or, rounded down to those two
 * units, a smaller one. Returns @buf. */
const char *jb_duration_format(uint64_t us, char *buf, size_t size);

#endif
