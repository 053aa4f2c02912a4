/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/query_cursor.h - a cursor of `query` as text. Private to query.
 *
 * EPOCH:SEQ, and :SESSION where one is known (journal/session.h): the change
 * that was read last, and what tells it from another one of the same number. */
#ifndef JB_JOURNAL_QUERY_CURSOR_H
#define JB_JOURNAL_QUERY_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jb_query_place {
	uint64_t epoch;
	int64_t seq;
	int64_t session; /* 0: not known */
};

/* false: not a cursor. */
bool jb_query_place_parse(const char *text, struct jb_query_place *ret);
void jb_query_place_format(const struct jb_query_place *place, char *buf,
			   size_t size);

#endif
