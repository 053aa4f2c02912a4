/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_tree - make the tree that the walks and starts are measured on.
 *
 *     bench_tree [-s SUBDIRS] DIR
 *
 * 50 directories with SUBDIRS (2,000) directories each, and 10 files of about
 * 100 bytes in each but DIR: with the default 1,000,500 files in 100,051
 * directories, DIR counted. Two threads. Prints what was made. */
#include "stopwatch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOPS = 50, FILES = 10, THREADS = 2 };

static long subdirs = 2000;
static atomic_int next_top;
static atomic_long made_files, made_dirs;

static void make_files(const char *dir)
{
	char text[128], path[128];
	int i, fd, len;

	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "%s/file-%02d.txt", dir, i);
		len = snprintf(text, sizeof text, "%-*s\n", 95 + i, path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd == -1 || write(fd, text, (size_t)len) != len)
			err(1, "%s", path);
		close(fd);
	}
	atomic_fetch_add(&made_files, FILES);
	atomic_fetch_add(&made_dirs, 1);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) == -1)
		err(1, "%s", path);
	make_files(path);
}

static void *make_tops(void *arg)
{
	char path[64];
	long sub;
	int top;

	(void)arg;
	while ((top = atomic_fetch_add(&next_top, 1)) < TOPS) {
		snprintf(path, sizeof path, "top-%02d", top);
		make_dir(path);
		for (sub = 0; sub < subdirs; sub++) {
			snprintf(path, sizeof path, "top-%02d/sub-%04ld", top,
				 sub);
			make_dir(path);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	int opt, i;

	while ((opt = getopt(argc, argv, "s:")) != -1) {
		if (opt != 's')
			return 2;
		subdirs = parse_count(optarg);
	}
	if (optind + 1 != argc)
		errx(2, "usage: bench_tree [-s SUBDIRS] DIR");
	if (chdir(argv[optind]) == -1)
		err(1, "%s", argv[optind]);
	for (i = 0; i < THREADS; i++) {
		errno = pthread_create(&threads[i], NULL, make_tops, NULL);
		if (errno != 0)
			err(1, "pthread_create");
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("{\"files\":%ld,\"dirs\":%ld}\n", atomic_load(&made_files),
	       atomic_load(&made_dirs) + 1);
	return 0;
}
