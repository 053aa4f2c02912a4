/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root's file system is unmounted while the daemon runs, and comes back:
 * nothing is taken for deleted, and what changed meanwhile is found. */
#include "lib/t_case.h"
#include "lib/t_mirror.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS T_SPACE "/fs"

static void release(struct t_world *w, const char *root)
{
	t_daemon_expect(&w->daemon, 0, NULL, "release-root", root, NULL);
}

static void take_back(struct t_world *w, const char *root)
{
	t_daemon_expect(&w->daemon, 0, NULL, "release-root", "--back", root,
			NULL);
}

static void await_state(struct t_daemon *d, const char *want)
{
	char state[32] = "";
	int polls;

	for (polls = 0; polls < 3000 && strcmp(state, want) != 0; polls++) {
		json_t *status = t_daemon_status(d);

		snprintf(state, sizeof state, "%s",
			 json_string_value(
				 t_daemon_root_member(status, "state")));
		json_decref(status);
		assert_int_equal(t_process_wait(d->pid, 10), -1);
	}
	assert_string_equal(state, want);
}

/* All of what a root can be: two entries go, one comes, while it is away. */
static void check_return(struct t_world *w, struct t_round *r)
{
	t_mount_attach(&w->fs);
	t_shell("cd " FS " && rm d/1 && mv d/2 e && touch d/3");
	t_daemon_await(&w->daemon, "gap_open", false);
	t_round_check(r, NULL);
	assert_int_equal(t_round_count(r, "kind = 5"), 1);
	assert_int_equal(t_round_count(r, "kind = 4 AND path = 'e'"), 1);
	assert_int_equal(t_round_count(r, "kind = 1"), 1);
	t_shell("touch " FS "/d/4"); /* and events flow again */
	t_round_check(r, NULL);
	assert_int_equal(t_round_count(r, "path = 'd/4' AND source = 0"), 1);
}

/* Released, it can be unmounted at once; back, it is scanned and watched. */
static void released(struct t_world *w)
{
	struct t_round r;
	int i;

	t_shell("mkdir " FS "/d && touch " FS "/d/1 " FS "/d/2");
	t_round_open(&r, w, FS);
	assert_int_equal(umount2(FS, 0), -1); /* it is watched */
	assert_int_equal(errno, EBUSY);
	release(w, "r");
	t_mount_detach(&w->fs);
	await_state(&w->daemon, "missing");
	assert_int_equal(t_judge_number(&r.judge,
					"SELECT count(*) FROM j.gap WHERE"
					" closed IS NULL AND reason ="
					" 'the root was released'"),
			 1);
	check_return(w, &r);
	for (i = 0; i < 3; i++) { /* and again, as often as one likes */
		release(w, "r");
		t_mount_detach(&w->fs);
		t_mount_attach(&w->fs);
		t_shell("touch " FS "/again%d", i);
		t_daemon_await(&w->daemon, "gap_open", false);
		t_round_check(&r, NULL);
	}
	assert_int_equal(t_judge_count(&r.judge, "kind = 5"), 1);
	t_round_fini(&r);
}

/* While it is away there is an empty directory, files in that, and another
 * file system: none of them is the root. */
static void something_else_there(struct t_world *w)
{
	struct t_mount other;
	struct t_round r;

	t_shell("mkdir " FS "/d && touch " FS "/d/1 " FS "/d/2");
	t_round_open(&r, w, FS);
	release(w, "r");
	t_mount_detach(&w->fs);
	await_state(&w->daemon, "missing");
	t_shell("mkdir " FS "/d && touch " FS "/d/not " FS "/nor");
	t_mount_init(&other, w->fs.fs, FS, 0);
	t_shell("mkdir " FS "/d && touch " FS "/d/neither");
	t_daemon_flush(&w->daemon);
	await_state(&w->daemon, "missing");
	t_mount_fini(&other);
	t_shell("rm -r " FS "/d " FS "/nor");
	assert_int_equal(t_judge_count(&r.judge, "1"), 0);
	check_return(w, &r);
	t_round_fini(&r);
}

/* Never unmounted: taken back, it is as if it had been away. */
static void taken_back(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir " FS "/d && touch " FS "/d/1 " FS "/d/2");
	t_round_open(&r, w, FS);
	release(w, "r");
	release(w, "r"); /* once more is no harm */
	await_state(&w->daemon, "released");
	t_daemon_expect(&w->daemon, 0, "root 'r' is not there", "flush", NULL);
	t_shell("mv " FS "/d " FS "/e && rm " FS "/e/1");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "1"), 0);
	take_back(w, "r");
	t_daemon_await(&w->daemon, "gap_open", false);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 4 AND path = 'e'"), 1);
	t_shell("touch " FS "/e/2");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

/* Two roots on one file system share its mark: both have it again. */
static void both_come_back(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir " FS "/a " FS "/b");
	t_daemon_root(&w->daemon, "a", FS "/a", w->backend);
	t_daemon_root(&w->daemon, "b", FS "/b", w->backend);
	t_daemon_begin(&w->daemon);
	t_round_init(&r, w);
	release(w, "a");
	assert_int_equal(umount2(FS, 0), -1); /* b still has it */
	t_daemon_shell(&w->daemon, "touch " FS "/b/1");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "path = '1'"), 1);
	release(w, "b");
	t_mount_detach(&w->fs);
	t_mount_attach(&w->fs);
	t_daemon_await(&w->daemon, "gap_open", false);
	t_round_check(&r, NULL);
	t_daemon_shell(&w->daemon, "touch " FS "/a/2 " FS "/b/2");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = '2' AND source = 0"), 2);
	t_round_fini(&r);
}

/* Not there when the daemon starts: the other root is watched meanwhile, and it
 * is waited for. */
static void absent_at_start(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;

	t_shell("rm -rf " T_SPACE "/other; mkdir " FS "/d " T_SPACE "/other &&"
		" touch " FS "/d/1 " FS "/d/2");
	t_daemon_root(d, "r", FS, w->backend);
	t_daemon_root(d, "other", T_SPACE "/other", T_inotify);
	t_daemon_begin(d);
	t_round_init(&r, w);
	t_daemon_stop(d);
	t_mount_detach(&w->fs);
	t_daemon_start(d);
	await_state(d, "missing");
	t_daemon_shell(d, "touch " T_SPACE "/other/x");
	t_daemon_flush(d);
	assert_int_equal(t_judge_count(&r.judge, "path = 'x'"), 1);
	assert_int_equal(t_judge_count(&r.judge, "kind = 5"), 0);
	t_daemon_stop(d); /* and once more, without having seen it */
	t_shell("rmdir " FS);
	t_daemon_start(d);
	await_state(d, "missing");
	t_shell("mkdir " FS);
	t_mount_attach(&w->fs);
	t_shell("cd " FS " && rm d/1 && mv d/2 e && touch d/3");
	t_daemon_await(d, "gap_open", false);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 5"), 1);
	assert_int_equal(t_round_count(&r, "kind = 4 AND path = 'e'"), 1);
	t_shell("touch " FS "/d/4");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = 'd/4' AND source = 0"), 1);
	t_round_fini(&r);
}

/* The journal itself lies there: said, and nothing is let go. */
static void state_is_there(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;

	t_shell("mkdir " FS "/r");
	snprintf(d->state, sizeof d->state, FS "/state");
	t_daemon_configure(d, "[Journal]\nStateDirectory=%s\n", d->state);
	t_daemon_root(d, "r", FS "/r", w->backend);
	t_daemon_begin(d);
	t_daemon_refuse(&w->daemon, 1,
			"StateDirectory=" FS "/state is on the same mount",
			"release-root", "r", NULL);
	t_daemon_refuse(&w->daemon, 2, "has no [Root no]", "release-root", "no",
			NULL);
	await_state(d, "watching");
}

/* A policy's worker has the source open: it lets go too, and goes on. */
static void with_a_policy(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo 1 > a; mkdir d; echo 2 > d/b", "");
	t_shell("echo 3 > " T_MIRROR_ROOT "/c");
	t_mirror_check(&m);
	release(w, "r");
	t_mount_detach(&w->fs);
	await_state(&w->daemon, "missing");
	t_mount_attach(&w->fs);
	t_shell("cd " T_MIRROR_ROOT " && rm a && mv d e && echo 4 > e/f");
	t_daemon_await(&w->daemon, "gap_open", false);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* How often the threads beside the loop have gone to sleep. */
static long count_naps(struct t_daemon *d)
{
	return t_shell_number("cd /proc/%d/task && for t in *; do [ $t = %d ] "
			      "|| cat $t/status; done |"
			      " awk '/^voluntary/ {n += $2} END {print n + 0}'",
			      (int)d->pid, (int)d->pid);
}

/* Who has no work sleeps on, however often the loop is asked something. */
static void expect_rest(struct t_daemon *d)
{
	long before, naps = -1;
	int tries;

	for (tries = 0; tries < 50; tries++) {
		before = naps;
		naps = count_naps(d);
		if (naps == before)
			return;
		for (int i = 0; i < 100; i++)
			json_decref(t_daemon_status(d));
	}
	fail_msg("the daemon does not come to rest");
}

/* Ask for a scan and release the root while it runs. True: in time. */
static bool release_in_scan(struct t_world *w, struct t_judge *j)
{
	bool in_time;

	json_decref(t_daemon_ask(&w->daemon, "{\"command\":\"scan\"}"));
	release(w, "r");
	in_time = t_judge_number(j, "SELECT count(*) FROM j.gap WHERE closed IS"
				    " NULL AND reason = 'asked for'") > 0;
	return in_time;
}

/* Released during its scan, which is to be done again when it is back: until
 * then it wakes nobody. */
static void rests(struct t_world *w)
{
	struct t_round r;
	int tries, in_time = 0;

	t_daemon_configure(&w->daemon, "FlushInterval=1ms\n");
	t_shell("cd " FS " && seq 3000 | xargs mkdir");
	t_daemon_root(&w->daemon, "r", FS, w->backend);
	t_daemon_configure(&w->daemon, "Patrol=off\n");
	t_daemon_begin(&w->daemon);
	t_round_init(&r, w);
	expect_rest(&w->daemon); /* with nothing to do at all */
	for (tries = 0; tries < 50 && in_time < 5; tries++) {
		in_time += release_in_scan(w, &r.judge);
		expect_rest(&w->daemon);
		take_back(w, "r");
		t_daemon_await(&w->daemon, "gap_open", false);
	}
	assert_int_equal(in_time, 5);
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

struct storm {
	struct t_ops ops;
	unsigned n;
};

static void *change_things(void *arg)
{
	struct storm *s = arg;

	t_ops_round(&s->ops, s->n);
	return NULL;
}

/* Released and taken back while things change, and during scans. */
static void in_a_storm(struct t_world *w)
{
	struct t_ops_options o = {.root = FS "/in",
				  .outside = FS "/out",
				  .threads = 2,
				  .seed = w->seed,
				  .nameless = w->backend == T_fanotify};
	struct storm s = {.n = 4000};
	struct t_round r;
	pthread_t thread;
	int i;

	t_shell("mkdir " FS "/in " FS "/out");
	t_ops_init(&s.ops, &o);
	t_ops_round(&s.ops, 1000);
	t_round_open(&r, w, FS "/in");
	t_ops_tell(&s.ops, &r.judge);
	assert_int_equal(pthread_create(&thread, NULL, change_things, &s), 0);
	for (i = 0; i < 6; i++) {
		release(w, "r");
		take_back(w, "r");
	}
	pthread_join(thread, NULL);
	t_round_check(&r, &s.ops);
	t_ops_fini(&s.ops);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(released, ext4, fanotify),
	T_CASE(released, xfs, fanotify),
	T_CASE(released, ext4, inotify),
	T_CASE(something_else_there, ext4, fanotify),
	T_CASE(something_else_there, ext4, inotify),
	T_CASE(taken_back, ext4, fanotify),
	T_CASE(taken_back, ext4, inotify),
	T_CASE(both_come_back, ext4, fanotify),
	T_CASE(absent_at_start, ext4, fanotify),
	T_CASE(absent_at_start, ext4, inotify),
	T_CASE(state_is_there, ext4, fanotify),
	T_CASE(with_a_policy, ext4, fanotify),
	T_CASE(rests, ext4, fanotify),
	T_CASE(rests, xfs, inotify),
	T_CASE(in_a_storm, ext4, fanotify),
	T_CASE(in_a_storm, ext4, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mounts", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
