/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/config_file.h - configuration files as sections, keys and values.
 *
 * inih takes the lines apart; this adds what it lacks: the line of each key,
 * lines of any sensible length, lines joined by a backslash, empty sections,
 * and a message for everything that is not understood. Each key is checked
 * against the table of config_keys.h as it comes.
 *
 * Lifecycle: zeroed -> read* -> fini. One thread: inih's settings are global.*/
#ifndef JB_BASE_CONFIG_FILE_H
#define JB_BASE_CONFIG_FILE_H

#include "engine/base/config.h"

#include <stdio.h>

struct jb_config_sections {
	struct jb_config_section *items; /* owned */
	size_t n;
};

/* Add what @path holds. @name is kept in every jb_config_where and must live as
 * long as the sections. JB_ECONFIG: "FILE:LINE: what is wrong, what to do". */
int jb_config_sections_read(struct jb_config_sections *s, const char *path,
			    const char *name, struct jb_error *err);

/* The same from an open stream, which stays open. */
int jb_config_sections_read_stream(struct jb_config_sections *s, FILE *stream,
				   const char *name, struct jb_error *err);

void jb_config_sections_fini(struct jb_config_sections *s);

/* Empties one section. */
void jb_config_section_fini(struct jb_config_section *s);

#endif
