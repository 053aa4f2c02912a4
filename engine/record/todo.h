/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/todo.h - what a batch has still to look at, parents first.
 *
 * A heap by (depth, order of arrival). Each item bears the number of the batch
 * whose events led to it, also when it is left over to a later batch: a mark
 * waits for it. Recorder thread. */
#ifndef JB_RECORD_TODO_H
#define JB_RECORD_TODO_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jb_todo_kind {
	JB_TODO_SET_DIR, /* the places of a directory in the dirty set */
	JB_TODO_NAME,	 /* one place */
	JB_TODO_LIST,	 /* a whole directory */
	JB_TODO_TIMES,	 /* a directory's own times, when all else is done */
};

struct jb_listing; /* record/list.c: names of a directory, partly done */

struct jb_todo_item {
	unsigned depth;
	enum jb_todo_kind kind;
	uint64_t order;
	uint64_t origin; /* number of the batch */
	uint64_t dir;
	unsigned flags; /* JB_DIRTY_* */
	uint32_t index; /* SET_DIR: in the set */
	uint64_t needs; /* LIST: directories that must be in the map */
	int64_t ctime;	/* LIST: the directory's, as its row has it */
	char *name;	/* NAME: owned */
	uint8_t len;
	struct jb_listing *listing; /* LIST: owned, NULL: not begun */
};

struct jb_todo {
	struct jb_todo_item *items; /* owned; a heap */
	size_t n, cap;
	uint64_t order;
};

/* Takes over what @item owns, also on failure. */
int jb_todo_push(struct jb_todo *t, struct jb_todo_item item,
		 struct jb_error *err);
/* false: empty. The caller owns what the item owns. */
bool jb_todo_pop(struct jb_todo *t, struct jb_todo_item *ret);
/* The lowest origin, UINT64_MAX if empty. */
uint64_t jb_todo_oldest(const struct jb_todo *t);
void jb_todo_item_fini(struct jb_todo_item *item);
void jb_todo_fini(struct jb_todo *t);

void jb_listing_free(struct jb_listing *l);

#endif
