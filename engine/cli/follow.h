/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/follow.h - wait until the journal may have grown.
 *
 * Lifecycle: init -> wait* -> fini. An inotify watch on the state directory,
 * no part of the daemon is needed; the directory and the journal may appear
 * later, or be replaced. SIGINT and SIGTERM, and a reader of standard output
 * who goes away, end the waiting. One thread, one object a process. */
#ifndef JB_CLI_FOLLOW_H
#define JB_CLI_FOLLOW_H

#include "jb/error.h"

#include <stdbool.h>

struct jb_follow {
	char *dir;	/* owned; the state directory */
	int fd;		/* inotify */
	int wd;		/* watch on dir, or on what is above it */
	bool is_there;	/* wd is dir itself */
	int delay_ms;	/* until the next look; -1: none is due */
	unsigned looks; /* since the last event */
};

int jb_follow_init(struct jb_follow *f, const char *dir, struct jb_error *err);

/* 1: look again, 0: end, or an error. */
int jb_follow_wait(struct jb_follow *f, struct jb_error *err);

void jb_follow_fini(struct jb_follow *f);

#endif
