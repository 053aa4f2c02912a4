/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/mount_place.h - where a directory lies in its own file system,
 * whichever mount or link it is reached by: two bind mounts of one tree lie
 * inside one another, what is mounted below a directory does not.
 *
 * Lifecycle: find -> compare -> fini. Any thread may call. */
#ifndef JB_BASE_MOUNT_PLACE_H
#define JB_BASE_MOUNT_PLACE_H

#include "jb/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct jb_mount_place {
	char *path;		   /* owned; from the file system's own top */
	unsigned int major, minor; /* of the file system */
	dev_t device; /* of the directory: a btrfs subvolume has its own */
	ino_t inode;
	char *type;   /* owned; "ext4", "nfs4", "fuse.sshfs" */
	char *source; /* owned; a device, as a rule */
};

/* On failure *ret is untouched. */
int jb_mount_place_find(const char *dir, struct jb_mount_place *ret,
			struct jb_error *err);

/* A place where the file system of this device number (as in mountinfo) is
 * mounted; the caller frees *ret. JB_ENOENT: nowhere. */
int jb_mount_point_of(dev_t device, char **ret, struct jb_error *err);

bool jb_mount_place_is_same(const struct jb_mount_place *a,
			    const struct jb_mount_place *b);

/* Is @a below @b, in the same file system and subvolume? */
bool jb_mount_place_is_below(const struct jb_mount_place *a,
			     const struct jb_mount_place *b);

/* Accepts a zeroed one. */
void jb_mount_place_fini(struct jb_mount_place *p);

#endif
