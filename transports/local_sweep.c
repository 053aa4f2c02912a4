/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree of ours is removed, however deep it is, with one directory open at a
 * time: each directory found inside is moved up into stage/ and removed from
 * there. The whole tree is out of sight with the first rename. What can't be
 * removed (chattr +i, a bad spot) keeps nothing else there. */
#include "transports/local_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* After so many failures it is not worth going on. */
#define FAILURES_MAX 100

struct sweeping {
	struct jb_local *local;
	int stage;	/* owned */
	unsigned begin; /* "sweep.BEGIN" up to "sweep.END": to be emptied */
	unsigned end;
	uint64_t removed;
	int failed; /* the first failure, a negative errno */
	unsigned n_failed;
};

/* 0: the rest can be gone on with. */
static int note_failure(struct sweeping *s, int rv)
{
	if (rv == 0)
		return 0;
	if (s->n_failed++ == 0)
		s->failed = rv;
	return rv == -EROFS || s->n_failed == FAILURES_MAX ? rv : 0;
}

static void sweep_name(char name[32], unsigned n)
{
	snprintf(name, 32, "sweep.%u", n);
}

/* Move a directory to be emptied next. A name that is taken is an older run's:
 * it is somewhere in the list of stage/, too. */
static int move_up(struct sweeping *s, int dirfd, const char *name)
{
	char to[32];

	for (;;) {
		sweep_name(to, s->end);
		s->end++;
		if (renameat2(dirfd, name, s->stage, to, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno == EINVAL && renameat(dirfd, name, s->stage, to) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY)
			return -errno;
	}
}

static int take_away(struct sweeping *s, int dirfd, const char *name)
{
	int rv = unlinkat(dirfd, name, 0) < 0 ? -errno : 0;

	if (rv == -EISDIR || rv == -EPERM) {
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
			rv = 0;
		else if (errno == ENOTEMPTY || errno == EEXIST)
			rv = move_up(s, dirfd, name);
		else if (errno != ENOTDIR) /* else a file, as was said */
			rv = -errno;
	}
	if (rv == 0)
		s->removed++;
	return rv == -ENOENT ? 0 : rv;
}

static int empty_dir(struct sweeping *s, const char *name)
{
	struct dirent *d;
	DIR *dir;
	int fd, rv = 0;

	fd = openat(s->stage, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	dir = fdopendir(fd);
	if (dir == NULL) {
		rv = -errno;
		close(fd);
		return rv;
	}
	while (rv == 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rv = note_failure(s, take_away(s, fd, d->d_name));
	closedir(dir);
	if (rv == 0 && unlinkat(s->stage, name, AT_REMOVEDIR) < 0 &&
	    errno != ENOENT && errno != ENOTDIR)
		rv = -errno;
	return rv;
}

int jb_local_remove_all(struct jb_local *l, int dirfd, const char *name,
			uint64_t *removed)
{
	struct sweeping s = {.local = l};
	char next[32];
	int rv;

	s.stage = jb_tree_enter(&l->top, JB_STAGE_DIR, O_PATH);
	if (s.stage < 0)
		return s.stage;
	s.begin = s.end = l->serial;
	rv = note_failure(&s, take_away(&s, dirfd, name));
	while (rv == 0 && s.begin < s.end) {
		sweep_name(next, s.begin++);
		rv = note_failure(&s, empty_dir(&s, next));
	}
	l->serial = s.end;
	jb_dirs_forget(&l->dirs);
	close(s.stage);
	if (removed != NULL)
		*removed += s.removed;
	return s.failed;
}

/* Directories that may be open at once. */
#define MEASURED_DEPTH 64

static int measure_dir(int dirfd, unsigned depth, uint64_t *bytes)
{
	DIR *dir = fdopendir(dirfd);
	struct jb_object o;
	struct dirent *d;
	int fd, rv;

	if (dir == NULL) {
		rv = -errno;
		close(dirfd);
		return rv;
	}
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, ".") == 0 ||
		    strcmp(d->d_name, "..") == 0 ||
		    jb_tree_look(dirfd, d->d_name, &o) < 0 || o.is_mount)
			continue;
		/* One that has another name stays. */
		if (S_ISDIR(o.mode) || o.nlink == 1)
			*bytes += (uint64_t)o.blocks * 512;
		if (!S_ISDIR(o.mode) || depth == MEASURED_DEPTH)
			continue;
		fd = openat(dirfd, d->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0) /* else it won't go either */
			measure_dir(fd, depth + 1, bytes);
	}
	closedir(dir);
	return 0;
}

int jb_local_measure_all(int dirfd, uint64_t *bytes)
{
	return measure_dir(dirfd, 0, bytes);
}

enum jb_outcome jb_local_sweep(struct jb_target *t, const char *name,
			       struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_place p = {JB_STAGE_DIR, name};
	int dirfd, rv;

	dirfd = jb_tree_enter(&l->top, JB_STAGE_DIR, O_PATH);
	rv = dirfd < 0 ? dirfd : jb_local_remove_all(l, dirfd, name, NULL);
	if (dirfd >= 0)
		close(dirfd);
	if (rv < 0)
		return jb_local_fail(l, p, -rv, "", err);
	jb_local_note_many(l);
	return JB_OUTCOME_DONE;
}
