/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of a target that holds a copy already. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

/* An existing copy is taken over: what equals the source is not copied, what
 * differs is left alone and reported. */
static void test_adoption(void **state)
{
	struct scene *s = *state;
	struct sim *sim = s->p.sim;
	unsigned dir, same, other;

	world_make(&s->w, "a", 'd');
	world_make(&s->w, "ab", 'f');
	world_make(&s->w, "ac", 'f');
	sim->had_foreign = true;
	dir = sim_create(sim, SIM_TOP, "a", 'd', 0, false);
	same = sim_create(sim, dir, "b", 'f', 0, false);
	other = sim_create(sim, dir, "c", 'f', -1, false);
	sim->objects[same].mtime =
		state_entry(world_live(&s->w),
			    state_find(world_live(&s->w), "ab"))
			->sig;
	sim->objects[dir].old_copy = sim->objects[same].old_copy = true;
	s->p.options.adopt = true;
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "ab"), same);
	assert_int_equal(scene_object_at(s, "ac"), other);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"),
			 JB_REASON_FOREIGN);
	assert_int_equal(
		scene_number(s, "SELECT count(*) FROM node WHERE rid > 2"), 2);
}

/* The same by content: times don't matter, and what has the size and time of
 * the source but other bytes is not taken over. */
static void test_adoption_by_content(void **state)
{
	struct scene *s = *state;
	struct sim *sim = s->p.sim;
	const struct w_entry *e;
	unsigned same, other;

	world_make(&s->w, "b", 'f');
	world_make(&s->w, "c", 'f');
	sim->had_foreign = true;
	e = state_entry(world_live(&s->w), state_find(world_live(&s->w), "b"));
	same = sim_create(sim, SIM_TOP, "b", 'f', e->data, false);
	e = state_entry(world_live(&s->w), state_find(world_live(&s->w), "c"));
	other = sim_create(sim, SIM_TOP, "c", 'f', -1, false);
	sim->objects[other].mtime = e->sig;
	sim->objects[same].old_copy = true;
	s->p.options.adopt = s->p.options.adopt_content = true;
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "b"), same);
	assert_int_equal(scene_object_at(s, "c"), other);
	assert_int_equal(sim->objects[other].data, -1);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"),
			 JB_REASON_FOREIGN);
	assert_int_equal(
		scene_number(s, "SELECT count(*) FROM node WHERE rid > 2"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_adoption),
		STORY(test_adoption_by_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
