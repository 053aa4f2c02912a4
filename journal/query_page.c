/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/query_page.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "query: out of memory");
}

void jb_page_clear(struct jb_page *page)
{
	page->n = 0;
	page->len = 0;
}

static int add_text(struct jb_page *page, const char *text, size_t len,
		    struct jb_error *err)
{
	size_t need = page->len + len;
	char *grown;

	if (need > page->size) {
		grown = realloc(page->text, need * 2 + 4096);
		if (grown == NULL)
			return no_memory(err);
		page->text = grown;
		page->size = need * 2 + 4096;
	}
	memcpy(page->text + page->len, text, len);
	page->len = need;
	return JB_OK;
}

/* Append the path of @end; *at is where it begins. */
static int add_path(struct jb_page *page, const struct jb_match_end *end,
		    size_t *at, size_t *len, struct jb_error *err)
{
	int rv = JB_OK;

	*at = page->len;
	if (end->place->len > 0) {
		rv = add_text(page, end->place->path, end->place->len, err);
		if (rv == JB_OK)
			rv = add_text(page, "/", 1, err);
	}
	if (rv == JB_OK)
		rv = end->len > 0 ? add_text(page, end->name, end->len, err)
				  : add_text(page, ".", 1, err);
	*len = page->len - *at;
	return rv == JB_OK ? add_text(page, "", 1, err) : rv;
}

static int64_t count_column(sqlite3_stmt *st, int i)
{
	return sqlite3_column_type(st, i) == SQLITE_NULL
		       ? -1
		       : sqlite3_column_int64(st, i);
}

int jb_page_add(struct jb_page *page, sqlite3_stmt *st, int64_t time_us,
		const struct jb_match_end *now, const struct jb_match_end *old,
		struct jb_error *err)
{
	struct jb_query_row *row = &page->rows[page->n];
	int rv;

	*row = (struct jb_query_row){
		.seq = sqlite3_column_int64(st, JB_COL_SEQ),
		.time_us = time_us,
		.kind = sqlite3_column_int(st, JB_COL_KIND),
		.source = sqlite3_column_int(st, JB_COL_SOURCE),
		.what = (unsigned)sqlite3_column_int(st, JB_COL_WHAT),
		.root = now->place->root->name,
		.id.ino = (uint64_t)sqlite3_column_int64(st, JB_COL_INO),
		.id.birth = sqlite3_column_int64(st, JB_COL_BIRTH),
		.mode = (uint32_t)sqlite3_column_int64(st, JB_COL_MODE),
		.size = sqlite3_column_int64(st, JB_COL_SIZE),
		.mtime_ns = sqlite3_column_int64(st, JB_COL_MTIME),
		.entries = count_column(st, JB_COL_ENTRIES),
		.bytes = count_column(st, JB_COL_BYTES),
	};
	rv = add_path(page, now, &page->path[page->n], &row->path_len, err);
	if (rv == JB_OK && old->place != NULL) {
		row->old_root = old->place->root->name;
		rv = add_path(page, old, &page->old_path[page->n],
			      &row->old_path_len, err);
	}
	if (rv == JB_OK)
		page->n++;
	return rv;
}

void jb_page_finish(struct jb_page *page)
{
	for (size_t i = 0; i < page->n; i++) {
		page->rows[i].path = page->text + page->path[i];
		if (page->rows[i].old_root != NULL)
			page->rows[i].old_path = page->text + page->old_path[i];
	}
}

void jb_page_fini(struct jb_page *page)
{
	free(page->text);
	page->text = NULL;
	page->size = 0;
	jb_page_clear(page);
}
