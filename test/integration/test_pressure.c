/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Under load the daemon's memory has bounds, and a quiet root is served beside
 * one in a storm. `./dev bench pressure` measures the same at length. */
#include "lib/t_case.h"
#include "lib/t_judge.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define STORM	 T_SPACE "/fs/storm"
#define QUIET	 T_SPACE "/fs/quiet"
#define GO	 T_SPACE "/go" /* while it is there the writers go on */
#define MOST_MB	 200	       /* resident */
#define MOST_MS	 20000
#define WRITERS	 2
#define FAR_DIRS 600
#define LINKS	 4000

/* The most that it ever had, in MB. */
static long resident_mb(struct t_daemon *d)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)d->pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	fclose(f);
	return kb / 1024;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long until a file that is made now is in the journal. */
static long lag_ms(struct t_judge *j, int i)
{
	long start = now_ms(), took = 0;

	t_shell("echo %d > " QUIET "/q%d", i, i);
	do {
		poll(NULL, 0, 5);
		took = now_ms() - start;
	} while (took < MOST_MS && t_judge_count(j, "path = 'q%d'", i) == 0);
	return took;
}

/* Two writers make files in one root as fast as they can; what is written in
 * the other one meanwhile is in the journal soon. */
static void quiet_root(struct t_world *w)
{
	static const char line[] =
		"cd " STORM " && k=0; while [ -e " GO " ]; do k=$((k + 1));"
		" mkdir $0-$k && cd $0-$k && seq 500 | xargs touch && cd ..;"
		" done";
	const char *argv[] = {"sh", "-c", line, NULL, NULL};
	char names[WRITERS][2] = {"a", "b"};
	struct t_daemon *d = &w->daemon;
	pid_t writers[WRITERS];
	struct t_judge j;
	long lag, most = 0;

	t_shell("mkdir " STORM " " QUIET " && touch " GO);
	t_daemon_root(d, "storm", STORM, w->backend);
	t_daemon_root(d, "quiet", QUIET, w->backend);
	t_daemon_begin(d);
	t_judge_init(&j, d->state);
	for (int i = 0; i < WRITERS; i++) {
		argv[3] = names[i];
		writers[i] = t_process_start(argv, d->log);
	}
	for (int i = 0; i < 8; i++) {
		lag = lag_ms(&j, i);
		most = lag > most ? lag : most;
	}
	t_shell("rm " GO);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(t_process_wait(writers[i], 60000), 0);
	print_message("at most %ld ms, %ld MB\n", most, resident_mb(d));
	assert_true(most < MOST_MS);
	assert_true(resident_mb(d) < MOST_MB);
	t_daemon_flush(d);
	t_judge_tree(&j, STORM, "storm");
	t_judge_fini(&j);
}

static int64_t count_losses(struct t_judge *j, const char *root)
{
	return t_judge_number(j,
			      "SELECT count(*) FROM j.gap g JOIN j.root r"
			      " ON r.id = g.root WHERE r.name = '%s'"
			      " AND g.reason = 'too many changes at once'",
			      root);
}

/* A tree of so many directories is moved in that their listings can't all be
 * kept in mind: a gap, a scan, and all of it is there. With JB_TEST_LONG. */
static void wide(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_judge j;

	if (!t_case_long())
		skip();
	t_shell("mkdir " STORM " " QUIET " " T_SPACE "/fs/x && cd " T_SPACE
		"/fs/x && for i in $(seq %d); do mkdir $i && (cd $i &&"
		" seq %d | xargs mkdir); done",
		FAR_DIRS, FAR_DIRS);
	t_daemon_root(d, "storm", STORM, w->backend);
	t_daemon_root(d, "quiet", QUIET, w->backend);
	t_daemon_begin(d);
	t_shell("mv " T_SPACE "/fs/x " STORM);
	t_daemon_flush_within(d, 300000);
	t_judge_init(&j, d->state);
	assert_true(count_losses(&j, "storm") > 0);
	assert_int_equal(count_losses(&j, "quiet"), 0);
	t_judge_tree(&j, STORM, "storm");
	/* They are known to be ours: an event below is understood. */
	t_shell("touch " STORM "/x/%d/%d/late", FAR_DIRS, FAR_DIRS);
	t_daemon_flush(d);
	assert_int_equal(t_judge_count(&j, "path LIKE '%%/late'"), 1);
	print_message("at most %ld MB\n", resident_mb(d));
	t_judge_fini(&j);
}

/* CPU time that it has taken. */
static long cpu_ms(struct t_daemon *d)
{
	return t_shell_number("sed 's/.*) //' /proc/%d/stat |"
			      " awk '{print int($12 + $13)}'",
			      (int)d->pid) *
	       1000 / sysconf(_SC_CLK_TCK);
}

static void make_links(const char *dir)
{
	char path[256];

	t_shell("mkdir %s", dir);
	for (int i = 0; i < LINKS; i++) {
		snprintf(path, sizeof path, "%s/%d", dir, i);
		assert_int_equal(link(QUIET "/file", path), 0);
	}
}

/* A file with thousands of names, as stores of packages have, takes no more
 * time for each of them than one with two; and all that is said of one name
 * reaches the others. */
static void many_names(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_judge j;

	t_shell("mkdir " QUIET " && echo x > " QUIET "/file");
	make_links(QUIET "/before");
	t_daemon_root(d, "quiet", QUIET, w->backend);
	t_daemon_begin(d);
	t_daemon_flush_within(d, 300000);
	make_links(QUIET "/after");
	t_daemon_flush_within(d, 300000);
	print_message("%ld ms of CPU\n", cpu_ms(d));
	assert_true(cpu_ms(d) < MOST_MS);
	t_shell("echo y >> " QUIET "/after/77 && mv " QUIET "/after/78 " QUIET
		"/moved && rm " QUIET "/before/1*");
	t_daemon_flush(d);
	t_judge_init(&j, d->state);
	t_judge_tree(&j, QUIET, "quiet");
	assert_int_equal(t_judge_count(&j, "kind = 2 AND what & 1"), 1);
	assert_int_equal(t_judge_count(&j, "kind = 4 AND path = 'moved'"), 1);
	t_judge_fini(&j);
}

static const struct t_case cases[] = {
	T_CASE(quiet_root, tmpfs, fanotify),
	T_CASE(quiet_root, ext4, inotify),
	T_CASE(wide, tmpfs, fanotify),
	T_CASE(many_names, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("pressure", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
