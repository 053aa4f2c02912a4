/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "property/planner_scene.h"

#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

const struct w_select scene_everything = {.levels = 0};

int scene_set_up(void **state)
{
	static struct scene s;

	memset(&s, 0, sizeof s);
	policy_init(&s.p);
	world_init(&s.w, 1);
	s.p.step = 2000000000;
	policy_reset(&s.p, &s.w, &scene_everything, LIMIT_NONE);
	*state = &s;
	return 0;
}

int scene_tear_down(void **state)
{
	struct scene *s = *state;

	policy_fini(&s->p);
	world_fini(&s->w);
	return 0;
}

void scene_limit_deletions(struct scene *s, unsigned limit,
			   const struct w_select *sel)
{
	policy_reset(&s->p, &s->w, sel, limit);
}

void scene_plan(struct scene *s)
{
	unsigned before = s->p.sim->n_operations;
	uint64_t copies = s->p.sim->n_copies;
	bool ok;

	ok = policy_plan(&s->p, s->w.n_rows, s->w.n_states - 1, false);
	if (!ok || !policy_check(&s->p, P_ANYHOW))
		fail_msg("%s", s->p.sim->broken);
	s->operations = s->p.sim->n_operations - before;
	s->copies = s->p.sim->n_copies - copies;
}

void scene_assert_equal_trees(struct scene *s)
{
	if (!policy_check(&s->p, P_FULLY))
		fail_msg("%s", s->p.sim->broken);
}

unsigned scene_object_at(const struct scene *s, const char *path)
{
	unsigned at = SIM_TOP;
	char name[2] = "";

	for (; *path != '\0' && at != 0; path++) {
		name[0] = *path;
		at = sim_at(s->p.sim, at, name);
	}
	return at;
}

int64_t scene_number(struct scene *s, const char *sql)
{
	struct jb_store *store = jb_replica_store(s->p.replica);
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(store->db, sql, -1, &st, NULL),
			 SQLITE_OK);
	n = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : -1;
	sqlite3_finalize(st);
	return n;
}

void scene_make_tree(struct scene *s)
{
	world_make(&s->w, "a", 'd');
	world_make(&s->w, "ab", 'd');
	for (int c = 'c'; c <= 'l'; c++)
		world_make(&s->w, (char[]){'a', 'b', (char)c, '\0'}, 'f');
	world_make(&s->w, "c", 'd');
	world_make(&s->w, "ca", 'f');
	scene_plan(s);
	scene_assert_equal_trees(s);
}
