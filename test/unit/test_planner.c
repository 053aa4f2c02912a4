/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of the planner, at a simulated target: one thing at a time. Whether
 * it also holds when everything happens at once is test_planner_model's. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

/* A new tree is made where nobody sees it, and appears by one rename. */
static void test_new_tree(void **state)
{
	struct scene *s = *state;

	world_make(&s->w, "a", 'd');
	world_make(&s->w, "ab", 'd');
	world_make(&s->w, "aba", 'f');
	world_make(&s->w, "abb", 'l');
	scene_plan(s);
	assert_int_equal(s->copies, 2);
	assert_int_equal(s->operations, 4 /* made */ + 1 + 2 /* attrs */);
	scene_assert_equal_trees(s);
}

/* A directory that was renamed costs one rename, and no inode changes. */
static void test_renamed_directory(void **state)
{
	struct scene *s = *state;
	unsigned dir, file;

	scene_make_tree(s);
	dir = scene_object_at(s, "ab");
	file = scene_object_at(s, "abc");
	world_rename(&s->w, "ab", "z");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	/* The rename, the attributes of what moved and where it was. */
	assert_int_equal(s->operations, 1 + 2);
	assert_int_equal(scene_object_at(s, "z"), dir);
	assert_int_equal(scene_object_at(s, "zc"), file);
	scene_assert_equal_trees(s);
}

/* Two directories swap: one exchange; a file saved over another: one rename. */
static void test_swap_and_save(void **state)
{
	struct scene *s = *state;
	unsigned a, c;

	scene_make_tree(s);
	a = scene_object_at(s, "a");
	c = scene_object_at(s, "c");
	world_swap(&s->w, "a", "c");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(s->operations, 1);
	assert_int_equal(scene_object_at(s, "a"), c);
	assert_int_equal(scene_object_at(s, "c"), a);

	world_make(&s->w, "t", 'f');
	world_remove(&s->w, "aa");
	world_rename(&s->w, "t", "aa");
	scene_plan(s);
	assert_int_equal(s->copies, 1);
	scene_assert_equal_trees(s);
}

/* Directories of two others swap, and that is cut short anywhere: an exchange
 * may have changed their times, and nothing else tells of it. */
static void test_swap_across(void **state)
{
	struct scene *s = *state;
	unsigned crashes = 0;

	scene_make_tree(s);
	world_make(&s->w, "cd", 'd');
	scene_plan(s);
	for (int i = 0; i < 100; i++) {
		world_swap(&s->w, "ab", "cd");
		s->p.sim->p_crash = 20; /* percent */
		while (!policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1,
				    false))
			crashes++;
		s->p.sim->p_crash = 0;
		scene_assert_equal_trees(s);
	}
	assert_true(crashes > 10);
}

/* mv d e; mkdir d with the same names: nothing that only moved is copied. */
static void test_moved_aside(void **state)
{
	struct scene *s = *state;
	unsigned old;

	scene_make_tree(s);
	old = scene_object_at(s, "abc");
	world_rename(&s->w, "ab", "ae");
	world_make(&s->w, "ab", 'd');
	for (int c = 'c'; c <= 'l'; c++)
		world_make(&s->w, (char[]){'a', 'b', (char)c, '\0'}, 'f');
	scene_plan(s);
	assert_int_equal(s->copies, 10);
	assert_int_equal(scene_object_at(s, "aec"), old);
	scene_assert_equal_trees(s);
}

/* mv a/b x; mv a x/a: each is put into what was inside it. */
static void test_inversion(void **state)
{
	struct scene *s = *state;

	scene_make_tree(s);
	world_rename(&s->w, "ab", "x");
	world_rename(&s->w, "a", "xa");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	scene_assert_equal_trees(s);
}

/* File to directory and back. */
static void test_type_changes(void **state)
{
	struct scene *s = *state;

	scene_make_tree(s);
	world_remove(&s->w, "abc");
	world_make(&s->w, "abc", 'd');
	world_make(&s->w, "abca", 'f');
	scene_plan(s);
	scene_assert_equal_trees(s);
	world_remove(&s->w, "abc");
	world_make(&s->w, "abc", 'f');
	scene_plan(s);
	scene_assert_equal_trees(s);
}

/* New content of a file with three names is copied once. */
static void test_hard_links(void **state)
{
	struct scene *s = *state;

	scene_make_tree(s);
	world_link(&s->w, "abc", "m");
	world_link(&s->w, "abc", "cm");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "m"), scene_object_at(s, "abc"));
	world_write(&s->w, "m");
	scene_plan(s);
	assert_int_equal(s->copies, 1);
	assert_int_equal(scene_object_at(s, "cm"), scene_object_at(s, "abc"));
	scene_assert_equal_trees(s);
}

/* A new link takes the place of somebody who is detached and steps aside; so
 * does another one, while the first is still there: a name is never absent. */
static void test_links_while_detached(void **state)
{
	struct scene *s = *state;
	unsigned away;

	world_make(&s->w, "a", 'f');
	world_make(&s->w, "b", 'f');
	world_make(&s->w, "c", 'f');
	scene_plan(s);
	away = world_detach(&s->w, "c");
	world_link(&s->w, "b", "c");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "c"), scene_object_at(s, "b"));
	world_rename(&s->w, "a", "s");
	world_link(&s->w, "b", "a");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "a"), scene_object_at(s, "b"));
	world_attach(&s->w, away, "u");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	scene_assert_equal_trees(s);
}

/* A target that has no hard links holds one name, and says so of the others. */
static void test_target_without_links(void **state)
{
	struct scene *s = *state;

	s->p.can = JB_CAN_EXCHANGE;
	scene_make_tree(s);
	world_link(&s->w, "abc", "m");
	world_make(&s->w, "n", 'f');
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "m"), 0);
	assert_int_not_equal(scene_object_at(s, "n"), 0);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"),
			 JB_REASON_REFUSED);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM pending"), 1);
	world_remove(&s->w, "m");
	scene_plan(s);
	scene_assert_equal_trees(s);
}

/* Attributes alone are applied alone. */
static void test_attributes(void **state)
{
	struct scene *s = *state;

	scene_make_tree(s);
	world_chmod(&s->w, "abc");
	world_chmod(&s->w, "ab");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	scene_assert_equal_trees(s);
}

/* Restored with all its times: other inodes, no copy, nothing deleted. */
static void test_restored_source(void **state)
{
	struct scene *s = *state;
	unsigned file;

	scene_make_tree(s);
	file = scene_object_at(s, "abc");
	world_restore(&s->w);
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "abc"), file);
	scene_assert_equal_trees(s);
}

/* Selection is of the path: in and out of it by renames. */
static void test_selection(void **state)
{
	static const struct w_select sel = {.exclude = {"c"}};
	struct scene *s = *state;

	scene_limit_deletions(s, LIMIT_NONE, &sel);
	scene_make_tree(s);
	world_rename(&s->w, "ab", "cb");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "ab"), 0);
	scene_assert_equal_trees(s);
	world_rename(&s->w, "cb", "x");
	scene_plan(s);
	assert_int_equal(s->copies, 10);
	scene_assert_equal_trees(s);
}

/* Gone is not deleted: a detached entry stays until the journal knows more. */
static void test_detached(void **state)
{
	struct scene *s = *state;
	unsigned no, object;

	scene_make_tree(s);
	object = scene_object_at(s, "ab");
	no = world_detach(&s->w, "ab");
	world_write(&s->w, "ca");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "ab"), object);

	/* Somebody else takes its name: it steps aside, whole. */
	world_make(&s->w, "ab", 'f');
	scene_plan(s);
	assert_int_not_equal(scene_object_at(s, "ab"), object);
	assert_int_equal(s->copies, 1);

	world_attach(&s->w, no, "z");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "z"), object);
	scene_plan(s);
	scene_assert_equal_trees(s);
}

/* A file that was written and moved into a new directory, which is gone before
 * the plan comes to it: it waits, and is seen to go. */
static void test_moved_into_what_goes(void **state)
{
	struct scene *s = *state;
	unsigned seen;

	scene_make_tree(s);
	world_make(&s->w, "n", 'd');
	world_write(&s->w, "abc");
	world_rename(&s->w, "abc", "nc");
	seen = s->w.n_states - 1;
	world_rename(&s->w, "n", "m");
	/* The catalog is of the time before the renaming. */
	assert_true(policy_plan(&s->p, s->w.n_rows - 1, seen, false));
	assert_int_not_equal(scene_object_at(s, "abc"), 0);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM pending"), 2);
	world_remove(&s->w, "m");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "abc"), 0);
	scene_assert_equal_trees(s);
}

/* The new version is made, and its first renaming fails. */
static void overwrite_in_vain(struct scene *s)
{
	world_write(&s->w, "abc");
	s->p.sim->fail_in = 2;
	assert_true(policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1, false));
	assert_int_equal(s->p.sim->fail_in, 0);
}

/* An old version stays while the new one can't take its place; without the rule
 * nothing would be there. */
static void test_old_version_stays(void **state)
{
	struct scene *s = *state;
	unsigned old;

	scene_make_tree(s);
	old = scene_object_at(s, "abc");
	overwrite_in_vain(s);
	assert_int_equal(scene_object_at(s, "abc"), old);
	scene_plan(s);
	scene_assert_equal_trees(s);

	jb_planner_without = 1u << JB_RULE_OLDSTAYS;
	overwrite_in_vain(s);
	jb_planner_without = 0;
	assert_int_equal(scene_object_at(s, "abc"), 0);
	assert_false(policy_check(&s->p, P_ANYHOW));
}

/* Without exchange who is in the way steps aside first: when that fails, who
 * wants the place is pending, though the other one leaves it in the end. */
static void test_in_the_way(void **state)
{
	struct scene *s = *state;

	world_make(&s->w, "b", 'd');
	world_make(&s->w, "c", 'd');
	scene_plan(s);
	s->p.can = JB_CAN_LINK;
	world_rename(&s->w, "c", "ba");
	world_rename(&s->w, "b", "c");
	s->p.sim->fail_in = 1;
	assert_true(policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1, false));
	assert_int_equal(s->p.sim->fail_in, 0);
	assert_true(policy_check(&s->p, P_ANYHOW));
	scene_plan(s);
	scene_assert_equal_trees(s);
}

/* What fails is tried again, later and later, and nothing else waits for it. */
static void test_failing_path(void **state)
{
	struct scene *s = *state;

	scene_make_tree(s);
	world_write(&s->w, "ca");
	s->p.sim->p_fail = 100;
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_number(s, "SELECT attempts FROM pending"), 1);
	s->p.step = 1;
	scene_plan(s);
	assert_int_equal(scene_number(s, "SELECT attempts FROM pending"), 1);
	s->p.step = 1000000;
	scene_plan(s);
	assert_int_equal(scene_number(s, "SELECT attempts FROM pending"), 2);
	s->p.sim->p_fail = 0;
	s->p.step = 10000000;
	scene_plan(s);
	scene_assert_equal_trees(s);
}

/* A dry run tells, and changes neither target nor replica. */
static void test_dry_run(void **state)
{
	struct scene *s = *state;
	struct jb_plan_look look = {.id = world_id(0)};
	struct jb_plan_batch batch = {.looks = &look,
				      .n_looks = 1,
				      .dry_run = true};
	struct jb_planner *planner;
	struct jb_report report;
	unsigned before;
	int rv;

	scene_make_tree(s);
	look.id = world_id(world_write(&s->w, "abc"));
	before = s->p.sim->n_operations;
	s->p.view.state = world_live(&s->w);
	batch.epoch = 1;
	batch.now_us = s->p.now;
	rv = jb_planner_new(s->p.replica, &s->p.view.base, &s->p.sim->base,
			    s->p.can, &s->p.options, &planner, NULL);
	assert_int_equal(rv, JB_OK);
	rv = jb_planner_run(planner, &batch, &report, NULL);
	jb_planner_free(planner);
	assert_int_equal(rv, JB_OK);
	assert_int_equal(report.copied, 1);
	assert_int_equal(s->p.sim->n_operations, before);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM intent"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_new_tree),
		STORY(test_renamed_directory),
		STORY(test_swap_and_save),
		STORY(test_swap_across),
		STORY(test_moved_aside),
		STORY(test_inversion),
		STORY(test_type_changes),
		STORY(test_hard_links),
		STORY(test_attributes),
		STORY(test_restored_source),
		STORY(test_selection),
		STORY(test_target_without_links),
		STORY(test_links_while_detached),
		STORY(test_old_version_stays),
		STORY(test_in_the_way),
		STORY(test_detached),
		STORY(test_failing_path),
		STORY(test_moved_into_what_goes),
		STORY(test_dry_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
