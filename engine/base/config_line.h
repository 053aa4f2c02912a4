/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config_line.h - the lines of a configuration file: text, each
 * with its number, those that end in a backslash joined with the next one.
 *
 * Lifecycle: {stream, file} set -> next* -> fini. One thread. */
#ifndef JB_BASE_CONFIG_LINE_H
#define JB_BASE_CONFIG_LINE_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The longest line, joined ones taken together, with its '\0'. */
#define JB_CONFIG_LINE_MAX 65536

struct jb_config_line {
	FILE *stream;	  /* borrowed */
	const char *file; /* borrowed; its name, for messages */
	char *text;	  /* owned; the line, without its end */
	size_t len;
	int number; /* of the first of the lines that were joined */
	int n_read; /* lines so far */
};

/* Read the next line; *ret_end: there is none. JB_ECONFIG: "FILE:LINE: ...",
 * it is too long, has a control character or is not UTF-8. */
int jb_config_line_next(struct jb_config_line *l, bool *ret_end,
			struct jb_error *err);

bool jb_config_line_is_comment(const char *text);

void jb_config_line_fini(struct jb_config_line *l);

#endif
