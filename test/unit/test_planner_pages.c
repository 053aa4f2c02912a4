/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of trees that take several plans. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

/* A new tree larger than a page takes several plans, and misses nothing. */
static void test_pages(void **state)
{
	struct scene *s = *state;
	unsigned plans = 0;

	s->p.options.page = 3;
	scene_make_tree(s);
	policy_reset(&s->p, &s->w, &scene_everything, LIMIT_NONE);
	s->p.options.page = 3;
	policy_plan(&s->p, 0, 0, false); /* of the time before the tree */
	/* Only the top ones are told of. */
	s->w.n_rows = 0;
	world_chmod(&s->w, "a");
	world_chmod(&s->w, "c");
	do {
		scene_plan(s);
		plans++;
		assert_true(s->copies <= 6);
	} while (s->p.more && plans < 20);
	assert_true(plans > 2);
	scene_assert_equal_trees(s);
}

/* Listings that end where the page does, with others left: there is more. */
static void test_full_pages(void **state)
{
	struct scene *s = *state;
	unsigned plans = 0;

	policy_plan(&s->p, 0, 0, false); /* of the time before the tree */
	world_make(&s->w, "a", 'd');
	for (int d = 'b'; d <= 'g'; d++) {
		world_make(&s->w, (char[]){'a', (char)d, '\0'}, 'd');
		for (int f = 'a'; f <= 'b' + d % 2; f++)
			world_make(&s->w, (char[]){'a', (char)d, (char)f, '\0'},
				   'f');
	}
	s->w.n_rows = 1;
	s->p.options.page = 5;
	do
		scene_plan(s);
	while (s->p.more && ++plans < 20);
	assert_true(plans > 2);
	scene_assert_equal_trees(s);
}

/* Directories are taken as there is room for what is in them: each is made
 * whole, and costs one rename. */
static void test_as_room_allows(void **state)
{
	struct scene *s = *state;
	struct jb_plan_look looks[3] = {{.n_places = 0}};
	struct jb_plan_batch batch = {.looks = looks, .n_looks = 3};
	unsigned before = s->p.sim->n_operations;
	uint64_t plans = s->p.n_plans;

	for (int d = 'a'; d <= 'c'; d++) {
		looks[d - 'a'].id =
			world_id(world_make(&s->w, (char[]){(char)d, 0}, 'd'));
		for (int f = 'a'; f <= 'd'; f++)
			world_make(&s->w, (char[]){(char)d, (char)f, 0}, 'f');
	}
	s->p.options.page = 5;
	assert_true(policy_look(&s->p, &batch, s->w.n_states - 1));
	assert_int_equal(s->p.n_plans - plans, 3);
	/* All are made, three get their names and then their times. */
	assert_int_equal(s->p.sim->n_operations - before, 15 + 3 + 3);
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	scene_assert_equal_trees(s);
}

/* All of the tree has new identities; only those at the top are told of. */
static void restore(struct scene *s)
{
	world_restore(&s->w);
	s->w.n_rows = s->p.cursor;
	world_chmod(&s->w, "a");
	world_chmod(&s->w, "c");
}

/* A restored tree is matched whole, however small the pages: what comes in a
 * later page must not look surplus in the first one, nor be copied since what
 * it replaces comes later. */
static void test_restored_in_pages(void **state)
{
	struct scene *s = *state;
	unsigned file;

	scene_make_tree(s);
	file = scene_object_at(s, "abl");
	s->p.options.page = 2;
	restore(s);
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "abl"), file);

	jb_planner_without = 1u << JB_RULE_FORGOOD;
	restore(s);
	policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1, false);
	jb_planner_without = 0;
	assert_false(policy_check(&s->p, P_ANYHOW));
}

/* A tree that goes, larger than a page: each plan removes as much as it takes
 * in, what is below before what it is in. */
static void test_emptied_in_pages(void **state)
{
	struct scene *s = *state;
	unsigned plans = 0;

	s->p.options.page = 3;
	scene_make_tree(s);
	world_remove(&s->w, "a");
	do {
		scene_plan(s);
		plans++;
		assert_true(s->operations <= 6);
	} while (s->p.more && plans < 20);
	assert_true(plans > 3);
	assert_int_equal(scene_object_at(s, "a"), 0);
	scene_assert_equal_trees(s);
}

/* What can't be removed does not keep what comes behind it. */
static void test_emptied_past_what_stays(void **state)
{
	struct scene *s = *state;
	char path[] = "ab";

	world_make(&s->w, "a", 'd');
	for (; path[1] <= 'g'; path[1]++)
		world_make(&s->w, path, 'd');
	for (; path[1] <= 'k'; path[1]++)
		world_make(&s->w, path, 'f');
	scene_plan(s);
	for (path[1] = 'b'; path[1] <= 'g'; path[1]++)
		sim_create(s->p.sim, scene_object_at(s, path), "x", 'f', 1,
			   false);
	s->p.options.page = 2;
	world_remove(&s->w, "a");
	for (unsigned plans = 0; plans == 0 || s->p.more; plans++) {
		assert_in_range(plans, 0, 20);
		scene_plan(s);
	}
	assert_int_not_equal(scene_object_at(s, "ab"), 0);
	assert_int_not_equal(scene_object_at(s, "ag"), 0);
	assert_int_equal(scene_object_at(s, "ah"), 0);
	assert_int_equal(scene_object_at(s, "ak"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_pages),
		STORY(test_full_pages),
		STORY(test_as_room_allows),
		STORY(test_restored_in_pages),
		STORY(test_emptied_in_pages),
		STORY(test_emptied_past_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
