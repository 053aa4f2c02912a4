/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/hash_table.h - find an item by its key.
 *
 * A hash table of borrowed pointers that only grows: a plan forgets nothing
 * before it ends. Lifecycle: {0} -> add, find -> fini. */
#ifndef JB_DELIVER_HASH_TABLE_H
#define JB_DELIVER_HASH_TABLE_H

#include "journal/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jb_hash_table {
	struct table_slot *slots; /* owned */
	size_t size, n;
};

typedef bool jb_hash_table_same_fn(const void *item, const void *key);

/* NULL: not there. */
void *jb_hash_table_find(const struct jb_hash_table *t, uint64_t hash,
			 jb_hash_table_same_fn *same, const void *key);

/* False without memory. The caller has made sure that it is not there. */
bool jb_hash_table_add(struct jb_hash_table *t, uint64_t hash, void *item);

void jb_hash_table_fini(struct jb_hash_table *t);

/* Hashes of the keys that a plan has. */
uint64_t jb_hash_number(uint64_t n);
uint64_t jb_hash_id(struct jb_id id);
uint64_t jb_hash_name(uint64_t n, const char *name, size_t len);

#endif
