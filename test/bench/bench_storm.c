/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_storm - many small files, as fast as the writers can.
 *
 *     bench_storm [-n FILES] [-d DIRS] [-t THREADS] [-r RATE] [-cum] DIR
 *
 * Per file: create under a temporary name, write 100 bytes, close, rename to
 * the final name (-c: create under it, no rename), and with -u unlink.
 * Consecutive files lie in different directories, the order that costs a
 * journal most. The directories are made first and are not timed; -m makes
 * them and no file. -r: files a second, for a steady trickle instead of a
 * storm. Prints wall and CPU seconds. */
#include "stopwatch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct storm {
	const char *dir;
	long files, dirs, threads, rate;
	bool at_once, unlink, only_dirs;
};

struct writer {
	const struct storm *storm; /* borrowed */
	long first;
	pthread_t thread;
};

static void write_file(const struct storm *s, long i)
{
	static const char text[100] = "ninety-nine bytes and a newline";
	char tmp[64], name[64];
	int fd;

	snprintf(name, sizeof name, "d%04ld/f%07ld", i % s->dirs, i);
	if (s->at_once)
		memcpy(tmp, name, sizeof tmp);
	else
		snprintf(tmp, sizeof tmp, "d%04ld/.f%07ld.tmp", i % s->dirs, i);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		err(1, "%s", tmp);
	if (write(fd, text, sizeof text) != (ssize_t)sizeof text)
		err(1, "%s", tmp);
	close(fd);
	if (!s->at_once && rename(tmp, name) == -1)
		err(1, "%s", name);
	if (s->unlink && unlink(name) == -1)
		err(1, "%s", name);
}

static void *run_writer(void *arg)
{
	const struct writer *w = arg;
	const struct storm *s = w->storm;
	double start = wall_s();
	long i, done = 0;

	for (i = w->first; i < s->files; i += s->threads) {
		double ahead;

		write_file(s, i);
		if (s->rate == 0)
			continue;
		ahead = start +
			(double)(++done * s->threads) / (double)s->rate -
			wall_s();
		if (ahead > 0)
			nap_us((long)(ahead * 1e6));
	}
	return NULL;
}

static void make_dirs(const struct storm *s)
{
	char name[64];
	long i;

	for (i = 0; i < s->dirs; i++) {
		snprintf(name, sizeof name, "d%04ld", i);
		if (mkdir(name, 0755) == -1 && errno != EEXIST)
			err(1, "%s", name);
	}
}

static void run_storm(const struct storm *s)
{
	struct writer *writers;
	double start, cpu;
	long i;

	writers = calloc((size_t)s->threads, sizeof *writers);
	if (writers == NULL)
		err(1, NULL);
	start = wall_s();
	cpu = cpu_s();
	for (i = 0; i < s->threads; i++) {
		writers[i].storm = s;
		writers[i].first = i;
		errno = pthread_create(&writers[i].thread, NULL, run_writer,
				       &writers[i]);
		if (errno != 0)
			err(1, "pthread_create");
	}
	for (i = 0; i < s->threads; i++)
		pthread_join(writers[i].thread, NULL);
	printf("{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"files\":%ld,\"ops\":%ld}\n",
	       wall_s() - start, cpu_s() - cpu, s->files,
	       s->files * (3 + !s->at_once + s->unlink));
	free(writers);
}

int main(int argc, char **argv)
{
	struct storm s = {.files = 250000, .dirs = 1000, .threads = 1};
	int opt;

	while ((opt = getopt(argc, argv, "n:d:t:r:cum")) != -1) {
		if (opt == 'n')
			s.files = parse_count(optarg);
		else if (opt == 'd')
			s.dirs = parse_count(optarg);
		else if (opt == 't')
			s.threads = parse_count(optarg);
		else if (opt == 'r')
			s.rate = parse_count(optarg);
		else if (opt == 'c')
			s.at_once = true;
		else if (opt == 'u')
			s.unlink = true;
		else if (opt == 'm')
			s.only_dirs = true;
		else
			return 2;
	}
	if (optind + 1 != argc || s.threads == 0 || s.dirs == 0)
		errx(2, "usage: bench_storm [-n FILES] [-d DIRS] [-t THREADS]"
			" [-r RATE] [-cum] DIR");
	if (chdir(argv[optind]) == -1)
		err(1, "%s", argv[optind]);
	make_dirs(&s);
	if (!s.only_dirs)
		run_storm(&s);
	return 0;
}
