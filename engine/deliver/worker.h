/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/worker.h - the process that serves one policy.
 *
 * Started by the daemon (engine/deliver/supervisor.h) with a pipe as descriptor
 * JB_WORKER_FD, and the configuration that the daemon has
 * (engine/base/config_pass.h) as JB_WORKER_CONFIG_FD; ends with the pipe. Lines
 * of JSON both ways:
 *
 *   {"do":"wake"}                       there are new changes
 *   {"do":"mounted","path":P}           something was mounted or unmounted
 * there
 *   {"do":"flush","id":7,"seq":1234}    answer when these are carried out
 *   {"do":"pause"|"resume"|"reset","id":8}
 *   {"do":"release","id":9,"seq":1234}   what was held up to there
 *   {"do":"init","id":10,"adopt":true,"content":false}
 *   {"do":"recopy","id":11,"rid":345}   the content of this copy is wrong
 *   {"do":"reattribute","id":11,"rid":345}   and here its attributes
 *
 *   {"status":{...}}                    whenever it changes
 *   {"reply":7,"ok":true,...}           once for each id
 *   {"dying":"why"}                     the last words, if there are any */
#ifndef JB_DELIVER_WORKER_H
#define JB_DELIVER_WORKER_H

#include "engine/base/config.h"

#define JB_WORKER_FD	    3
#define JB_WORKER_CONFIG_FD 4
#define JB_WORKER_LINE_MAX  (4 << 20) /* bytes, both ways */

/* Serve until the pipe closes or SIGTERM comes. */
int jb_worker_run(const struct jb_config *config, const char *policy,
		  struct jb_error *err);

#endif
