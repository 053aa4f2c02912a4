/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slow scan finds what raises no event, counts only that, and goes on where
 * it was. */
#include "lib/t_round.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT  T_SPACE "/fs/r"
#define LOOKS 3000 /* of 20 ms */
/* One page, which is one new mtime: the patrol may come between two. */
#define LENGTH 4096

/* A number of the first root's patrol. */
static int64_t patrol_number(struct t_daemon *d, const char *key)
{
	json_t *status = t_daemon_status(d);
	int64_t n = json_integer_value(
		json_object_get(t_daemon_root_member(status, "patrol"), key));

	json_decref(status);
	return n;
}

/* Wait until it has grown beyond @from; returns it. */
static int64_t await_more(struct t_daemon *d, const char *key, int64_t from)
{
	int64_t n = 0;

	for (int i = 0; i < LOOKS; i++) {
		n = patrol_number(d, key);
		if (n > from)
			return n;
		poll(NULL, 0, 20);
	}
	fail_msg("patrol: %s is %lld, and no more", key, (long long)n);
	return n;
}

/* A whole round from now on. */
static void await_round(struct t_daemon *d)
{
	int64_t began = await_more(d, "began_us", patrol_number(d, "began_us"));

	await_more(d, "ended_us", began);
}

/* Who has mapped a file and never lets go is found, again and again. */
static void mapped(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;
	char *map;
	int fd;

	t_shell("mkdir -p " ROOT "/a/b && truncate -s %d " ROOT "/a/b/f",
		LENGTH);
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_configure(d, "Patrol=1s\n");
	fd = open(ROOT "/a/b/f", O_RDWR | O_CLOEXEC);
	map = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	close(fd); /* CLOSE_WRITE, long before the stores */
	t_daemon_begin(d);
	t_round_init(&r, w);
	for (int i = 0; i < 3; i++) {
		memset(map, 'a' + i, LENGTH);
		assert_int_equal(msync(map, LENGTH, MS_SYNC), 0);
		await_more(d, "drift", i);
		t_round_check(&r, NULL);
		t_round_expect(&r, 1, "2", "a/b/f");
		assert_int_equal(t_round_count(&r, "source = 1 AND what & 1"),
				 1);
	}
	assert_int_equal(patrol_number(d, "drift"), 3);
	t_daemon_expect(d, 0, "changed without an event", "query", "--gaps",
			NULL);
	t_daemon_expect(d, 0, "3 changes that raised no event", "status", NULL);
	/* It is over when the mapping goes; the count stays. */
	munmap(map, LENGTH);
	t_daemon_stop(d);
	t_daemon_begin(d);
	assert_int_equal(patrol_number(d, "drift"), 3);
	t_round_fini(&r);
}

/* What an event tells is no drift, however busy the tree is while the patrol
 * goes through it. */
static void no_false_alarm(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;

	t_shell("mkdir " ROOT " && cd " ROOT " && for i in $(seq 20); do"
		" mkdir d$i; done && mkdir left-out && echo 1 > left-out/1");
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_configure(d, "Patrol=200ms\nExclude=/left-out/ *.tmp\n");
	t_daemon_begin(d);
	for (int i = 0; i < 6; i++) {
		t_shell("cd " ROOT " && for i in $(seq 20); do"
			" echo %d >> d$i/f; cp d$i/f d$i/g.tmp; mv d$i/f d$i/h;"
			" chmod 600 d$i/h; mv d$i/h d$i/f; ln -f d$i/f d$i/l;"
			" mkdir -p d$i/s; mv d$i/s d$((21 - i))/s%d; done; "
			"rm -rf d7/s* d8/f",
			i, i);
		if (i % 3 == 2)
			await_round(d);
	}
	t_daemon_flush(d);
	await_round(d);
	assert_int_equal(patrol_number(d, "drift"), 0);
}

/* It goes on where it was, in the pace that it has; what lies behind it is left
 * for the next round. */
static void resumes(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	int64_t began, done;

	t_shell("mkdir " ROOT " && cd " ROOT " && seq -f d%%.0f 1000 |"
		" xargs mkdir");
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_configure(d, "Patrol=60s\n");
	t_daemon_begin(d);
	began = await_more(d, "began_us", 0);
	done = await_more(d, "done", 16);
	t_daemon_stop(d);
	t_daemon_begin(d);
	/* Its thread reads where it was when the daemon answers already. */
	assert_int_equal(await_more(d, "began_us", 0), began);
	assert_true(await_more(d, "done", done) >= done);
	assert_true(patrol_number(d, "done") < 900); /* spread */
	assert_int_equal(patrol_number(d, "ended_us"), 0);
}

static const struct t_case cases[] = {
	T_CASE(mapped, ext4, fanotify),
	T_CASE(mapped, xfs, fanotify),
	T_CASE(mapped, ext4, inotify),
	T_CASE(no_false_alarm, ext4, fanotify),
	T_CASE(no_false_alarm, tmpfs, fanotify),
	T_CASE(resumes, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("patrol", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
