/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/table.h"

#include "engine/base/size.h"
#include "engine/base/time.h"
#include "engine/cli/output.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

struct jb_table {
	struct libscols_table *table; /* owned */
	struct libscols_line *line;   /* borrowed; the present row */
	size_t column;		      /* of the next cell */
};

struct jb_table *jb_table_new(const char *const *columns)
{
	struct jb_table *t = calloc(1, sizeof *t);
	int flags;

	if (t != NULL)
		t->table = scols_new_table();
	if (t == NULL || t->table == NULL) {
		free(t);
		return NULL;
	}
	/* Cells are made harmless here, and never cut to the screen's width. */
	scols_table_enable_noencoding(t->table, 1);
	scols_table_set_termforce(t->table, SCOLS_TERMFORCE_NEVER);
	for (; *columns != NULL; columns++) {
		flags = **columns == '>' ? SCOLS_FL_RIGHT : 0;
		if (scols_table_new_column(t->table, *columns + (flags != 0), 0,
					   flags) == NULL) {
			jb_table_free(t);
			return NULL;
		}
	}
	return t;
}

void jb_table_row(struct jb_table *t)
{
	t->line = scols_table_new_line(t->table, NULL);
	t->column = 0;
}

void jb_table_text(struct jb_table *t, const char *text)
{
	if (t->line != NULL)
		scols_line_set_data(t->line, t->column++, text);
}

void jb_table_bytes(struct jb_table *t, const char *bytes, size_t len)
{
	char *text = jb_out_text_dup(bytes, len);

	jb_table_text(t, text != NULL ? text : "");
	free(text);
}

void jb_table_count(struct jb_table *t, int64_t n)
{
	char buf[JB_OUT_COUNT_MAX];

	jb_table_text(t, jb_out_count(n, buf));
}

void jb_table_size(struct jb_table *t, int64_t bytes)
{
	char buf[JB_SIZE_TEXT_MAX];

	jb_table_text(t, jb_size_format((uint64_t)bytes, buf, sizeof buf));
}

void jb_table_time(struct jb_table *t, int64_t us)
{
	char buf[JB_TIME_TEXT_MAX];

	jb_table_text(t, us != 0 ? jb_time_format(us, false, buf, sizeof buf)
				 : "-");
}

void jb_table_print(struct jb_table *t, FILE *f)
{
	scols_table_set_stream(t->table, f);
	scols_print_table(t->table);
}

void jb_table_free(struct jb_table *t)
{
	if (t == NULL)
		return;
	scols_unref_table(t->table);
	free(t);
}
