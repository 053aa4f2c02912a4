/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_rename - files renamed as fast as the threads can.
 *
 *     bench_rename [-n FILES] [-t THREADS] [-s SECONDS] DIR
 *
 * Each thread has FILES files in a directory of its own, and gives one after
 * the other its other name, back and forth, for SECONDS. Prints wall and CPU
 * seconds and the number of renames. */
#include "stopwatch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct load {
	const char *dir;
	long files, threads, seconds;
};

struct renamer {
	const struct load *load; /* borrowed */
	long number, done;
	int fd; /* owned; its directory */
	pthread_t thread;
};

static void make_files(struct renamer *r)
{
	char name[64];
	long i;
	int fd;

	snprintf(name, sizeof name, "r%ld", r->number);
	if (mkdir(name, 0755) == -1 && errno != EEXIST)
		err(1, "%s", name);
	r->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->fd == -1)
		err(1, "%s", name);
	for (i = 0; i < r->load->files; i++) {
		snprintf(name, sizeof name, "a%06ld", i);
		fd = openat(r->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fd == -1)
			err(1, "%s", name);
		close(fd);
	}
}

static void *run_renamer(void *arg)
{
	struct renamer *r = arg;
	double end = wall_s() + (double)r->load->seconds;
	char from[64], to[64];
	long i;

	for (long round = 0; wall_s() < end; round++)
		for (i = 0; i < r->load->files; i++) {
			snprintf(from, sizeof from, "%c%06ld",
				 round % 2 == 0 ? 'a' : 'b', i);
			snprintf(to, sizeof to, "%c%06ld",
				 round % 2 == 0 ? 'b' : 'a', i);
			if (renameat(r->fd, from, r->fd, to) == -1)
				err(1, "%s", from);
			r->done++;
		}
	return NULL;
}

static void run_load(const struct load *l)
{
	struct renamer *renamers = calloc((size_t)l->threads, sizeof *renamers);
	double start, cpu;
	long i, done = 0;

	if (renamers == NULL)
		err(1, NULL);
	for (i = 0; i < l->threads; i++) {
		renamers[i].load = l;
		renamers[i].number = i;
		make_files(&renamers[i]);
	}
	start = wall_s();
	cpu = cpu_s();
	for (i = 0; i < l->threads; i++) {
		errno = pthread_create(&renamers[i].thread, NULL, run_renamer,
				       &renamers[i]);
		if (errno != 0)
			err(1, "pthread_create");
	}
	for (i = 0; i < l->threads; i++) {
		pthread_join(renamers[i].thread, NULL);
		done += renamers[i].done;
		close(renamers[i].fd);
	}
	printf("{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"ops\":%ld}\n",
	       wall_s() - start, cpu_s() - cpu, done);
	free(renamers);
}

int main(int argc, char **argv)
{
	struct load l = {.files = 5000, .threads = 2, .seconds = 10};
	int opt;

	while ((opt = getopt(argc, argv, "n:t:s:")) != -1) {
		if (opt == 'n')
			l.files = parse_count(optarg);
		else if (opt == 't')
			l.threads = parse_count(optarg);
		else if (opt == 's')
			l.seconds = parse_count(optarg);
		else
			return 2;
	}
	if (optind + 1 != argc || l.threads == 0 || l.files == 0)
		errx(2, "usage: bench_rename [-n FILES] [-t THREADS]"
			" [-s SECONDS] DIR");
	if (chdir(argv[optind]) == -1)
		err(1, "%s", argv[optind]);
	run_load(&l);
	return 0;
}
