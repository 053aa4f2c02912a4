/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of trees that are deeper than a plan goes. */
#include "property/planner_scene.h"

#include <setjmp.h>
#include <cmocka.h>

static const struct w_select four_levels = {.levels = 4};

static void make_chain(struct scene *s)
{
	policy_reset(&s->p, &s->w, &four_levels, LIMIT_NONE);
	world_make(&s->w, "a", 'd');
	world_make(&s->w, "ab", 'd');
	world_make(&s->w, "abc", 'd');
	world_make(&s->w, "abcd", 'd');
	world_make(&s->w, "abcx", 'f');
	world_make(&s->w, "abcde", 'd');
	world_make(&s->w, "abcdef", 'd');
	world_make(&s->w, "abcdefg", 'f');
	world_make(&s->w, "abcdy", 'f');
	world_make(&s->w, "z", 'f');
	scene_plan(s);
}

static int64_t too_deep(struct scene *s)
{
	return scene_number(s, "SELECT count(*) FROM pending"
			       " WHERE reason = 26");
}

static int64_t pending(struct scene *s)
{
	return scene_number(s, "SELECT count(*) FROM pending");
}

/* What lies below the limit is copied, what lies right beyond it is told, and
 * what is deeper goes with that. */
static void test_told(void **state)
{
	struct scene *s = *state;

	make_chain(s);
	assert_true(scene_object_at(s, "z") != 0);
	assert_true(scene_object_at(s, "abcd") != 0);
	assert_true(scene_object_at(s, "abcx") != 0);
	assert_int_equal(scene_object_at(s, "abcde"), 0);
	assert_int_equal(too_deep(s), 2);
	assert_int_equal(pending(s), 2);

	/* Neither a change there nor a full pass alters that. */
	world_write(&s->w, "abcdefg");
	world_write(&s->w, "abcdy");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1, true);
	assert_int_equal(too_deep(s), 2);
	assert_int_equal(pending(s), 2);
	assert_true(policy_reconcile(&s->p, s->w.n_states - 1));
	assert_int_equal(pending(s), 2);
}

/* It is copied when it comes up, by itself or with what it is in. */
static void test_comes_up(void **state)
{
	struct scene *s = *state;

	make_chain(s);
	world_rename(&s->w, "abcde", "e");
	scene_plan(s);
	assert_true(scene_object_at(s, "efg") != 0);
	assert_int_equal(too_deep(s), 1);
	world_rename(&s->w, "abc", "c");
	scene_plan(s);
	assert_int_equal(too_deep(s), 0);
	scene_assert_equal_trees(s);
}

/* What goes is pending no more. */
static void test_goes(void **state)
{
	struct scene *s = *state;

	make_chain(s);
	world_remove(&s->w, "abcdy");
	world_remove(&s->w, "abcdefg");
	world_remove(&s->w, "abcdef");
	world_remove(&s->w, "abcde");
	scene_plan(s);
	assert_int_equal(pending(s), 0);
	scene_assert_equal_trees(s);
}

/* A tree that goes down loses what comes to lie beyond the limit; what has
 * another name there is copied under that one alone, and told. */
static void test_goes_down(void **state)
{
	struct scene *s = *state;

	make_chain(s);
	world_make(&s->w, "k", 'd');
	world_make(&s->w, "kl", 'd');
	world_make(&s->w, "klm", 'f');
	world_link(&s->w, "klm", "n");
	world_make(&s->w, "klo", 'f');
	scene_plan(s);
	assert_true(scene_object_at(s, "klo") != 0);
	world_rename(&s->w, "k", "abck");
	scene_plan(s);
	assert_true(scene_object_at(s, "abck") != 0);
	assert_int_equal(scene_object_at(s, "abckl"), 0);
	assert_true(scene_object_at(s, "n") != 0);
	/* klm and klo lie two levels beyond. */
	assert_int_equal(too_deep(s), 3);
	world_rename(&s->w, "abck", "abk");
	scene_plan(s);
	assert_true(scene_object_at(s, "abkl") != 0);
	assert_int_equal(too_deep(s), 4);
	world_rename(&s->w, "abk", "ak");
	scene_plan(s);
	assert_true(scene_object_at(s, "aklo") != 0);
	assert_int_equal(too_deep(s), 2);
	assert_int_equal(pending(s), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORY(test_told),
		STORY(test_comes_up),
		STORY(test_goes),
		STORY(test_goes_down),
	};

	return cmocka_run_group_tests_name("planner_deep", tests, NULL, NULL);
}
