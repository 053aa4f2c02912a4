/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/client.h - ask the running daemon, through its control socket:
 * one line of JSON there, one line of JSON back. */
#ifndef JB_CLI_CLIENT_H
#define JB_CLI_CLIENT_H

#include "jb/error.h"

#include <jansson.h>

#define JB_CLIENT_WAIT_MS 10000 /* for what the daemon answers at once */

/* Send @request (borrowed) to RUNTIME_DIR/control and wait @timeout_ms (-1:
 * for ever) for the reply, which the caller owns. JB_ENOTRUN: nobody listens;
 * JB_ETIMEDOUT: no answer; JB_EPROTO: not one of ours answered. A reply that
 * says "ok": false becomes the error that it names. */
int jb_client_call(const char *runtime_dir, const json_t *request,
		   int timeout_ms, json_t **reply, struct jb_error *err);

#endif
