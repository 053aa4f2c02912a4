/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/gaps.h - what `query --gaps` shows: when changes may have been
 * missed, and what the scan that closed the gap has found. */
#ifndef JB_CLI_GAPS_H
#define JB_CLI_GAPS_H

#include "engine/cli/query_options.h"

#include <stdio.h>

/* The gaps of the roots and the time that @o asks for, its -n and -r. */
int jb_gaps_print(struct jb_store *store, const struct jb_query_options *o,
		  FILE *f, struct jb_error *err);

#endif
