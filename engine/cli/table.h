/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/table.h - a table on the terminal, columns aligned.
 *
 * Lifecycle: new -> (row -> cell*)* -> print -> free. One thread. */
#ifndef JB_CLI_TABLE_H
#define JB_CLI_TABLE_H

#include <stdint.h>
#include <stdio.h>

struct jb_table;

/* @columns: names, NULL at the end; a leading '>' aligns to the right. NULL:
 * no memory. */
struct jb_table *jb_table_new(const char *const *columns);

/* Begin the next row, and fill its next cell. Cells are copied; lack of memory
 * shows as an empty cell. */
void jb_table_row(struct jb_table *t);
void jb_table_text(struct jb_table *t, const char *text);
void jb_table_bytes(struct jb_table *t, const char *bytes, size_t len);
void jb_table_count(struct jb_table *t, int64_t n);
void jb_table_size(struct jb_table *t, int64_t bytes);
void jb_table_time(struct jb_table *t, int64_t us);

void jb_table_print(struct jb_table *t, FILE *f);

/* Accepts NULL. */
void jb_table_free(struct jb_table *t);

#endif
