/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/tree/root.h"

#include "engine/base/birth.h"
#include "engine/base/fs_type.h"
#include "engine/base/mount_place.h"
#include "engine/tree/look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Can this process open by handle here (CAP_DAC_READ_SEARCH, and a file system
 * that can)? Asked by doing it. */
static bool probe_handles(struct jb_root *root)
{
	struct jb_error err;
	int fd;

	if (jb_handle_get(root->fd, "", &root->handle, NULL) != JB_OK) {
		root->handle.len = 0;
		return false;
	}
	if (jb_handle_ino((struct jb_handle_ref){root->handle.bytes,
						 root->handle.len}) !=
	    root->identity.ino)
		return false;
	fd = jb_root_open_handle(root,
				 (struct jb_handle_ref){root->handle.bytes,
							root->handle.len},
				 &err);
	if (fd < 0) {
		root->no_right = err.foreign == EPERM;
		return false;
	}
	close(fd);
	return true;
}

int jb_root_open(const struct jb_config_root *config, struct jb_root *ret,
		 struct jb_error *err)
{
	struct statfs fs;
	struct jb_mount_place place = {0};
	struct jb_look look;
	int rv;

	memset(ret, 0, sizeof *ret);
	ret->config = config;
	ret->fd = open(config->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0) {
		rv = jb_error_errno(err, errno, "root '%s': %s", config->name,
				    config->path);
		return rv;
	}
	rv = jb_look_fd(ret->fd, &look, err);
	if (rv != JB_OK || fstatfs(ret->fd, &fs) != 0) {
		if (rv == JB_OK)
			rv = jb_error_errno(err, errno, "statfs");
		jb_error_prefix(err, "root '%s': %s", config->name,
				config->path);
		jb_root_close(ret);
		return rv;
	}
	ret->dev = look.dev;
	ret->fs_dev = look.dev;
	if (jb_mount_place_find(config->path, &place, NULL) == JB_OK) {
		ret->fs_dev = makedev(place.major, place.minor);
		snprintf(ret->fs_type, sizeof ret->fs_type, "%s", place.type);
		snprintf(ret->device, sizeof ret->device, "%s", place.source);
		ret->network = jb_fs_type_is_network(place.type);
	}
	jb_mount_place_fini(&place);
	ret->whole_seconds = jb_keeps_whole_seconds(ret->fd);
	ret->mount_id = look.mount_id;
	ret->identity = look.id;
	memcpy(&ret->fsid, &fs.f_fsid, sizeof ret->fsid);
	ret->by_handle = probe_handles(ret);
	ret->subvolume = jb_handle_subvolume(
		(struct jb_handle_ref){ret->handle.bytes, ret->handle.len});
	return JB_OK;
}

int jb_root_open_absent(const struct jb_config_root *config,
			const struct jb_root_known *known, struct jb_root *ret,
			struct jb_error *err)
{
	memset(ret, 0, sizeof *ret);
	ret->config = config;
	ret->fd = open("/dev/null", O_PATH | O_CLOEXEC);
	if (ret->fd < 0)
		return jb_error_errno(err, errno, "/dev/null");
	ret->identity = known->identity;
	ret->fsid = known->fsid;
	ret->handle = known->handle;
	ret->by_handle = known->handle.len > 0;
	ret->subvolume = jb_handle_subvolume(
		(struct jb_handle_ref){ret->handle.bytes, ret->handle.len});
	snprintf(ret->why, sizeof ret->why, "it is not there yet");
	return JB_OK;
}

void jb_root_close(struct jb_root *root)
{
	if (root->fd >= 0)
		close(root->fd);
	root->fd = -1;
}

int jb_root_check(const struct jb_root *root, struct jb_error *err)
{
	struct jb_look look;
	int fd, rv;

	fd = open(root->config->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return jb_error_errno(err, errno, "root '%s': %s",
				      root->config->name, root->config->path);
	rv = jb_look_fd(fd, &look, err);
	close(fd);
	if (rv == JB_OK && (look.mount_id != root->mount_id ||
			    !jb_id_equal(look.id, root->identity)))
		rv = jb_error_set(err, JB_ESTALE, 0,
				  "root '%s': %s is another directory now",
				  root->config->name, root->config->path);
	return rv;
}

bool jb_root_has_handle(const struct jb_root *root, struct jb_handle_ref handle)
{
	return root->subvolume == 0 ||
	       jb_handle_subvolume(handle) == root->subvolume;
}

int jb_root_open_handle(const struct jb_root *root, struct jb_handle_ref handle,
			struct jb_error *err)
{
	if (!jb_root_has_handle(root, handle))
		return jb_error_set(err, JB_ESTALE, ESTALE,
				    "it is in another subvolume");
	return jb_handle_open(root->fd, handle,
			      O_RDONLY | O_DIRECTORY | O_NONBLOCK, err);
}

bool jb_root_is_trouble(int error)
{
	return error == EIO || error == ENOMEM || error == EMFILE ||
	       error == ENFILE || error == ENOSPC;
}

int jb_root_open_path(const struct jb_root *root, const char *path, size_t len,
		      struct jb_id id)
{
	char name[JB_NAME_MAX + 1];
	struct jb_look look;
	const char *end;
	size_t n;
	int fd, next, why;

	fd = openat(root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0 && len > 0) {
		end = memchr(path, '/', len);
		n = end != NULL ? (size_t)(end - path) : len;
		memcpy(name, path, n);
		name[n] = '\0';
		next = openat(fd, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
		path += n + (end != NULL);
		len -= n + (end != NULL);
	}
	if (fd < 0)
		return -1;
	if (jb_look_fd(fd, &look, NULL) != JB_OK)
		why = errno; /* what it is can't be told */
	else if (!jb_id_equal(look.id, id) || look.dev != root->dev)
		why = ESTALE;
	else
		return fd;
	close(fd);
	errno = why;
	return -1;
}
