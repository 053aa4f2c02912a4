/* SPDX-License-Identifier: GPL-2.0-or-later */
/* While a daemon is stopped in order and another one started, several threads
 * go on changing the tree: where the kernel's queue is kept there is no gap and
 * no scan, and the journal is as exact as if nothing had been. JB_TEST_SEED
 * repeats a run. */
#include "lib/t_handover.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT	T_HANDOVER_ROOT
#define OUTSIDE T_HANDOVER_OUTSIDE

/* Start again and again while @n operations a thread go on. @stop: how. */
static void restart_during(struct t_handover *h, unsigned n, unsigned times,
			   void (*stop)(struct t_daemon *d))
{
	struct t_daemon *d = &h->w->daemon;

	t_ops_start(&h->ops, n);
	for (unsigned i = 0; i < times; i++) {
		stop(d);
		t_daemon_start(d);
	}
	t_ops_join(&h->ops);
}

/* Stopped in order, several times in one storm: no gap, nothing missed. */
static void in_order(struct t_world *w)
{
	struct t_handover h;
	unsigned i;

	t_handover_open_busy(&h, w);
	for (i = 0; i < t_handover_rounds(); i++) {
		restart_during(&h, 4000, 1 + i % 4, t_daemon_stop);
		t_round_check(&h.round, &h.ops);
	}
	t_handover_check_no_gap(&h);
	assert_int_equal(t_round_count(&h.round, "source <> 0"), 0);
	t_handover_close(&h);
}

/* Killed in one: a gap, and exact after its scan. */
static void killed(struct t_world *w)
{
	struct t_handover h;
	unsigned i;

	t_handover_open_busy(&h, w);
	for (i = 0; i < t_handover_rounds(); i++) {
		restart_during(&h, 4000, 1 + i % 3,
			       i % 2 == 0 ? t_daemon_kill : t_daemon_stop);
		t_round_check(&h.round, &h.ops);
	}
	assert_true(t_handover_count_gaps(&h) > h.gaps);
	t_handover_close(&h);
}

/* ---- what a stop finds on the way, one thing at a time */

/* Until more changes are in the journal. */
static void await_changes(struct t_handover *h)
{
	int64_t seq = t_judge_seq(&h->round.judge);

	while (t_judge_seq(&h->round.judge) == seq)
		assert_int_equal(t_process_wait(h->w->daemon.pid, 1), -1);
}

/* Stopped, changed, started: by events, without a gap. */
static void changed_meanwhile(struct t_world *w)
{
	struct t_handover h;

	t_handover_open(&h, w);
	t_shell("cd " ROOT " && mkdir -p a/b && echo 1 > a/b/f && echo 2 > g");
	t_round_check(&h.round, NULL);
	t_daemon_stop(&w->daemon);
	assert_true(h.manager.stopping);
	t_shell("cd " ROOT " && mv a c && echo 3 >> c/b/f && rm g && mkdir a &&"
		" chmod 700 c/b");
	t_daemon_start(&w->daemon);
	t_round_check(&h.round, NULL);
	t_handover_check_no_gap(&h);
	assert_int_equal(t_round_count(&h.round, "source <> 0"), 0);
	assert_int_equal(t_round_count(&h.round, "kind = 4 AND path = 'c'"), 1);
	assert_int_equal(t_round_count(&h.round, "kind = 2 AND path = 'c/b/f'"),
			 1);
	t_handover_close(&h);
}

/* A tree so large that it is looked at in several batches comes in; stopped in
 * the middle of them, the rest is looked at after the start. */
static void left_over(struct t_world *w)
{
	struct t_handover h;
	int64_t left;

	t_shell("mkdir -p " OUTSIDE "/big/1 " OUTSIDE "/big/2 && cd " OUTSIDE
		"/big/1 && seq 90000 | xargs touch && cd ../2 &&"
		" seq 60000 | xargs touch");
	t_handover_open(&h, w);
	t_shell("mv " OUTSIDE "/big " ROOT "/big");
	await_changes(&h);
	t_daemon_stop(&w->daemon);
	left = t_judge_number(&h.round.judge, "SELECT count(*) FROM j.look");
	assert_true(left > 0);
	t_shell("mv " ROOT "/big/1 " ROOT "/one && rm " ROOT "/one/7");
	t_daemon_start(&w->daemon);
	t_round_check(&h.round, NULL);
	t_handover_check_no_gap(&h);
	assert_int_equal(t_judge_number(&h.round.judge,
					"SELECT count(*) FROM j.look"),
			 0);
	t_handover_close(&h);
}

/* Stopped during the first scan: it goes on, and is still a baseline. */
static void first_scan(struct t_world *w)
{
	struct t_handover h;
	int tries;

	t_shell("mkdir -p " ROOT "/1 " ROOT "/2 " OUTSIDE " && cd " ROOT "/1 &&"
		" seq 90000 | xargs touch && cd ../2 && seq 60000 | xargs "
		"touch");
	t_handover_begin(&h, w);
	t_daemon_root(&w->daemon, "r", ROOT, w->backend);
	for (tries = 0; tries < 3; tries++) {
		t_daemon_start(&w->daemon);
		t_daemon_stop(&w->daemon);
	}
	t_daemon_begin(&w->daemon);
	t_round_init(&h.round, w);
	assert_int_equal(t_handover_count_gaps(&h), 1);
	assert_int_equal(t_judge_seq(&h.round.judge), 0);
	t_handover_close(&h);
}

/* Wait until the first root's scan is on its way. It may have ended before we
 * see it: then the caller tries again. */
static void await_walk(struct t_daemon *d)
{
	bool walks = false;
	json_t *status, *scan;
	int polls;

	for (polls = 0; polls < 1000 && !walks; polls++) {
		status = t_daemon_status(d);
		scan = t_daemon_root_member(status, "scan");
		walks = json_is_true(json_object_get(scan, "running")) &&
			json_integer_value(json_object_get(scan, "done")) > 128;
		json_decref(status);
	}
}

/* Stopped during a scan: it goes on where it was. */
static void scan_resumes(struct t_world *w)
{
	static const char open_gap[] =
		"SELECT count(*) FROM j.gap WHERE closed IS NULL AND"
		" progress > 0 AND progress < 9223372036854775807";
	struct t_handover h;
	int tries, resumed = 0;

	t_shell("mkdir -p " ROOT " && cd " ROOT " && for i in $(seq 200); do"
		" mkdir $i && (cd $i && seq 100 | xargs mkdir); done");
	t_handover_open(&h, w);
	for (tries = 0; tries < 20 && resumed < 2; tries++) {
		json_decref(t_daemon_ask(&w->daemon, "{\"command\":\"scan\"}"));
		await_walk(&w->daemon);
		t_daemon_stop(&w->daemon);
		resumed += t_judge_number(&h.round.judge, "%s", open_gap) > 0;
		t_shell("touch " ROOT "/1/%d " ROOT "/200/99/%d", tries, tries);
		t_daemon_start(&w->daemon);
		t_round_check(&h.round, NULL);
	}
	assert_int_equal(resumed, 2);
	assert_int_equal(t_judge_number(&h.round.judge,
					"SELECT count(*) FROM j.gap WHERE"
					" reason <> 'asked for'"),
			 h.gaps);
	t_handover_close(&h);
}

/* Nobody held the descriptor: a gap that says so. */
static void forgotten(struct t_world *w)
{
	struct t_handover h;

	t_handover_open(&h, w);
	t_daemon_stop(&w->daemon);
	assert_int_equal(t_manager_count(&h.manager), 1);
	t_manager_forget(&h.manager);
	t_shell("touch " ROOT "/1");
	t_daemon_start(&w->daemon);
	t_round_check(&h.round, NULL);
	assert_true(t_handover_has_gap(&h, "the daemon was not running"));
	t_handover_close(&h);
}

/* An older state directory is put back: its mark is not this queue's. */
static void old_state(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_handover h;

	t_handover_open(&h, w);
	t_daemon_stop(d);
	t_shell("cp -a %s %s.old", d->state, d->state);
	t_daemon_begin(d);
	t_shell("touch " ROOT "/1");
	t_daemon_flush(d);
	t_daemon_stop(d);
	t_shell("rm -r %s && mv %s.old %s", d->state, d->state, d->state);
	t_judge_reopen(&h.round.judge);
	t_daemon_start(d);
	t_round_check(&h.round, NULL);
	assert_true(
		t_handover_has_gap(&h, "the daemon was not stopped in order"));
	assert_int_equal(t_round_count(&h.round, "path = '1'"), 1);
	t_handover_close(&h);
}

/* Other patterns: that root is scanned. One more root: only that one is. */
static void configuration_changed(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_handover h;

	t_shell("mkdir -p " T_SPACE "/fs/more && touch " T_SPACE "/fs/more/x");
	t_handover_open(&h, w);
	t_shell("cd " ROOT " && touch a.tmp b");
	t_round_check(&h.round, NULL);
	t_daemon_stop(d);
	t_shell("touch " ROOT "/c.tmp " ROOT "/d");
	t_daemon_root(d, "more", T_SPACE "/fs/more", w->backend);
	t_daemon_begin(d);
	assert_int_equal(t_handover_count_gaps(&h), h.gaps + 1);
	assert_int_equal(t_round_count(&h.round, "path = 'd' AND source = 0"),
			 1);
	t_daemon_stop(d);
	t_daemon_configure(d, "Exclude=*.tmp\n"); /* of the last root */
	t_daemon_begin(d);
	assert_int_equal(
		t_judge_number(&h.round.judge,
			       "SELECT count(*) FROM j.gap WHERE reason"
			       " = 'the configuration was changed'"),
		1);
	t_handover_close(&h);
}

/* How many file systems the daemon's queue tells of, as the kernel has it. */
static long count_marks(const struct t_daemon *d)
{
	return t_shell_number("cat /proc/%d/fdinfo/* 2>&- |"
			      " grep -c '^fanotify sdev:' || true",
			      (int)d->pid);
}

/* The queue may be open twice for a moment, while it is handed over. */
static void await_marks(struct t_daemon *d, long n)
{
	for (int ms = 0; count_marks(d) != n; ms += 20) {
		assert_true(ms < 10000);
		poll(NULL, 0, 20);
	}
}

/* A root that is not configured any more, on a file system of its own: that one
 * is no longer watched. */
static void root_removed(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount other;
	struct t_handover h;

	t_mount_init(&other, T_xfs, T_SPACE "/more", 0);
	t_handover_begin(&h, w);
	t_shell("mkdir " ROOT " && cp %s %s.one", d->config, d->config);
	t_daemon_root(d, "more", T_SPACE "/more", w->backend);
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_begin(d);
	await_marks(d, 2);
	t_daemon_stop(d);
	t_shell("cp %s.one %s", d->config, d->config);
	d->n_roots = 0;
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_begin(d);
	await_marks(d, 1);
	t_round_init(&h.round, w);
	t_shell("touch " ROOT "/1 " T_SPACE "/more/1");
	t_round_check(&h.round, NULL);
	assert_int_equal(t_round_count(&h.round, "path = '1'"), 1);
	t_handover_close(&h);
	t_mount_fini(&other);
}

/* What was mounted below the root goes while nobody looks. */
static void mount_goes(struct t_world *w)
{
	struct t_handover h;

	t_shell("mkdir -p " ROOT "/m/d && touch " ROOT "/m/d/1");
	t_handover_open(&h, w);
	assert_int_equal(mount("tmpfs", ROOT "/m", "tmpfs", 0, NULL), 0);
	t_daemon_flush(&w->daemon);
	t_daemon_stop(&w->daemon);
	assert_int_equal(umount2(ROOT "/m", 0), 0);
	t_shell("touch " ROOT "/m/2");
	t_daemon_start(&w->daemon);
	t_round_check(&h.round, NULL);
	t_handover_check_no_gap(&h);
	assert_int_equal(t_judge_number(&h.round.judge,
					"SELECT count(*) FROM j.entry WHERE"
					" flags & 4"),
			 0);
	t_handover_close(&h);
}

/* The clock is another one after the start: a gap that says so. (That it is set
 * while the daemon runs is in test/e2e/nfs/guest.) */
static void clock_set(struct t_world *w)
{
	static const char *const offsets[] = {"-2h", "+3h"};
	const char *library = getenv("JB_FAKETIME");
	struct t_handover h;
	unsigned i;

	if (library == NULL || access(library, R_OK) != 0)
		skip();
	t_handover_open(&h, w);
	for (i = 0; i < 2; i++) {
		t_daemon_stop(&w->daemon);
		t_shell("echo %u > " ROOT "/f && mkdir " ROOT "/d%u", i, i);
		setenv("LD_PRELOAD", library, 1);
		setenv("FAKETIME", offsets[i], 1);
		setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
		t_daemon_start(&w->daemon);
		unsetenv("LD_PRELOAD");
		unsetenv("FAKETIME");
		t_round_check(&h.round, NULL);
	}
	assert_int_equal(
		t_judge_number(&h.round.judge,
			       "SELECT count(*) FROM j.gap WHERE reason ="
			       " 'the clock was set while the daemon was not"
			       " running' AND closed IS NOT NULL"),
		2);
	t_handover_close(&h);
}

/* inotify's queue can't be handed over: a scan, and as exact. */
static void by_inotify(struct t_world *w)
{
	struct t_handover h;

	t_handover_open(&h, w);
	t_daemon_stop(&w->daemon);
	t_shell("mkdir -p " ROOT "/a/b && touch " ROOT "/a/b/c");
	t_daemon_start(&w->daemon);
	t_round_check(&h.round, NULL);
	assert_true(t_handover_has_gap(&h, "the daemon was not running"));
	t_handover_close(&h);
}

static const struct t_case cases[] = {
	T_CASE(in_order, ext4, fanotify),
	T_CASE(in_order, xfs, fanotify),
	T_CASE(in_order, btrfs, fanotify),
	T_CASE(killed, ext4, fanotify),
	T_CASE(changed_meanwhile, ext4, fanotify),
	T_CASE(left_over, ext4, fanotify),
	T_CASE(first_scan, ext4, fanotify),
	T_CASE(scan_resumes, ext4, fanotify),
	T_CASE(forgotten, ext4, fanotify),
	T_CASE(old_state, ext4, fanotify),
	T_CASE(configuration_changed, ext4, fanotify),
	T_CASE(root_removed, ext4, fanotify),
	T_CASE(mount_goes, ext4, fanotify),
	T_CASE(clock_set, ext4, fanotify),
	T_CASE(by_inotify, ext4, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("restart", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
