/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/clock.h"

int64_t jb_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t jb_clock_us(clockid_t clock)
{
	return jb_clock_ns(clock) / 1000;
}
