/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/policy_request.h - ask a policy's worker, through the daemon. */
#ifndef JB_CLI_POLICY_REQUEST_H
#define JB_CLI_POLICY_REQUEST_H

#include "jb/error.h"

#include <jansson.h>
#include <stdint.h>

struct jb_config;

/* {"command":"policy","do":WHAT,"policy":POLICY}; @more (may be NULL) is taken
 * over and merged in. The caller owns *reply (may be NULL). JB_ENOTRUN: no
 * daemon. */
int jb_policy_request(const struct jb_config *config, const char *policy,
		      const char *what, json_t *more, json_t **reply,
		      struct jb_error *err);

/* What `status` of the daemon says of the policy; the caller owns *ret. */
int jb_policy_status(const struct jb_config *config, const char *policy,
		     json_t **ret, struct jb_error *err);

/* Say which paths a flush left pending. Returns how many there are. */
int64_t jb_policy_print_pending(const json_t *reply);

#endif
