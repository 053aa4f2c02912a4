/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/status_policies.h - the policies' part of `status`. */
#ifndef JB_CLI_STATUS_POLICIES_H
#define JB_CLI_STATUS_POLICIES_H

#include "engine/base/config.h"

#include <jansson.h>

#include <stdint.h>
#include <stdio.h>

/* What is known of the policies while no daemon runs (@is_down), or answers,
 * from their databases, which are only read; like the daemon's own "policies".
 * @last_seq is the journal's, 0: not known. The caller owns the result. */
json_t *jb_status_still_policies(const struct jb_config *config, bool is_down,
				 int64_t last_seq);

/* A table, then a line for each thing that is worth a word; nothing without
 * policies. */
void jb_status_print_policies(const json_t *policies, FILE *f);

#endif
