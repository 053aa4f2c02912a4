/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/birth.h"

#include "engine/base/clock.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>

/* include/linux/exportfs.h */
enum { FID_INO32_GEN = 0x01, FID_INO64_GEN = 0x81 };

/* FUSE, for one, has another number in there than statx tells. */
static int64_t generation(const struct file_handle *h, uint64_t ino)
{
	uint32_t ino32, gen = 0;
	uint64_t ino64 = 0;

	if (h->handle_type == FID_INO32_GEN && h->handle_bytes == 8) {
		memcpy(&ino32, h->f_handle, 4);
		memcpy(&gen, h->f_handle + 4, 4);
		ino64 = ino32;
	} else if (h->handle_type == FID_INO64_GEN && h->handle_bytes == 12) {
		memcpy(&ino64, h->f_handle, 8);
		memcpy(&gen, h->f_handle + 8, 4);
	}
	return ino64 == ino ? -1 - (int64_t)gen : 0;
}

int64_t jb_birth(int dirfd, const char *name, const struct statx *st)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	int mount_id;

	if (st->stx_mask & STATX_BTIME)
		return jb_clock_ns_of(st->stx_btime.tv_sec,
				      st->stx_btime.tv_nsec);
	u.h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(dirfd, name, &u.h, &mount_id,
			      *name == '\0' ? AT_EMPTY_PATH : 0) != 0)
		return 0;
	return generation(&u.h, st->stx_ino);
}

bool jb_keeps_whole_seconds(int fd)
{
	struct statfs fs;
	struct statx st;

	return fstatfs(fd, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC &&
	       statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) == 0 &&
	       !(st.stx_mask & STATX_BTIME);
}
