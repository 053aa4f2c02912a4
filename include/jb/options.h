/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/options.h - the keys of [Policy NAME] that a policy reads itself.
 *
 * A table that ends with a zeroed row. Before open() the engine fills a zeroed
 * settings struct of settings_size bytes from it. */
#ifndef JB_OPTIONS_H
#define JB_OPTIONS_H

#include <stddef.h>

enum jb_option_type {
	JB_OPTION_TEXT = 1, /* const char *, NULL if not given */
	JB_OPTION_NUMBER,   /* int64_t */
	JB_OPTION_BOOL,	    /* bool */
	JB_OPTION_DURATION, /* uint64_t, microseconds */
	JB_OPTION_SIZE,	    /* uint64_t, bytes */
};

struct jb_option {
	const char *name; /* as it is written: "Settle" */
	enum jb_option_type type;
	size_t offset;	      /* in the settings struct */
	const char *fallback; /* as it would be written; NULL: zero */
	const char *help;     /* one line */
};

#endif
