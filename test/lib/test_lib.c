/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge judged: it must see what differs, and operations must meet. */
#include "lib/t_case.h"
#include "lib/t_judge.h"
#include "lib/t_ops.h"

#include "journal/store.h"

#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

/* An empty journal, so that the judge has one to attach. */
static void make_state(struct t_world *w)
{
	struct jb_store *s;

	assert_int_equal(mkdir(w->daemon.state, 0700), 0);
	assert_int_equal(
		jb_store_open(w->daemon.state, JB_STORE_WRITE, &s, NULL), 0);
	jb_store_close(s);
}

/* Two walks of a quiet tree are equal, whatever the operations left there. */
static void walks_agree(struct t_world *w)
{
	struct t_ops_options o = {.root = T_SPACE "/fs/in",
				  .outside = T_SPACE "/fs/out",
				  .threads = 3,
				  .seed = w->seed,
				  .links = true,
				  .nameless = true};
	struct t_judge j;
	struct t_ops ops;

	make_state(w);
	t_shell("mkdir %s %s", o.root, o.outside);
	t_judge_init(&j, w->daemon.state);
	t_ops_init(&ops, &o);
	t_ops_round(&ops, 3000);
	t_ops_tell(&ops, &j);
	assert_true(ops.done > 1000);
	t_judge_walk(&j, "one", o.root);
	t_judge_walk(&j, "two", o.root);
	t_judge_compare(&j, "one", "two");
	assert_true(t_judge_number(&j, "SELECT count(*) FROM one") > 100);
	assert_true(t_judge_number(&j, "SELECT count(*) FROM written") > 10);
	t_ops_fini(&ops);
	t_judge_fini(&j);
}

static int64_t differences(struct t_judge *j)
{
	return t_judge_number(
		j, "SELECT count(*) FROM (SELECT * FROM one EXCEPT SELECT *"
		   " FROM two UNION ALL SELECT * FROM two EXCEPT SELECT *"
		   " FROM one)");
}

/* Each kind of change shows in the walk. */
static void walks_differ(struct t_world *w)
{
	static const char *const lines[] = {
		"echo 1 >> a/f",
		"chmod 600 a/f",
		"chown 1 a/f",
		"mv a/f a/g",
		"ln a/g a/h",
		"rm a/h",
		"touch a/g",
		"mkdir a/d",
		"rmdir a/d",
		"mv a b",
		"cp b/g b/n && mv b/n b/g",
	};
	struct t_judge j;
	size_t i;

	make_state(w);
	t_shell("cd " T_SPACE "/fs && mkdir a && echo 1 > a/f");
	t_judge_init(&j, w->daemon.state);
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		t_judge_walk(&j, "one", T_SPACE "/fs");
		t_shell("cd " T_SPACE "/fs && %s", lines[i]);
		t_judge_walk(&j, "two", T_SPACE "/fs");
		if (differences(&j) == 0)
			fail_msg("not seen: %s", lines[i]);
	}
	t_judge_fini(&j);
}

static const struct t_case cases[] = {
	T_CASE(walks_agree, ext4, auto),  T_CASE(walks_agree, xfs, auto),
	T_CASE(walks_agree, btrfs, auto), T_CASE(walks_agree, tmpfs, auto),
	T_CASE(walks_differ, ext4, auto), T_CASE(walks_differ, btrfs, auto),
};

int main(int argc, char **argv)
{
	return t_case_run("lib", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
