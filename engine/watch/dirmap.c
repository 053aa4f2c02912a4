/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open addressing with linear probing; removal shifts back what follows, so
 * that there are no tombstones and a lookup of a foreign directory (the common
 * case when the root is a small part of its file system) ends early. */
#include "engine/watch/dirmap.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define START_SIZE 1024

int jb_dirmap_init(struct jb_dirmap *m, struct jb_error *err)
{
	m->n = 0;
	m->size = START_SIZE;
	m->slots = calloc(m->size, sizeof *m->slots);
	if (m->slots == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "directory map");
	return JB_OK;
}

void jb_dirmap_fini(struct jb_dirmap *m)
{
	for (size_t i = 0; m->slots != NULL && i < m->size; i++)
		if (m->slots[i].key != 0 && m->slots[i].len > JB_DIRMAP_INLINE)
			free(m->slots[i].handle.out);
	free(m->slots);
	memset(m, 0, sizeof *m);
}

uint32_t jb_dirmap_hash(uint8_t fs, struct jb_handle_ref handle)
{
	return (uint32_t)XXH3_64bits_withSeed(handle.bytes, handle.len, fs);
}

static const uint8_t *bytes_of(const struct jb_dirmap_slot *slot)
{
	return slot->len > JB_DIRMAP_INLINE ? slot->handle.out
					    : slot->handle.in;
}

static bool holds(const struct jb_dirmap_slot *slot, uint32_t hash, uint8_t fs,
		  struct jb_handle_ref handle)
{
	return slot->hash == hash && slot->fs == fs &&
	       slot->len == handle.len &&
	       memcmp(bytes_of(slot), handle.bytes, handle.len) == 0;
}

uint64_t jb_dirmap_next(const struct jb_dirmap *m, uint8_t fs,
			struct jb_handle_ref handle, uint32_t hash, size_t *pos)
{
	size_t mask = m->size - 1;
	size_t i = *pos == SIZE_MAX ? (hash & mask) : ((*pos + 1) & mask);

	for (; m->slots[i].key != 0; i = (i + 1) & mask)
		if (holds(&m->slots[i], hash, fs, handle)) {
			*pos = i;
			return m->slots[i].key;
		}
	return 0;
}

static void insert_slot(struct jb_dirmap_slot *slots, size_t size,
			struct jb_dirmap_slot slot)
{
	size_t i = slot.hash & (size - 1);

	while (slots[i].key != 0)
		i = (i + 1) & (size - 1);
	slots[i] = slot;
}

static int grow(struct jb_dirmap *m, struct jb_error *err)
{
	struct jb_dirmap_slot *slots;
	size_t size = m->size * 2;

	slots = calloc(size, sizeof *slots);
	if (slots == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "directory map");
	for (size_t i = 0; i < m->size; i++)
		if (m->slots[i].key != 0)
			insert_slot(slots, size, m->slots[i]);
	free(m->slots);
	m->slots = slots;
	m->size = size;
	return JB_OK;
}

int jb_dirmap_add(struct jb_dirmap *m, uint8_t fs, struct jb_handle_ref handle,
		  uint64_t key, struct jb_error *err)
{
	struct jb_dirmap_slot slot = {.key = key, .fs = fs, .len = handle.len};
	size_t pos = SIZE_MAX;
	uint64_t found;

	slot.hash = jb_dirmap_hash(fs, handle);
	while ((found = jb_dirmap_next(m, fs, handle, slot.hash, &pos)) != 0)
		if (found == key)
			return JB_OK;
	if (m->n * 8 >= m->size * 7 && grow(m, err) != JB_OK)
		return JB_ENOMEM;
	if (handle.len <= JB_DIRMAP_INLINE) {
		memcpy(slot.handle.in, handle.bytes, handle.len);
	} else {
		slot.handle.out = malloc(handle.len);
		if (slot.handle.out == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "directory map");
		memcpy(slot.handle.out, handle.bytes, handle.len);
	}
	insert_slot(m->slots, m->size, slot);
	m->n++;
	return JB_OK;
}

/* Free slot @i and move back what was pushed past it. */
static void close_hole(struct jb_dirmap *m, size_t i)
{
	size_t mask = m->size - 1, j = i;

	for (;;) {
		j = (j + 1) & mask;
		if (m->slots[j].key == 0)
			break;
		/* May slot j lie at i? Only if its home is not in (i, j]. */
		if (((j - (m->slots[j].hash & mask)) & mask) < ((j - i) & mask))
			continue;
		m->slots[i] = m->slots[j];
		i = j;
	}
	memset(&m->slots[i], 0, sizeof m->slots[i]);
}

void jb_dirmap_remove(struct jb_dirmap *m, uint8_t fs,
		      struct jb_handle_ref handle, uint64_t key)
{
	uint32_t hash = jb_dirmap_hash(fs, handle);
	size_t pos = SIZE_MAX;
	uint64_t found;

	do
		found = jb_dirmap_next(m, fs, handle, hash, &pos);
	while (found != 0 && found != key);
	if (found == 0)
		return;
	if (m->slots[pos].len > JB_DIRMAP_INLINE)
		free(m->slots[pos].handle.out);
	close_hole(m, pos);
	m->n--;
}
