/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Old versions: trash/2026-11-23/14-05-01/PATH as it was at the target. A path
 * that goes twice in one second finds its place in 14-05-01.1. */
#include "transports/local_target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define TRIES 1000
/* A file system with fewer free ones is full, whatever its blocks say. */
#define INODES_MIN 64

static enum jb_outcome fail(struct jb_local *l, const char *dir, int errnum,
			    struct jb_error *err)
{
	struct jb_place p = {JB_TRASH_DIR, dir};

	return jb_local_fail(l, p, errnum, "trash", err);
}

/* Open @name in @dirfd, made if it isn't there; closes @dirfd. */
static int descend(struct jb_local *l, int dirfd, const char *name)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd, rv = 0;

	fd = openat(dirfd, name, flags);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(dirfd, name, 0700) == 0)
			jb_local_note_dir(l, dirfd);
		else if (errno != EEXIST)
			rv = -errno;
		if (rv == 0)
			fd = openat(dirfd, name, flags);
	}
	if (fd < 0 && rv == 0)
		rv = -errno;
	close(dirfd);
	return fd < 0 ? rv : fd;
}

/* Open directory @path below the top, with all that is missing of it: mostly
 * that is nothing or its last name. @path is cut up. */
static int make_path(struct jb_local *l, char *path)
{
	size_t len = strlen(path);
	char *slash, *name;
	int fd;

	while ((fd = jb_tree_enter(&l->top, path, O_PATH)) == -ENOENT &&
	       (slash = strrchr(path, '/')) != NULL)
		*slash = '\0';
	name = path + strlen(path) + 1;
	while (fd >= 0 && name < path + len) {
		if (name[0] != '\0')
			fd = descend(l, fd, name);
		name += strlen(name) + 1;
	}
	return fd;
}

static char *trash_path(struct jb_local *l, const char *dir, unsigned n)
{
	time_t at = l->time_s != 0 ? (time_t)l->time_s : time(NULL);
	char when[64], suffix[16] = "", *path;
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(when, sizeof when, "%Y-%m-%d/%H-%M-%S", &tm);
	if (n > 0)
		snprintf(suffix, sizeof suffix, ".%u", n);
	if (asprintf(&path, JB_TRASH_DIR "/%s%s/%s", when, suffix, dir) < 0)
		return NULL;
	return path;
}

enum jb_outcome jb_local_trash_place(struct jb_local *l, struct jb_place where,
				     int *dirfd, struct jb_error *err)
{
	struct jb_object o;
	int fd = -EEXIST;
	char *path;

	for (unsigned n = 0; n < TRIES; n++) {
		path = trash_path(l, where.dir, n);
		fd = path == NULL ? -ENOMEM : make_path(l, path);
		free(path);
		if (fd == -ENOTDIR || fd == -ELOOP) /* a link lies there */
			continue;
		if (fd < 0)
			break;
		if (jb_tree_look(fd, where.name, &o) == -ENOENT) {
			*dirfd = fd;
			return JB_OUTCOME_DONE;
		}
		close(fd);
		fd = -EEXIST;
	}
	return fail(l, where.name, -fd, err);
}

/* Names of a directory, sorted: the oldest date or time first. */
static int list_sorted(struct jb_local *l, const char *path,
		       struct dirent ***ret)
{
	int fd = jb_tree_enter(&l->top, path, O_RDONLY), n;
	char proc[40];

	if (fd < 0)
		return fd;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	n = scandir(proc, ret, NULL, alphasort);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

static void free_list(struct dirent **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

struct expiring {
	struct jb_local *local;
	int64_t before_s;
	uint64_t room_bytes;
	uint64_t removed;
	bool is_over; /* what follows is young, and there is space */
	int failed;   /* the first failure, a negative errno */
	char at[900]; /* where that was */
};

/* What can't be removed stays, and the rest goes. */
static void note_failure(struct expiring *e, int rv, const char *dir,
			 const char *name)
{
	if (rv == 0 || e->failed != 0)
		return;
	e->failed = rv;
	snprintf(e->at, sizeof e->at, "%s/%s", dir, name);
}

static bool has_space(const struct expiring *e)
{
	const struct jb_local *l = e->local;
	struct statfs fs;
	uint64_t left;

	if (e->room_bytes == 0 || fstatfs(l->top.fd, &fs) < 0 ||
	    jb_local_room_left(&l->room, l->top.fd, &left) < 0)
		return true;
	return left >= e->room_bytes &&
	       (fs.f_files == 0 || fs.f_ffree >= INODES_MIN);
}

/* Of the directory "DATE/TIME". A name that is no time is not ours. */
static bool read_time(const char *date, const char *when, int64_t *ret_s)
{
	struct tm tm = {.tm_isdst = 0};
	char text[600];
	const char *end;

	snprintf(text, sizeof text, "%s/%s", date, when);
	end = strptime(text, "%Y-%m-%d/%H-%M-%S", &tm);
	if (end == NULL || (*end != '\0' && *end != '.'))
		return false;
	*ret_s = timegm(&tm);
	return true;
}

/* Is it to go? */
static bool is_due(struct expiring *e, const char *date, const char *when)
{
	int64_t at_s;

	if (!read_time(date, when, &at_s))
		return false;
	if (at_s < e->before_s || !has_space(e))
		return true;
	e->is_over = true;
	return false;
}

static void expire_date(struct expiring *e, const char *date)
{
	struct jb_local *l = e->local;
	struct dirent **list = NULL;
	char path[600];
	int n, dirfd;

	snprintf(path, sizeof path, JB_TRASH_DIR "/%s", date);
	n = list_sorted(l, path, &list);
	dirfd = n < 0 ? n : jb_tree_enter(&l->top, path, O_PATH);
	if (dirfd < 0) {
		free_list(list, n);
		note_failure(e, dirfd, JB_TRASH_DIR, date);
		return;
	}
	for (int i = 0; i < n && !e->is_over; i++)
		if (list[i]->d_name[0] != '.' &&
		    is_due(e, date, list[i]->d_name)) {
			note_failure(e,
				     jb_local_remove_all(l, dirfd,
							 list[i]->d_name,
							 &e->removed),
				     path, list[i]->d_name);
			jb_local_note_many(l);
		}
	close(dirfd);
	free_list(list, n);
}

int jb_local_trash_expire(struct jb_target *t, int64_t before_s,
			  uint64_t room_bytes, uint64_t *removed,
			  struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct expiring e = {
		.local = l,
		.before_s = before_s,
		.room_bytes = room_bytes,
	};
	struct dirent **list = NULL;
	int n, trash;

	n = list_sorted(l, JB_TRASH_DIR, &list);
	trash = n < 0 ? n : jb_tree_enter(&l->top, JB_TRASH_DIR, O_PATH);
	if (trash < 0 && trash != -ENOENT)
		note_failure(&e, trash, JB_OWN_DIR, "trash");
	for (int i = 0; i < n && trash >= 0 && !e.is_over; i++) {
		if (list[i]->d_name[0] == '.')
			continue;
		expire_date(&e, list[i]->d_name);
		unlinkat(trash, list[i]->d_name, AT_REMOVEDIR);
	}
	if (trash >= 0)
		close(trash);
	free_list(list, n);
	*removed = e.removed;
	if (e.failed == 0)
		return JB_OK;
	return jb_error_errno(err, -e.failed, "target '%s': %s/%s", l->name,
			      l->top.path, e.at);
}

/* Of one date; a positive number: it has none. */
static int find_oldest(struct jb_local *l, const char *date, int64_t since_s,
		       int64_t *ret_s)
{
	struct dirent **list = NULL;
	int64_t at_s = 0;
	char path[600];
	int n, rv;

	snprintf(path, sizeof path, JB_TRASH_DIR "/%s", date);
	n = list_sorted(l, path, &list);
	rv = n < 0 ? n : 1;
	for (int i = 0; rv > 0 && i < n; i++)
		if (read_time(date, list[i]->d_name, &at_s) && at_s >= since_s)
			rv = 0;
	if (rv == 0)
		*ret_s = at_s;
	free_list(list, n);
	return rv;
}

int jb_local_trash_oldest(struct jb_target *t, int64_t since_s, int64_t *ret_s,
			  struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct dirent **list = NULL;
	int n = list_sorted(l, JB_TRASH_DIR, &list);
	int rv = n < 0 && n != -ENOENT ? n : 1;

	*ret_s = 0;
	for (int i = 0; rv > 0 && i < n; i++)
		if (list[i]->d_name[0] != '.')
			rv = find_oldest(l, list[i]->d_name, since_s, ret_s);
	free_list(list, n);
	if (rv >= 0)
		return JB_OK;
	return jb_error_errno(err, -rv, "target '%s': %s/" JB_TRASH_DIR,
			      l->name, l->top.path);
}

int jb_local_trash_size(struct jb_target *t, uint64_t *ret,
			struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	int fd = jb_tree_enter(&l->top, JB_TRASH_DIR, O_RDONLY);
	int rv = fd < 0 ? fd : jb_local_measure_all(fd, ret);

	if (rv == 0 || rv == -ENOENT)
		return JB_OK;
	return jb_error_errno(err, -rv, "target '%s': %s/" JB_TRASH_DIR,
			      l->name, l->top.path);
}
