/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_walk - the least that any scan must do: getdents64 and statx.
 *
 *     bench_walk [-t THREADS] DIR
 *
 * Every name below DIR is looked at once, with what a catalog needs. The
 * threads share a stack of directories. Prints wall and CPU seconds. */
#include "stopwatch.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dir {
	struct dir *next;
	char path[];
};

struct walk {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct dir *todo; /* owned */
	int busy;	  /* directories taken and not yet read to the end */
	long names;
};

static void push_dir(struct walk *w, const char *parent, const char *name)
{
	size_t size = strlen(parent) + strlen(name) + 2;
	struct dir *d = malloc(sizeof *d + size);

	if (d == NULL)
		err(1, NULL);
	snprintf(d->path, size, "%s/%s", parent, name);
	pthread_mutex_lock(&w->lock);
	d->next = w->todo;
	w->todo = d;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}

/* NULL when nothing is left and nobody can find more. */
static struct dir *take_dir(struct walk *w)
{
	struct dir *d;

	pthread_mutex_lock(&w->lock);
	while (w->todo == NULL && w->busy > 0)
		pthread_cond_wait(&w->more, &w->lock);
	d = w->todo;
	if (d != NULL) {
		w->todo = d->next;
		w->busy++;
	}
	pthread_mutex_unlock(&w->lock);
	return d;
}

static void leave_dir(struct walk *w, long names)
{
	pthread_mutex_lock(&w->lock);
	w->names += names;
	w->busy--;
	if (w->busy == 0)
		pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
}

static void look_at(struct walk *w, const struct dir *d, int fd,
		    const char *name)
{
	struct statx sx;

	if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_BTIME, &sx) == -1)
		err(1, "%s/%s", d->path, name);
	if (S_ISDIR(sx.stx_mode))
		push_dir(w, d->path, name);
}

static void read_dir(struct walk *w, const struct dir *d)
{
	_Alignas(struct dirent64) char buf[65536];
	long names = 0;
	ssize_t n, at;
	int fd;

	fd = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		err(1, "%s", d->path);
	while ((n = getdents64(fd, buf, sizeof buf)) > 0) {
		const struct dirent64 *e;

		for (at = 0; at < n; at += e->d_reclen) {
			e = (const struct dirent64 *)(const void *)(buf + at);
			if (strcmp(e->d_name, ".") == 0 ||
			    strcmp(e->d_name, "..") == 0)
				continue;
			look_at(w, d, fd, e->d_name);
			names++;
		}
	}
	if (n == -1)
		err(1, "%s", d->path);
	close(fd);
	leave_dir(w, names);
}

static void *run_walker(void *arg)
{
	struct walk *w = arg;
	struct dir *d;

	while ((d = take_dir(w)) != NULL) {
		read_dir(w, d);
		free(d);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct walk w = {.lock = PTHREAD_MUTEX_INITIALIZER,
			 .more = PTHREAD_COND_INITIALIZER};
	pthread_t threads[16];
	long count = 1, i;
	double start;
	int opt;

	while ((opt = getopt(argc, argv, "t:")) != -1) {
		if (opt != 't')
			return 2;
		count = parse_count(optarg);
	}
	if (optind + 1 != argc || count < 1 || count > 16)
		errx(2, "usage: bench_walk [-t THREADS] DIR");
	start = wall_s();
	push_dir(&w, argv[optind], ".");
	for (i = 0; i < count; i++) {
		errno = pthread_create(&threads[i], NULL, run_walker, &w);
		if (errno != 0)
			err(1, "pthread_create");
	}
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"names\":%ld}\n",
	       wall_s() - start, cpu_s(), w.names);
	return 0;
}
