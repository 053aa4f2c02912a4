/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/reload.h - read the configuration again without losing an event.
 *
 * The daemon stops in order and the program runs itself anew in the same
 * process, with the descriptor of the queue handed over: so whatever can be
 * configured can change, and there is one way to begin (engine/keep.h).
 *
 * Lifecycle: check -> (the daemon stops) -> exec. */
#ifndef JB_ENGINE_RELOAD_H
#define JB_ENGINE_RELOAD_H

#include "engine/base/config.h"
#include "engine/keep.h"

/* Asked for by jb_daemon_run(). */
struct jb_reload {
	bool again; /* run the program anew */
	int fd;	    /* owned; of the queue, -1: none */
	char name[JB_KEEP_NAME_SIZE];
};

/* Would the files that @config was read from be taken now? JB_ECONFIG: what is
 * wrong there, or what can't change at run time. */
int jb_reload_check(const struct jb_config *config, struct jb_error *err);

/* Returns only when it fails. */
int jb_reload_exec(const struct jb_config *config, const struct jb_reload *r,
		   struct jb_error *err);

#endif
