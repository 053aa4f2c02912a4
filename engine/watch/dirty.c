/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three small hash tables of indexes over arrays that only grow: adding costs
 * one hash of the name, clearing costs the slots in use, and the recorder walks
 * arrays. */
#include "engine/watch/dirty.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define START_SLOTS 1024u
#define START_NAMES 16384u

/* When room is short a directory with more names is listed instead. */
#define KEEP_PER_DIR 32u

/* What a set may keep for the next time. */
#define KEEP_NAMES  (4u << 20)
#define KEEP_SLOTS  (1u << 17)
#define KEEP_BEYOND 4096u

int jb_dirty_init(struct jb_dirty *d, struct jb_error *err)
{
	memset(d, 0, sizeof *d);
	d->n_place_slots = d->n_dir_slots = d->size_inos = START_SLOTS;
	d->place_slots = calloc(START_SLOTS, sizeof *d->place_slots);
	d->dir_slots = calloc(START_SLOTS, sizeof *d->dir_slots);
	d->inos = calloc(START_SLOTS, sizeof *d->inos);
	d->names_size = START_NAMES;
	d->names = malloc(START_NAMES);
	if (d->place_slots == NULL || d->dir_slots == NULL || d->inos == NULL ||
	    d->names == NULL) {
		jb_dirty_fini(d);
		return jb_error_set(err, JB_ENOMEM, 0, "dirty set");
	}
	return JB_OK;
}

void jb_dirty_fini(struct jb_dirty *d)
{
	free(d->places);
	free(d->place_slots);
	free(d->dirs);
	free(d->dir_slots);
	free(d->names);
	free(d->inos);
	free(d->beyond);
	memset(d, 0, sizeof *d);
}

/* What a storm has made large is given back. */
static void shrink(struct jb_dirty *d)
{
	struct jb_dirty small;

	if (d->names_size <= KEEP_NAMES && d->n_place_slots <= KEEP_SLOTS &&
	    d->size_inos <= KEEP_SLOTS && d->cap_beyond <= KEEP_BEYOND)
		return;
	if (jb_dirty_init(&small, NULL) != JB_OK)
		return;
	jb_dirty_fini(d);
	*d = small;
}

static void drop_names(struct jb_dirty *d)
{
	memset(d->place_slots, 0, d->n_place_slots * sizeof *d->place_slots);
	memset(d->dir_slots, 0, d->n_dir_slots * sizeof *d->dir_slots);
	d->n_places = d->n_dirs = 0;
	d->names_len = 0;
}

void jb_dirty_clear(struct jb_dirty *d)
{
	if (d->n_dirs > 0 || d->n_places > 0)
		drop_names(d);
	if (d->n_inos > 0)
		memset(d->inos, 0, d->size_inos * sizeof *d->inos);
	d->n_inos = d->n_beyond = 0;
	d->loss = JB_LOSS_NONE;
	d->moved_unseen = false;
	d->credits = 0;
	d->poked = false;
	memset(d->upto, 0, sizeof d->upto);
	shrink(d);
}

bool jb_dirty_any(const struct jb_dirty *d)
{
	return d->n_dirs > 0 || d->n_inos > 0 || d->loss != JB_LOSS_NONE ||
	       d->credits > 0 || d->poked || d->moved_unseen;
}

void jb_dirty_lose(struct jb_dirty *d, enum jb_loss why)
{
	if (d->loss == JB_LOSS_NONE)
		d->loss = why;
	drop_names(d);
	memset(d->inos, 0, d->size_inos * sizeof *d->inos);
	d->n_inos = d->n_beyond = 0;
}

static uint32_t hash_key(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32);
}

static int grow_slots(uint32_t **slots, uint32_t *n)
{
	uint32_t *v = calloc((size_t)*n * 2, sizeof *v);

	if (v == NULL)
		return JB_ENOMEM;
	free(*slots);
	*slots = v;
	*n *= 2;
	return JB_OK;
}

static uint32_t hash_place(const struct jb_dirty *d,
			   const struct jb_dirty_place *p)
{
	return (uint32_t)XXH3_64bits_withSeed(d->names + p->name, p->len,
					      d->dirs[p->dir].key);
}

static void put_slot(uint32_t *slots, uint32_t n, uint32_t hash, uint32_t index)
{
	while (slots[hash & (n - 1)] != 0)
		hash++;
	slots[hash & (n - 1)] = index + 1;
}

static int grow_places(struct jb_dirty *d)
{
	if (d->n_places == d->cap_places) {
		uint32_t cap = d->cap_places != 0 ? d->cap_places * 2 : 512;
		void *v = reallocarray(d->places, cap, sizeof *d->places);

		if (v == NULL)
			return JB_ENOMEM;
		d->places = v;
		d->cap_places = cap;
	}
	if (d->n_places * 2 < d->n_place_slots)
		return JB_OK;
	if (grow_slots(&d->place_slots, &d->n_place_slots) != JB_OK)
		return JB_ENOMEM;
	for (uint32_t i = 0; i < d->n_places; i++)
		put_slot(d->place_slots, d->n_place_slots,
			 hash_place(d, &d->places[i]), i);
	return JB_OK;
}

static int grow_dirs(struct jb_dirty *d)
{
	if (d->n_dirs == d->cap_dirs) {
		uint32_t cap = d->cap_dirs != 0 ? d->cap_dirs * 2 : 512;
		void *v = reallocarray(d->dirs, cap, sizeof *d->dirs);

		if (v == NULL)
			return JB_ENOMEM;
		d->dirs = v;
		d->cap_dirs = cap;
	}
	if (d->n_dirs * 2 < d->n_dir_slots)
		return JB_OK;
	if (grow_slots(&d->dir_slots, &d->n_dir_slots) != JB_OK)
		return JB_ENOMEM;
	for (uint32_t i = 0; i < d->n_dirs; i++)
		put_slot(d->dir_slots, d->n_dir_slots, hash_key(d->dirs[i].key),
			 i);
	return JB_OK;
}

/* Index of the directory's record, made if new; UINT32_MAX: the set has
 * become 'scan everything'. */
static uint32_t dir_index(struct jb_dirty *d, uint64_t key)
{
	uint32_t hash = hash_key(key), slot;

	for (;; hash++) {
		slot = d->dir_slots[hash & (d->n_dir_slots - 1)];
		if (slot == 0)
			break;
		if (d->dirs[slot - 1].key == key)
			return slot - 1;
	}
	if (d->n_dirs >= JB_DIRTY_MAX_DIRS) {
		jb_dirty_lose(d, JB_LOSS_TOO_MANY);
		return UINT32_MAX;
	}
	if (grow_dirs(d) != JB_OK) {
		jb_dirty_lose(d, JB_LOSS_MEMORY);
		return UINT32_MAX;
	}
	d->dirs[d->n_dirs] = (struct jb_dirty_dir){.key = key};
	put_slot(d->dir_slots, d->n_dir_slots, hash_key(key), d->n_dirs);
	return d->n_dirs++;
}

/* Room is short: directories with many names are listed instead, on behalf of
 * those who told of the names. If that does not free half of it, everything is
 * scanned. */
static void collapse(struct jb_dirty *d)
{
	uint32_t kept = 0;
	size_t len = 0;

	for (uint32_t i = 0; i < d->n_dirs; i++) {
		struct jb_dirty_dir *dir = &d->dirs[i];

		if (dir->count > KEEP_PER_DIR)
			dir->flags |= JB_DIRTY_LIST | JB_DIRTY_LOSSY;
		dir->first = dir->count = 0;
	}
	memset(d->place_slots, 0, d->n_place_slots * sizeof *d->place_slots);
	for (uint32_t i = 0; i < d->n_places; i++) {
		struct jb_dirty_place p = d->places[i];
		struct jb_dirty_dir *dir = &d->dirs[p.dir];

		if (dir->flags & JB_DIRTY_LIST) {
			dir->flags |= p.flags & JB_DIRTY_WHO;
			continue;
		}
		memmove(d->names + len, d->names + p.name, p.len);
		p.name = (uint32_t)len;
		len += p.len;
		p.next = dir->first;
		d->places[kept] = p;
		put_slot(d->place_slots, d->n_place_slots, hash_place(d, &p),
			 kept);
		dir->first = ++kept;
		dir->count++;
	}
	d->n_places = kept;
	d->names_len = len;
	if (kept > JB_DIRTY_MAX_PLACES / 2 || len > JB_DIRTY_MAX_NAMES / 2)
		jb_dirty_lose(d, JB_LOSS_TOO_MANY);
}

static int append_name(struct jb_dirty *d, const char *name, size_t len)
{
	if (d->names_len + len > d->names_size) {
		char *names = realloc(d->names, d->names_size * 2);

		if (names == NULL)
			return JB_ENOMEM;
		d->names = names;
		d->names_size *= 2;
	}
	memcpy(d->names + d->names_len, name, len);
	d->names_len += len;
	return JB_OK;
}

void jb_dirty_add(struct jb_dirty *d, uint64_t dir, const char *name,
		  size_t len, uint64_t ino, unsigned flags)
{
	uint32_t hash, slot, at;
	struct jb_dirty_place *p;

	if (d->loss != JB_LOSS_NONE || len > UINT8_MAX)
		return;
	if (d->n_places >= JB_DIRTY_MAX_PLACES ||
	    d->names_len + len > JB_DIRTY_MAX_NAMES)
		collapse(d);
	at = d->loss == JB_LOSS_NONE ? dir_index(d, dir) : UINT32_MAX;
	if (at == UINT32_MAX || (d->dirs[at].flags & JB_DIRTY_LIST))
		return;
	hash = (uint32_t)XXH3_64bits_withSeed(name, len, dir);
	for (;; hash++) {
		slot = d->place_slots[hash & (d->n_place_slots - 1)];
		if (slot == 0)
			break;
		p = &d->places[slot - 1];
		if (p->dir == at && p->len == len &&
		    memcmp(d->names + p->name, name, len) == 0) {
			p->flags |= (uint16_t)flags;
			if (p->ino != ino)
				p->ino = JB_DIRTY_SEVERAL;
			return;
		}
	}
	if (grow_places(d) != JB_OK || append_name(d, name, len) != JB_OK) {
		jb_dirty_lose(d, JB_LOSS_MEMORY);
		return;
	}
	p = &d->places[d->n_places];
	p->next = d->dirs[at].first;
	p->dir = at;
	p->name = (uint32_t)(d->names_len - len);
	p->len = (uint8_t)len;
	p->flags = (uint16_t)flags;
	p->ino = ino != 0 ? ino : JB_DIRTY_SEVERAL;
	put_slot(d->place_slots, d->n_place_slots, hash_place(d, p),
		 d->n_places);
	d->dirs[at].first = ++d->n_places;
	d->dirs[at].count++;
}

void jb_dirty_add_dir(struct jb_dirty *d, uint64_t dir, unsigned flags)
{
	uint32_t at;

	if (d->loss != JB_LOSS_NONE)
		return;
	at = dir_index(d, dir);
	if (at != UINT32_MAX)
		d->dirs[at].flags |= (uint16_t)flags;
}

static struct jb_dirty_inode *ino_slot(const struct jb_dirty *d, uint8_t fs,
				       uint64_t ino)
{
	uint32_t hash = hash_key(ino + fs);
	struct jb_dirty_inode *s;

	for (;; hash++) {
		s = &d->inos[hash & (d->size_inos - 1)];
		if (s->ino == 0 || (s->ino == ino && s->fs == fs))
			return s;
	}
}

static int grow_inos(struct jb_dirty *d)
{
	struct jb_dirty_inode *old = d->inos;
	uint32_t size = d->size_inos;

	d->inos = calloc((size_t)size * 2, sizeof *d->inos);
	if (d->inos == NULL) {
		d->inos = old;
		return JB_ENOMEM;
	}
	d->size_inos = size * 2;
	for (uint32_t i = 0; i < size; i++)
		if (old[i].ino != 0)
			*ino_slot(d, old[i].fs, old[i].ino) = old[i];
	free(old);
	return JB_OK;
}

void jb_dirty_add_ino(struct jb_dirty *d, uint8_t fs, uint64_t ino,
		      unsigned flags)
{
	struct jb_dirty_inode *s;

	if (d->loss != JB_LOSS_NONE || ino == 0)
		return;
	s = ino_slot(d, fs, ino);
	if (s->ino != 0) {
		s->flags |= (uint8_t)flags;
		return;
	}
	if (d->n_inos >= JB_DIRTY_MAX_INOS) {
		jb_dirty_lose(d, JB_LOSS_TOO_MANY);
		return;
	}
	if (d->n_inos * 2 >= d->size_inos) {
		if (grow_inos(d) != JB_OK) {
			jb_dirty_lose(d, JB_LOSS_MEMORY);
			return;
		}
		s = ino_slot(d, fs, ino);
	}
	*s = (struct jb_dirty_inode){ino, fs, (uint8_t)flags};
	d->n_inos++;
}

unsigned jb_dirty_ino(const struct jb_dirty *d, uint8_t fs, uint64_t ino)
{
	return ino == 0 || d->n_inos == 0 ? 0 : ino_slot(d, fs, ino)->flags;
}

void jb_dirty_note_ino(struct jb_dirty *d, uint8_t fs, uint64_t ino,
		       unsigned flags)
{
	struct jb_dirty_inode *s;

	if (ino == 0 || d->n_inos == 0)
		return;
	s = ino_slot(d, fs, ino);
	if (s->ino != 0)
		s->flags |= (uint8_t)flags;
}

void jb_dirty_add_beyond(struct jb_dirty *d, uint8_t fs, uint64_t ino,
			 struct jb_handle_ref handle)
{
	struct jb_dirty_beyond *b;

	if (d->loss != JB_LOSS_NONE)
		return;
	if (d->n_beyond == JB_DIRTY_MAX_BEYOND) {
		jb_dirty_lose(d, JB_LOSS_TOO_MANY);
		return;
	}
	if (d->n_beyond == d->cap_beyond) {
		uint32_t cap = d->cap_beyond != 0 ? d->cap_beyond * 2 : 64;
		void *v = reallocarray(d->beyond, cap, sizeof *d->beyond);

		if (v == NULL) {
			jb_dirty_lose(d, JB_LOSS_MEMORY);
			return;
		}
		d->beyond = v;
		d->cap_beyond = cap;
	}
	b = &d->beyond[d->n_beyond++];
	b->ino = ino;
	b->fs = fs;
	b->handle.len = handle.len;
	memcpy(b->handle.bytes, handle.bytes, handle.len);
}
