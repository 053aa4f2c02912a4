/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/fs_type.h - what the type of a file system tells of it. Pure. */
#ifndef JB_BASE_FS_TYPE_H
#define JB_BASE_FS_TYPE_H

#include <stdbool.h>

/* Is it one that others change, too? The kernel reports what is done through
 * this machine's own mounts. What another client, or the server itself, changes
 * raises no event.
 * @type: as in /proc/self/mountinfo, "nfs4", "fuse.sshfs". */
bool jb_fs_type_is_network(const char *type);

/* Does a file have another inode number from time to time? FAT keeps none: the
 * kernel makes one up whenever it reads the entry, after a mount and when
 * memory was short. So nobody can tell the file that is there now from the one
 * that was. The name of such a type, else NULL.
 * @magic: f_type of statfs(2). */
const char *jb_fs_type_renumbers(unsigned long magic);

#endif
