/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inotify(7): one watch per directory, for where fanotify can't be had.
 *
 * A watch belongs to the inode, so it stays when the directory is renamed: the
 * map goes from watch descriptor to key, never to a path. Events bear names
 * but no inodes: a write is known by its place, and a move by its two ends.
 * Who passed through a name that the catalog never knew (moved to it, and on)
 * may be anybody who is detached: then all of them wait anew. */
#include "engine/base/log.h"
#include "engine/watch/keymap.h"
#include "engine/watch/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BUFFER_SIZE (256u << 10)

#define EVENT_MASK                                                             \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |     \
	 IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR)

struct inotify {
	struct jb_source base;
	uint8_t *buffer;	    /* owned */
	struct jb_keymap keys;	    /* by watch descriptor */
	struct jb_keymap watches;   /* by key, to remove one */
	struct jb_keymap unwatched; /* the keys there was no watch for */
};

/* ---- directories */

static int add_root(struct jb_source *s, struct jb_root *root,
		    struct jb_error *err)
{
	(void)s;
	(void)root;
	(void)err;
	return JB_OK; /* its scan brings the directories, itself first */
}

static void remove_root(struct jb_source *s, struct jb_root *root)
{
	(void)s;
	(void)root; /* the kernel drops the watches with the file system */
}

static void forget_unwatched(struct inotify *in, uint64_t key)
{
	jb_keymap_remove(&in->unwatched, key);
	in->base.n_unwatched = in->unwatched.n;
}

/* Whoever has the source looks at the count. */
static int note_unwatched(struct inotify *in, uint64_t key)
{
	int rv = jb_keymap_put(&in->unwatched, key, key);

	if (rv == JB_OK && in->unwatched.n == 1)
		jb_log_warning("inotify: not all directories are watched: "
			       "raise fs.inotify.max_user_watches; until then "
			       "they are scanned again and again");
	in->base.n_unwatched = in->unwatched.n;
	return rv;
}

static int put_watch(struct inotify *in, int wd, uint64_t key)
{
	int rv = jb_keymap_put(&in->keys, (uint64_t)wd, key);

	if (rv == JB_OK)
		rv = jb_keymap_put(&in->watches, key, (uint64_t)wd);
	forget_unwatched(in, key);
	return rv;
}

static int add_dir(struct jb_source *s, const struct jb_root *root,
		   struct jb_handle_ref handle, uint64_t key, int dirfd,
		   struct jb_error *err)
{
	struct inotify *in = (struct inotify *)s;
	int wd, rv = JB_OK;
	char path[64];

	(void)root;
	(void)handle;
	snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
	wd = inotify_add_watch(s->fd, path, EVENT_MASK);
	if (wd >= 0)
		rv = put_watch(in, wd, key);
	else if (errno == ENOSPC || errno == ENOMEM)
		rv = note_unwatched(in, key);
	/* else it has gone meanwhile */
	return rv == JB_OK ? JB_OK : jb_error_set(err, rv, 0, "inotify");
}

static void remove_dir(struct jb_source *s, const struct jb_root *root,
		       struct jb_handle_ref handle, uint64_t key)
{
	struct inotify *in = (struct inotify *)s;
	uint64_t wd = jb_keymap_get(&in->watches, key);

	(void)root;
	(void)handle;
	jb_keymap_remove(&in->watches, key);
	forget_unwatched(in, key);
	if (jb_keymap_get(&in->keys, wd) != key)
		return; /* another root has it now */
	jb_keymap_remove(&in->keys, wd);
	inotify_rm_watch(s->fd, (int)wd); /* fails if the directory is gone */
}

/* ---- events */

static void take_event(struct inotify *in, const struct inotify_event *ev,
		       struct jb_dirty *dirty)
{
	unsigned flags = JB_DIRTY_EVENT;
	uint64_t key;
	size_t len;

	if (ev->mask & IN_Q_OVERFLOW) {
		in->base.overflows++;
		jb_dirty_lose(dirty, JB_LOSS_OVERFLOW);
		return;
	}
	key = jb_keymap_get(&in->keys, (uint64_t)ev->wd);
	if (key == 0)
		return;
	if (ev->mask & IN_IGNORED) {
		/* The kernel dropped the watch: the directory is gone. */
		jb_keymap_remove(&in->keys, (uint64_t)ev->wd);
		return;
	}
	if (ev->mask & IN_ATTRIB)
		flags |= JB_DIRTY_ATTRIB;
	if (ev->len == 0) {
		jb_dirty_add_dir(dirty, key, flags | JB_DIRTY_SELF);
		return;
	}
	if (ev->mask & IN_MODIFY)
		flags |= JB_DIRTY_CONTENT;
	if (ev->mask & IN_MOVED_FROM)
		flags |= JB_DIRTY_FROM;
	if (ev->mask & IN_CREATE)
		flags |= JB_DIRTY_BORN;
	len = strnlen(ev->name, ev->len);
	jb_dirty_add(dirty, key, ev->name, len, 0, flags);
}

static int read_events(struct jb_source *s, struct jb_dirty *dirty,
		       struct jb_error *err)
{
	struct inotify *in = (struct inotify *)s;
	const struct inotify_event *ev;
	ssize_t len;
	int n = 0;

	len = read(s->fd, in->buffer, BUFFER_SIZE);
	if (len < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		return jb_error_errno(err, errno, "inotify: read");
	}
	for (ssize_t i = 0; i < len; i += (ssize_t)(sizeof *ev + ev->len)) {
		ev = (const void *)(in->buffer + i);
		take_event(in, ev, dirty);
		n++;
	}
	s->done += (uint64_t)len;
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

static void close_source(struct jb_source *s)
{
	struct inotify *in = (struct inotify *)s;

	if (in == NULL)
		return;
	if (s->fd >= 0)
		close(s->fd);
	jb_keymap_fini(&in->keys);
	jb_keymap_fini(&in->watches);
	jb_keymap_fini(&in->unwatched);
	free(in->buffer);
	free(in);
}

static const struct jb_source_ops inotify_ops = {
	.name = "inotify",
	.add_root = add_root,
	.remove_root = remove_root,
	.add_dir = add_dir,
	.remove_dir = remove_dir,
	.read = read_events,
	.queued = count_queued,
	.close = close_source,
};

int jb_inotify_open(struct jb_source **ret, struct jb_error *err)
{
	struct inotify *in = calloc(1, sizeof *in);

	if (in == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "inotify");
	in->base.ops = &inotify_ops;
	in->base.index = 1;
	in->base.needs_fd = true;
	in->base.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	in->buffer = malloc(BUFFER_SIZE);
	if (in->base.fd < 0 || in->buffer == NULL) {
		int rv = jb_error_errno(err, errno, "inotify_init");

		close_source(&in->base);
		return rv;
	}
	*ret = &in->base;
	return JB_OK;
}
