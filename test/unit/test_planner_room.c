/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of the planner at a target without room. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

/* A full target: what can't be made is pending, and everything else is done in
 * the same plan; so there is room for the next one. */
static void test_full_target(void **state)
{
	struct scene *s = *state;
	unsigned file, old;

	scene_make_tree(s);
	file = scene_object_at(s, "abd");
	old = scene_object_at(s, "abc");
	s->p.sim->room = 0;
	world_make(&s->w, "n", 'f');
	world_make(&s->w, "x", 'd');
	world_make(&s->w, "xa", 'f');
	world_write(&s->w, "abc");
	world_rename(&s->w, "abd", "cz");
	world_chmod(&s->w, "abe");
	world_remove(&s->w, "ca");
	world_remove(&s->w, "abf");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "abc"), old);
	assert_int_equal(scene_object_at(s, "cz"), file);
	assert_int_equal(scene_object_at(s, "ca"), 0);
	assert_int_equal(scene_object_at(s, "abf"), 0);
	assert_int_equal(scene_number(s, "SELECT count(*) FROM pending"
					 " WHERE reason = 18 AND attempts = 1"),
			 3 /* x with what is below, n, abc */);
	assert_int_equal(s->p.report.no_space, 3);
	assert_int_equal(s->p.report.freed, 2);
	scene_plan(s); /* into the room of what went: x, xa */
	assert_int_equal(s->p.report.no_space, 2);
	s->p.sim->room = -1;
	scene_plan(s);
	assert_int_equal(s->p.report.no_space, 0);
	scene_assert_equal_trees(s);
}

/* A name that has no room where it is to be keeps the one that it has; one that
 * goes and finds none in the trash stays. */
static void test_full_names(void **state)
{
	struct scene *s = *state;
	unsigned file;

	scene_make_tree(s);
	file = scene_object_at(s, "abc");
	world_rename(&s->w, "abc", "cz");
	s->p.sim->full_names = true;
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "abc"), file);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"
					 " WHERE attempts = 1"),
			 JB_REASON_NO_SPACE);
	world_remove(&s->w, "abd");
	scene_plan(s);
	assert_int_not_equal(scene_object_at(s, "abd"), 0);
	assert_int_equal(s->p.report.kept_back, 1);
	s->p.sim->full_names = false;
	scene_plan(s);
	scene_assert_equal_trees(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_full_target),
		STORY(test_full_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
