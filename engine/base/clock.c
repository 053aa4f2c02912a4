/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/clock.h"

#define NS_PER_S INT64_C(1000000000)

int64_t jb_clock_ns_of(int64_t seconds, uint32_t ns)
{
	int64_t whole, all;

	if (__builtin_mul_overflow(seconds, NS_PER_S, &whole) ||
	    __builtin_add_overflow(whole, (int64_t)ns, &all))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return all;
}

int64_t jb_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t jb_clock_us(clockid_t clock)
{
	return jb_clock_ns(clock) / 1000;
}
