/* SPDX-License-Identifier: GPL-2.0-or-later */
/* While a daemon is stopped in order and another one started, several threads
 * go on changing the tree: where the kernel's queue is kept there is no gap and
 * no scan, and the journal is as exact as if nothing had been. JB_TEST_SEED
 * repeats a run. */
#include "lib/t_case.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT	T_SPACE "/fs/in"
#define OUTSIDE T_SPACE "/fs/out"
#define SOCKET	T_SPACE "/notify"

struct fixture {
	struct t_world *w;
	struct t_manager manager;
	struct t_ops ops;
	struct t_round round;
	unsigned n_ops;
	int64_t gaps; /* before */
};

static int64_t count_gaps(struct fixture *f)
{
	return t_judge_number(&f->round.judge, "SELECT count(*) FROM j.gap");
}

static int say_gap(void *arg, int n, char **values, char **names)
{
	(void)arg;
	(void)n;
	(void)names;
	print_message("gap: %s, found %s\n", values[0], values[1]);
	return 0;
}

/* No event was missed, and nothing was in doubt. */
static void check_no_gap(struct fixture *f)
{
	if (count_gaps(f) != f->gaps) {
		sqlite3_exec(f->round.judge.db,
			     "SELECT reason, found FROM j.gap", say_gap, NULL,
			     NULL);
		fail_msg("%lld gaps instead of %lld", (long long)count_gaps(f),
			 (long long)f->gaps);
	}
}

static void set_up(struct fixture *f, struct t_world *w)
{
	struct t_ops_options o = {.root = ROOT,
				  .outside = OUTSIDE,
				  .threads = 3,
				  .seed = w->seed,
				  .links = w->seed % 2 == 0,
				  .nameless = w->backend == T_fanotify};

	memset(f, 0, sizeof *f);
	f->w = w;
	t_manager_init(&f->manager, SOCKET);
	w->daemon.manager = &f->manager;
	t_shell("mkdir " ROOT " " OUTSIDE);
	t_ops_init(&f->ops, &o);
	t_ops_round(&f->ops, 1000);
	t_round_open(&f->round, w, ROOT);
	t_ops_tell(&f->ops, &f->round.judge);
	f->gaps = count_gaps(f);
}

static void tear_down(struct fixture *f)
{
	t_daemon_fini(&f->w->daemon, false);
	t_ops_fini(&f->ops);
	t_round_fini(&f->round);
	f->w->daemon.manager = NULL;
	t_manager_fini(&f->manager);
}

static void *change_things(void *arg)
{
	struct fixture *f = arg;

	t_ops_round(&f->ops, f->n_ops);
	return NULL;
}

/* Start again and again while @n operations a thread go on. @stop: how. */
static void restart_during(struct fixture *f, unsigned n, unsigned times,
			   void (*stop)(struct t_daemon *d))
{
	struct t_daemon *d = &f->w->daemon;
	pthread_t thread;
	unsigned i;

	f->n_ops = n;
	assert_int_equal(pthread_create(&thread, NULL, change_things, f), 0);
	for (i = 0; i < times; i++) {
		stop(d);
		t_daemon_start(d);
	}
	pthread_join(thread, NULL);
}

static unsigned rounds(void)
{
	return t_case_long() ? 100 : 3;
}

/* Stopped in order, several times in one storm: no gap, nothing missed. */
static void in_order(struct t_world *w)
{
	struct fixture f;
	unsigned i;

	set_up(&f, w);
	for (i = 0; i < rounds(); i++) {
		restart_during(&f, 4000, 1 + i % 4, t_daemon_stop);
		t_round_check(&f.round, &f.ops);
	}
	check_no_gap(&f);
	assert_int_equal(t_round_count(&f.round, "source <> 0"), 0);
	tear_down(&f);
}

/* Killed in one: a gap, and exact after its scan. */
static void killed(struct t_world *w)
{
	struct fixture f;
	unsigned i;

	set_up(&f, w);
	for (i = 0; i < rounds(); i++) {
		restart_during(&f, 4000, 1 + i % 3,
			       i % 2 == 0 ? t_daemon_kill : t_daemon_stop);
		t_round_check(&f.round, &f.ops);
	}
	assert_true(count_gaps(&f) > f.gaps);
	tear_down(&f);
}

/* ---- what a stop finds on the way, one thing at a time */

static void begin_at(struct fixture *f, struct t_world *w)
{
	memset(f, 0, sizeof *f);
	f->w = w;
	t_manager_init(&f->manager, SOCKET);
	w->daemon.manager = &f->manager;
}

/* A served daemon on ROOT, which is made. */
static void set_up_quiet(struct fixture *f, struct t_world *w)
{
	begin_at(f, w);
	t_shell("mkdir -p " ROOT " " OUTSIDE);
	t_round_open(&f->round, w, ROOT);
	f->gaps = count_gaps(f);
}

static void tear_down_quiet(struct fixture *f)
{
	t_daemon_fini(&f->w->daemon, false);
	t_round_fini(&f->round);
	f->w->daemon.manager = NULL;
	t_manager_fini(&f->manager);
}

static bool has_gap(struct fixture *f, const char *reason)
{
	return t_judge_number(&f->round.judge,
			      "SELECT count(*) FROM j.gap WHERE reason = '%s'",
			      reason) > 0;
}

static void await_changes(struct fixture *f)
{
	int64_t seq = t_judge_seq(&f->round.judge);

	while (t_judge_seq(&f->round.judge) == seq)
		assert_int_equal(t_process_wait(f->w->daemon.pid, 1), -1);
}

/* Stopped, changed, started: by events, without a gap. */
static void changed_meanwhile(struct t_world *w)
{
	struct fixture f;

	set_up_quiet(&f, w);
	t_shell("cd " ROOT " && mkdir -p a/b && echo 1 > a/b/f && echo 2 > g");
	t_round_check(&f.round, NULL);
	t_daemon_stop(&w->daemon);
	assert_true(f.manager.stopping);
	t_shell("cd " ROOT " && mv a c && echo 3 >> c/b/f && rm g && mkdir a &&"
		" chmod 700 c/b");
	t_daemon_start(&w->daemon);
	t_round_check(&f.round, NULL);
	check_no_gap(&f);
	assert_int_equal(t_round_count(&f.round, "source <> 0"), 0);
	assert_int_equal(t_round_count(&f.round, "kind = 4 AND path = 'c'"), 1);
	assert_int_equal(t_round_count(&f.round, "kind = 2 AND path = 'c/b/f'"),
			 1);
	tear_down_quiet(&f);
}

/* A tree so large that it is looked at in several batches comes in; stopped in
 * the middle of them, the rest is looked at after the start. */
static void left_over(struct t_world *w)
{
	struct fixture f;
	int64_t left;

	t_shell("mkdir -p " OUTSIDE "/big/1 " OUTSIDE "/big/2 && cd " OUTSIDE
		"/big/1 && seq 90000 | xargs touch && cd ../2 &&"
		" seq 60000 | xargs touch");
	set_up_quiet(&f, w);
	t_shell("mv " OUTSIDE "/big " ROOT "/big");
	await_changes(&f);
	t_daemon_stop(&w->daemon);
	left = t_judge_number(&f.round.judge, "SELECT count(*) FROM j.look");
	assert_true(left > 0);
	t_shell("mv " ROOT "/big/1 " ROOT "/one && rm " ROOT "/one/7");
	t_daemon_start(&w->daemon);
	t_round_check(&f.round, NULL);
	check_no_gap(&f);
	assert_int_equal(t_judge_number(&f.round.judge,
					"SELECT count(*) FROM j.look"),
			 0);
	tear_down_quiet(&f);
}

/* Stopped during the first scan: it goes on, and is still a baseline. */
static void first_scan(struct t_world *w)
{
	struct fixture f;
	int tries;

	t_shell("mkdir -p " ROOT "/1 " ROOT "/2 " OUTSIDE " && cd " ROOT "/1 &&"
		" seq 90000 | xargs touch && cd ../2 && seq 60000 | xargs "
		"touch");
	begin_at(&f, w);
	t_daemon_root(&w->daemon, "r", ROOT, w->backend);
	for (tries = 0; tries < 3; tries++) {
		t_daemon_start(&w->daemon);
		t_daemon_stop(&w->daemon);
	}
	t_daemon_begin(&w->daemon);
	t_round_init(&f.round, w);
	assert_int_equal(count_gaps(&f), 1);
	assert_int_equal(t_judge_seq(&f.round.judge), 0);
	tear_down_quiet(&f);
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
	struct fixture f;
	int tries, resumed = 0;

	t_shell("mkdir -p " ROOT " && cd " ROOT " && for i in $(seq 200); do"
		" mkdir $i && (cd $i && seq 100 | xargs mkdir); done");
	set_up_quiet(&f, w);
	for (tries = 0; tries < 20 && resumed < 2; tries++) {
		json_decref(t_daemon_ask(&w->daemon, "{\"command\":\"scan\"}"));
		await_walk(&w->daemon);
		t_daemon_stop(&w->daemon);
		resumed += t_judge_number(&f.round.judge, "%s", open_gap) > 0;
		t_shell("touch " ROOT "/1/%d " ROOT "/200/99/%d", tries, tries);
		t_daemon_start(&w->daemon);
		t_round_check(&f.round, NULL);
	}
	assert_int_equal(resumed, 2);
	assert_int_equal(t_judge_number(&f.round.judge,
					"SELECT count(*) FROM j.gap WHERE"
					" reason <> 'asked for'"),
			 f.gaps);
	tear_down_quiet(&f);
}

/* Nobody held the descriptor: a gap that says so. */
static void forgotten(struct t_world *w)
{
	struct fixture f;

	set_up_quiet(&f, w);
	t_daemon_stop(&w->daemon);
	assert_int_equal(t_manager_count(&f.manager), 1);
	t_manager_forget(&f.manager);
	t_shell("touch " ROOT "/1");
	t_daemon_start(&w->daemon);
	t_round_check(&f.round, NULL);
	assert_true(has_gap(&f, "the daemon was not running"));
	tear_down_quiet(&f);
}

/* An older state directory is put back: its mark is not this queue's. */
static void old_state(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct fixture f;

	set_up_quiet(&f, w);
	t_daemon_stop(d);
	t_shell("cp -a %s %s.old", d->state, d->state);
	t_daemon_begin(d);
	t_shell("touch " ROOT "/1");
	t_daemon_flush(d);
	t_daemon_stop(d);
	t_shell("rm -r %s && mv %s.old %s", d->state, d->state, d->state);
	t_judge_reopen(&f.round.judge);
	t_daemon_start(d);
	t_round_check(&f.round, NULL);
	assert_true(has_gap(&f, "the daemon was not stopped in order"));
	assert_int_equal(t_round_count(&f.round, "path = '1'"), 1);
	tear_down_quiet(&f);
}

/* Other patterns: that root is scanned. One more root: only that one is. */
static void configuration_changed(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct fixture f;

	t_shell("mkdir -p " T_SPACE "/fs/more && touch " T_SPACE "/fs/more/x");
	set_up_quiet(&f, w);
	t_shell("cd " ROOT " && touch a.tmp b");
	t_round_check(&f.round, NULL);
	t_daemon_stop(d);
	t_shell("touch " ROOT "/c.tmp " ROOT "/d");
	t_daemon_root(d, "more", T_SPACE "/fs/more", w->backend);
	t_daemon_begin(d);
	assert_int_equal(count_gaps(&f), f.gaps + 1);
	assert_int_equal(t_round_count(&f.round, "path = 'd' AND source = 0"),
			 1);
	t_daemon_stop(d);
	t_daemon_configure(d, "Exclude=*.tmp\n"); /* of the last root */
	t_daemon_begin(d);
	assert_int_equal(
		t_judge_number(&f.round.judge,
			       "SELECT count(*) FROM j.gap WHERE reason"
			       " = 'the configuration was changed'"),
		1);
	tear_down_quiet(&f);
}

/* How many file systems the daemon's queue tells of, as the kernel has it. */
static int count_marks(struct t_daemon *d)
{
	char line[64] = "";
	int n = 0;
	FILE *f;

	snprintf(line, sizeof line, "cat /proc/%d/fdinfo/* 2>/dev/null",
		 (int)d->pid);
	f = popen(line, "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL)
		n += strncmp(line, "fanotify sdev:", 14) == 0;
	pclose(f);
	return n;
}

/* A root that is not configured any more, on a file system of its own: that one
 * is no longer watched. */
static void root_removed(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount other;
	struct fixture f;

	t_mount_init(&other, T_xfs, T_SPACE "/more", 0);
	begin_at(&f, w);
	t_shell("mkdir " ROOT " && cp %s %s.one", d->config, d->config);
	t_daemon_root(d, "more", T_SPACE "/more", w->backend);
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_begin(d);
	assert_int_equal(count_marks(d), 2);
	t_daemon_stop(d);
	t_shell("cp %s.one %s", d->config, d->config);
	d->n_roots = 0;
	t_daemon_root(d, "r", ROOT, w->backend);
	t_daemon_begin(d);
	assert_int_equal(count_marks(d), 1);
	t_round_init(&f.round, w);
	t_shell("touch " ROOT "/1 " T_SPACE "/more/1");
	t_round_check(&f.round, NULL);
	assert_int_equal(t_round_count(&f.round, "path = '1'"), 1);
	tear_down_quiet(&f);
	t_mount_fini(&other);
}

/* What was mounted below the root goes while nobody looks. */
static void mount_goes(struct t_world *w)
{
	struct fixture f;

	t_shell("mkdir -p " ROOT "/m/d && touch " ROOT "/m/d/1");
	set_up_quiet(&f, w);
	assert_int_equal(mount("tmpfs", ROOT "/m", "tmpfs", 0, NULL), 0);
	t_daemon_flush(&w->daemon);
	t_daemon_stop(&w->daemon);
	assert_int_equal(umount2(ROOT "/m", 0), 0);
	t_shell("touch " ROOT "/m/2");
	t_daemon_start(&w->daemon);
	t_round_check(&f.round, NULL);
	check_no_gap(&f);
	assert_int_equal(t_judge_number(&f.round.judge,
					"SELECT count(*) FROM j.entry WHERE"
					" flags & 4"),
			 0);
	tear_down_quiet(&f);
}

/* The clock is another one after the start: a gap that says so. (That it is set
 * while the daemon runs is in test/e2e/nfs/guest.) */
static void clock_set(struct t_world *w)
{
	static const char *const offsets[] = {"-2h", "+3h"};
	const char *library = getenv("JB_FAKETIME");
	struct fixture f;
	unsigned i;

	if (library == NULL || access(library, R_OK) != 0)
		skip();
	set_up_quiet(&f, w);
	for (i = 0; i < 2; i++) {
		t_daemon_stop(&w->daemon);
		t_shell("echo %u > " ROOT "/f && mkdir " ROOT "/d%u", i, i);
		setenv("LD_PRELOAD", library, 1);
		setenv("FAKETIME", offsets[i], 1);
		setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
		t_daemon_start(&w->daemon);
		unsetenv("LD_PRELOAD");
		unsetenv("FAKETIME");
		t_round_check(&f.round, NULL);
	}
	assert_int_equal(
		t_judge_number(&f.round.judge,
			       "SELECT count(*) FROM j.gap WHERE reason ="
			       " 'the clock was set while the daemon was not"
			       " running' AND closed IS NOT NULL"),
		2);
	tear_down_quiet(&f);
}

/* inotify's queue can't be handed over: a scan, and as exact. */
static void by_inotify(struct t_world *w)
{
	struct fixture f;

	set_up_quiet(&f, w);
	t_daemon_stop(&w->daemon);
	t_shell("mkdir -p " ROOT "/a/b && touch " ROOT "/a/b/c");
	t_daemon_start(&w->daemon);
	t_round_check(&f.round, NULL);
	assert_true(has_gap(&f, "the daemon was not running"));
	tear_down_quiet(&f);
}

/* ---- reload */

static int count_begun(struct t_daemon *d)
{
	static const char line[] = "reading on where the last daemon stopped";
	char *words = t_daemon_words(d);
	int n = 0;

	for (char *at = strstr(words, line); at != NULL;
	     at = strstr(at + 1, line))
		n++;
	free(words);
	return n;
}

/* The configuration is read again; returns when that is done. */
static void reload(struct t_daemon *d)
{
	int before = count_begun(d);
	struct t_output o;
	json_t *reply;

	t_daemon_command(d, &o, "reload", NULL);
	if (o.status != 0)
		fail_msg("reload: exit %d: %s", o.status, o.err);
	t_output_fini(&o);
	while (count_begun(d) == before)
		assert_int_equal(t_process_wait(d->pid, 5), -1);
	while ((reply = t_daemon_ask(d, "{\"command\":\"ping\"}")) == NULL)
		assert_int_equal(t_process_wait(d->pid, 5), -1);
	json_decref(reply);
}

static void reload_often(struct fixture *f)
{
	struct t_daemon *d = &f->w->daemon;
	pthread_t thread;
	pid_t pid = d->pid;
	unsigned i;

	for (i = 0; i < rounds(); i++) {
		f->n_ops = 4000;
		assert_int_equal(
			pthread_create(&thread, NULL, change_things, f), 0);
		reload(d);
		reload(d);
		pthread_join(thread, NULL);
		t_round_check(&f->round, &f->ops);
	}
	assert_int_equal(d->pid, pid); /* it is the same process */
	check_no_gap(f);
	assert_int_equal(t_round_count(&f->round, "source <> 0"), 0);
}

/* Read again in a storm: no gap, nothing missed. */
static void reloaded(struct t_world *w)
{
	struct fixture f;

	set_up(&f, w);
	reload_often(&f);
	tear_down(&f);
}

/* The same without anybody who could hold the queue meanwhile. */
static void reloaded_alone(struct t_world *w)
{
	struct fixture f;

	set_up(&f, w);
	t_daemon_stop(&w->daemon);
	t_manager_forget(&f.manager);
	w->daemon.manager = NULL;
	t_daemon_begin(&w->daemon);
	f.gaps = count_gaps(&f);
	t_round_restart(&f.round);
	reload_often(&f);
	tear_down(&f);
}

static void expect_refusal(struct t_daemon *d, const char *words)
{
	struct t_output o;

	t_daemon_command(d, &o, "reload", NULL);
	assert_int_equal(o.status, 2);
	if (strstr(o.err, words) == NULL)
		fail_msg("reload said: %s", o.err);
	t_output_fini(&o);
}

/* What is wrong is said and changes nothing; what is right is done: patterns,
 * one more root. */
static void reload_changes(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct fixture f;

	t_shell("mkdir -p " T_SPACE "/fs/more && touch " T_SPACE "/fs/more/x");
	set_up_quiet(&f, w);
	/* Old: nothing but its name says that it is to go. */
	t_shell("cp %s %s.good && mkdir " ROOT "/d && touch -d 2020-01-01 " ROOT
		"/a.tmp " ROOT "/d/e.tmp " ROOT "/d/e",
		d->config, d->config);
	t_daemon_configure(d, "Nonsense=1\n");
	expect_refusal(d, "Nonsense");
	assert_int_equal(kill(d->pid, SIGHUP), 0);
	while (!t_daemon_said(d, "the configuration stays as it was"))
		assert_int_equal(t_process_wait(d->pid, 5), -1);
	t_round_check(&f.round, NULL);
	t_shell("cp %s.good %s", d->config, d->config);
	t_daemon_configure(d, "[Journal]\nStateDirectory=/mnt/elsewhere\n");
	expect_refusal(d, "StateDirectory= can't change at run time");
	t_shell("cp %s.good %s", d->config, d->config);
	t_daemon_configure(d, "Exclude=*.tmp\n");
	t_daemon_root(d, "more", T_SPACE "/fs/more", w->backend);
	reload(d);
	t_daemon_flush(d);
	assert_true(has_gap(&f, "the configuration was changed"));
	assert_int_equal(t_judge_count(&f.round.judge,
				       "kind = 5 AND path IN ('a.tmp',"
				       " 'd/e.tmp')"),
			 2);
	t_shell("touch " ROOT "/b.tmp " ROOT "/b " T_SPACE "/fs/more/y");
	t_daemon_flush(d);
	assert_int_equal(t_judge_count(&f.round.judge,
				       "kind = 1 AND path IN ('b', 'y')"),
			 2);
	assert_int_equal(t_judge_count(&f.round.judge, "path = 'b.tmp'"), 0);
	assert_int_equal(t_judge_count(&f.round.judge, "kind = 5"), 2);
	tear_down_quiet(&f);
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
	T_CASE(reloaded, ext4, fanotify),
	T_CASE(reloaded_alone, xfs, fanotify),
	T_CASE(reload_changes, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("restart", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
