/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/watch/btrfs.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <unistd.h>

#define TOP "5" /* BTRFS_FS_TREE_OBJECTID */

static int mount_top(const char *device, bool read_only)
{
	int fs = fsopen("btrfs", FSOPEN_CLOEXEC), fd = -1, saved;

	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "subvolid", TOP, 0) == 0 &&
	    (!read_only ||
	     fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0) &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	saved = errno;
	close(fs);
	errno = saved;
	return fd;
}

int jb_btrfs_open_top(const char *device, struct jb_error *err)
{
	/* Older kernels want it as it is mounted already: writable or not. */
	int fd = mount_top(device, true);

	if (fd < 0)
		fd = mount_top(device, false);
	return fd >= 0 ? fd
		       : jb_error_errno(err, errno, "mount the top of %s",
					device);
}
