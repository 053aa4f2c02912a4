/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/local.h"

#include "transports/local_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* More than this gains nothing: the kernel's locks on directories and on the
 * journal of the file system are one. */
#define THREADS_MAX 4

static unsigned choose_threads(unsigned wanted)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (wanted == 0)
		wanted = cpus > 0 ? (unsigned)cpus : 1;
	return wanted < THREADS_MAX ? wanted : THREADS_MAX;
}

/* Reading the mask sets it: only while there is one thread. */
static mode_t read_umask(void)
{
	mode_t mask = umask(022);

	umask(mask);
	return mask;
}

static void close_target(struct jb_target *t);

static int open_target(const struct jb_target_options *o,
		       struct jb_target **ret, struct jb_error *err)
{
	struct jb_local *l;

	if (o->path == NULL || o->path[0] != '/')
		return jb_error_set(err, JB_EINVAL, 0,
				    "target '%s': Path= must be absolute",
				    o->name);
	l = calloc(1, sizeof *l);
	if (l == NULL)
		goto fail;
	l->base.ops = &jb_target_local;
	l->top.fd = l->source.fd = -1;
	jb_dirs_init(&l->dirs, &l->top);
	jb_local_sync_init(&l->sync);
	jb_local_well_init(&l->well);
	jb_local_room_init(&l->room, o->min_free);
	l->require_mount = o->require_mount;
	l->preserve = o->preserve;
	l->threads = choose_threads(o->threads);
	l->umask = read_umask();
	l->name = strdup(o->name);
	l->path = strdup(o->path);
	l->under = strdup(o->under != NULL ? o->under : "");
	l->source_path = o->source != NULL ? strdup(o->source) : NULL;
	if (l->name == NULL || l->path == NULL || l->under == NULL ||
	    (o->source != NULL && l->source_path == NULL))
		goto fail;
	*ret = &l->base;
	return JB_OK;

fail:
	if (l != NULL)
		close_target(&l->base);
	return jb_error_set(err, JB_ENOMEM, 0, "target '%s'", o->name);
}

static void end_target(struct jb_target *t)
{
	struct jb_local *l = jb_local_of(t);

	jb_local_sync_forget(&l->sync);
	jb_dirs_forget(&l->dirs);
	jb_tree_close(&l->top);
	jb_tree_close(&l->source);
}

static void close_target(struct jb_target *t)
{
	struct jb_local *l;

	if (t == NULL)
		return;
	l = jb_local_of(t);
	jb_local_pool_free(l->pool);
	end_target(t);
	jb_dirs_fini(&l->dirs);
	jb_local_sync_fini(&l->sync);
	jb_local_well_fini(&l->well);
	jb_local_room_fini(&l->room);
	free(l->name);
	free(l->path);
	free(l->under);
	free(l->source_path);
	free(l);
}

/* Not because somebody else tries the same, or sweeps stage/ meanwhile. */
static bool is_lacking(int rv)
{
	return rv < 0 && errno != ENOENT && errno != EEXIST;
}

/* Try it out on two files, once for each file system. */
static int probe(struct jb_local *l, int stage)
{
	static const char *const names[] = {"probe.a", "probe.b", "probe.c"};
	int fds[2] = {-1, -1}, rv = 0;
	unsigned can = JB_CAN_LIST;

	for (int i = 0; i < 2 && rv == 0; i++) {
		fds[i] =
			openat(stage, names[i],
			       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		rv = fds[i] < 0 ? -errno : 0;
	}
	if (rv == 0) {
		if (!is_lacking(renameat2(stage, names[0], stage, names[1],
					  RENAME_EXCHANGE)))
			can |= JB_CAN_EXCHANGE;
		if (!is_lacking(linkat(stage, names[0], stage, names[2], 0)))
			can |= JB_CAN_LINK;
		if (jb_copy_can_clone(fds[0], fds[1]))
			can |= JB_CAN_CLONE;
		l->can = can;
		l->is_probed = true;
	}
	for (int i = 0; i < 3; i++)
		unlinkat(stage, names[i], 0);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return rv;
}

/* stage/ has to be there. A full disk must not keep deletions from freeing it:
 * then take it for an ordinary one. */
static int prepare(struct jb_local *l, struct jb_error *err)
{
	int own, stage, rv;

	own = jb_tree_enter(&l->top, JB_OWN_DIR, O_PATH);
	if (own >= 0 && mkdirat(own, "stage", 0700) < 0 && errno != EEXIST)
		rv = -errno;
	else
		rv = own < 0 ? own : 0;
	if (own >= 0)
		close(own);
	stage = rv < 0 ? rv : jb_tree_enter(&l->top, JB_STAGE_DIR, O_PATH);
	rv = stage < 0 ? stage : 0;
	if (rv == 0 && !l->is_probed)
		rv = probe(l, stage);
	if (rv == -ENOSPC || rv == -EDQUOT) {
		l->can = JB_CAN_EXCHANGE | JB_CAN_LINK | JB_CAN_LIST;
		rv = 0;
	}
	if (stage >= 0)
		close(stage);
	return rv == 0 ? JB_OK
		       : jb_error_errno(err, -rv,
					"target '%s': %s/" JB_STAGE_DIR,
					l->name, l->top.path);
}

static int open_source(struct jb_local *l, struct jb_error *err)
{
	int rv = jb_tree_open(&l->source, l->source_path, "", err);

	if (rv != JB_OK)
		jb_error_prefix(err, "source");
	return rv;
}

static int start_target(struct jb_target *t, const char *uuid, uint64_t fsid,
			unsigned *can, struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	int rv, why;

	end_target(t);
	atomic_store(&l->stopped, false);
	rv = jb_tree_open(&l->top, l->path, l->under, err);
	if (rv != JB_OK) {
		jb_error_prefix(err, "target '%s'", l->name);
		/* what a person can do about it, if it is that */
		why = jb_local_check_path(l, NULL, err);
		return why != JB_OK ? why : rv;
	}
	rv = jb_local_check(l, uuid, fsid, err);
	if (rv == JB_OK)
		rv = prepare(l, err);
	if (rv == JB_OK && l->source_path != NULL)
		rv = open_source(l, err);
	if (rv != JB_OK) {
		end_target(t);
		return rv;
	}
	*can = l->can;
	return JB_OK;
}

static int measure_space(struct jb_target *t, struct jb_space *ret,
			 struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	uint64_t room = 0;
	struct statfs fs;

	if (fstatfs(l->top.fd, &fs) < 0 ||
	    jb_local_room_left(&l->room, l->top.fd, &room) < 0)
		return jb_error_errno(err, errno, "target '%s': %s", l->name,
				      l->top.path);
	*ret = (struct jb_space){
		.free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize,
		.size_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize,
		.room_bytes = room,
		.free_files = fs.f_files == 0 ? UINT64_MAX : fs.f_ffree,
	};
	return JB_OK;
}

static enum jb_outcome look_at(struct jb_target *t, struct jb_place p,
			       struct jb_object *ret, struct jb_error *err)
{
	static const struct jb_stamp any = {.ino = 0};
	struct jb_local *l = jb_local_of(t);
	enum jb_outcome out;
	int dirfd;

	out = jb_local_dir(l, p, &dirfd, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	return jb_local_expect(l, dirfd, p, &any, ret, err);
}

/* One look at a name of a list. What can't be seen keeps no other name from
 * being listed. LOST: it is gone by now. */
static enum jb_outcome look_in_list(struct jb_local *l, int dirfd,
				    struct jb_place p, struct jb_object *ret,
				    struct jb_error *err)
{
	int rv = jb_tree_look(dirfd, p.name, ret);

	if (rv == -ENOENT)
		return JB_OUTCOME_LOST;
	if (rv == 0 && !ret->is_mount)
		return JB_OUTCOME_DONE;
	*ret = (struct jb_object){.ino = 0};
	if (rv < 0 && !jb_tree_is_mount(dirfd, p.name) &&
	    jb_local_fail(l, p, -rv, "", err) == JB_OUTCOME_STOPPED)
		return JB_OUTCOME_STOPPED;
	return JB_OUTCOME_DONE;
}

static enum jb_outcome list_open(struct jb_local *l, DIR *dir, const char *path,
				 jb_list_fn *on_name, void *arg,
				 struct jb_error *err)
{
	enum jb_outcome out;
	struct jb_object o;
	struct dirent *d;
	int rv;

	while (errno = 0, (d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		out = look_in_list(l, dirfd(dir),
				   (struct jb_place){path, d->d_name}, &o, err);
		if (out == JB_OUTCOME_STOPPED)
			return out;
		rv = out == JB_OUTCOME_DONE ? on_name(arg, d->d_name, &o) : 0;
		if (rv != 0)
			return (enum jb_outcome)rv;
	}
	if (errno != 0)
		return jb_local_fail(l, (struct jb_place){path, "."}, errno, "",
				     err);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome list_dir(struct jb_target *t, const char *path,
				jb_list_fn *on_name, void *arg,
				struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	enum jb_outcome out;
	DIR *dir = NULL;
	int fd;

	fd = jb_tree_enter(&l->top, path, O_RDONLY);
	if (fd >= 0)
		dir = fdopendir(fd);
	if (dir == NULL) {
		out = jb_local_fail(l, (struct jb_place){path, "."},
				    fd < 0 ? -fd : errno, "", err);
		if (fd >= 0)
			close(fd);
		return out;
	}
	out = list_open(l, dir, path, on_name, arg, err);
	closedir(dir);
	return out;
}

/* The target's trouble is told in the words of the source's: say whose. */
static enum jb_outcome hash_file(struct jb_target *t, struct jb_place p,
				 const struct jb_stamp *expect,
				 struct jb_hash *ret, struct jb_error *err)
{
	enum jb_outcome out;

	out = jb_tree_hash(&jb_local_of(t)->top, p, expect, ret, err);
	switch (out) {
	case JB_OUTCOME_MOVED:
	case JB_OUTCOME_TORN:
		return JB_OUTCOME_FOREIGN;
	case JB_OUTCOME_UNREADABLE:
		return JB_OUTCOME_REFUSED;
	default:
		return out;
	}
}

static enum jb_outcome hash_source(struct jb_target *t, struct jb_place p,
				   const struct jb_stamp *expect,
				   struct jb_hash *ret, struct jb_error *err)
{
	return jb_tree_hash(&jb_local_of(t)->source, p, expect, ret, err);
}

static enum jb_outcome make_entries(struct jb_target *t, struct jb_work *work,
				    size_t n, struct jb_error *err)
{
	return jb_local_pool_run(jb_local_of(t), work, n, jb_local_stage, true,
				 err);
}

static enum jb_outcome set_attrs(struct jb_target *t, struct jb_work *work,
				 size_t n, struct jb_error *err)
{
	return jb_local_pool_run(jb_local_of(t), work, n, jb_local_reattribute,
				 false, err);
}

static int sync_target(struct jb_target *t, bool all, struct jb_error *err)
{
	return jb_local_sync_now(jb_local_of(t), all, err);
}

static void set_time(struct jb_target *t, int64_t time_s)
{
	jb_local_of(t)->time_s = time_s;
}

static void stop_target(struct jb_target *t)
{
	atomic_store(&jb_local_of(t)->stopped, true);
}

const struct jb_target_ops jb_target_local = {
	.name = "local",
	.open = open_target,
	.close = close_target,
	.inspect = jb_local_inspect,
	.init = jb_local_init,
	.start = start_target,
	.end = end_target,
	.space = measure_space,
	.look = look_at,
	.list = list_dir,
	.hash = hash_file,
	.make = make_entries,
	.attrs = set_attrs,
	.link = jb_local_link,
	.rename = jb_local_rename,
	.exchange = jb_local_exchange,
	.replace = jb_local_replace,
	.remove = jb_local_remove,
	.sweep = jb_local_sweep,
	.sync = sync_target,
	.set_time = set_time,
	.expire = jb_local_trash_expire,
	.stop = stop_target,
	.hash_source = hash_source,
	.trash_size = jb_local_trash_size,
	.same_xattrs = jb_local_same_xattrs,
	.trash_oldest = jb_local_trash_oldest,
};
