/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/network_fs.h - is this a file system that others change, too?
 *
 * The kernel reports what is done through this machine's own mounts. What
 * another client, or the server itself, changes raises no event. Pure. */
#ifndef JB_BASE_NETWORK_FS_H
#define JB_BASE_NETWORK_FS_H

#include <stdbool.h>

/* @type: as in /proc/self/mountinfo, "nfs4", "fuse.sshfs". */
bool jb_network_fs_is(const char *type);

#endif
