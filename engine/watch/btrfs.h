/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/btrfs.h - the top of a btrfs file system, for its mark.
 *
 * A subvolume refuses a mark for the whole file system (EXDEV): it has another
 * id than the top, and events bear one id only. The top does not refuse, and
 * tells of all subvolumes. Any thread. */
#ifndef JB_WATCH_BTRFS_H
#define JB_WATCH_BTRFS_H

#include "jb/error.h"

/* Mount the top of the file system on @device (any of its devices), which is
 * mounted already, where nobody sees it. Returns a descriptor of its top
 * directory; the mount goes with it. Needs CAP_SYS_ADMIN. */
int jb_btrfs_open_top(const char *device, struct jb_error *err);

#endif
