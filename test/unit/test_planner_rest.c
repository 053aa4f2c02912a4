/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file whose copy takes long rests before it is copied again. */
#include "engine/deliver/pending.h"
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

#define S_US INT64_C(1000000)

static void test_rests(void **state)
{
	static struct jb_rests rests;
	const struct jb_id id = {7, 1}, again = {7, 2},
			   other = {7 + JB_RESTS, 1};

	(void)state;
	assert_int_equal(jb_rests_until(&rests, id, 100), 0);
	jb_rests_note(&rests, id, 100 * S_US, S_US / 20); /* no time at all */
	assert_int_equal(jb_rests_until(&rests, id, 100 * S_US), 0);
	jb_rests_note(&rests, id, 100 * S_US, 2 * S_US);
	assert_int_equal(jb_rests_until(&rests, id, 100 * S_US), 118 * S_US);
	assert_int_equal(jb_rests_until(&rests, again, 100 * S_US), 0);
	assert_int_equal(jb_rests_until(&rests, other, 100 * S_US), 0);
	assert_int_equal(jb_rests_until(&rests, id, 118 * S_US), 0);
	/* Never for more than a quarter of an hour, nor by a clock set back. */
	jb_rests_note(&rests, id, 5000 * S_US, INT64_MAX);
	assert_int_equal(jb_rests_until(&rests, id, 5000 * S_US), 5900 * S_US);
	assert_int_equal(jb_rests_until(&rests, id, 4999 * S_US), 0);
}

/* Its old version stays meanwhile, and follows a rename. Then it is copied, or
 * when a person asks. */
static void test_resting(void **state)
{
	static struct jb_rests rests;
	struct scene *s = *state;
	unsigned old;

	scene_make_tree(s);
	rests = (struct jb_rests){0};
	s->p.step = S_US;
	s->p.options.rests = &rests;
	s->p.sim->took_us = 10 * S_US;
	world_write(&s->w, "abc");
	scene_plan(s);
	assert_int_equal(s->copies, 1);
	old = scene_object_at(s, "abc");

	world_write(&s->w, "abc");
	world_rename(&s->w, "abc", "abz");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "abz"), old);
	assert_int_equal(scene_number(s, "SELECT reason FROM pending"),
			 JB_REASON_RESTING);
	assert_true(scene_number(s, "SELECT next FROM pending") > s->p.now);
	s->p.now += 100 * S_US;
	scene_plan(s);
	assert_int_equal(s->copies, 1);
	scene_assert_equal_trees(s);

	world_write(&s->w, "abz");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	jb_store_exec(jb_replica_store(s->p.replica),
		      "UPDATE pending SET next = 1", NULL);
	scene_plan(s);
	assert_int_equal(s->copies, 1);
	scene_assert_equal_trees(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rests),
		STORY(test_resting),
	};

	return cmocka_run_group_tests_name("planner_rest", tests, NULL, NULL);
}
