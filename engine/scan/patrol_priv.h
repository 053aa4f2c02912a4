/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/scan/patrol_priv.h - the patrol's inside, for patrol.c (when which
 * directory is compared) and suspects.c (what to think of a difference). All
 * of it belongs to the patrol's thread. */
#ifndef JB_SCAN_PATROL_PRIV_H
#define JB_SCAN_PATROL_PRIV_H

#include "engine/scan/patrol.h"
#include "engine/scan/walk.h"

#define JB_SUSPECTS 256 /* then they are settled, within a page */

/* A name that differed, and its row then. */
struct jb_suspect {
	uint64_t dir;
	size_t len;
	char name[JB_NAME_MAX + 1];
	bool had_row, was_there;
	struct jb_id id; /* of the row */
	struct jb_facts facts;
	struct jb_id live_id;
	int64_t seen;	 /* ns: when it was looked at, */
	int64_t changed; /* and when it had been changed, at the latest */
};

struct jb_patrolman {
	struct jb_patrol *patrol;
	struct jb_store *store;
	struct jb_catalog *catalog;
	sqlite3_stmt *dirs, *count;
	struct jb_walk walk;
	struct jb_suspect suspects[JB_SUSPECTS];
	size_t n;
	int64_t waited_us; /* for events, in this page */
};

/* Before something of the root is opened, and after; false: it was asked to
 * keep out. */
bool jb_patrol_enter(struct jb_patrol *p, const struct jb_root *root);
void jb_patrol_leave(struct jb_patrol *p);

/* A jb_walk_found_fn; @arg is the patrolman. */
int jb_patrol_found(void *arg, uint64_t dir, const char *name, size_t len,
		    const struct jb_entry *row, const struct jb_look *live,
		    struct jb_error *err);
/* A jb_walk_full_fn, as well. */
int jb_patrol_send(void *arg, struct jb_walk_places *places,
		   struct jb_error *err);

/* False: it was stopped, or asked to keep out of @root, before @due_us of
 * CLOCK_MONOTONIC. */
bool jb_patrol_wait(struct jb_patrol *p, const struct jb_root *root,
		    int64_t due_us);

/* Wait for a barrier, and until events are no longer to be expected; then mark
 * the places whose rows are as they were.
 * JB_ECANCELED: stopped, or asked to keep out, meanwhile. */
int jb_patrol_settle(struct jb_patrolman *m, struct jb_error *err);

#endif
