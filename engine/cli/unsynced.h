/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/unsynced.h - `query --policy P --unsynced`. */
#ifndef JB_CLI_UNSYNCED_H
#define JB_CLI_UNSYNCED_H

#include "engine/base/config.h"
#include "engine/cli/query_options.h"

/* One line each to @f; what is not known yet is told on stderr. */
int jb_unsynced_print(const struct jb_config *config,
		      const struct jb_query_options *o, FILE *f,
		      struct jb_error *err);

#endif
