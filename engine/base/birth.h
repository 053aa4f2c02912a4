/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/birth.h - what tells an object from those that had its inode
 * number before.
 *
 * That is its birth time. Where a file system keeps none (ext4 with inodes of
 * 128 bytes, ext3, xfs without checksums) it is the generation that its file
 * handle bears, as -1 - generation, so the two are never taken for each other.
 */
#ifndef JB_BASE_BIRTH_H
#define JB_BASE_BIRTH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* @st: of (@dirfd, @name), or of @dirfd where @name is "", looked at with
 * STATX_BTIME and STATX_INO; a symlink is not followed. Nanoseconds, or a
 * generation; 0: neither is known. Any thread. */
int64_t jb_birth(int dirfd, const char *name, const struct statx *st);

/* Does the file system of @fd keep times as whole seconds? ext2, ext3 and ext4
 * with inodes of 128 bytes do. What happens twice within one second may look
 * as if it had happened once. */
bool jb_keeps_whole_seconds(int fd);

#endif
