/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/tree/handle.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* include/linux/exportfs.h: enum fid_type, and what the file systems add. */
enum {
	TYPE_INO32_GEN = 0x01,
	TYPE_INO32_GEN_PARENT = 0x02,
	TYPE_BTRFS = 0x4d,
	TYPE_BTRFS_PARENT = 0x4e,
	TYPE_BTRFS_PARENT_ROOT = 0x4f,
	TYPE_XFS_INO64_GEN = 0x81,
	TYPE_XFS_INO64_GEN_PARENT = 0x82,
};

#define TYPE_SIZE      4
#define FIRST_PAUSE_NS 10000
#define LAST_PAUSE_NS  100000000

int jb_handle_get(int dirfd, const char *name, struct jb_handle *ret,
		  struct jb_error *err)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	int mount_id;
	uint32_t type;

	u.h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(dirfd, name, &u.h, &mount_id,
			      *name == '\0' ? AT_EMPTY_PATH : 0) != 0)
		return jb_error_errno(err, errno, "file handle of '%s'", name);
	type = (uint32_t)u.h.handle_type;
	memcpy(ret->bytes, &type, TYPE_SIZE);
	memcpy(ret->bytes + TYPE_SIZE, u.h.f_handle, u.h.handle_bytes);
	ret->len = (uint8_t)(TYPE_SIZE + u.h.handle_bytes);
	return JB_OK;
}

/* ext4 says ENOMEM, too, where the number that the handle bears is just being
 * taken again: what it named has gone, which it says when the new inode is
 * whole. A lack of memory lasts longer. */
static int open_patiently(int mountfd, struct file_handle *h, int flags)
{
	struct timespec pause = {.tv_nsec = FIRST_PAUSE_NS};
	int fd = open_by_handle_at(mountfd, h, flags);

	while (fd < 0 && errno == ENOMEM && pause.tv_nsec < LAST_PAUSE_NS) {
		nanosleep(&pause, NULL);
		pause.tv_nsec *= 2;
		fd = open_by_handle_at(mountfd, h, flags);
	}
	return fd;
}

int jb_handle_open(int mountfd, struct jb_handle_ref handle, int flags,
		   struct jb_error *err)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	uint32_t type;
	int fd;

	if (handle.len < TYPE_SIZE)
		return jb_error_set(err, JB_ESTALE, 0, "no file handle");
	memcpy(&type, handle.bytes, TYPE_SIZE);
	u.h.handle_type = (int)type;
	u.h.handle_bytes = handle.len - (unsigned)TYPE_SIZE;
	memcpy(u.h.f_handle, handle.bytes + TYPE_SIZE, u.h.handle_bytes);
	fd = open_patiently(mountfd, &u.h, flags | O_CLOEXEC);
	if (fd < 0)
		return jb_error_errno(err, errno, "open by handle");
	return fd;
}

static uint32_t type_of(struct jb_handle_ref handle)
{
	uint32_t type = 0;

	if (handle.len >= TYPE_SIZE)
		memcpy(&type, handle.bytes, TYPE_SIZE);
	return type;
}

uint64_t jb_handle_ino(struct jb_handle_ref handle)
{
	const uint8_t *fh = handle.bytes + TYPE_SIZE;
	size_t len =
		handle.len < TYPE_SIZE ? 0 : handle.len - (size_t)TYPE_SIZE;
	uint32_t w[3];
	uint64_t ino = 0;

	switch (type_of(handle)) {
	case TYPE_INO32_GEN:
		if (len == 12) { /* tmpfs: generation, then the number */
			memcpy(w, fh, 12);
			return (uint64_t)w[2] << 32 | w[1];
		}
		/* fall through */
	case TYPE_INO32_GEN_PARENT:
		if (len < 8)
			return 0;
		memcpy(w, fh, 4);
		return w[0];
	case TYPE_XFS_INO64_GEN:
	case TYPE_XFS_INO64_GEN_PARENT:
		if (len >= 12)
			memcpy(&ino, fh, 8);
		return ino;
	case TYPE_BTRFS:
	case TYPE_BTRFS_PARENT:
	case TYPE_BTRFS_PARENT_ROOT:
		if (len >= 16)
			memcpy(&ino, fh, 8);
		return ino;
	default:
		return 0;
	}
}

uint64_t jb_handle_subvolume(struct jb_handle_ref handle)
{
	uint64_t id = 0;
	uint32_t type = type_of(handle);

	if (type >= TYPE_BTRFS && type <= TYPE_BTRFS_PARENT_ROOT &&
	    handle.len >= TYPE_SIZE + 16)
		memcpy(&id, handle.bytes + TYPE_SIZE + 8, 8);
	return id;
}
