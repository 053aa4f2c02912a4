/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/tree/look.h"

#include "engine/base/birth.h"
#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define NS_PER_S 1000000000

/* Two ticks at the slowest clock in use, HZ=100. */
#define RACY_NS 20000000

#define LOOK_MASK (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

/* A time that lies farther ahead of the clock was set by somebody. */
#define AHEAD_NS (INT64_C(3600) * NS_PER_S)

static int64_t ns_of(struct statx_timestamp t)
{
	return jb_clock_ns_of(t.tv_sec, t.tv_nsec);
}

static void fill(struct jb_look *ret, int dirfd, const char *name,
		 const struct statx *st)
{
	ret->id.ino = st->stx_ino;
	ret->id.birth = jb_birth(dirfd, name, st);
	ret->facts.mode = st->stx_mode;
	ret->facts.uid = st->stx_uid;
	ret->facts.gid = st->stx_gid;
	ret->facts.nlink = st->stx_nlink;
	ret->facts.rdev = makedev(st->stx_rdev_major, st->stx_rdev_minor);
	ret->facts.size = (int64_t)st->stx_size;
	ret->facts.mtime = ns_of(st->stx_mtime);
	ret->facts.ctime = ns_of(st->stx_ctime);
	ret->mount_id = st->stx_mnt_id;
	ret->dev = makedev(st->stx_dev_major, st->stx_dev_minor);
}

int jb_look_at(int dirfd, const char *name, struct jb_look *ret,
	       struct jb_error *err)
{
	struct statx st;

	if (statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, LOOK_MASK,
		  &st) != 0) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ESTALE)
			return 0;
		return jb_error_errno(err, errno, "look at '%s'", name);
	}
	fill(ret, dirfd, name, &st);
	return 1;
}

int jb_look_fd(int fd, struct jb_look *ret, struct jb_error *err)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, LOOK_MASK, &st) != 0)
		return jb_error_errno(err, errno, "look");
	fill(ret, fd, "", &st);
	return JB_OK;
}

int64_t jb_look_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

bool jb_look_is_young(int64_t time, int64_t clock)
{
	return jb_look_is_racy(time, clock) && time < clock + AHEAD_NS;
}

bool jb_look_is_racy(int64_t time, int64_t clock)
{
	int64_t grain = time % NS_PER_S == 0 ? NS_PER_S : 0;

	return time >= clock - RACY_NS - grain;
}

bool jb_look_same(const struct jb_look *found, const struct jb_entry *row)
{
	if (found->id.ino != row->id.ino)
		return false;
	if (found->id.birth != 0 || row->id.birth != 0)
		return found->id.birth == row->id.birth;
	return (found->facts.mode & S_IFMT) == (row->facts.mode & S_IFMT) &&
	       found->facts.ctime >= row->facts.ctime;
}
