/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/daemon.h - the service: wires intake, recorder, scans and control.
 *
 * One call on the main thread; it returns after SIGTERM or SIGINT, when the
 * configuration is to be read again (SIGHUP), or when the service can't go on.
 */
#ifndef JB_ENGINE_DAEMON_H
#define JB_ENGINE_DAEMON_H

#include "engine/base/config.h"
#include "engine/reload.h"
#include "jb/error.h"

/* JB_OK: stopped on request. Else one line that says what ended it. *ret says
 * whether the program is to be run anew, with another configuration. */
int jb_daemon_run(const struct jb_config *config, struct jb_reload *ret,
		  struct jb_error *err);

#endif
