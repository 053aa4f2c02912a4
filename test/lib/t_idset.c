/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_idset.h"

#include <stdlib.h>
#include <string.h>

/* The slot that holds @id, or the free one where it belongs. */
static struct t_id *find_slot(const struct t_idset *s, struct t_id id)
{
	uint64_t h = (id.ino * UINT64_C(0x9e3779b97f4a7c15)) ^
		     ((uint64_t)id.birth * UINT64_C(0xc2b2ae3d27d4eb4f));
	size_t i = (size_t)(h >> 20) & (s->capacity - 1);

	while (s->slots[i].ino != 0 &&
	       (s->slots[i].ino != id.ino || s->slots[i].birth != id.birth))
		i = (i + 1) & (s->capacity - 1);
	return &s->slots[i];
}

static void grow(struct t_idset *s)
{
	struct t_idset bigger = {
		.capacity = s->capacity == 0 ? 1024 : 2 * s->capacity};
	size_t i;

	bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
	if (bigger.slots == NULL)
		abort();
	for (i = 0; i < s->capacity; i++)
		if (s->slots[i].ino != 0)
			*find_slot(&bigger, s->slots[i]) = s->slots[i];
	bigger.n = s->n;
	free(s->slots);
	*s = bigger;
}

bool t_idset_add(struct t_idset *s, struct t_id id)
{
	struct t_id *slot;

	if (2 * s->n >= s->capacity)
		grow(s);
	slot = find_slot(s, id);
	if (slot->ino != 0)
		return false;
	*slot = id;
	s->n++;
	return true;
}

bool t_idset_has(const struct t_idset *s, struct t_id id)
{
	return s->capacity != 0 && find_slot(s, id)->ino != 0;
}

void t_idset_tell(const struct t_idset *s, struct t_judge *j, const char *table)
{
	sqlite3_stmt *st =
		t_judge_prepare(j, "INSERT OR IGNORE INTO \"%s\" VALUES(?, ?)",
				table);
	size_t i;

	t_judge_exec(j, "BEGIN");
	for (i = 0; i < s->capacity; i++) {
		if (s->slots[i].ino == 0)
			continue;
		sqlite3_bind_int64(st, 1, (sqlite3_int64)s->slots[i].ino);
		sqlite3_bind_int64(st, 2, s->slots[i].birth);
		sqlite3_step(st);
		sqlite3_reset(st);
	}
	t_judge_exec(j, "COMMIT");
	sqlite3_finalize(st);
}

void t_idset_fini(struct t_idset *s)
{
	free(s->slots);
	memset(s, 0, sizeof *s);
}
