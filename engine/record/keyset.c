/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/record/keyset.h"

#include "jb/error.h"

#include <stdlib.h>
#include <string.h>

#define START_SIZE 64u
#define KEEP_SIZE  8192u

static size_t slot_of(const struct jb_keyset *s, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & (s->size - 1);

	while (s->keys[i] != 0 && s->keys[i] != key)
		i = (i + 1) & (s->size - 1);
	return i;
}

static int grow(struct jb_keyset *s)
{
	struct jb_keyset more = {.n = s->n, .last = s->last};

	more.size = s->size != 0 ? s->size * 2 : START_SIZE;
	more.keys = calloc(more.size, sizeof *more.keys);
	if (more.keys == NULL)
		return JB_ENOMEM;
	for (size_t i = 0; i < s->size; i++)
		if (s->keys[i] != 0)
			more.keys[slot_of(&more, s->keys[i])] = s->keys[i];
	free(s->keys);
	*s = more;
	return JB_OK;
}

int jb_keyset_add(struct jb_keyset *s, uint64_t key)
{
	size_t i;

	if (key == s->last)
		return 0;
	if (s->n * 2 >= s->size && grow(s) != JB_OK)
		return JB_ENOMEM;
	s->last = key;
	i = slot_of(s, key);
	if (s->keys[i] != 0)
		return 0;
	s->keys[i] = key;
	s->n++;
	return 1;
}

bool jb_keyset_has(const struct jb_keyset *s, uint64_t key)
{
	return s->n > 0 && s->keys[slot_of(s, key)] != 0;
}

void jb_keyset_clear(struct jb_keyset *s)
{
	if (s->size > KEEP_SIZE)
		jb_keyset_fini(s);
	else if (s->n > 0)
		memset(s->keys, 0, s->size * sizeof *s->keys);
	s->n = 0;
	s->last = 0;
}

void jb_keyset_fini(struct jb_keyset *s)
{
	free(s->keys);
	memset(s, 0, sizeof *s);
}
