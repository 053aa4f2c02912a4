/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/hash_table.h"

#include <stdlib.h>
#include <xxhash.h>

struct table_slot {
	uint64_t hash;
	void *item; /* NULL: free */
};

static void insert(struct table_slot *slots, size_t size, uint64_t hash,
		   void *item)
{
	size_t i = hash & (size - 1);

	while (slots[i].item != NULL)
		i = (i + 1) & (size - 1);
	slots[i] = (struct table_slot){hash, item};
}

static bool grow(struct jb_hash_table *t)
{
	size_t size = t->size != 0 ? t->size * 2 : 64;
	struct table_slot *slots = calloc(size, sizeof *slots);

	if (slots == NULL)
		return false;
	for (size_t i = 0; i < t->size; i++)
		if (t->slots[i].item != NULL)
			insert(slots, size, t->slots[i].hash, t->slots[i].item);
	free(t->slots);
	t->slots = slots;
	t->size = size;
	return true;
}

void *jb_hash_table_find(const struct jb_hash_table *t, uint64_t hash,
			 jb_hash_table_same_fn *same, const void *key)
{
	if (t->size == 0)
		return NULL;
	for (size_t i = hash & (t->size - 1); t->slots[i].item != NULL;
	     i = (i + 1) & (t->size - 1))
		if (t->slots[i].hash == hash && same(t->slots[i].item, key))
			return t->slots[i].item;
	return NULL;
}

bool jb_hash_table_add(struct jb_hash_table *t, uint64_t hash, void *item)
{
	if (t->n * 3 >= t->size * 2 && !grow(t))
		return false;
	insert(t->slots, t->size, hash, item);
	t->n++;
	return true;
}

void jb_hash_table_fini(struct jb_hash_table *t)
{
	free(t->slots);
	*t = (struct jb_hash_table){0};
}

uint64_t jb_hash_number(uint64_t n)
{
	n ^= n >> 32;
	n *= 0x9e3779b97f4a7c15u;
	return n ^ n >> 29;
}

uint64_t jb_hash_id(struct jb_id id)
{
	return jb_hash_number(id.ino ^ jb_hash_number((uint64_t)id.birth));
}

uint64_t jb_hash_name(uint64_t n, const char *name, size_t len)
{
	return XXH3_64bits_withSeed(name, len, jb_hash_number(n));
}
