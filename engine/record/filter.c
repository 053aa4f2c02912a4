/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/record/filter.h"

#include <stdlib.h>
#include <string.h>

#define N_BITS	   (1u << 24) /* 2 MiB */
#define MAX_INOS   2000000u   /* beyond it answers 'may be' too often */
#define BLOCK_BITS 512u	      /* a line of the cache: one miss an inode */
#define N_HASHES   4

void jb_filter_begin(struct jb_filter *f)
{
	jb_filter_end(f);
	f->bits = aligned_alloc(BLOCK_BITS / 8, N_BITS / 8);
	if (f->bits != NULL)
		memset(f->bits, 0, N_BITS / 8);
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

/* The words of the inode's block; *hash: for the bits in it. */
static uint64_t *block_of(const struct jb_filter *f, uint64_t ino,
			  uint64_t *hash)
{
	*hash = mix(ino);
	return f->bits +
	       (*hash >> 40) % (N_BITS / BLOCK_BITS) * (BLOCK_BITS / 64);
}

void jb_filter_add(struct jb_filter *f, uint64_t ino)
{
	uint64_t hash, *block;

	if (f->bits == NULL)
		return;
	if (++f->n > MAX_INOS) {
		jb_filter_end(f);
		return;
	}
	block = block_of(f, ino, &hash);
	for (int i = 0; i < N_HASHES; i++, hash >>= 9)
		block[hash / 64 % 8] |= (uint64_t)1 << (hash & 63);
}

bool jb_filter_may_hold(const struct jb_filter *f, uint64_t ino)
{
	uint64_t hash, *block;

	if (f->bits == NULL)
		return true;
	block = block_of(f, ino, &hash);
	for (int i = 0; i < N_HASHES; i++, hash >>= 9)
		if (!(block[hash / 64 % 8] & (uint64_t)1 << (hash & 63)))
			return false;
	return true;
}
