/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_mount.h - a real file system of its own, on a loop device.
 *
 * The image is a sparse file that is unlinked at once and the loop device
 * detaches itself, so nothing is left when the mount goes, however it goes. */
#ifndef JB_LIB_T_MOUNT_H
#define JB_LIB_T_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

/* ext3: small inodes, so neither birth times nor parts of a second. */
enum t_fs { T_none, T_ext3, T_ext4, T_xfs, T_btrfs, T_tmpfs };

struct t_mount {
	char path[128];	 /* the mount point; "" while there is none */
	char device[32]; /* the loop device, "" for tmpfs */
	int loop;	 /* owned; keeps it while nothing is mounted, or -1 */
	enum t_fs fs;
};

const char *t_fs_name(enum t_fs fs);

/* Make a file system of @size_mb (0: the least that is comfortable) and mount
 * it at @path, which is made. Skips the test where the kernel lacks it. */
void t_mount_init(struct t_mount *m, enum t_fs fs, const char *path,
		  unsigned size_mb);

/* The same in an image that is there, whose size it has. */
void t_mount_init_image(struct t_mount *m, enum t_fs fs, const char *path,
			const char *image);

/* From now on nothing reaches the disk: what was not durable is lost. Comes
 * back by detach and attach. ext4 and xfs can do that. */
bool t_mount_can_lose_power(const struct t_mount *m);
void t_mount_lose_power(struct t_mount *m);

/* Unmount, keep the device; mount it again, here or elsewhere. */
void t_mount_detach(struct t_mount *m);
void t_mount_attach(struct t_mount *m);
/* Is it still the one whose power failed? So it is when it is mounted again
 * before the last one who used it has gone. */
bool t_mount_is_dead(const struct t_mount *m);

/* Forget cached inodes and dentries of all file systems. */
void t_mount_drop_caches(void);

/* Accepts what was never mounted. */
void t_mount_fini(struct t_mount *m);

#endif
