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

struct jb_config_sections {
	struct jb_config_section *items; /* owned */
	size_t n;
};

/* Read the text of @f, whose path is set. JB_ECONFIG: there is none. */
int jb_config_file_read(struct jb_config_file *f, struct jb_error *err);
/* The same with @size bytes that were read before (copied). */
int jb_config_file_set(struct jb_config_file *f, const char *text, size_t size,
		       struct jb_error *err);

/* Add what @f holds. Its path is kept in every jb_config_where and must live as
 * long as the sections. JB_ECONFIG: "FILE:LINE: what is wrong, what to do". */
int jb_config_sections_read(struct jb_config_sections *s,
			    const struct jb_config_file *f,
			    struct jb_error *err);

/* config.c, for config_pass.c: one more file, without text; and all that comes
 * after the texts are read. @c is taken over, also on failure. */
int jb_config_add_file(struct jb_config *c, const char *path,
		       struct jb_error *err);
int jb_config_build(struct jb_config *c, struct jb_config **ret,
		    struct jb_error *err);

void jb_config_sections_fini(struct jb_config_sections *s);

/* Empties one section. */
void jb_config_section_fini(struct jb_config_section *s);

#endif
