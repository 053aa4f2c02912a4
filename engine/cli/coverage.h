/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/coverage.h - what of a root goes to no policy, and what to more
 * than one. The tree is looked at as far as patterns can tell its names apart,
 * level by level, up to a number of names; what was not looked at is said. */
#ifndef JB_CLI_COVERAGE_H
#define JB_CLI_COVERAGE_H

#include "engine/base/config.h"

/* Print it to stdout. JB_ENOMEM, JB_ECONFIG; JB_EHELD, JB_ESYS: the root can't
 * be opened. */
int jb_coverage_print(const struct jb_config *config,
		      const struct jb_config_root *root, struct jb_error *err);

#endif
