/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inotify(7): one watch per directory, for where fanotify can't be had.
 *
 * A watch belongs to the inode, so it stays when the directory is renamed: the
 * map goes from watch descriptor to key, never to a path. Events bear names
 * but no inodes: a write is known by its place, and a move by its two ends.
 * Who passed through a name that the catalog never knew (moved to it, and on)
 * may be anybody who is detached: then all of them wait anew. */
#include "engine/watch/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BUFFER_SIZE (256u << 10)
#define LIMIT_FILE  "/proc/sys/fs/inotify/max_user_watches"

#define EVENT_MASK                                                             \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |     \
	 IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR)

/* Indexed by watch descriptor: the kernel gives them in sequence. */
struct watch {
	uint64_t key; /* 0: none */
};

struct by_key {
	uint64_t key;
	int wd;
};

struct inotify {
	struct jb_source base;
	uint8_t *buffer;       /* owned */
	struct watch *watches; /* owned */
	size_t n_watches;      /* room */
	struct by_key *keys;   /* owned; a hash table, key 0: free */
	size_t n_keys, size_keys;
	bool short_of_watches;
};

/* ---- key -> watch descriptor, to remove a watch */

static size_t key_slot(const struct inotify *in, uint64_t key)
{
	size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 24);

	for (;; i++) {
		i &= in->size_keys - 1;
		if (in->keys[i].key == 0 || in->keys[i].key == key)
			return i;
	}
}

static int grow_keys(struct inotify *in)
{
	struct by_key *old = in->keys;
	size_t old_size = in->size_keys;

	in->size_keys = old_size != 0 ? old_size * 2 : 1024;
	in->keys = calloc(in->size_keys, sizeof *in->keys);
	if (in->keys == NULL) {
		in->keys = old;
		in->size_keys = old_size;
		return JB_ENOMEM;
	}
	for (size_t i = 0; i < old_size; i++)
		if (old[i].key != 0)
			in->keys[key_slot(in, old[i].key)] = old[i];
	free(old);
	return JB_OK;
}

static void drop_key(struct inotify *in, size_t i)
{
	size_t mask = in->size_keys - 1, j = i;

	for (;;) {
		size_t home;

		j = (j + 1) & mask;
		if (in->keys[j].key == 0)
			break;
		home = (size_t)((in->keys[j].key * 0x9e3779b97f4a7c15u) >> 24) &
		       mask;
		if (((j - home) & mask) < ((j - i) & mask))
			continue;
		in->keys[i] = in->keys[j];
		i = j;
	}
	in->keys[i].key = 0;
	in->n_keys--;
}

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

static int remember(struct inotify *in, int wd, uint64_t key,
		    struct jb_error *err)
{
	size_t i;

	if ((size_t)wd >= in->n_watches) {
		size_t n = in->n_watches != 0 ? in->n_watches : 1024;
		void *v;

		while (n <= (size_t)wd)
			n *= 2;
		v = reallocarray(in->watches, n, sizeof *in->watches);
		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "inotify");
		in->watches = v;
		memset(in->watches + in->n_watches, 0,
		       (n - in->n_watches) * sizeof *in->watches);
		in->n_watches = n;
	}
	if (in->n_keys * 2 >= in->size_keys && grow_keys(in) != JB_OK)
		return jb_error_set(err, JB_ENOMEM, 0, "inotify");
	in->watches[wd].key = key;
	i = key_slot(in, key);
	in->n_keys += in->keys[i].key == 0;
	in->keys[i] = (struct by_key){.key = key, .wd = wd};
	return JB_OK;
}

static int add_dir(struct jb_source *s, const struct jb_root *root,
		   struct jb_handle_ref handle, uint64_t key, int dirfd,
		   struct jb_error *err)
{
	struct inotify *in = (struct inotify *)s;
	char path[64];
	int wd;

	(void)root;
	(void)handle;
	snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
	wd = inotify_add_watch(s->fd, path, EVENT_MASK);
	if (wd >= 0)
		return remember(in, wd, key, err);
	if (errno == ENOSPC || errno == ENOMEM) {
		in->short_of_watches = true; /* said with the next read */
		return JB_OK;
	}
	return JB_OK; /* it has gone meanwhile */
}

static void remove_dir(struct jb_source *s, const struct jb_root *root,
		       struct jb_handle_ref handle, uint64_t key)
{
	struct inotify *in = (struct inotify *)s;
	size_t i;
	int wd;

	(void)root;
	(void)handle;
	if (in->size_keys == 0)
		return;
	i = key_slot(in, key);
	if (in->keys[i].key == 0)
		return;
	wd = in->keys[i].wd;
	drop_key(in, i);
	if (in->watches[wd].key != key)
		return; /* another root has it now */
	in->watches[wd].key = 0;
	inotify_rm_watch(s->fd, wd); /* fails where the directory is gone */
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
	if (ev->wd < 0 || (size_t)ev->wd >= in->n_watches)
		return;
	key = in->watches[ev->wd].key;
	if (key == 0)
		return;
	if (ev->mask & IN_IGNORED) {
		/* The kernel dropped the watch: the directory is gone. */
		in->watches[ev->wd].key = 0;
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

	if (in->short_of_watches) {
		in->short_of_watches = false;
		jb_dirty_lose(dirty, JB_LOSS_WATCH);
	}
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
	free(in->watches);
	free(in->keys);
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
