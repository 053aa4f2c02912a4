/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/tree/handle.h - file handles: which object, whatever its path.
 *
 * A handle is kept as bytes: the kernel's handle type (4 bytes), then f_handle,
 * as name_to_handle_at(2) and fanotify(7) give them. A handle never lives
 * twice: it holds the inode's generation. Pure functions, any thread. */
#ifndef JB_TREE_HANDLE_H
#define JB_TREE_HANDLE_H

#include "jb/error.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#define JB_HANDLE_BYTES 132 /* type and MAX_HANDLE_SZ */

/* A handle in somebody else's memory. */
struct jb_handle_ref {
	const uint8_t *bytes; /* borrowed */
	uint8_t len;
};

struct jb_handle {
	uint8_t len;
	uint8_t bytes[JB_HANDLE_BYTES];
};

/* The handle of (dirfd, name); name "" means dirfd itself. JB_ENOTSUP: this
 * file system has none. */
int jb_handle_get(int dirfd, const char *name, struct jb_handle *ret,
		  struct jb_error *err);

/* Open the object. JB_ESTALE: it is gone. @flags as in open(2). Returns the
 * descriptor or a negative JB_E*. Needs CAP_DAC_READ_SEARCH. */
int jb_handle_open(int mountfd, struct jb_handle_ref handle, int flags,
		   struct jb_error *err);

/* The inode number that a handle of a known type holds; 0: unknown type. */
uint64_t jb_handle_ino(struct jb_handle_ref handle);

/* The subvolume that a btrfs handle names; 0: another file system. */
uint64_t jb_handle_subvolume(struct jb_handle_ref handle);

#endif
