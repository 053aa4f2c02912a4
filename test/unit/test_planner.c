/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of the planner, at a simulated target: one thing at a time. Whether
 * it also holds when everything happens at once is test_planner_model's. */
#include "property/planner_scene.h"

#include <stdio.h>
#include <string.h>

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

/* Selection is of the path: in and out of it by renames. */
static void test_selection(void **state)
{
	static const struct w_select sel = {{NULL}, {"c"}};
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
	rv = jb_planner_release(s->p.replica, h.seq, NULL);
	assert_int_equal(rv, JB_OK);
	scene_plan(s);
	assert_int_equal(scene_object_at(s, "abc"), 0);
	assert_int_not_equal(scene_object_at(s, "ca"), 0);
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

static int64_t n_overwritten(struct scene *s)
{
	int64_t n = 0;

	for (int c = 'c'; c <= 'l'; c++) {
		const char path[] = {'a', 'b', (char)c, '\0'};
		unsigned no = state_find(world_live(&s->w), path);

		n += s->p.sim->objects[scene_object_at(s, path)].data ==
		     state_entry(world_live(&s->w), no)->data;
	}
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
	assert_int_equal(jb_planner_release(s->p.replica, h.seq, NULL), JB_OK);
	world_write(&s->w, "abj");
	scene_plan(s);
	scene_assert_equal_trees(s);
	assert_int_equal(scene_number(s, "SELECT sum(count) FROM deleted"
					 " WHERE what = 1"),
			 1);
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

/* A restored tree is matched whole, however small the pages: what comes in a
 * later page must not look surplus in the first one. */
static void test_restored_in_pages(void **state)
{
	struct scene *s = *state;
	unsigned file;

	scene_make_tree(s);
	file = scene_object_at(s, "abl");
	s->p.options.page = 2;
	world_restore(&s->w);
	/* Of the new identities only those at the top are told of. */
	s->w.n_rows = s->p.cursor;
	world_chmod(&s->w, "a");
	world_chmod(&s->w, "c");
	scene_plan(s);
	assert_int_equal(s->copies, 0);
	assert_int_equal(scene_object_at(s, "abl"), file);
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
#define STORY(f)                                                               \
	cmocka_unit_test_setup_teardown(f, scene_set_up, scene_tear_down)
	const struct CMUnitTest tests[] = {
		STORY(test_new_tree),
		STORY(test_renamed_directory),
		STORY(test_swap_and_save),
		STORY(test_moved_aside),
		STORY(test_inversion),
		STORY(test_type_changes),
		STORY(test_hard_links),
		STORY(test_attributes),
		STORY(test_restored_source),
		STORY(test_foreign_name),
		STORY(test_foreign_in_ours),
		STORY(test_changed_at_target),
		STORY(test_selection),
		STORY(test_held_at_once),
		STORY(test_held_slowly),
		STORY(test_replaced_is_not_held),
		STORY(test_overwrites_held),
		STORY(test_overwrites_counted),
		STORY(test_target_without_links),
		STORY(test_links_while_detached),
		STORY(test_old_version_stays),
		STORY(test_emptied_top),
		STORY(test_adoption),
		STORY(test_adoption_by_content),
		STORY(test_detached),
		STORY(test_pages),
		STORY(test_full_pages),
		STORY(test_as_room_allows),
		STORY(test_restored_in_pages),
		STORY(test_failing_path),
		STORY(test_moved_into_what_goes),
		STORY(test_dry_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
