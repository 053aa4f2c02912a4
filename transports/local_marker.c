/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose target is it? JB_OWN_DIR/marker says: lines of KEY=VALUE, with the UUID
 * that the policy's database knows as well. */
#include "transports/local_target.h"

#include "engine/base/fs_type.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define MARKER	   "marker"
#define MARKER_NEW "marker.new"
#define MARKER_MAX 1024

static int held(struct jb_local *l, struct jb_error *err, const char *words)
{
	return jb_error_set(err, JB_EHELD, 0, "target '%s': %s: %s", l->name,
			    l->top.path != NULL ? l->top.path : l->path, words);
}

/* It is not what it was: a person says whether it is to be the target. */
static int changed(struct jb_local *l, const char *what, struct jb_error *err)
{
	char words[320];

	snprintf(words, sizeof words,
		 "%s: mount the right one, or 'journalctl-backup target init "
		 "%s --adopt' takes over what equals the source",
		 what, l->name);
	return held(l, err, words);
}

static int fail(struct jb_local *l, int errnum, const char *what,
		struct jb_error *err)
{
	return jb_error_errno(err, errnum, "target '%s': %s/%s", l->name,
			      l->top.path, what);
}

/* The value of "KEY=" at the beginning of a line of @text. */
static void find_value(const char *text, const char *key, char *ret,
		       size_t size)
{
	size_t len = strlen(key);
	const char *line = text;

	ret[0] = '\0';
	while (line != NULL) {
		if (strncmp(line, key, len) == 0 && line[len] == '=') {
			line += len + 1;
			snprintf(ret, size, "%.*s", (int)strcspn(line, "\n"),
				 line);
			return;
		}
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
}

/* 1: read, 0: there is none, or -errno. */
static int read_marker(struct jb_local *l, struct jb_target_state *s)
{
	char text[MARKER_MAX + 1];
	int dirfd, fd;
	ssize_t n;

	dirfd = jb_tree_enter(&l->top, JB_OWN_DIR, O_PATH);
	fd = dirfd < 0 ? dirfd : jb_tree_open_file(dirfd, MARKER);
	if (dirfd >= 0)
		close(dirfd);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	n = read(fd, text, MARKER_MAX);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	find_value(text, "uuid", s->uuid, sizeof s->uuid);
	find_value(text, "owner", s->owner, sizeof s->owner);
	return 1;
}

/* Only ours, and still ours: that is told by inode numbers. */
static int check_type(struct jb_local *l, struct jb_error *err)
{
	char words[160];
	const char *type;
	struct statfs fs;

	if (fstatfs(l->top.fd, &fs) < 0)
		return fail(l, errno, "", err);
	type = jb_fs_type_renumbers((unsigned long)fs.f_type);
	if (type == NULL)
		return JB_OK;
	snprintf(words, sizeof words,
		 "%s gives files new inode numbers from time to time, so "
		 "nobody can tell which are ours: use ext4, xfs or btrfs",
		 type);
	return held(l, err, words);
}

static int on_top_name(void *arg, const char *name, const struct jb_object *o)
{
	bool *is_empty = arg;

	(void)o;
	*is_empty = strcmp(name, "lost+found") == 0 ||
		    strcmp(name, JB_OWN_DIR) == 0;
	return !*is_empty;
}

static bool is_mounted(struct jb_local *l)
{
	struct statx path, top;
	unsigned mask = STATX_BASIC_STATS | STATX_MNT_ID;

	if (statx(AT_FDCWD, l->path, 0, mask, &path) < 0 ||
	    !(path.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return false;
	return l->top.fd < 0 ||
	       (statx(l->top.fd, "", AT_EMPTY_PATH, mask, &top) == 0 &&
		path.stx_mnt_id == top.stx_mnt_id);
}

static int look_at_top(struct jb_local *l, struct jb_target_state *s,
		       struct jb_error *err)
{
	struct jb_target *t = &l->base;
	int rv = check_type(l, err);

	if (rv != JB_OK)
		return rv;
	rv = read_marker(l, s);
	if (rv < 0)
		return fail(l, -rv, JB_OWN_DIR "/" MARKER, err);
	s->has_marker = rv == 1;
	rv = jb_tree_look(l->top.fd, "", &s->top);
	if (rv < 0)
		return fail(l, -rv, "", err);
	s->fsid = jb_tree_fsid(l->top.fd);
	s->is_empty = true;
	if (t->ops->list(t, "", on_top_name, &s->is_empty, err) !=
		    JB_OUTCOME_DONE &&
	    s->is_empty) /* it is not known */
		return jb_error_prefix(err, "target '%s'", l->name);
	return JB_OK;
}

/* Path= has to be there; what Under= names may be missing yet. */
int jb_local_check_path(struct jb_local *l, bool *is_mount,
			struct jb_error *err)
{
	bool mounted;
	struct stat st;

	if (stat(l->path, &st) < 0 && errno != ENOENT)
		return jb_error_errno(err, errno, "target '%s': %s", l->name,
				      l->path);
	if (stat(l->path, &st) < 0 || !S_ISDIR(st.st_mode))
		return jb_error_set(err, JB_EHELD, 0,
				    "target '%s': %s: no such directory: "
				    "mount or make it",
				    l->name, l->path);
	mounted = is_mounted(l);
	if (is_mount != NULL)
		*is_mount = mounted;
	if (l->require_mount && !mounted)
		return jb_error_set(err, JB_EHELD, 0,
				    "target '%s': %s: not mounted: mount it, "
				    "or set RequireMount=no",
				    l->name, l->path);
	return JB_OK;
}

int jb_local_inspect(struct jb_target *t, struct jb_target_state *ret,
		     struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_target_state s = {.is_mount = false};
	bool was_open = l->top.fd >= 0;
	int rv;

	rv = jb_local_check_path(l, &s.is_mount, err);
	if (rv != JB_OK)
		return rv;
	if (!was_open)
		rv = jb_tree_open(&l->top, l->path, l->under, err);
	if (rv == JB_EHELD && l->under[0] != '\0') {
		s.is_empty = true;
		rv = JB_OK;
	} else if (rv == JB_OK) {
		rv = look_at_top(l, &s, err);
	} else {
		jb_error_prefix(err, "target '%s'", l->name);
	}
	if (!was_open)
		jb_tree_close(&l->top);
	if (rv == JB_OK)
		*ret = s;
	return rv;
}

static int write_marker(int own, const char *uuid, const char *owner)
{
	char text[MARKER_MAX];
	int fd, len, rv = 0;

	len = snprintf(text, sizeof text,
		       "# This directory is a copy kept by journalctl-backup.\n"
		       "uuid=%s\nowner=%.256s\n",
		       uuid, owner);
	unlinkat(own, MARKER_NEW, 0);
	fd = openat(own, MARKER_NEW,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = ENOSPC; /* a short write has none */
	if (write(fd, text, (size_t)len) != len || fsync(fd) < 0)
		rv = -errno;
	close(fd);
	if (rv == 0 && renameat(own, MARKER_NEW, own, MARKER) < 0)
		rv = -errno;
	return rv;
}

/* Make @name in @dirfd if need be and open it. */
static int make_dir(int dirfd, const char *name, mode_t mode)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fsync(dirfd);
	return fd;
}

static int make_under(struct jb_local *l)
{
	char *copy, *rest, *name;
	int fd, next;

	fd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	copy = rest = strdup(l->under);
	if (copy == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while (fd >= 0 && (name = strsep(&rest, "/")) != NULL) {
		if (name[0] == '\0')
			continue;
		next = make_dir(fd, name, 0755);
		close(fd);
		fd = next;
	}
	free(copy);
	return fd;
}

static int make_inner(int own, const char *name)
{
	int fd = make_dir(own, name, 0700);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int make_own(struct jb_local *l, const char *owner, const char *uuid)
{
	int under = make_under(l), own, rv;

	if (under < 0)
		return under;
	own = make_dir(under, JB_OWN_DIR, 0700);
	close(under);
	if (own < 0)
		return own;
	rv = make_inner(own, "stage");
	if (rv == 0)
		rv = make_inner(own, "trash");
	if (rv == 0)
		rv = write_marker(own, uuid, owner);
	/* And all that may be adopted, which others have written. */
	if (rv == 0 && (fsync(own) < 0 || syncfs(own) < 0))
		rv = -errno;
	close(own);
	return rv;
}

int jb_local_init(struct jb_target *t, const char *owner, const char *uuid,
		  struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	int rv = jb_local_check_path(l, NULL, err);

	if (rv != JB_OK)
		return rv;
	rv = make_own(l, owner, uuid);
	if (rv == 0)
		return JB_OK;
	return jb_error_errno(err, -rv, "target '%s': %s/" JB_OWN_DIR, l->name,
			      l->path);
}

int jb_local_check(struct jb_local *l, const char *uuid, uint64_t fsid,
		   struct jb_error *err)
{
	struct jb_target_state s = {.is_mount = false};
	uint64_t now;
	int rv;

	rv = jb_local_check_path(l, &s.is_mount, err);
	if (rv == JB_OK)
		rv = check_type(l, err);
	if (rv != JB_OK)
		return rv;
	rv = read_marker(l, &s);
	if (rv < 0)
		return fail(l, -rv, JB_OWN_DIR "/" MARKER, err);
	if (rv == 0)
		return changed(l, "has no marker: another disk, or emptied",
			       err);
	if (uuid != NULL && strcmp(uuid, s.uuid) != 0)
		return changed(l, "has another target's marker", err);
	now = jb_tree_fsid(l->top.fd);
	if (fsid != 0 && now != 0 && fsid != now)
		return changed(l, "is on another file system than before", err);
	return JB_OK;
}
