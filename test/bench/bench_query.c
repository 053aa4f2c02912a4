/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_query - questions to a big journal, asked through the program.
 *
 *     bench_query [-n CHANGES] [-d DIRS] [-b CHANGES_PER_BATCH] [DIR]
 *
 * Makes a synthetic journal in DIR (default: bench-query here) unless it is
 * there, then runs `query` and takes the time from exec to exit, the best of
 * five: "ms" has a goal, "more_ms" is for comparison. */
#include "stopwatch.h"

#include "lib/t_journal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_US	INT64_C(1764000000000000) /* 2025-11-24 16:00 UTC */
#define SPAN_US INT64_C(7776000000000)	  /* 90 days */
#define RUNS	5

struct question {
	const char *name;
	const char *args[8];
};

/* Directory 1000 has seen about 700 of 10 M changes, number 9 about 16,000,
 * /share-3/2013/ about 60,000. */
static const struct question goals[] = {
	{"last hour", {"-S", "@1763996400"}},
	{"one path", {"/share-0/2010/album-01000/img-0123.jpg"}},
	{"one directory", {"/share-0/2010/album-01000/"}},
	{"one hour long ago", {"-S", "@1760000000", "-U", "@1760003600"}},
	{"newest 10", {"-n", "10"}},
	{"newest 10 of a name", {"-n", "10", "*.jpg"}},
	{"newest 10 of a directory",
	 {"-n", "10", "/share-1/2006/album-00009/"}},
};

static const struct question others[] = {
	{"directory of 16,000 changes", {"/share-1/2006/album-00009/"}},
	{"tree of 625 directories", {"/share-3/2013/***"}},
	{"directory, last day",
	 {"-S", "@1763913600", "/share-0/2010/album-01000/"}},
	{"rare name, all changes", {"img-0123.tmp"}},
	{"by directory, last day", {"--by", "dir", "-S", "@1763913600"}},
};

struct bench {
	char dir[PATH_MAX], config[PATH_MAX + 16];
	struct t_fill fill;
};

/* A journal of these figures: a file that is written when it is whole. */
static void mark_path(const struct bench *b, char path[PATH_MAX + 64])
{
	snprintf(path, PATH_MAX + 64, "%s/made-%lld-%d-%d", b->dir,
		 (long long)b->fill.changes, b->fill.dirs, b->fill.per_batch);
}

static bool is_made(const struct bench *b)
{
	char path[PATH_MAX + 64];

	mark_path(b, path);
	return access(path, F_OK) == 0;
}

static void make_journal(const struct bench *b)
{
	char path[PATH_MAX + 64];
	struct t_journal j;
	int fd;

	snprintf(path, sizeof path, "%s/journal.db", b->dir);
	unlink(path);
	t_journal_init(&j, b->dir);
	t_journal_root(&j, "nfs", "/srv/nfs");
	t_journal_fill(&j, &b->fill);
	t_journal_fini(&j);
	mark_path(b, path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		err(1, "%s", path);
	close(fd);
}

static void write_config(const struct bench *b)
{
	FILE *f = fopen(b->config, "w");

	if (f == NULL)
		err(1, "%s", b->config);
	fprintf(f,
		"[Journal]\nStateDirectory=%s\nRuntimeDirectory=%s\n"
		"[Root nfs]\nPath=/srv/nfs\n",
		b->dir, b->dir);
	fclose(f);
}

/* From fork to exit, milliseconds. */
static double ask(const struct bench *b, const struct question *q)
{
	const char *argv[16] = {T_PROGRAM, "--config", b->config,
				"query",   "-o",       "json"};
	double start = wall_s();
	int n = 6, status, null;
	pid_t pid;

	for (int i = 0; q->args[i] != NULL; i++)
		argv[n++] = q->args[i];
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		errx(1, "%s: exit status %d", q->name, status);
	return (wall_s() - start) * 1e3;
}

static void ask_all(const struct bench *b, const struct question *q, size_t n)
{
	double ms, best;

	for (size_t i = 0; i < n; i++) {
		best = ask(b, &q[i]);
		for (int k = 1; k < RUNS && best < 1000; k++) {
			ms = ask(b, &q[i]);
			best = ms < best ? ms : best;
		}
		printf("%s\"%s\": %.1f", i > 0 ? ", " : "", q[i].name, best);
	}
}

int main(int argc, char **argv)
{
	struct bench b = {.fill = {.changes = 10000000,
				   .dirs = 100000,
				   .per_batch = 10,
				   .end_us = END_US,
				   .span_us = SPAN_US}};
	const char *dir;
	int c;

	while ((c = getopt(argc, argv, "n:d:b:")) != -1) {
		if (c == 'n')
			b.fill.changes = parse_count(optarg);
		else if (c == 'd')
			b.fill.dirs = (int)parse_count(optarg);
		else if (c == 'b')
			b.fill.per_batch = (int)parse_count(optarg);
		else
			errx(2,
			     "usage: bench_query [-n N] [-d N] [-b N] [DIR]");
	}
	dir = optind < argc ? argv[optind] : "bench-query";
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		err(1, "%s", dir);
	if (realpath(dir, b.dir) == NULL)
		err(1, "%s", dir);
	snprintf(b.config, sizeof b.config, "%s/query.conf", b.dir);
	write_config(&b);
	if (!is_made(&b))
		make_journal(&b);
	printf("{\"ms\": {");
	ask_all(&b, goals, sizeof goals / sizeof goals[0]);
	printf("}, \"more_ms\": {");
	ask_all(&b, others, sizeof others / sizeof others[0]);
	printf("}}\n");
	return 0;
}
