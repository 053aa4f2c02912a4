/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/mounts.h - what is mounted below the roots, from /proc/self/mountinfo.
 *
 * Mounting raises no event in the file system that is covered, so the list is
 * read again whenever the kernel says that it changed (POLLPRI, proc(5)).
 * Lifecycle: zeroed -> update* -> fini. One owner. */
#ifndef JB_ENGINE_MOUNTS_H
#define JB_ENGINE_MOUNTS_H

#include "jb/error.h"

#include <stddef.h>

struct jb_mounts {
	char **paths; /* owned; sorted mount points, absolute */
	size_t n;
};

/* Called for each mount point that has come or gone. */
typedef void jb_mounts_fn(void *arg, const char *path);

/* Read @file (mountinfo) anew and tell the difference. */
int jb_mounts_update(struct jb_mounts *m, const char *file, jb_mounts_fn *fn,
		     void *arg, struct jb_error *err);
void jb_mounts_fini(struct jb_mounts *m);

#endif
