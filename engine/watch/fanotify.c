/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One fanotify group, one mark per file system. See fanotify(7).
 *
 * FAN_REPORT_TARGET_FID is what makes writes by file handle visible: with a
 * cold cache (an NFS server after a restart) such an event has no directory
 * and no name, only the object's own id. Nothing here costs a system call per
 * event: handles are parsed, not opened. */
#include "engine/base/mount_place.h"
#include "engine/watch/btrfs.h"
#include "engine/watch/dirmap.h"
#include "engine/watch/group.h"
#include "engine/watch/source.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#define BUFFER_SIZE	(256u << 10)
#define UNITS_PER_EVENT 24u /* FAN_EVENT_METADATA_LEN, what FIONREAD counts */

#define GROUP_FLAGS                                                            \
	(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK |                        \
	 FAN_REPORT_DFID_NAME_TARGET)
#define EVENT_MASK                                                             \
	(FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY | FAN_CLOSE_WRITE | \
	 FAN_ATTRIB | FAN_ONDIR)

struct file_system {
	uint64_t fsid;	    /* that events bear */
	uint64_t subvolume; /* whose handles are ours; btrfs, else 0 */
	uint8_t fs;
	unsigned roots;
};

struct fanotify {
	struct jb_source base;
	struct jb_dirmap map;
	struct file_system fs[JB_ROOTS_MAX];
	unsigned n_fs;
	pid_t self;
	struct jb_group kept; /* what an adopted descriptor watched */
	uint8_t *buffer;      /* owned */
};

/* What one info record says: a place, or an object. */
struct record {
	bool there;
	const struct file_system *fs; /* NULL: not one of ours */
	struct jb_handle_ref handle;
	const char *name; /* NULL: none */
	size_t name_len;
};

struct event {
	uint64_t mask;
	struct record from, to; /* to: a rename's new place */
	struct record object;
};

static const struct file_system *
find_fs(const struct fanotify *f, uint64_t fsid, struct jb_handle_ref handle)
{
	uint64_t subvolume = jb_handle_subvolume(handle);

	for (unsigned i = 0; i < f->n_fs; i++)
		if (f->fs[i].fsid == fsid && f->fs[i].subvolume == subvolume)
			return &f->fs[i];
	return NULL;
}

/* struct fanotify_event_info_fid: header, fsid, file_handle, name. */
static void parse_record(const struct fanotify *f,
			 const struct fanotify_event_info_fid *info,
			 bool has_name, struct record *ret)
{
	const struct file_handle *fh =
		(const struct file_handle *)(const void *)info->handle;
	uint64_t fsid;

	memcpy(&fsid, &info->fsid, sizeof fsid);
	ret->there = true;
	/* handle_type and f_handle follow each other: our representation. */
	ret->handle.bytes = (const uint8_t *)&fh->handle_type;
	ret->handle.len = (uint8_t)(sizeof fh->handle_type + fh->handle_bytes);
	ret->fs = find_fs(f, fsid, ret->handle);
	ret->name = NULL;
	if (has_name) {
		ret->name = (const char *)fh->f_handle + fh->handle_bytes;
		ret->name_len = strlen(ret->name);
	}
}

static void parse_event(const struct fanotify *f,
			const struct fanotify_event_metadata *m,
			const uint8_t *at, struct event *ev)
{
	const uint8_t *p = at + m->metadata_len, *end = at + m->event_len;

	memset(ev, 0, sizeof *ev);
	ev->mask = m->mask;
	while (p + sizeof(struct fanotify_event_info_header) <= end) {
		const struct fanotify_event_info_fid *info = (const void *)p;

		if (info->hdr.len == 0 || p + info->hdr.len > end)
			break;
		switch (info->hdr.info_type) {
		case FAN_EVENT_INFO_TYPE_DFID_NAME:
		case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
			parse_record(f, info, true, &ev->from);
			break;
		case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
			parse_record(f, info, true, &ev->to);
			break;
		case FAN_EVENT_INFO_TYPE_DFID:
			parse_record(f, info, false, &ev->from);
			break;
		case FAN_EVENT_INFO_TYPE_FID:
			parse_record(f, info, false, &ev->object);
			break;
		default:
			break;
		}
		p += info->hdr.len;
	}
}

/* Put a place into the set. Returns whether its directory is known. */
static bool add_place(const struct fanotify *f, struct jb_dirty *dirty,
		      const struct record *r, uint64_t ino, unsigned flags)
{
	size_t pos = SIZE_MAX;
	uint32_t hash;
	uint64_t key;

	if (!r->there || r->fs == NULL)
		return false;
	hash = jb_dirmap_hash(r->fs->fs, r->handle);
	while ((key = jb_dirmap_next(&f->map, r->fs->fs, r->handle, hash,
				     &pos)) != 0) {
		if (r->name == NULL || (r->name_len == 1 && r->name[0] == '.'))
			jb_dirty_add_dir(dirty, key, flags | JB_DIRTY_SELF);
		else
			jb_dirty_add(dirty, key, r->name, r->name_len, ino,
				     flags);
	}
	return pos != SIZE_MAX;
}

/* What an event says of the object itself; bits of enum jb_dirty_ino. */
static unsigned object_flags(const struct event *ev, bool known)
{
	bool named = ev->from.there && ev->from.name != NULL;
	unsigned flags = 0;

	if (ev->mask & FAN_MODIFY)
		flags |= JB_INO_CONTENT;
	if (!named)
		flags |= JB_INO_LOOK;
	/* A name outside may be another link of a file of ours. */
	if (!known && (ev->mask & (FAN_CLOSE_WRITE | FAN_ATTRIB)))
		flags |= JB_INO_LOOK;
	if (ev->mask & FAN_RENAME)
		flags |= JB_INO_MOVED | JB_INO_LOOK;
	if (flags != 0 && (ev->mask & FAN_ATTRIB))
		flags |= JB_INO_ATTRIB;
	return flags;
}

/* The object's inode; 0 if there is none, or it is not of our tree. */
static uint64_t object_ino(const struct event *ev)
{
	if (!ev->object.there || ev->object.fs == NULL)
		return 0;
	return jb_handle_ino(ev->object.handle);
}

static void take_event(struct fanotify *f, const struct event *ev,
		       struct jb_dirty *dirty)
{
	unsigned flags = JB_DIRTY_EVENT, from = 0;
	uint64_t ino = object_ino(ev);
	bool known, to_known = true;

	if (ev->mask & FAN_ATTRIB)
		flags |= JB_DIRTY_ATTRIB;
	if (ev->mask & FAN_RENAME)
		from = JB_DIRTY_FROM;
	known = add_place(f, dirty, &ev->from, ino, flags | from);
	if (ev->to.there)
		to_known = add_place(f, dirty, &ev->to, ino, flags);
	if (ino == 0)
		return;
	flags = object_flags(ev, known);
	if (flags == 0)
		return;
	jb_dirty_add_ino(dirty, ev->object.fs->fs, ino, flags);
	if ((ev->mask & FAN_RENAME) && !to_known && ev->to.fs != NULL)
		jb_dirty_add_beyond(dirty, ev->to.fs->fs, ino, ev->to.handle);
}

static int read_events(struct jb_source *s, struct jb_dirty *dirty,
		       struct jb_error *err)
{
	struct fanotify *f = (struct fanotify *)s;
	struct fanotify_event_metadata m;
	const uint8_t *p = f->buffer;
	struct event ev;
	ssize_t len;
	int n = 0;

	len = read(s->fd, f->buffer, BUFFER_SIZE);
	if (len < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		return jb_error_errno(err, errno, "fanotify: read");
	}
	/* Copied: events are aligned to 4 bytes, their head wants 8. */
	for (; len >= (ssize_t)sizeof m; p += m.event_len, len -= m.event_len) {
		memcpy(&m, p, sizeof m);
		if (m.vers != FANOTIFY_METADATA_VERSION ||
		    m.event_len < sizeof m || m.event_len > len)
			return jb_error_set(err, JB_ENOTSUP, 0,
					    "fanotify: metadata version %u",
					    m.vers);
		n++;
		s->done += UNITS_PER_EVENT;
		if (m.mask & FAN_Q_OVERFLOW) {
			s->overflows++;
			jb_dirty_lose(dirty, JB_LOSS_OVERFLOW);
			continue;
		}
		if (m.pid == f->self)
			continue;
		parse_event(f, &m, p, &ev);
		take_event(f, &ev, dirty);
	}
	s->events += (uint64_t)n;
	return n;
}

static uint64_t count_queued(struct jb_source *s)
{
	int bytes = 0;

	if (ioctl(s->fd, FIONREAD, &bytes) != 0 || bytes < 0)
		return 0;
	return (uint64_t)bytes;
}

static bool was_kept(const struct fanotify *f, const struct jb_root *root)
{
	return jb_group_watches(&f->kept, root->fs_dev, EVENT_MASK);
}

static int mark(int fd, int dirfd)
{
	return fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, EVENT_MASK,
			     dirfd, ".");
}

/* Where the root itself is a btrfs subvolume: by the top of its file system,
 * whose id the events bear. The mark stays when the top is closed. */
static int mark_top(int fd, const struct jb_root *root, uint64_t *fsid,
		    struct jb_error *err)
{
	int top = jb_btrfs_open_top(root->device, err), rv = JB_OK;
	struct statfs st;

	if (top < 0)
		return top;
	if (mark(fd, top) != 0 || fstatfs(top, &st) != 0)
		rv = jb_error_errno(err, errno, "fanotify_mark");
	else
		memcpy(fsid, &st.f_fsid, sizeof *fsid);
	close(top);
	return rv;
}

static int mark_root(int fd, const struct jb_root *root, uint64_t *fsid,
		     struct jb_error *err)
{
	*fsid = root->fsid;
	if (mark(fd, root->fd) == 0)
		return JB_OK;
	switch (errno) {
	case EXDEV:
		return mark_top(fd, root, fsid, err);
	case EPERM:
		return jb_error_set(err, JB_EACCES, EPERM,
				    "fanotify needs CAP_SYS_ADMIN");
	case ENODEV:
		return jb_error_set(err, JB_ENOTSUP, ENODEV,
				    "the file system has no id");
	default:
		return jb_error_errno(err, errno, "fanotify_mark");
	}
}

static int add_root(struct jb_source *s, struct jb_root *root,
		    struct jb_error *err)
{
	struct fanotify *f = (struct fanotify *)s;
	struct file_system *fs;
	uint64_t fsid;
	int rv;

	if (!root->by_handle)
		return jb_error_set(err, JB_ENOTSUP, 0,
				    root->no_right
					    ? "opening by file handle needs "
					      "CAP_DAC_READ_SEARCH (root)"
					    : "no file handles that can be "
					      "opened here");
	rv = mark_root(s->fd, root, &fsid, err);
	if (rv != JB_OK)
		return rv;
	root->queue_kept = was_kept(f, root);
	for (unsigned i = 0; i < f->n_fs; i++)
		if (f->fs[i].fs == root->fs) {
			f->fs[i].roots++;
			return JB_OK;
		}
	fs = &f->fs[f->n_fs++];
	*fs = (struct file_system){.fsid = fsid,
				   .subvolume = root->subvolume,
				   .fs = root->fs,
				   .roots = 1};
	return JB_OK;
}

static void remove_root(struct jb_source *s, struct jb_root *root)
{
	struct fanotify *f = (struct fanotify *)s;

	for (unsigned i = 0; i < f->n_fs; i++) {
		if (f->fs[i].fs != root->fs || --f->fs[i].roots > 0)
			continue;
		/* Fails where the file system is gone: so is its mark. */
		fanotify_mark(s->fd, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM,
			      EVENT_MASK, root->fd, ".");
		f->fs[i] = f->fs[--f->n_fs];
		return;
	}
}

static bool is_on(const struct jb_root *roots, unsigned n, dev_t dev)
{
	for (unsigned i = 0; i < n; i++)
		if (roots[i].fs_dev == dev)
			return true;
	return false;
}

void jb_fanotify_trim(struct jb_source *s, const struct jb_root *roots,
		      unsigned n)
{
	struct fanotify *f = (struct fanotify *)s;
	char *point;

	for (size_t i = 0; i < f->kept.n_marks; i++) {
		const struct jb_group_mark *m = &f->kept.marks[i];

		/* Where it can't be found it is not mounted, and raises
		 * nothing. */
		if (is_on(roots, n, m->dev) ||
		    jb_mount_point_of(m->dev, &point, NULL) != JB_OK)
			continue;
		fanotify_mark(s->fd, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM,
			      m->mask & EVENT_MASK, AT_FDCWD, point);
		free(point);
	}
}

static int add_dir(struct jb_source *s, const struct jb_root *root,
		   struct jb_handle_ref handle, uint64_t key, int dirfd,
		   struct jb_error *err)
{
	struct fanotify *f = (struct fanotify *)s;

	(void)dirfd;
	return jb_dirmap_add(&f->map, root->fs, handle, key, err);
}

static void remove_dir(struct jb_source *s, const struct jb_root *root,
		       struct jb_handle_ref handle, uint64_t key)
{
	struct fanotify *f = (struct fanotify *)s;

	jb_dirmap_remove(&f->map, root->fs, handle, key);
}

static void close_source(struct jb_source *s)
{
	struct fanotify *f = (struct fanotify *)s;

	if (f == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	jb_dirmap_fini(&f->map);
	jb_group_fini(&f->kept);
	free(f->buffer);
	free(f);
}

static const struct jb_source_ops fanotify_ops = {
	.name = "fanotify",
	.add_root = add_root,
	.remove_root = remove_root,
	.add_dir = add_dir,
	.remove_dir = remove_dir,
	.read = read_events,
	.queued = count_queued,
	.close = close_source,
};

/* The descriptor of an earlier process, if it is what we would make. */
static int adopt(struct fanotify *f, int kept)
{
	if (kept < 0)
		return -1;
	if (jb_group_read(kept, &f->kept, NULL) == JB_OK &&
	    f->kept.flags == GROUP_FLAGS)
		return kept;
	close(kept);
	jb_group_fini(&f->kept);
	return -1;
}

int jb_fanotify_open(uint32_t queue_limit, int kept, struct jb_source **ret,
		     struct jb_error *err)
{
	struct fanotify *f = calloc(1, sizeof *f);
	int rv;

	if (f == NULL) {
		if (kept >= 0)
			close(kept);
		return jb_error_set(err, JB_ENOMEM, 0, "fanotify");
	}
	f->base.ops = &fanotify_ops;
	f->base.index = 0;
	f->base.can_rest = true;
	f->self = getpid();
	f->base.is_limited = true; /* as it was, if it was kept */
	f->base.fd = adopt(f, kept);
	if (f->base.fd < 0)
		f->base.fd = jb_group_make(GROUP_FLAGS, queue_limit,
					   &f->base.is_limited);
	if (f->base.fd < 0) {
		rv = errno == EPERM
			     ? jb_error_set(err, JB_EACCES, errno,
					    "fanotify needs CAP_SYS_ADMIN")
			     : jb_error_errno(err, errno, "fanotify_init");
		close_source(&f->base);
		return rv;
	}
	f->buffer = malloc(BUFFER_SIZE);
	rv = jb_dirmap_init(&f->map, err);
	if (f->buffer == NULL)
		rv = jb_error_set(err, JB_ENOMEM, 0, "fanotify");
	if (rv != JB_OK) {
		close_source(&f->base);
		return rv;
	}
	*ret = &f->base;
	return JB_OK;
}
