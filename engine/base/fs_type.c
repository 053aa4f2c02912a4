/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/fs_type.h"

#include <linux/magic.h>
#include <stddef.h>
#include <string.h>

#ifndef EXFAT_SUPER_MAGIC
#define EXFAT_SUPER_MAGIC 0x2011BAB0UL
#endif

bool jb_fs_type_is_network(const char *type)
{
	static const char *const types[] = {
		"9p",
		"afs",
		"beegfs",
		"ceph",
		"cifs",
		"coda",
		"fuse.ceph",
		"fuse.ceph-fuse",
		"fuse.curlftpfs",
		"fuse.davfs",
		"fuse.gcsfuse",
		"fuse.glusterfs",
		"fuse.rclone",
		"fuse.s3fs",
		"fuse.sshfs",
		"gfs2",
		"glusterfs",
		"lustre",
		"ncpfs",
		"nfs",
		"nfs4",
		"ocfs2",
		"orangefs",
		"smb3",
		"smbfs",
		"virtiofs",
		"vboxsf",
	};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

const char *jb_fs_type_renumbers(unsigned long magic)
{
	switch (magic) {
	case MSDOS_SUPER_MAGIC:
		return "vfat";
	case EXFAT_SUPER_MAGIC:
		return "exfat";
	default:
		return NULL;
	}
}
