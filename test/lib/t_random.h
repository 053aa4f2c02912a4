/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_random.h - numbers that come again with their seed (splitmix64).
 */
#ifndef JB_LIB_T_RANDOM_H
#define JB_LIB_T_RANDOM_H

#include <stdint.h>

struct t_random {
	uint64_t state;
};

static inline uint64_t t_random_next(struct t_random *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 .. @n - 1 */
static inline unsigned t_random_below(struct t_random *r, unsigned n)
{
	return (unsigned)(t_random_next(r) >> 33) % n;
}

#endif
