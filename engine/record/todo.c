/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/record/todo.h"

#include <stdlib.h>
#include <string.h>

static bool before(const struct jb_todo_item *a, const struct jb_todo_item *b)
{
	if (a->depth != b->depth)
		return a->depth < b->depth;
	return a->order < b->order;
}

void jb_todo_item_fini(struct jb_todo_item *item)
{
	free(item->name);
	jb_listing_free(item->listing);
	item->name = NULL;
	item->listing = NULL;
}

int jb_todo_push(struct jb_todo *t, struct jb_todo_item item,
		 struct jb_error *err)
{
	size_t i, up;

	if (t->n == t->cap) {
		size_t cap = t->cap != 0 ? t->cap * 2 : 64;
		void *v = reallocarray(t->items, cap, sizeof *t->items);

		if (v == NULL) {
			jb_todo_item_fini(&item);
			return jb_error_set(err, JB_ENOMEM, 0, "places");
		}
		t->items = v;
		t->cap = cap;
	}
	item.order = t->order++;
	for (i = t->n++; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!before(&item, &t->items[up]))
			break;
		t->items[i] = t->items[up];
	}
	t->items[i] = item;
	return JB_OK;
}

bool jb_todo_pop(struct jb_todo *t, struct jb_todo_item *ret)
{
	struct jb_todo_item last;
	size_t i = 0, down;

	if (t->n == 0)
		return false;
	*ret = t->items[0];
	last = t->items[--t->n];
	for (;;) {
		down = 2 * i + 1;
		if (down >= t->n)
			break;
		if (down + 1 < t->n &&
		    before(&t->items[down + 1], &t->items[down]))
			down++;
		if (!before(&t->items[down], &last))
			break;
		t->items[i] = t->items[down];
		i = down;
	}
	t->items[i] = last;
	return true;
}

uint64_t jb_todo_oldest(const struct jb_todo *t)
{
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < t->n; i++)
		if (t->items[i].origin < oldest)
			oldest = t->items[i].origin;
	return oldest;
}

void jb_todo_fini(struct jb_todo *t)
{
	for (size_t i = 0; i < t->n; i++)
		jb_todo_item_fini(&t->items[i]);
	free(t->items);
	memset(t, 0, sizeof *t);
}
