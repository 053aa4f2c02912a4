/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/located.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define NS_PER_S INT64_C(1000000000)

int jb_locate(const char *path, int flags, struct jb_located *ret)
{
	struct statx st;

	if (statx(AT_FDCWD, path, flags, STATX_INO | STATX_BTIME, &st) != 0)
		return -errno;
	*ret = (struct jb_located){
		.id.ino = st.stx_ino,
		.dev_major = st.stx_dev_major,
		.dev_minor = st.stx_dev_minor,
	};
	if (st.stx_mask & STATX_BTIME)
		ret->id.birth =
			st.stx_btime.tv_sec * NS_PER_S + st.stx_btime.tv_nsec;
	return 0;
}

bool jb_located_together(const struct jb_located *a, const struct jb_located *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

bool jb_identity_fits(struct jb_identity a, struct jb_identity b)
{
	return a.ino == b.ino &&
	       (a.birth == b.birth || a.birth == 0 || b.birth == 0);
}
