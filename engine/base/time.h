/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/time.h - points in time as journalctl takes and shows them.
 *
 *   now, today, yesterday, tomorrow      midnight, local time
 *   -2h, +1min, 2h ago                   from now on; see duration.h
 *   2026-11-23, 2026-11-23 06:00, 2026-11-23T06:00:30.5, 06:00
 *   Mon 2026-11-23 06:00                 the weekday must be right
 *   ... UTC, ...Z, ... +01:00            otherwise local time, DST minded
 *   @1764000000                          seconds since 1970
 *
 * Times are microseconds since 1970. Any thread may call. */
#ifndef JB_BASE_TIME_H
#define JB_BASE_TIME_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for every formatted time, with its '\0'. */
#define JB_TIME_TEXT_MAX 48

/* Read all of @text; @now_us is what "now" and "today" are taken from. On
 * failure (JB_EINVAL) *ret_us is untouched and @err holds one line with an
 * example of what is right. */
int jb_time_parse(const char *text, int64_t now_us, int64_t *ret_us,
		  struct jb_error *err);

/* Write @us as local time: "2026-11-23 06:00:30", with microseconds if
 * @with_us. What it writes is read back as the same time, but for the hour
 * that DST repeats. Returns @buf. */
const char *jb_time_format(int64_t us, bool with_us, char *buf, size_t size);

#endif
