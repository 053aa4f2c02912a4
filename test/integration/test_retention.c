/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal keeps what it must and drops what it may, while it is written, by
 * age and when it is asked to; and whoever reads it learns what is gone. (What
 * it does without room is test_journal_full's.) */
#include "lib/t_mirror.h"
#include "lib/t_round.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT	T_MIRROR_ROOT
#define LOOKS	3000 /* of 20 ms */
#define FOR_ALL "MaxDelete=off"

static void await_first(struct t_daemon *d, int64_t first)
{
	int64_t is = 0;

	for (int i = 0; i < LOOKS; i++) {
		is = t_daemon_journal_number(d, "first_seq");
		if (is >= first)
			return;
		poll(NULL, 0, 20);
	}
	fail_msg("the first change is %lld, not %lld", (long long)is,
		 (long long)first);
}

/* What is older than Retain= goes by itself, the rest can be asked for, and
 * who asks for more is told. */
static void by_time(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;
	struct t_output o;

	t_daemon_configure(d, "Retain=1s\n");
	t_round_make(&r, w, ROOT, "mkdir a b");
	t_shell("cd " ROOT " && echo 1 > a/1 && echo 1 > b/2");
	t_round_check(&r, NULL);
	await_first(d, 2); /* the last one stays */
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*)"
						  " FROM j.change"),
			 1);
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*)"
						  " FROM j.place"),
			 1);
	t_daemon_expect(d, 0, "is no longer kept", "query", "-S", "yesterday",
			NULL);
	t_daemon_command(d, &o, "query", "-o", "paths", NULL);
	assert_string_equal(o.out, "b/2\n");
	assert_string_equal(o.err, ""); /* nothing was asked for in vain */
	t_output_fini(&o);
	t_daemon_command(d, &o, "query", "--after-cursor", "0000000000000001:1",
			 NULL);
	assert_int_equal(o.status, 1);
	t_output_fini(&o);
	t_daemon_stop(d);
	t_daemon_begin(d);
	t_shell("echo 3 > " ROOT "/a/3");
	t_daemon_flush(d);
	assert_true(t_daemon_journal_number(d, "last_seq") >
		    2); /* counted on */
	t_round_fini(&r);
}

/* Nothing goes that a policy has not read, `vacuum` says whose it is; and it
 * goes when that policy has. */
static void behind_the_cursor(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;
	int64_t cursor;

	t_daemon_configure(d, "[Journal]\nRetain=1s\n");
	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_shell("cd %s && for i in 2 3 4; do echo $i > a/$i; done",
		T_MIRROR_ROOT);
	t_mirror_check(&m);
	t_mirror_pause(&m);
	cursor = t_daemon_journal_number(d, "last_seq");
	t_shell("cd %s && for i in 5 6 7 8; do echo $i > a/$i; done",
		T_MIRROR_ROOT);
	t_daemon_flush(d);
	t_daemon_expect(d, 0, "are kept for policy 'm', which reads on there",
			"vacuum", "--time", "0s", NULL);
	await_first(d, cursor + 1);
	assert_int_equal(t_daemon_journal_number(d, "first_seq"), cursor + 1);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	assert_int_equal(t_daemon_said(d, "full pass"), false);
	await_first(d, t_daemon_journal_number(d, "last_seq"));
	t_mirror_fini(&m);
}

/* A policy that is too far behind holds nothing back: it owes a full pass, and
 * is right after it. */
static void dead_leg(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;

	t_daemon_configure(d, "[Journal]\nRetain=1s\nMaxBacklog=20\n");
	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_mirror_check(&m);
	t_mirror_pause(&m);
	t_shell("cd %s && for i in $(seq 60); do echo $i > a/$i; done; mv a b;"
		" rm b/2*",
		T_MIRROR_ROOT);
	t_daemon_flush(d);
	await_first(d, t_daemon_journal_number(d, "last_seq"));
	assert_true(t_daemon_said(d, "it owes a full pass"));
	t_daemon_expect(d, 0, "GAP", "status", NULL);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Changes of other roots, which a policy has no plan for, put it behind no more
 * than they must: that is no backlog. */
static void other_root(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;
	struct t_output o;

	t_daemon_configure(d, "[Journal]\nRetain=1s\nMaxBacklog=20\n");
	t_mirror_init(&m, w, T_ext4, "mkdir " T_SPACE "/o; echo 1 > 1",
		      FOR_ALL "\n[Root o]\nPath=" T_SPACE "/o");
	t_mirror_check(&m);
	for (int i = 0; i < 9; i++) {
		t_shell("cd " T_SPACE "/o && touch $(seq %d1 %d9)", i, i);
		t_mirror_flush(&m, 0);
	}
	await_first(d, t_daemon_journal_number(d, "last_seq") - 10);
	t_daemon_command(d, &o, "status", NULL);
	assert_null(strstr(o.out, "GAP:"));
	t_output_fini(&o);
	assert_false(t_daemon_said(d, "it owes a full pass"));
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* The same within MaxBacklog=, but for a worker that finds only now what was
 * dropped behind its back: no change is skipped. */
static void dropped_behind_its_back(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_mirror_check(&m);
	t_mirror_pause(&m);
	t_shell("cd %s && for i in $(seq 60); do echo $i > a/$i; done",
		T_MIRROR_ROOT);
	t_daemon_flush(d);
	t_daemon_stop(d);
	t_shell("sqlite3 %s/journal.db 'DELETE FROM change"
		" WHERE seq < (SELECT max(seq) - 3 FROM change)'",
		d->state);
	t_daemon_begin(d);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* `vacuum` makes the file smaller, while changes are recorded. */
static void vacuum(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;
	struct stat before, after;
	char file[160];

	t_round_make(&r, w, ROOT, "mkdir a");
	for (int i = 0; i < 6; i++) {
		t_shell("cd " ROOT "/a && seq -f f%%.0f 5000 | xargs touch");
		t_daemon_flush(d);
		t_shell("cd " ROOT "/a && ls | xargs rm");
		t_daemon_flush(d);
	}
	t_shell("cd " ROOT "/a && seq -f g%%.0f 5000 | xargs touch");
	snprintf(file, sizeof file, "%s/journal.db", d->state);
	t_daemon_expect(d, 0, "given back", "vacuum", "--time", "365d",
			NULL); /* cuts the WAL */
	t_shell("sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)'", file);
	assert_int_equal(stat(file, &before), 0);
	t_daemon_expect(d, 0, "given back", "vacuum", "--size", "2M", NULL);
	assert_int_equal(stat(file, &after), 0);
	assert_true(before.st_size > 4 << 20);
	assert_true(after.st_size < before.st_size / 10 * 6);
	t_daemon_flush(d);
	t_judge_tree(&r.judge, ROOT, "r");
	t_daemon_refuse(d, 2, "30d", "vacuum", "--time", "soon", NULL);
	t_daemon_refuse(d, 2, "500M", "vacuum", "--size", "big", NULL);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(by_time, ext4, fanotify),
	T_CASE(by_time, ext4, inotify),
	T_CASE(behind_the_cursor, ext4, fanotify),
	T_CASE(dead_leg, ext4, fanotify),
	T_CASE(other_root, ext4, fanotify),
	T_CASE(dropped_behind_its_back, ext4, fanotify),
	T_CASE(vacuum, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("retention", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
