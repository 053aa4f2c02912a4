/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/room.h - is there room for what is to be written?
 *
 * The journal never fills its disk and never outgrows MaxJournalSize=. Where
 * room ends, changes are not recorded: each root owes a scan, its gap stays
 * open, and what comes is dropped until there is room again.
 *
 * Lifecycle: init -> check* . Belongs to the recorder thread. */
#ifndef JB_RECORD_ROOM_H
#define JB_RECORD_ROOM_H

#include "journal/retain.h"

#include <stdbool.h>

struct jb_room {
	struct jb_store *store;	  /* borrowed */
	struct jb_retain *retain; /* borrowed; knows the sizes */
	int64_t max_bytes;	  /* MaxJournalSize=, 0: no limit */
	int64_t wal_bytes;	  /* the WAL is cut when it is larger */
	int64_t keep_bytes;	  /* of the disk, for others */
	int64_t most_bytes;	  /* journal.db, INT64_MAX: no limit */
	int64_t rows_at_once;	  /* in one transaction, 0: any number */
	int64_t told_us;	  /* when the lack was last logged */
	bool lacking;
};

/* Set limits in the database that fit its disk and @max_bytes. */
int jb_room_init(struct jb_room *room, struct jb_store *store,
		 struct jb_retain *retain, int64_t max_bytes,
		 struct jb_error *err);

/* Before a batch: is there room? Cuts the WAL if that makes some. Logs when
 * the answer changes. */
bool jb_room_check(struct jb_room *room);

/* A write failed for lack of room. */
void jb_room_failed(struct jb_room *room, const struct jb_error *why);

/* After a commit: cut the WAL if it is too large, also while somebody reads. */
void jb_room_after_commit(struct jb_room *room);

/* How many bytes of the disk are lacking; 0: none. */
int64_t jb_room_need(const struct jb_room *room);

/* How much the journal may use before its oldest changes go; 0: any amount. */
int64_t jb_room_soft_limit(const struct jb_room *room);

#endif
