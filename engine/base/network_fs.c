/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/network_fs.h"

#include <stddef.h>
#include <string.h>

bool jb_network_fs_is(const char *type)
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
