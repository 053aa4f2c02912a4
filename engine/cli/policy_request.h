/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/policy_request.h - ask a policy's worker, through the daemon. */
#ifndef JB_CLI_POLICY_REQUEST_H
#define JB_CLI_POLICY_REQUEST_H

#include "jb/error.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

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

/* Say which entries a flush left undone, and why. Returns how many there are.
 */
int64_t jb_policy_print_unsynced(const json_t *reply);

/* One of them; @path NULL: it has none any more. */
void jb_policy_print_path(FILE *f, const char *path, const char *reason);
/* Say how many of @n there are beside those that were told. */
void jb_policy_print_more(int64_t n, size_t told);

#endif
