/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/detached.h - entries that are missing from their place and not
 * yet known to be deleted.
 *
 * A detached row keeps its subtree and bears a number, det > 0, that grows:
 * who is detached (or seen moving again) in one batch has the numbers of one
 * group, and a group waits for one mark. When the mark is passed, who still
 * has a number of the group is deleted.
 *
 * Recorder thread. */
#ifndef JB_RECORD_DETACHED_H
#define JB_RECORD_DETACHED_H

#include "engine/watch/barrier.h"
#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jb_detached_group {
	uint64_t batch;	      /* in which they were last seen to move */
	int64_t upto;	      /* highest number */
	struct jb_mark *mark; /* owned; NULL: not asked for yet */
};

struct jb_detached {
	struct jb_detached_group *groups; /* owned; in the order of numbers */
	size_t n_groups, cap_groups;
	int64_t passed; /* numbers up to here may be deleted */
	uint64_t *inos; /* owned; a hash set of detached inodes */
	size_t n_inos, size_inos;
	bool inexact;	/* too many for the set: ask the catalog */
	uint64_t count; /* rows */
};

void jb_detached_init(struct jb_detached *d);
void jb_detached_fini(struct jb_detached *d);

/* An inode is detached. The set only grows until jb_detached_reset: it may say
 * yes for one that is back, never no for one that is not. */
void jb_detached_note(struct jb_detached *d, uint64_t ino);
bool jb_detached_may_hold(const struct jb_detached *d, uint64_t ino);
/* Nobody is detached any more. */
void jb_detached_reset(struct jb_detached *d);

/* Numbers up to @upto that no group has yet were seen moving in @batch. */
int jb_detached_group_add(struct jb_detached *d, uint64_t batch, int64_t upto,
			  struct jb_error *err);
/* All groups begin anew as one. */
int jb_detached_regroup(struct jb_detached *d, uint64_t batch, int64_t upto,
			struct jb_error *err);
/* Move on: `passed` grows with each group whose mark is passed. */
void jb_detached_advance(struct jb_detached *d, const struct jb_dirty *set,
			 uint64_t oldest_left);

#endif
