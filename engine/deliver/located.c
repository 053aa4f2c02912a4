/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/located.h"

#include "engine/base/birth.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int jb_locate(const char *path, bool follow, struct jb_located *ret)
{
	struct statx st;
	int fd = open(path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	int rv = 0;

	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0)
		rv = -errno;
	else
		*ret = (struct jb_located){
			.id = {st.stx_ino, jb_birth(fd, "", &st)},
			.dev_major = st.stx_dev_major,
			.dev_minor = st.stx_dev_minor,
		};
	close(fd);
	return rv;
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
