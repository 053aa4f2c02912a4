/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/ahead.h - a thread that reads new directories before the
 * recorder comes to them: opens, lists and looks, so that system calls and the
 * database's work overlap while a tree is seen for the first time.
 *
 * A look that is used later than another one at the same place must not be
 * older: what is read is of use only in the batch in which it was read (the
 * directory's handle being in the map by then), and only for names and inodes
 * that the catalog does not know. What changes after it raises an event that a
 * later set holds. Who uses it holds to that: record/list.c, record/place.c.
 *
 * Directories are mostly taken in the order in which they were wanted. The
 * recorder never waits for one that isn't begun: it reads that for itself.
 * Lifecycle: start -> (begin -> (want, take)*)* -> stop. All functions:
 * recorder thread. */
#ifndef JB_RECORD_AHEAD_H
#define JB_RECORD_AHEAD_H

#include "engine/tree/look.h"
#include "engine/tree/root.h"
#include "engine/tree/names.h"

struct jb_ahead;

/* A directory that was read. */
struct jb_ahead_dir {
	uint64_t key;
	int64_t clock; /* before the first look, ns */
	struct jb_names names;
	struct jb_look *looks; /* owned; as many as names, ino 0: no look */
};

int jb_ahead_start(struct jb_ahead **ret, struct jb_error *err);
/* Accepts NULL. */
void jb_ahead_stop(struct jb_ahead *a);

/* A new set was taken: what was read before is too old. */
void jb_ahead_begin(struct jb_ahead *a);

/* Read directory @key. The keys grow. It is a wish: nothing fails. */
void jb_ahead_want(struct jb_ahead *a, uint64_t key, const struct jb_root *root,
		   struct jb_handle_ref handle);

/* The directory, if it is read or being read; NULL: read it yourself. The
 * caller frees it. */
struct jb_ahead_dir *jb_ahead_take(struct jb_ahead *a, uint64_t key);
void jb_ahead_dir_free(struct jb_ahead_dir *dir);

#endif
