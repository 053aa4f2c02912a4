/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirror under random operations: after each round the copy equals the
 * source, and no more was copied than the journal says was changed. */
#include "lib/t_judge.h"
#include "lib/t_mirror.h"
#include "lib/t_ops.h"

#include <signal.h>
#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

struct rounds {
	struct t_mirror m;
	struct t_ops ops;
	struct t_judge judge;
	int64_t seq;   /* the journal's at the last check */
	int64_t bytes; /* what the present worker had copied then */
};

/* Rows of regular files that say 'content', since the last check. */
#define CHANGED                                                                \
	"FROM j.change WHERE seq > %lld AND mode & 61440 = 32768"              \
	" AND what & 1 AND kind IN (1, 2)"

/* Which file at the target is whose copy, says the policy's database; that
 * `verify` and rsync say the same is for other checks. */
static void list_copies(struct rounds *r, const char *name)
{
	t_judge_exec(&r->judge,
		     "CREATE TABLE %s AS SELECT ino, tino, tbirth,"
		     " ctime - ifnull(birth, ctime) AS birth"
		     " FROM p.node WHERE type = 32768 AND ino IS NOT NULL",
		     name);
}

/* A file whose content did not change keeps its copy, whatever else happened
 * to it, to others, or to the worker. */
static void check_each(struct rounds *r, int round)
{
	int64_t n;

	list_copies(r, "now");
	n = t_judge_number(
		&r->judge,
		"SELECT count(*) FROM now LEFT JOIN had ON had.tino = now.tino"
		" AND had.tbirth = now.tbirth WHERE had.tino IS NULL"
		" AND (now.ino, now.birth) NOT IN (SELECT ino, birth " CHANGED
		")",
		(long long)r->seq);
	if (n > 0)
		fail_msg("round %d: %lld files were copied without a change",
			 round, (long long)n);
	t_judge_exec(&r->judge,
		     "DROP TABLE had; ALTER TABLE now RENAME TO had");
}

/* What was changed, at most: each row stands for one version of its file, and
 * between two looks a file may have been as large as at any. */
static int64_t count_changed(struct rounds *r)
{
	return t_judge_number(
		&r->judge,
		"SELECT ifnull(sum(n * size), 0) FROM (SELECT count(*) AS n,"
		" max(size) AS size " CHANGED " GROUP BY ino, birth)",
		(long long)r->seq);
}

static void check(struct rounds *r, int round)
{
	int64_t changed, bytes;

	t_mirror_check(&r->m);
	bytes = t_mirror_number(&r->m, "bytes");
	changed = count_changed(r);
	check_each(r, round);
	if (bytes - r->bytes > changed)
		fail_msg("round %d: %lld bytes changed, %lld were copied",
			 round, (long long)changed,
			 (long long)(bytes - r->bytes));
	r->bytes = bytes;
	r->seq = t_judge_seq(&r->judge);
}

/* The next worker counts from nothing. */
static void kill_worker(struct rounds *r)
{
	pid_t pid = (pid_t)t_mirror_number(&r->m, "pid");

	if (pid > 0)
		assert_int_equal(kill(pid, SIGKILL), 0);
	r->bytes = 0;
}

static void run_rounds(struct t_world *w, enum t_fs target)
{
	struct t_ops_options o = {.root = T_MIRROR_ROOT,
				  .outside = T_SPACE "/fs/outside",
				  .threads = 3,
				  .seed = w->seed,
				  .links = true,
				  .shallow = true};
	struct rounds r = {.seq = 0};

	t_shell("mkdir %s", o.outside);
	t_mirror_init(&r.m, w, target, "true", "MaxDelete=off");
	w->daemon.quiet = true;
	t_mirror_check(&r.m);
	t_judge_init(&r.judge, w->daemon.state);
	t_judge_exec(&r.judge, "ATTACH 'file:%s/policy-m.db?mode=ro' AS p",
		     w->daemon.state);
	list_copies(&r, "had");
	t_ops_init(&r.ops, &o);
	for (int i = 0; i < (t_case_long() ? 200 : 15); i++) {
		t_ops_round(&r.ops, 400);
		if (i % 5 == 4)
			kill_worker(&r);
		check(&r, i);
	}
	t_ops_fini(&r.ops);
	t_judge_fini(&r.judge);
	t_mirror_fini(&r.m);
}

static void within(struct t_world *w)
{
	run_rounds(w, w->fs.fs);
}

static void across(struct t_world *w)
{
	run_rounds(w, T_xfs);
}

static const struct t_case cases[] = {
	T_CASE(within, ext4, fanotify),
	T_CASE(within, xfs, fanotify),
	T_CASE(across, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror_rounds", cases,
			  sizeof cases / sizeof cases[0], argc, argv);
}
