/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_scene.h - a world, and one policy that copies it to a
 * simulated target: for stories in which one thing happens at a time.
 *
 * Lifecycle: scene_set_up -> (change the world -> plan -> look)* ->
 * scene_tear_down, which are a test's fixture. */
#ifndef JB_PROPERTY_PLANNER_SCENE_H
#define JB_PROPERTY_PLANNER_SCENE_H

#include "property/planner_judge.h"

#define LIMIT_NONE 1000

struct scene {
	struct world w;
	struct policy p;
	unsigned operations; /* of the last plan: names only */
	uint64_t copies;
};

extern const struct w_select scene_everything;

int scene_set_up(void **state);
int scene_tear_down(void **state);
#define STORY(f)                                                               \
	cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)

/* Begin again, with MaxDelete=@limit. */
void scene_limit_deletions(struct scene *s, unsigned limit,
			   const struct w_select *sel);

/* One plan of all rows there are; the target must keep what it promises. */
void scene_plan(struct scene *s);
/* Source and target are equal, nothing is left to do; else the test fails. */
void scene_assert_equal_trees(struct scene *s);

/* The object at a path of the target, a byte per name; 0: nothing. */
unsigned scene_object_at(const struct scene *s, const char *path);
/* What @sql says of the replica; -1: no row. */
int64_t scene_number(struct scene *s, const char *sql);

/* Two levels of directories with ten files, one beside them; copied. */
void scene_make_tree(struct scene *s);

#endif
