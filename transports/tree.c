/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/tree.h"

#include "engine/base/birth.h"
#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel takes no more than this at once. */
#define STEP_MAX (PATH_MAX - 1)

static int open_beneath(int fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	long rv;

	do
		rv = syscall(SYS_openat2, fd, path, &how, sizeof how);
	while (rv < 0 && (errno == EINTR || errno == EAGAIN));
	return rv < 0 ? -errno : (int)rv;
}

/* Open the directory that the first part of *path leads to, as long a part as
 * fits; *path becomes the rest. */
static int open_step(int fd, const char **path)
{
	char step[STEP_MAX + 1];
	size_t len = STEP_MAX;

	while (len > 0 && (*path)[len] != '/')
		len--;
	if (len == 0)
		return -ENAMETOOLONG;
	memcpy(step, *path, len);
	step[len] = '\0';
	*path += len + 1;
	return open_beneath(fd, step, O_PATH | O_DIRECTORY);
}

static int open_below(int top, const char *path, int flags)
{
	int at = top, next;

	while (strnlen(path, STEP_MAX + 1) > STEP_MAX) {
		next = open_step(at, &path);
		if (at != top)
			close(at);
		if (next < 0)
			return next;
		at = next;
	}
	next = open_beneath(at, *path == '\0' ? "." : path, flags);
	if (at != top)
		close(at);
	return next;
}

int jb_tree_enter(const struct jb_tree *tree, const char *dir, int flags)
{
	return open_below(tree->fd, dir, flags | O_DIRECTORY);
}

int jb_tree_open_file(int dirfd, const char *name)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, fd;
	struct stat st;
	int rv = 0;

	/* not everybody may leave the access time alone */
	fd = openat(dirfd, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rv = -errno;
	else if (!S_ISREG(st.st_mode))
		rv = -ENOENT;
	if (rv == 0)
		return fd;
	close(fd);
	return rv;
}

int jb_tree_look(int dirfd, const char *name, struct jb_object *ret)
{
	struct statx sx;
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

	if (name[0] == '\0')
		flags |= AT_EMPTY_PATH;
	if (statx(dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return -errno;
	*ret = (struct jb_object){
		.ino = sx.stx_ino,
		.mode = sx.stx_mode,
		.uid = sx.stx_uid,
		.gid = sx.stx_gid,
		.nlink = sx.stx_nlink,
		.rdev = makedev(sx.stx_rdev_major, sx.stx_rdev_minor),
		.size = (int64_t)sx.stx_size,
		.mtime = jb_clock_ns_of(sx.stx_mtime.tv_sec,
					sx.stx_mtime.tv_nsec),
		.ctime = jb_clock_ns_of(sx.stx_ctime.tv_sec,
					sx.stx_ctime.tv_nsec),
		.blocks = (int64_t)sx.stx_blocks,
	};
	ret->birth = jb_birth(dirfd, name, &sx);
	ret->is_mount = name[0] != '\0' &&
			(sx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
	return 0;
}

int jb_tree_open_entry(int dirfd, const char *name)
{
	return open_beneath(dirfd, name[0] != '\0' ? name : ".",
			    O_PATH | O_NOFOLLOW);
}

bool jb_tree_is_mount(int dirfd, const char *name)
{
	int fd = jb_tree_open_entry(dirfd, name);

	if (fd >= 0)
		close(fd);
	return fd == -EXDEV;
}

int jb_tree_open(struct jb_tree *tree, const char *path, const char *under,
		 struct jb_error *err)
{
	char *full = NULL;
	int top, fd, rv;

	if (asprintf(&full, "%s%s%s", path, under[0] != '\0' ? "/" : "",
		     under) < 0)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", path);
	top = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = top < 0 ? -errno : open_below(top, under, O_RDONLY | O_DIRECTORY);
	if (top >= 0)
		close(top);
	if (fd < 0) {
		rv = jb_error_errno(err, -fd, "%s", full);
		free(full);
		if (rv != JB_ENOENT)
			return rv;
		if (err != NULL)
			err->code = JB_EHELD;
		return JB_EHELD;
	}
	*tree = (struct jb_tree){.path = full, .fd = fd};
	return JB_OK;
}

void jb_tree_close(struct jb_tree *tree)
{
	if (tree->fd >= 0)
		close(tree->fd);
	free(tree->path);
	*tree = (struct jb_tree){.fd = -1};
}

void jb_dirs_init(struct jb_dirs *dirs, const struct jb_tree *tree)
{
	*dirs = (struct jb_dirs){.tree = tree};
	for (size_t i = 0; i < JB_DIRS_SLOTS; i++)
		dirs->slots[i].fd = -1;
}

void jb_dirs_fini(struct jb_dirs *dirs)
{
	jb_dirs_forget(dirs);
	for (size_t i = 0; i < JB_DIRS_SLOTS; i++)
		free(dirs->slots[i].path);
	*dirs = (struct jb_dirs){.tree = NULL};
}

void jb_dirs_forget(struct jb_dirs *dirs)
{
	for (size_t i = 0; i < JB_DIRS_SLOTS; i++) {
		if (dirs->slots[i].fd >= 0)
			close(dirs->slots[i].fd);
		dirs->slots[i].fd = -1;
	}
}

static int fill_slot(struct jb_dirs *dirs, struct jb_dirs_slot *slot,
		     const char *path)
{
	size_t need = strlen(path) + 1;
	char *room;
	int fd;

	if (slot->fd >= 0)
		close(slot->fd);
	slot->fd = -1;
	if (need > slot->capacity) {
		room = realloc(slot->path, need * 2);
		if (room == NULL)
			return -ENOMEM;
		slot->path = room;
		slot->capacity = need * 2;
	}
	memcpy(slot->path, path, need);
	fd = jb_tree_enter(dirs->tree, path, O_PATH);
	if (fd >= 0)
		slot->fd = fd;
	return fd;
}

int jb_dirs_get(struct jb_dirs *dirs, const char *path)
{
	struct jb_dirs_slot *oldest = &dirs->slots[0];

	for (size_t i = 0; i < JB_DIRS_SLOTS; i++) {
		struct jb_dirs_slot *slot = &dirs->slots[i];

		if (slot->fd >= 0 && strcmp(slot->path, path) == 0) {
			slot->used = ++dirs->clock;
			return slot->fd;
		}
		if (oldest->fd >= 0 &&
		    (slot->fd < 0 || slot->used < oldest->used))
			oldest = slot;
	}
	oldest->used = ++dirs->clock;
	return fill_slot(dirs, oldest, path);
}
