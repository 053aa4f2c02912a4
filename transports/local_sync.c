/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A failed write-back is reported once per descriptor that was open before it:
 * so the files' own descriptors are kept until they are synced, and syncfs goes
 * to the top's, which is older than every write. */
#include "transports/local_target.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void jb_local_sync_init(struct jb_local_sync *s)
{
	*s = (struct jb_local_sync){.n_files = 0};
	pthread_mutex_init(&s->lock, NULL);
}

static void close_lists(struct jb_local_sync *s)
{
	while (s->n_files > 0)
		close(s->files[--s->n_files]);
	while (s->n_dirs > 0)
		close(s->dirs[--s->n_dirs]);
}

void jb_local_sync_forget(struct jb_local_sync *s)
{
	close_lists(s);
	s->is_many = s->is_dirty = false;
}

void jb_local_sync_fini(struct jb_local_sync *s)
{
	jb_local_sync_forget(s);
	pthread_mutex_destroy(&s->lock);
}

static void give_up(struct jb_local_sync *s)
{
	close_lists(s);
	s->is_many = true;
}

void jb_local_note_many(struct jb_local *l)
{
	pthread_mutex_lock(&l->sync.lock);
	l->sync.is_dirty = true;
	give_up(&l->sync);
	pthread_mutex_unlock(&l->sync.lock);
}

bool jb_local_has_many(struct jb_local *l)
{
	bool many;

	pthread_mutex_lock(&l->sync.lock);
	many = l->sync.is_many;
	pthread_mutex_unlock(&l->sync.lock);
	return many;
}

void jb_local_note_file(struct jb_local *l, int fd)
{
	struct jb_local_sync *s = &l->sync;
	int copy;

	pthread_mutex_lock(&s->lock);
	s->is_dirty = true;
	if (!s->is_many) {
		copy = s->n_files < JB_LOCAL_SYNC_MAX
			       ? fcntl(fd, F_DUPFD_CLOEXEC, 0)
			       : -1;
		if (copy < 0)
			give_up(s);
		else
			s->files[s->n_files++] = copy;
	}
	pthread_mutex_unlock(&s->lock);
}

static bool has_dir(const struct jb_local_sync *s, uint64_t ino)
{
	for (unsigned i = 0; i < s->n_dirs; i++)
		if (s->dir_inos[i] == ino)
			return true;
	return false;
}

void jb_local_note_dir(struct jb_local *l, int dirfd)
{
	struct jb_local_sync *s = &l->sync;
	struct jb_object o = {.ino = 0};
	int fd;

	pthread_mutex_lock(&s->lock);
	s->is_dirty = true;
	if (!s->is_many &&
	    (jb_tree_look(dirfd, "", &o) < 0 || !has_dir(s, o.ino))) {
		fd = s->n_dirs < JB_LOCAL_SYNC_MAX
			     ? openat(dirfd, ".",
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			     : -1;
		if (fd < 0) {
			give_up(s);
		} else {
			s->dir_inos[s->n_dirs] = o.ino;
			s->dirs[s->n_dirs++] = fd;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* Begin to write all before waiting for any. */
static int sync_each(struct jb_local_sync *s)
{
	int rv = 0;

	if (s->n_files > 1)
		for (unsigned i = 0; i < s->n_files; i++)
			sync_file_range(s->files[i], 0, 0,
					SYNC_FILE_RANGE_WRITE);
	for (unsigned i = 0; i < s->n_files; i++)
		if (fsync(s->files[i]) < 0 && rv == 0)
			rv = -errno;
	for (unsigned i = 0; i < s->n_dirs; i++)
		if (fsync(s->dirs[i]) < 0 && errno != EINVAL && rv == 0)
			rv = -errno;
	return rv;
}

/* Once an ext4 has given up (its journal is aborted), what stands in memory
 * will never be on the disk. syncfs(2) tells that to descriptors that were open
 * then, fsync(2) to whoever has tried to write since. */
static int sync_all(struct jb_local *l)
{
	return syncfs(l->top.fd) < 0 ? -errno : jb_local_write_through(l);
}

int jb_local_sync_now(struct jb_local *l, bool all, struct jb_error *err)
{
	struct jb_local_sync *s = &l->sync;
	int rv = 0;

	if (all)
		rv = sync_all(l);
	else if (s->is_many)
		rv = syncfs(l->top.fd) < 0 ? -errno : 0;
	else if (s->is_dirty)
		rv = sync_each(s);
	jb_local_sync_forget(s);
	if (rv == 0)
		return JB_OK;
	return jb_error_errno(err, -rv, "target '%s': %s: sync", l->name,
			      l->top.path);
}
