/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_latency - from close() to a committed row that a reader can see.
 *
 *     bench_latency [-n FILES] [-g GAP_MS] DIR JOURNAL
 *
 * Writes one 4 KiB file after the other into DIR, GAP_MS apart so that the
 * system is idle each time, and looks into JOURNAL (journal.db) with a
 * connection of its own until the change is there. Prints median, 99th
 * percentile and maximum in milliseconds. A lost change ends it after 10 s. */
#include "stopwatch.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char SQL_LAST[] = "SELECT ifnull(max(seq), 0) FROM change";
static const char SQL_FIND[] =
	"SELECT max(seq) FROM change WHERE seq > ?1 AND name = ?2";

struct journal {
	sqlite3 *db;		   /* owned */
	sqlite3_stmt *last, *find; /* owned */
};

static void open_journal(struct journal *j, const char *path)
{
	if (sqlite3_open_v2(path, &j->db, SQLITE_OPEN_READONLY, NULL) !=
		    SQLITE_OK ||
	    sqlite3_busy_timeout(j->db, 1000) != SQLITE_OK ||
	    sqlite3_prepare_v2(j->db, SQL_LAST, -1, &j->last, NULL) !=
		    SQLITE_OK ||
	    sqlite3_prepare_v2(j->db, SQL_FIND, -1, &j->find, NULL) !=
		    SQLITE_OK)
		errx(1, "%s: %s", path, sqlite3_errmsg(j->db));
}

static sqlite3_int64 read_seq(struct journal *j, sqlite3_stmt *st)
{
	sqlite3_int64 seq;

	if (sqlite3_step(st) != SQLITE_ROW)
		errx(1, "journal: %s", sqlite3_errmsg(j->db));
	seq = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return seq;
}

static void write_file(const char *name)
{
	static const char block[4096];
	int fd;

	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd == -1 || write(fd, block, sizeof block) != (ssize_t)sizeof block)
		err(1, "%s", name);
	close(fd);
}

/* Milliseconds from close() until the row is seen. */
static double measure_one(struct journal *j, int dir, long i)
{
	sqlite3_int64 before = read_seq(j, j->last);
	char name[64];
	double start;

	snprintf(name, sizeof name, "latency-%06ld", i);
	if (fchdir(dir) == -1)
		err(1, "fchdir");
	write_file(name);
	start = wall_s();
	sqlite3_bind_int64(j->find, 1, before);
	sqlite3_bind_blob(j->find, 2, name, (int)strlen(name), SQLITE_STATIC);
	while (read_seq(j, j->find) == 0) {
		if (wall_s() - start > 10)
			errx(1, "%s: not in the journal after 10 s", name);
		nap_us(50);
	}
	return (wall_s() - start) * 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long n = 200, gap_ms = 30, i;
	struct journal j = {0};
	double *ms;
	int opt, dir;

	while ((opt = getopt(argc, argv, "n:g:")) != -1) {
		if (opt == 'n')
			n = parse_count(optarg);
		else if (opt == 'g')
			gap_ms = parse_count(optarg);
		else
			return 2;
	}
	if (optind + 2 != argc || n == 0)
		errx(2, "usage: bench_latency [-n FILES] [-g GAP_MS] DIR "
			"JOURNAL");
	dir = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		err(1, "%s", argv[optind]);
	open_journal(&j, argv[optind + 1]);
	ms = calloc((size_t)n, sizeof *ms);
	if (ms == NULL)
		err(1, NULL);
	for (i = 0; i < n; i++) {
		nap_us(gap_ms * 1000);
		ms[i] = measure_one(&j, dir, i);
	}
	qsort(ms, (size_t)n, sizeof *ms, compare);
	printf("{\"files\":%ld,\"median_ms\":%.3f,\"p99_ms\":%.3f,"
	       "\"max_ms\":%.3f}\n",
	       n, ms[n / 2], ms[(n * 99 - 1) / 100], ms[n - 1]);
	free(ms);
	sqlite3_finalize(j.last);
	sqlite3_finalize(j.find);
	sqlite3_close(j.db);
	return 0;
}
