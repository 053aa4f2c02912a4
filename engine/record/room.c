/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three bounds. journal.db: SQLite itself refuses to grow it beyond
 * max_page_count. The WAL: cut after a commit that made it too large; on a
 * small disk transactions are small, so one can't make it much larger. The
 * disk: looked at before each batch, so that what is kept free for others is
 * also what writing the WAL back may need. */
#include "engine/record/room.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/size.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define LEAST_JOURNAL (INT64_C(8) << 20) /* else there is no life in it */
#define KEEP_BYTES    (INT64_C(64) << 20)
#define LEAST_KEEP    (INT64_C(4) << 20)
#define SHARE	      16   /* of a small disk: for the WAL, and to keep */
#define BYTES_PER_ROW 8192 /* in the WAL, when every row has its page */
#define CUT_WAIT_MS   100
#define TELL_EVERY_US (INT64_C(60) * 1000000)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Bytes of the disk and how many of them are free; false: not known. */
static bool read_disk(const struct jb_room *room, int64_t *total,
		      int64_t *free_bytes)
{
	struct statvfs st;

	if (statvfs(room->store->path, &st) != 0 || st.f_blocks == 0)
		return false;
	*total = (int64_t)(st.f_blocks * st.f_frsize);
	*free_bytes = (int64_t)(st.f_bavail * st.f_frsize);
	return true;
}

static void choose_limits(struct jb_room *room)
{
	int64_t total, free_bytes;

	room->wal_bytes = jb_store_wal_bytes(room->store->path);
	room->keep_bytes = 0;
	if (read_disk(room, &total, &free_bytes)) {
		room->keep_bytes = least(KEEP_BYTES, total / SHARE);
		if (room->keep_bytes < LEAST_KEEP)
			room->keep_bytes = least(LEAST_KEEP, total / 4);
	}
	if (room->max_bytes > 0)
		room->wal_bytes =
			least(room->wal_bytes, room->max_bytes / SHARE);
	if (room->wal_bytes < JB_STORE_WAL_LEAST)
		room->wal_bytes = JB_STORE_WAL_LEAST;
	room->rows_at_once = room->wal_bytes < JB_STORE_WAL_MOST
				     ? room->wal_bytes / BYTES_PER_ROW
				     : 0;
	room->most_bytes = room->max_bytes > 0
				   ? room->max_bytes - 2 * room->wal_bytes
				   : INT64_MAX;
}

int jb_room_init(struct jb_room *room, struct jb_store *store,
		 struct jb_retain *retain, int64_t max_bytes,
		 struct jb_error *err)
{
	int64_t page = 4096, pages = INT64_C(0xfffffffe);
	char sql[64];
	int rv;

	if (max_bytes > 0 && max_bytes < LEAST_JOURNAL)
		max_bytes = LEAST_JOURNAL;
	*room = (struct jb_room){.store = store,
				 .retain = retain,
				 .max_bytes = max_bytes};
	choose_limits(room);
	if (room->most_bytes < INT64_MAX)
		pages = room->most_bytes / page;
	snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld",
		 (long long)pages);
	rv = jb_store_exec(store, sql, err);
	return rv == JB_OK ? jb_store_limit_wal(store, room->wal_bytes, err)
			   : rv;
}

int64_t jb_room_need(const struct jb_room *room)
{
	int64_t total, free_bytes, keep = room->keep_bytes;

	if (room->lacking) /* not there and back with each page */
		keep += keep / 4;
	if (!read_disk(room, &total, &free_bytes) || free_bytes >= keep)
		return 0;
	return keep - free_bytes;
}

/* What is wrong, "" if nothing. */
static void find_lack(const struct jb_room *room, char *text, size_t size)
{
	char a[JB_SIZE_TEXT_MAX];
	struct jb_extent extent;

	*text = '\0';
	if (jb_room_need(room) > 0)
		snprintf(text, size,
			 "%s: its disk is full but for %s that are kept free: "
			 "make room there",
			 room->store->path,
			 jb_size_format((uint64_t)room->keep_bytes, a,
					sizeof a));
	if (room->max_bytes == 0 ||
	    jb_retain_extent(room->retain, &extent, NULL) != JB_OK)
		return;
	if (extent.used_bytes > room->most_bytes - room->most_bytes / SHARE ||
	    extent.file_bytes + extent.wal_bytes > room->max_bytes)
		snprintf(text, size,
			 "%s: MaxJournalSize=%s is reached: give it more, or "
			 "leave something out with Exclude=",
			 room->store->path,
			 jb_size_format((uint64_t)room->max_bytes, a,
					sizeof a));
}

static void tell(struct jb_room *room, const char *text)
{
	int64_t now = jb_clock_us(CLOCK_MONOTONIC);

	if (*text != '\0' &&
	    (!room->lacking || now - room->told_us > TELL_EVERY_US)) {
		jb_log_error("%s; changes are not recorded meanwhile, a scan "
			     "makes up for it",
			     text);
		room->told_us = now;
	} else if (*text == '\0' && room->lacking) {
		jb_log_notice("%s: there is room again", room->store->path);
	}
	room->lacking = *text != '\0';
}

bool jb_room_check(struct jb_room *room)
{
	char text[JB_ERROR_TEXT_MAX / 2];

	find_lack(room, text, sizeof text);
	if (*text != '\0') {
		jb_store_cut_wal(room->store, CUT_WAIT_MS, NULL);
		find_lack(room, text, sizeof text);
	}
	tell(room, text);
	return !room->lacking;
}

void jb_room_failed(struct jb_room *room, const struct jb_error *why)
{
	/* The failed transaction's pages lie in the WAL. */
	jb_store_cut_wal(room->store, CUT_WAIT_MS, NULL);
	tell(room, why->text);
}

void jb_room_after_commit(struct jb_room *room)
{
	int64_t total, free_bytes, most = room->wal_bytes;
	struct jb_extent extent;

	/* On a disk that is nearly full it is not left to grow at all: writing
	 * it back must need no more than what is kept free. */
	if (read_disk(room, &total, &free_bytes) &&
	    free_bytes < room->keep_bytes + 2 * room->wal_bytes)
		most = room->wal_bytes / SHARE;
	if (jb_retain_extent(room->retain, &extent, NULL) == JB_OK &&
	    extent.wal_bytes > most)
		jb_store_cut_wal(room->store, CUT_WAIT_MS, NULL);
}

int64_t jb_room_soft_limit(const struct jb_room *room)
{
	return room->max_bytes > 0
		       ? room->most_bytes - room->most_bytes / SHARE * 2
		       : 0;
}
