/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES (16u << 10)
#define MOST_BYTES  (1u << 20)

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) char bytes[];
};

static int grow(struct jb_arena *a, size_t size)
{
	size_t want = a->total < FIRST_BYTES ? FIRST_BYTES : a->total;
	struct arena_block *b;

	if (want > MOST_BYTES)
		want = MOST_BYTES;
	if (want < size)
		want = size;
	b = malloc(sizeof *b + want);
	if (b == NULL)
		return -1;
	b->next = a->blocks;
	a->blocks = b;
	a->at = b->bytes;
	a->left = want;
	a->total += want;
	return 0;
}

void *jb_arena_alloc(struct jb_arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	void *ret;

	size = (size + align - 1) / align * align;
	if (a->left < size && grow(a, size) != 0)
		return NULL;
	ret = a->at;
	a->at += size;
	a->left -= size;
	return memset(ret, 0, size);
}

char *jb_arena_copy(struct jb_arena *a, const char *bytes, size_t len)
{
	char *ret = jb_arena_alloc(a, len + 1);

	if (ret != NULL && len > 0)
		memcpy(ret, bytes, len);
	return ret;
}

void jb_arena_fini(struct jb_arena *a)
{
	struct arena_block *b;

	while ((b = a->blocks) != NULL) {
		a->blocks = b->next;
		free(b);
	}
	*a = (struct jb_arena){0};
}
