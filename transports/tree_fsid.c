/* SPDX-License-Identifier: GPL-2.0-or-later */
/* f_fsid of statfs is made of the device number on some file systems, which
 * another boot may change; so the file system's own UUID is asked for: from the
 * kernel (6.9 and later), from btrfs, or from udev's links to the device. */
#include "transports/transport.h"
#include "transports/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define UUID_DIR "/dev/disk/by-uuid"

/* linux/fs.h of Debian 12 is older than this call. */
struct fs_uuid {
	uint8_t len;
	uint8_t uuid[16];
};
#define JB_FS_IOC_GETFSUUID _IOR(0x15, 0, struct fs_uuid)

static bool ask_kernel(int fd, char text[JB_UUID_SIZE])
{
	struct btrfs_ioctl_fs_info_args info = {.num_devices = 0};
	struct fs_uuid u;

	if (ioctl(fd, JB_FS_IOC_GETFSUUID, &u) == 0 && u.len == 16) {
		jb_uuid_text(u.uuid, text);
		return true;
	}
	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) == 0) {
		jb_uuid_text(info.fsid, text);
		return true;
	}
	return false;
}

static bool ask_udev(dev_t dev, char text[JB_UUID_SIZE])
{
	DIR *dir = opendir(UUID_DIR);
	bool found = false;
	struct dirent *d;
	struct stat st;

	if (dir == NULL)
		return false;
	while (!found && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.' || strlen(d->d_name) >= JB_UUID_SIZE ||
		    fstatat(dirfd(dir), d->d_name, &st, 0) < 0)
			continue;
		found = S_ISBLK(st.st_mode) && st.st_rdev == dev;
		if (found)
			snprintf(text, JB_UUID_SIZE, "%s", d->d_name);
	}
	closedir(dir);
	return found;
}

uint64_t jb_tree_fsid(int fd)
{
	char text[JB_UUID_SIZE];
	struct stat st;

	if (ask_kernel(fd, text) ||
	    (fstat(fd, &st) == 0 && ask_udev(st.st_dev, text)))
		return XXH3_64bits(text, strlen(text));
	return 0;
}
