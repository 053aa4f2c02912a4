/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/print_change.h - one change, in the formats of `query -o`. */
#ifndef JB_CLI_PRINT_CHANGE_H
#define JB_CLI_PRINT_CHANGE_H

#include "journal/query.h"

#include <stdbool.h>
#include <stdio.h>

struct jb_print {
	FILE *f;	 /* borrowed */
	bool colour;	 /* short: with colours */
	bool with_roots; /* short: there is more than one root */
};

typedef void jb_print_fn(const struct jb_print *p,
			 const struct jb_query_row *row);

enum jb_format_kind { JB_FORMAT_TEXT, JB_FORMAT_JSON, JB_FORMAT_LIST };

struct jb_format {
	const char *name;
	enum jb_format_kind kind;
	jb_print_fn *print;
};

/* NULL: no such format. */
const struct jb_format *jb_format_find(const char *name);

#endif
