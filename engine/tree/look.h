/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/tree/look.h - the truth: what stands at a place now (statx(2)).
 *
 * Any thread. A look never opens the object, so it neither blocks nor raises
 * events. */
#ifndef JB_TREE_LOOK_H
#define JB_TREE_LOOK_H

#include "jb/error.h"
#include "journal/entry.h"

#include <sys/types.h>

struct jb_look {
	struct jb_id id;
	struct jb_facts facts;
	uint64_t mount_id;
	dev_t dev;
};

/* Look at (dirfd, name). 1: there it is; 0: nothing is there (or the
 * directory is gone); else an error. */
int jb_look_at(int dirfd, const char *name, struct jb_look *ret,
	       struct jb_error *err);

/* Look at an open object. */
int jb_look_fd(int fd, struct jb_look *ret, struct jb_error *err);

/* Now, by the clock that file systems take their times from, ns. */
int64_t jb_look_clock(void);

/* Were times taken at @time possibly given again to a later write, seen from a
 * look that began at @clock? True within two clock ticks, and a second where
 * the file system keeps whole ones. */
bool jb_look_is_racy(int64_t time, int64_t clock);

/* May a write after a look at @clock leave @time as it is? As above; but no
 * write gets a time that lies far ahead. */
bool jb_look_is_young(int64_t time, int64_t clock);

/* Is what was found still the object of a row? Without birth times: another
 * type or an older ctime is another object. */
bool jb_look_same(const struct jb_look *found, const struct jb_entry *row);

#endif
