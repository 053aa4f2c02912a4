/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/query_page.h - the rows that one call of jb_query_next gives. Private
 * to query.
 *
 * Lifecycle: zeroed -> (clear -> add* -> finish -> read)* -> fini. */
#ifndef JB_JOURNAL_QUERY_PAGE_H
#define JB_JOURNAL_QUERY_PAGE_H

#include "journal/query_match.h"

/* A row's columns, in the order in which a search needs them. */
#define JB_PAGE_SELECT                                                         \
	"SELECT seq, kind, place, name, mode, old_place, old_name, source,"    \
	" what, ino, birth, size, mtime, entries, bytes FROM change "

enum jb_page_column {
	JB_COL_SEQ,
	JB_COL_KIND,
	JB_COL_PLACE,
	JB_COL_NAME,
	JB_COL_MODE,
	JB_COL_OLD_PLACE,
	JB_COL_OLD_NAME,
	JB_COL_SOURCE,
	JB_COL_WHAT,
	JB_COL_INO,
	JB_COL_BIRTH,
	JB_COL_SIZE,
	JB_COL_MTIME,
	JB_COL_ENTRIES,
	JB_COL_BYTES,
};

/* Rows and their texts; texts are offsets until the page is whole. */
struct jb_page {
	struct jb_query_row rows[JB_QUERY_PAGE];
	size_t path[JB_QUERY_PAGE], old_path[JB_QUERY_PAGE];
	size_t n;
	char *text; /* owned */
	size_t len, size;
};

void jb_page_clear(struct jb_page *page);

/* Append the row that @st stands on, with its ends; @old->place is NULL unless
 * it was renamed. */
int jb_page_add(struct jb_page *page, sqlite3_stmt *st, int64_t time_us,
		const struct jb_match_end *now, const struct jb_match_end *old,
		struct jb_error *err);

/* All is added: let the rows point at their texts. */
void jb_page_finish(struct jb_page *page);

void jb_page_fini(struct jb_page *page);

#endif
