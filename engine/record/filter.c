/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/record/filter.h"

#include <stdlib.h>

#define N_BITS	 (1u << 24) /* 2 MiB */
#define MAX_INOS 2000000u   /* beyond it answers 'may be' too often */
#define N_HASHES 4

void jb_filter_begin(struct jb_filter *f)
{
	jb_filter_end(f);
	f->bits = calloc(N_BITS / 64, sizeof *f->bits);
}

void jb_filter_end(struct jb_filter *f)
{
	free(f->bits);
	f->bits = NULL;
	f->n = 0;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185u;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44du;
	return x ^ (x >> 33);
}

void jb_filter_add(struct jb_filter *f, uint64_t ino)
{
	uint64_t hash = mix(ino);

	if (f->bits == NULL)
		return;
	if (++f->n > MAX_INOS) {
		jb_filter_end(f);
		return;
	}
	for (int i = 0; i < N_HASHES; i++, hash = hash >> 16 | hash << 48) {
		uint64_t bit = hash & (N_BITS - 1);

		f->bits[bit / 64] |= (uint64_t)1 << (bit & 63);
	}
}

bool jb_filter_may_hold(const struct jb_filter *f, uint64_t ino)
{
	uint64_t hash = mix(ino);

	if (f->bits == NULL)
		return true;
	for (int i = 0; i < N_HASHES; i++, hash = hash >> 16 | hash << 48) {
		uint64_t bit = hash & (N_BITS - 1);

		if (!(f->bits[bit / 64] & (uint64_t)1 << (bit & 63)))
			return false;
	}
	return true;
}
