/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order matters: chown clears set-id bits and capabilities, chmod changes
 * the mask of an ACL, and everything changes the times. */
#include "transports/local_attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VALUE_MAX 65536 /* the kernel takes no longer ones */
/* Most lists and values fit this; longer ones take the heap. */
#define SMALL 1024

#define XATTRS "extended attributes"

struct buffer {
	char small[SMALL];
	char *data;
	size_t len, capacity;
};

static void buffer_init(struct buffer *b)
{
	b->data = b->small;
	b->len = 0;
	b->capacity = sizeof b->small;
}

static void buffer_fini(struct buffer *b)
{
	if (b->data != b->small)
		free(b->data);
}

static int buffer_grow(struct buffer *b, size_t capacity)
{
	char *room = malloc(capacity);

	if (room == NULL)
		return -ENOMEM;
	buffer_fini(b);
	b->data = room;
	b->capacity = capacity;
	return 0;
}

static const char *proc_path(char text[40], int fd)
{
	snprintf(text, 40, "/proc/self/fd/%d", fd);
	return text;
}

static ssize_t list_once(struct jb_attrs_end e, char *data, size_t size)
{
	char path[40];

	return e.is_path ? listxattr(proc_path(path, e.fd), data, size)
			 : flistxattr(e.fd, data, size);
}

static ssize_t get_once(struct jb_attrs_end e, const char *name, char *data,
			size_t size)
{
	char path[40];

	return e.is_path ? getxattr(proc_path(path, e.fd), name, data, size)
			 : fgetxattr(e.fd, name, data, size);
}

/* The names (@name NULL) or one value. An object without xattrs has no names;
 * -ENODATA: no such value. */
static int read_xattr(struct jb_attrs_end e, const char *name, struct buffer *b)
{
	ssize_t n;
	int rv;

	for (;;) {
		n = name == NULL ? list_once(e, b->data, b->capacity)
				 : get_once(e, name, b->data, b->capacity);
		if (n >= 0) {
			b->len = (size_t)n;
			return 0;
		}
		if (errno == EOPNOTSUPP && name == NULL) {
			b->len = 0;
			return 0;
		}
		if (errno != ERANGE || b->capacity >= VALUE_MAX)
			return -errno;
		rv = buffer_grow(b, VALUE_MAX);
		if (rv < 0)
			return rv;
	}
}

static int write_xattr(struct jb_attrs_end e, const char *name,
		       const struct buffer *b)
{
	char path[40];
	int rv;

	rv = e.is_path
		     ? setxattr(proc_path(path, e.fd), name, b->data, b->len, 0)
		     : fsetxattr(e.fd, name, b->data, b->len, 0);
	return rv < 0 ? -errno : 0;
}

static int drop_xattr(struct jb_attrs_end e, const char *name)
{
	char path[40];
	int rv;

	rv = e.is_path ? removexattr(proc_path(path, e.fd), name)
		       : fremovexattr(e.fd, name);
	return rv < 0 && errno != ENODATA ? -errno : 0;
}

static bool begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* Is this name among what Preserve= asks for? */
static bool is_wanted(const struct jb_attrs *a, const char *name)
{
	if (begins(name, "system.posix_acl_"))
		return (a->preserve & JB_PRESERVE_ACLS) != 0;
	/* xfs lists its ACLs under these names once more */
	if (begins(name, "system.") || begins(name, "trusted.SGI_ACL_"))
		return false;
	return (a->preserve & JB_PRESERVE_XATTRS) != 0;
}

/* Labels that the target's own machine puts on everything. */
static bool is_label(const char *name)
{
	return strcmp(name, "security.selinux") == 0 ||
	       begins(name, "security.SMACK64") ||
	       strcmp(name, "security.apparmor") == 0 ||
	       strcmp(name, "security.ima") == 0 ||
	       strcmp(name, "security.evm") == 0;
}

/* ENOSPC can mean a full disk, or more than fits beside an inode. */
static bool has_space(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_bavail > 16;
}

/* Somebody has locked the copy: chattr +i or +a. That can be undone. */
static bool is_locked(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, 0, &st) == 0 &&
	       (st.stx_attributes &
		(STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0;
}

/* This file system or user can't have it: not the copy's fault. */
static bool is_unkeepable(const struct jb_attrs *a, int rv)
{
	if (rv == -EPERM)
		return !is_locked(a->to.fd);
	return rv == -EOPNOTSUPP || rv == -EACCES || rv == -E2BIG ||
	       rv == -ERANGE || rv == -EINVAL ||
	       (rv == -ENOSPC && has_space(a->to.fd));
}

static void note_partial(struct jb_attrs *a, const char *name)
{
	if (!a->partial)
		snprintf(a->what, sizeof a->what, "%s", name);
	a->partial = true;
}

static int failed(struct jb_attrs *a, int rv, const char *what, bool at_source)
{
	snprintf(a->what, sizeof a->what, "%s", what);
	a->at_source = at_source;
	return rv;
}

static bool has_name(const struct buffer *list, const char *name)
{
	for (size_t i = 0; i < list->len; i += strlen(list->data + i) + 1)
		if (strcmp(list->data + i, name) == 0)
			return true;
	return false;
}

static bool has_value(struct jb_attrs_end e, const char *name,
		      const struct buffer *value)
{
	struct buffer b;
	bool same;

	buffer_init(&b);
	same = read_xattr(e, name, &b) == 0 && b.len == value->len &&
	       memcmp(b.data, value->data, b.len) == 0;
	buffer_fini(&b);
	return same;
}

/* A label is of its machine: the target's may not let us set one of another. */
static void note_unkept(struct jb_attrs *a, const char *name)
{
	if (!is_label(name))
		note_partial(a, name);
}

static int copy_xattr(struct jb_attrs *a, const char *name, bool there)
{
	struct buffer value;
	int rv;

	buffer_init(&value);
	rv = read_xattr(a->from, name, &value);
	if (rv == -ENODATA) {
		rv = 0;
	} else if (rv == -EPERM || rv == -EACCES || rv == -EOPNOTSUPP ||
		   rv == -E2BIG) {
		note_unkept(a, name);
		rv = 0;
	} else if (rv < 0) {
		rv = failed(a, rv, name, true);
	} else if (!there || !has_value(a->to, name, &value)) {
		rv = write_xattr(a->to, name, &value);
		if (is_unkeepable(a, rv)) {
			note_unkept(a, name);
			rv = 0;
		} else if (rv < 0) {
			rv = failed(a, rv, name, false);
		}
	}
	buffer_fini(&value);
	return rv;
}

static int drop_surplus(struct jb_attrs *a, const struct buffer *from,
			const struct buffer *to)
{
	const char *name;
	int rv;

	for (size_t i = 0; i < to->len; i += strlen(name) + 1) {
		name = to->data + i;
		if (!is_wanted(a, name) || is_label(name) ||
		    has_name(from, name))
			continue;
		rv = drop_xattr(a->to, name);
		if (is_unkeepable(a, rv))
			note_partial(a, name);
		else if (rv < 0)
			return failed(a, rv, name, false);
	}
	return 0;
}

static int copy_xattrs(struct jb_attrs *a)
{
	struct buffer from, to;
	const char *name;
	int rv;

	buffer_init(&from);
	buffer_init(&to);
	rv = read_xattr(a->from, NULL, &from);
	if (rv < 0 && rv != -E2BIG)
		rv = failed(a, rv, XATTRS, true);
	if (rv == 0) {
		rv = read_xattr(a->to, NULL, &to);
		if (rv < 0 && rv != -E2BIG)
			rv = failed(a, rv, XATTRS, false);
	}
	if (rv == 0 && to.len > 0)
		rv = drop_surplus(a, &from, &to);
	for (size_t i = 0; rv == 0 && i < from.len; i += strlen(name) + 1) {
		name = from.data + i;
		if (is_wanted(a, name))
			rv = copy_xattr(a, name, has_name(&to, name));
	}
	buffer_fini(&from);
	buffer_fini(&to);
	if (rv == -E2BIG) { /* the kernel lists no more than 64 KB of names */
		note_partial(a, "so many " XATTRS);
		rv = 0;
	}
	return rv;
}

/* Is there an attribute of @from that should be at @to, and is not the same
 * there? 1, 0 or a negative errno. */
static int lacks_any(const struct jb_attrs *a, const struct buffer *names,
		     struct jb_attrs_end from, struct jb_attrs_end to)
{
	struct buffer value;
	const char *name;
	int rv = 0;

	for (size_t i = 0; rv == 0 && i < names->len; i += strlen(name) + 1) {
		name = names->data + i;
		if (!is_wanted(a, name) || is_label(name))
			continue;
		buffer_init(&value);
		rv = read_xattr(from, name, &value);
		if (rv == 0)
			rv = !has_value(to, name, &value);
		buffer_fini(&value);
	}
	return rv;
}

int jb_attrs_same_xattrs(const struct jb_attrs *a)
{
	struct buffer from, to;
	int rv;

	if (!(a->preserve & (JB_PRESERVE_XATTRS | JB_PRESERVE_ACLS)))
		return 1;
	buffer_init(&from);
	buffer_init(&to);
	rv = read_xattr(a->from, NULL, &from);
	if (rv == 0)
		rv = read_xattr(a->to, NULL, &to);
	if (rv == 0)
		rv = lacks_any(a, &from, a->from, a->to);
	if (rv == 0)
		rv = lacks_any(a, &to, a->to, a->from);
	buffer_fini(&from);
	buffer_fini(&to);
	return rv < 0 ? rv : !rv;
}

/* A set-id bit is worth nothing, or too much, with another owner. */
static int copy_owner(struct jb_attrs *a, mode_t *allowed)
{
	const struct jb_object *s = a->source, *t = a->target;
	int rv;

	if (!(a->preserve & JB_PRESERVE_OWNER)) {
		*allowed &= ~(mode_t)(S_ISUID | S_ISGID);
		return 0;
	}
	if (s->uid == t->uid && s->gid == t->gid)
		return 0;
	if (fchownat(a->to.fd, "", s->uid, s->gid,
		     AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	rv = -errno;
	if (!is_unkeepable(a, rv))
		return failed(a, rv, "owner", false);
	note_partial(a, "owner");
	*allowed &= ~(mode_t)(S_ISUID | S_ISGID);
	return 0;
}

/* chown takes set-id bits away, so after it the mode is set anyway. */
static int copy_mode(struct jb_attrs *a, mode_t allowed)
{
	mode_t mode = a->source->mode & 07777;
	bool owner_moves = a->source->uid != a->target->uid ||
			   a->source->gid != a->target->gid;
	char path[40];
	int rv;

	if (S_ISLNK(a->source->mode))
		return 0;
	if (!(a->preserve & JB_PRESERVE_MODE)) {
		if (!a->fresh)
			return 0;
		mode = mode & 0777 & ~a->umask;
	}
	mode &= allowed;
	if (mode == (a->target->mode & 07777) &&
	    !(owner_moves && (mode & 06000)))
		return 0;
	rv = a->to.is_path ? chmod(proc_path(path, a->to.fd), mode)
			   : fchmod(a->to.fd, mode);
	if (rv == 0)
		return 0;
	rv = -errno;
	if ((rv == -EPERM || rv == -EOPNOTSUPP) && is_unkeepable(a, rv)) {
		note_partial(a, "mode");
		return 0;
	}
	return failed(a, rv, "mode", false);
}

/* Nanoseconds in 64 bits end in 1677 and 2262, the times of files don't. */
static bool is_beyond(int64_t mtime)
{
	return mtime == INT64_MAX || mtime == INT64_MIN;
}

static int find_mtime(const struct jb_attrs *a, struct timespec *ret)
{
	const int64_t second = INT64_C(1000000000);
	int64_t mtime = a->source->mtime;
	struct stat st;

	if (is_beyond(mtime) && a->from.fd >= 0) {
		if (fstatat(a->from.fd, "", &st, AT_EMPTY_PATH) < 0)
			return -errno;
		*ret = st.st_mtim;
		return 0;
	}
	ret->tv_sec = mtime / second;
	ret->tv_nsec = mtime % second;
	if (ret->tv_nsec < 0) {
		ret->tv_nsec += second;
		ret->tv_sec--;
	}
	return 0;
}

/* A file system that has no such times takes the nearest without a word; those
 * that 31 bits hold have all of them. Parts of a second may be cut off. */
static bool is_cut(const struct jb_attrs *a, const struct timespec *wanted)
{
	struct stat st;

	return (wanted->tv_sec < 0 || wanted->tv_sec > INT32_MAX) &&
	       fstatat(a->to.fd, "", &st, AT_EMPTY_PATH) == 0 &&
	       st.st_mtim.tv_sec != wanted->tv_sec;
}

static int copy_times(struct jb_attrs *a)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	int rv;

	if (!(a->preserve & JB_PRESERVE_TIMES))
		return 0;
	if (!a->fresh && a->target->mtime == a->source->mtime &&
	    !is_beyond(a->source->mtime))
		return 0;
	rv = find_mtime(a, &times[1]);
	if (rv < 0)
		return failed(a, rv, "times", true);
	if (utimensat(a->to.fd, "", times, AT_EMPTY_PATH) < 0)
		return failed(a, -errno, "times", false);
	if (is_cut(a, &times[1]))
		note_partial(a, "times");
	return 0;
}

int jb_attrs_apply(struct jb_attrs *a)
{
	mode_t allowed = 07777;
	int rv;

	rv = copy_owner(a, &allowed);
	if (rv == 0)
		rv = copy_mode(a, allowed);
	if (rv == 0 && a->from.fd >= 0 &&
	    (a->preserve & (JB_PRESERVE_XATTRS | JB_PRESERVE_ACLS)))
		rv = copy_xattrs(a);
	if (rv == 0)
		rv = copy_times(a);
	return rv;
}
