/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree of ours is removed, however deep it is, with one directory open at a
 * time: each directory found inside is moved up into stage/ and removed from
 * there. The whole tree is out of sight with the first rename. What can't be
 * removed (chattr +i, a bad spot) keeps nothing else there. */
#include "transports/local_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
	char dir[NAME_MAX + 1], name[NAME_MAX + 1]; /* where, below stage/ */
	unsigned n_failed;
};

/* Of @name in @dir, "" for stage/ itself. 0: the rest can be gone on with. */
static int note_failure(struct sweeping *s, int rv, const char *dir,
			const char *name)
{
	if (rv == 0)
		return 0;
	if (s->n_failed++ == 0) {
		s->failed = rv;
		snprintf(s->dir, sizeof s->dir, "%s", dir);
		snprintf(s->name, sizeof s->name, "%s", name);
	}
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

/* -ENOTEMPTY: a directory that holds something. */
static int take_away(int dirfd, const char *name)
{
	int rv = unlinkat(dirfd, name, 0) < 0 ? -errno : 0;

	if (rv == -EISDIR || rv == -EPERM) {
		if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
			rv = 0;
		else if (errno == EEXIST)
			rv = -ENOTEMPTY;
		else if (errno != ENOTDIR) /* else a file, as was said */
			rv = -errno;
	}
	return rv == -ENOENT ? 0 : rv;
}

static int remove_name(struct sweeping *s, int dirfd, const char *name)
{
	int rv = take_away(dirfd, name);

	if (rv == -ENOTEMPTY)
		rv = move_up(s, dirfd, name);
	if (rv == 0)
		s->removed++;
	return rv;
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
			rv = note_failure(s, remove_name(s, fd, d->d_name),
					  name, d->d_name);
	closedir(dir);
	if (rv == 0 && unlinkat(s->stage, name, AT_REMOVEDIR) < 0 &&
	    errno != ENOENT && errno != ENOTDIR)
		rv = -errno;
	return rv;
}

static int begin_sweeping(struct jb_local *l, struct sweeping *s)
{
	*s = (struct sweeping){.local = l, .begin = l->serial};
	s->end = s->begin;
	s->stage = jb_tree_enter(&l->top, JB_STAGE_DIR, O_PATH);
	return s->stage < 0 ? s->stage : 0;
}

/* Whatever was moved up. Returns the first failure. */
static int end_sweeping(struct sweeping *s, int rv)
{
	char next[32];

	while (rv == 0 && s->begin < s->end) {
		sweep_name(next, s->begin++);
		rv = note_failure(s, empty_dir(s, next), "", next);
	}
	s->local->serial = s->end;
	jb_dirs_forget(&s->local->dirs);
	close(s->stage);
	return s->failed;
}

int jb_local_remove_all(struct jb_local *l, int dirfd, const char *name,
			uint64_t *removed)
{
	struct sweeping s;
	int rv = begin_sweeping(l, &s);

	if (rv < 0)
		return rv;
	rv = note_failure(&s, remove_name(&s, dirfd, name), "", name);
	rv = end_sweeping(&s, rv);
	*removed += s.removed;
	return rv;
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

/* A directory is emptied where it is: what can't be removed from it keeps its
 * path, which somebody was told. */
enum jb_outcome jb_local_sweep(struct jb_target *t, const char *name,
			       struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_place p = {JB_STAGE_DIR, name};
	char dir[sizeof JB_STAGE_DIR + NAME_MAX + 2];
	struct sweeping s;
	int rv = begin_sweeping(l, &s);

	if (rv < 0)
		return jb_local_fail(l, p, -rv, "", err);
	rv = take_away(s.stage, name);
	if (rv == -ENOTEMPTY)
		rv = empty_dir(&s, name);
	rv = note_failure(&s, rv, "", name);
	rv = end_sweeping(&s, rv);
	jb_local_note_many(l);
	if (rv == 0)
		return JB_OUTCOME_DONE;
	snprintf(dir, sizeof dir, JB_STAGE_DIR "%s%s",
		 s.dir[0] != '\0' ? "/" : "", s.dir);
	p = (struct jb_place){dir, s.name};
	return jb_local_fail(l, p, -rv, "", err);
}
