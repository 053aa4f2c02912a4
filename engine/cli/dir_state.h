/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/dir_state.h - what lies at a path that may answer nothing: a
 * server that is away, a FUSE mount whose process stands still. A child process
 * looks; it is left behind when that takes too long. One thread. */
#ifndef JB_CLI_DIR_STATE_H
#define JB_CLI_DIR_STATE_H

#include "jb/error.h"

#include <stdbool.h>

#define JB_DIR_STATE_WAIT_S 5

struct jb_dir_state {
	int errnum;    /* 0: a directory; ETIMEDOUT: nothing answers there */
	bool is_mount; /* something is mounted at the path itself */
	unsigned long type; /* as of statfs(2) */
};

/* Takes JB_DIR_STATE_WAIT_S at most. JB_ESYS, JB_ENOMEM: it can't be asked. */
int jb_dir_state_ask(const char *path, struct jb_dir_state *ret,
		     struct jb_error *err);

#endif
