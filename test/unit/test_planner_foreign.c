/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of somebody else at the target: what is not ours stays as it is. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

/* W6: what we did not make survives everything, and is not overwritten. */
static void test_foreign_name(void **state)
{
	struct scene *s = *state;
	unsigned foreign;

	scene_make_tree(s);
	s->p.sim->had_foreign = true;
	foreign = sim_create(s->p.sim, SIM_TOP, "n", 'f', -1, false);
	world_make(&s->w, "n", 'f');
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "n"), foreign);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"),
			 JB_REASON_FOREIGN);

	sim_clean(s->p.sim);
	scene_plan(s);
	assert_int_equal(s->copies, 1);
	scene_assert_equal_trees(s);
}

/* A plan is cut short, and where it worked is somebody's symlink meanwhile:
 * what it meant to do there is not found, and no other plan is stopped. */
static void test_foreign_way(void **state)
{
	struct scene *s = *state;
	struct sim *sim = s->p.sim;
	unsigned dir, hidden = 0;

	scene_make_tree(s);
	sim->had_foreign = true;
	for (int i = 0; i < 100; i++) {
		world_make(&s->w, "n", 'd');
		scene_plan(s);
		world_make(&s->w, "nx", 'f');
		sim->p_crash = 20; /* percent */
		policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1, false);
		sim->p_crash = 0;
		dir = scene_object_at(s, "n");
		if (sim_is_empty(sim, dir)) {
			sim_cut(sim, sim_find(sim, SIM_TOP, "n"));
			sim_create(sim, SIM_TOP, "n", 'l', -1, false);
			hidden++;
		}
		scene_plan(s);
		sim_clean(sim);
		scene_plan(s);
		scene_assert_equal_trees(s);
		world_remove(&s->w, "nx");
		world_remove(&s->w, "n");
		scene_plan(s);
	}
	assert_true(hidden > 10);
}

/* A directory that goes is kept as long as something foreign is in it. */
static void test_foreign_in_ours(void **state)
{
	struct scene *s = *state;
	unsigned foreign;

	scene_make_tree(s);
	s->p.sim->had_foreign = true;
	foreign = sim_create(s->p.sim, scene_object_at(s, "ab"), "n", 'f', -1,
			     false);
	world_remove(&s->w, "a");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "abc"), 0);
	assert_int_equal(scene_object_at(s, "abn"), foreign);
	sim_clean(s->p.sim);
	scene_plan(s);
	scene_assert_equal_trees(s);
}

/* Our file, changed by somebody at the target, is no longer ours to touch. */
static void test_changed_at_target(void **state)
{
	struct scene *s = *state;
	struct sim_object *o;
	unsigned no;

	scene_make_tree(s);
	no = scene_object_at(s, "ca");
	o = &s->p.sim->objects[no];
	o->mtime = ++s->p.sim->stamp;
	o->data = -2;
	o->ours = false;
	s->p.sim->had_foreign = true;
	world_write(&s->w, "ca");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "ca"), no);
	assert_int_equal(o->data, -2);
	world_remove(&s->w, "ca");
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "ca"), no);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_foreign_name),
		STORY(test_foreign_way),
		STORY(test_foreign_in_ours),
		STORY(test_changed_at_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
