/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of the guard: what is held, and until when. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

/* Too many deletions are held, whatever else goes on, until release. */
static void test_held_at_once(void **state)
{
	struct scene *s = *state;
	struct jb_holding h;
	int rv;

	scene_limit_deletions(s, 4, &scene_everything);
	scene_make_tree(s);
	world_remove(&s->w, "ab");
	world_make(&s->w, "n", 'f');
	scene_plan(s);
	assert_int_not_equal(scene_object_at(s, "abc"), 0);
	assert_int_not_equal(scene_object_at(s, "n"), 0);
	rv = jb_planner_holding(s->p.replica, &h, NULL);
	assert_int_equal(rv, JB_OK);
	assert_true(h.on);
	assert_int_equal(h.deletions, 11);
	assert_int_equal(h.seq, s->w.n_rows);

	/* Still held, and more of it; then approved up to what was shown. */
	world_remove(&s->w, "ca");
	scene_plan(s);
	assert_int_not_equal(scene_object_at(s, "ca"), 0);
	rv = jb_planner_release(s->p.replica, h.seq, NULL, NULL);
	assert_int_equal(rv, JB_OK);
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "abc"), 0);
	assert_int_not_equal(scene_object_at(s, "ca"), 0);
}

static void plan_to_the_end(struct scene *s)
{
	unsigned plans = 0;

	do
		scene_plan(s);
	while (s->p.more && ++plans < 20);
	assert_false(s->p.more);
}

/* What goes in several plans is held by the first one, all of it, and counts
 * once. */
static void test_held_in_pages(void **state)
{
	struct scene *s = *state;
	struct jb_holding h;

	scene_limit_deletions(s, 8, &scene_everything);
	scene_make_tree(s);
	s->p.options.page = 3;
	world_remove(&s->w, "a");
	scene_plan(s);
	assert_true(s->p.more);
	assert_int_equal(s->operations, 0);
	plan_to_the_end(s);
	assert_int_not_equal(scene_object_at(s, "abc"), 0);
	assert_int_equal(jb_planner_holding(s->p.replica, &h, NULL), JB_OK);
	assert_int_equal(h.deletions, 12);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM owed"), 12);

	/* Approved, it goes in pages as well. */
	assert_int_equal(jb_planner_release(s->p.replica, h.seq, NULL, NULL),
			 JB_OK);
	plan_to_the_end(s);
	scene_assert_equal_trees(s);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM owed"), 0);
}

/* What was moved out of a tree that goes is no deletion, in whichever plan it
 * is taken in. */
static void test_moved_out_in_pages(void **state)
{
	struct scene *s = *state;

	scene_limit_deletions(s, 5, &scene_everything);
	scene_make_tree(s);
	s->p.options.page = 2;
	for (int c = 'c'; c <= 'i'; c++)
		world_rename(&s->w, (char[]){'a', 'b', (char)c, 0},
			     (char[]){'c', (char)(c + 10), 0});
	s->w.n_rows = s->p.cursor; /* only the last one is told of */
	world_remove(&s->w, "a");
	plan_to_the_end(s);
	assert_int_equal(scene_object_at(s, "a"), 0);
	scene_assert_equal_trees(s);
}

/* A file is one deletion, whatever the number of its names. */
static void test_names_held_in_pages(void **state)
{
	struct scene *s = *state;
	char name[] = "ac", other[] = "ag";

	scene_limit_deletions(s, 5, &scene_everything);
	world_make(&s->w, "b", 'f');
	world_make(&s->w, "a", 'd');
	for (; name[1] <= 'f'; name[1]++, other[1]++) {
		world_make(&s->w, name, 'f');
		world_link(&s->w, name, other);
	}
	scene_plan(s);
	s->p.options.page = 1;
	world_remove(&s->w, "a");
	plan_to_the_end(s);
	assert_int_equal(scene_object_at(s, "a"), 0);
}

/* The same slowly: the window counts across plans. */
static void test_held_slowly(void **state)
{
	struct scene *s = *state;

	scene_limit_deletions(s, 2, &scene_everything);
	scene_make_tree(s);
	for (int c = 'c'; c <= 'e'; c++) {
		world_remove(&s->w, (char[]){'a', 'b', (char)c, '\0'});
		scene_plan(s);
	}
	assert_int_equal(scene_object_at(s, "abc"), 0);
	assert_int_equal(scene_object_at(s, "abd"), 0);
	assert_int_not_equal(scene_object_at(s, "abe"), 0);
	assert_int_equal(scene_number(s, "SELECT reason FROM owed"),
			 JB_REASON_HELD);
}

/* Overwriting what was deleted is no deletion, and is never held. */
static void test_replaced_is_not_held(void **state)
{
	struct scene *s = *state;

	scene_limit_deletions(s, 2, &scene_everything);
	scene_make_tree(s);
	for (int c = 'c'; c <= 'l'; c++) {
		world_remove(&s->w, (char[]){'a', 'b', (char)c, '\0'});
		world_make(&s->w, (char[]){'a', 'b', (char)c, '\0'}, 'f');
	}
	scene_plan(s);
	scene_assert_equal_trees(s);
}

static bool is_overwritten(struct scene *s, const char *path)
{
	unsigned no = state_find(world_live(&s->w), path);

	return s->p.sim->objects[scene_object_at(s, path)].data ==
	       state_entry(world_live(&s->w), no)->data;
}

static int64_t n_overwritten(struct scene *s)
{
	int64_t n = 0;

	for (int c = 'c'; c <= 'l'; c++)
		n += is_overwritten(s, (char[]){'a', 'b', (char)c, '\0'});
	return n;
}

/* MaxReplace=: too many overwrites are held, new files are copied; a later one
 * is held with them; `release` lets go those that were, and counts anew. */
static void test_overwrites_held(void **state)
{
	struct scene *s = *state;
	struct jb_holding h;

	s->p.options.max_replace =
		(struct jb_limit){.on = true, .least = 4, .most = 4};
	scene_make_tree(s);
	for (int c = 'c'; c <= 'h'; c++)
		world_write(&s->w, (char[]){'a', 'b', (char)c, '\0'});
	world_make(&s->w, "n", 'f');
	scene_plan(s);
	assert_int_not_equal(scene_object_at(s, "n"), 0);
	assert_int_equal(n_overwritten(s), 4); /* those that did not change */
	world_write(&s->w, "abi");
	scene_plan(s);
	assert_int_equal(n_overwritten(s), 3);
	assert_int_equal(jb_planner_holding(s->p.replica, &h, NULL), JB_OK);
	assert_true(h.on);
	assert_int_equal(h.deletions, 0);
	assert_int_equal(h.overwrites, 7);
	assert_int_equal(jb_planner_release(s->p.replica, h.seq, NULL, NULL),
			 JB_OK);
	world_write(&s->w, "abj");
	scene_plan(s);
	scene_assert_equal_trees(s);
	assert_int_equal(scene_number(s, "SELECT sum(count) FROM deleted"
					 " WHERE what = 1"),
			 1);
}

/* `release` up to what was shown: deletions and overwrites that came later stay
 * held, also when the cursor stood still between them, and when a plan touches
 * them again; one that is written again has come later. */
static void test_released_up_to(void **state)
{
	struct scene *s = *state;
	struct jb_holding h;
	struct jb_released r;

	scene_limit_deletions(s, 1, &scene_everything);
	s->p.options.max_replace = (struct jb_limit){.on = true};
	scene_make_tree(s);
	world_remove(&s->w, "abc");
	world_remove(&s->w, "abl");
	world_write(&s->w, "abd");
	world_write(&s->w, "abe");
	world_write(&s->w, "abi");
	scene_plan(s);
	assert_int_equal(jb_planner_holding(s->p.replica, &h, NULL), JB_OK);
	assert_int_equal(h.deletions, 2);
	assert_int_equal(h.overwrites, 3);
	assert_int_equal(h.seq, s->w.n_rows);

	world_remove(&s->w, "abf");
	world_write(&s->w, "abg");
	world_write(&s->w, "abe");
	scene_plan(s);
	assert_int_equal(jb_planner_release(s->p.replica, h.seq, &r, NULL),
			 JB_OK);
	assert_int_equal(r.deletions, 2);
	assert_int_equal(r.overwrites, 2);
	assert_int_equal(r.left.deletions, 1);
	assert_int_equal(r.left.overwrites, 2);
	world_write(&s->w, "abh");
	world_write(&s->w, "abi");
	for (int i = 0; i < 2; i++) {
		scene_plan(s);
		assert_int_equal(scene_object_at(s, "abc"), 0);
		assert_int_not_equal(scene_object_at(s, "abf"), 0);
		assert_true(is_overwritten(s, "abd"));
		assert_false(is_overwritten(s, "abe"));
		assert_false(is_overwritten(s, "abg"));
		assert_false(is_overwritten(s, "abh"));
		assert_false(is_overwritten(s, "abi"));
		policy_reconcile(&s->p, s->w.n_states - 1);
	}
}

/* Slowly: overwrites are counted over the window, and only those that were. */
static void test_overwrites_counted(void **state)
{
	struct scene *s = *state;

	s->p.options.max_replace =
		(struct jb_limit){.on = true, .least = 2, .most = 2};
	scene_make_tree(s);
	for (int c = 'c'; c <= 'e'; c++) {
		world_write(&s->w, (char[]){'a', 'b', (char)c, '\0'});
		scene_plan(s);
	}
	assert_int_equal(n_overwritten(s), 9);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"),
			 JB_REASON_HELD);
}

/* A first level that becomes empty is held, however few they are. */
static void test_emptied_top(void **state)
{
	struct scene *s = *state;

	scene_limit_deletions(s, 100, &scene_everything);
	world_make(&s->w, "a", 'f');
	scene_plan(s);
	world_remove(&s->w, "a");
	scene_plan(s);
	assert_int_not_equal(scene_object_at(s, "a"), 0);
	policy_release(&s->p);
	scene_plan(s);
	scene_assert_equal_trees(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_held_at_once),
		STORY(test_held_in_pages),
		STORY(test_moved_out_in_pages),
		STORY(test_names_held_in_pages),
		STORY(test_held_slowly),
		STORY(test_replaced_is_not_held),
		STORY(test_overwrites_held),
		STORY(test_released_up_to),
		STORY(test_overwrites_counted),
		STORY(test_emptied_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
