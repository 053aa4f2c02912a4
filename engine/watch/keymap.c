/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing; what is removed leaves no mark, those behind it move up. */
#include "engine/watch/keymap.h"

#include <stdlib.h>

#define FIRST_SIZE 1024

static size_t home_of(const struct jb_keymap *m, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15u) >> 24) & (m->size - 1);
}

/* Where the key is, or would be. */
static struct jb_keymap_slot *find(const struct jb_keymap *m, uint64_t key)
{
	size_t i = home_of(m, key);

	while (m->slots[i].key != 0 && m->slots[i].key != key)
		i = (i + 1) & (m->size - 1);
	return &m->slots[i];
}

static int grow(struct jb_keymap *m)
{
	struct jb_keymap larger = {
		.n = m->n,
		.size = m->size != 0 ? m->size * 2 : FIRST_SIZE,
	};

	larger.slots = calloc(larger.size, sizeof *larger.slots);
	if (larger.slots == NULL)
		return JB_ENOMEM;
	for (size_t i = 0; i < m->size; i++)
		if (m->slots[i].key != 0)
			*find(&larger, m->slots[i].key) = m->slots[i];
	free(m->slots);
	*m = larger;
	return JB_OK;
}

void jb_keymap_fini(struct jb_keymap *m)
{
	free(m->slots);
	*m = (struct jb_keymap){0};
}

int jb_keymap_put(struct jb_keymap *m, uint64_t key, uint64_t value)
{
	struct jb_keymap_slot *slot;

	if (m->n * 2 >= m->size && grow(m) != JB_OK)
		return JB_ENOMEM;
	slot = find(m, key);
	m->n += slot->key == 0;
	*slot = (struct jb_keymap_slot){key, value};
	return JB_OK;
}

uint64_t jb_keymap_get(const struct jb_keymap *m, uint64_t key)
{
	return m->n > 0 ? find(m, key)->value : 0;
}

void jb_keymap_remove(struct jb_keymap *m, uint64_t key)
{
	size_t mask = m->size - 1, hole, home;

	if (m->n == 0)
		return;
	hole = (size_t)(find(m, key) - m->slots);
	if (m->slots[hole].key == 0)
		return;
	for (size_t i = (hole + 1) & mask; m->slots[i].key != 0;
	     i = (i + 1) & mask) {
		home = home_of(m, m->slots[i].key);
		if (((i - home) & mask) < ((i - hole) & mask))
			continue; /* it would not be found before its home */
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct jb_keymap_slot){0, 0};
	m->n--;
}
