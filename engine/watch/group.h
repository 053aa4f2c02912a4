/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/group.h - a fanotify group: how it is made, and what the kernel
 * says of its descriptor (proc(5), fdinfo).
 *
 * Lifecycle of what it says: zeroed -> read -> watches* -> fini. Any thread,
 * one owner. */
#ifndef JB_WATCH_GROUP_H
#define JB_WATCH_GROUP_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct jb_group_mark {
	dev_t dev; /* of a file system */
	uint64_t mask;
};

struct jb_group {
	unsigned flags;		     /* of fanotify_init(2) */
	struct jb_group_mark *marks; /* owned */
	size_t n_marks;
};

/* fanotify_init(2); the caller owns the descriptor, -1 with errno on failure. A
 * group takes its bound from the sysctl when it is made, so this one can have
 * another than the rest of the system. @queue_limit: events, 0: the system's;
 * *limited: it is as was asked. */
int jb_group_make(unsigned flags, uint32_t queue_limit, bool *limited);

/* JB_EINVAL: @fd is no fanotify descriptor. On failure *ret stays zeroed. */
int jb_group_read(int fd, struct jb_group *ret, struct jb_error *err);

/* Is there a mark on the file system that has all bits of @mask? */
bool jb_group_watches(const struct jb_group *g, dev_t dev, uint64_t mask);

void jb_group_fini(struct jb_group *g);

#endif
