/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/bench/stopwatch.h - clocks and the little that all load generators
 * share. They print one JSON object on one line, for test/bench/run. */
#ifndef JB_BENCH_STOPWATCH_H
#define JB_BENCH_STOPWATCH_H

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

/* Seconds since some moment in the past. */
static inline double wall_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU seconds of this process, user and system. */
static inline double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static inline void nap_us(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

/* A number of 0 or more, or the end of the program. */
static inline long parse_count(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < 0)
		errx(2, "not a count: %s", text);
	return n;
}

#endif
