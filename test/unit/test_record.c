/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recorder's bookkeeping: order of looks, marks, groups of detached rows,
 * the filter, sets of keys, reading ahead. */
#include "engine/record/ahead.h"
#include "engine/watch/barrier.h"
#include "engine/record/detached.h"
#include "engine/record/filter.h"
#include "engine/record/keyset.h"
#include "engine/record/todo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Parents first; among equals, first come first served. */
static void test_todo_order(void **state)
{
	struct jb_todo t = {0};
	struct jb_todo_item item = {0};
	unsigned depth = 0, seed = 3;
	uint64_t order = 0;

	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		item.depth = (unsigned)rand_r(&seed) % 9;
		item.origin = 100 + i;
		assert_int_equal(jb_todo_push(&t, item, NULL), JB_OK);
	}
	assert_int_equal(jb_todo_oldest(&t), 100);
	while (jb_todo_pop(&t, &item)) {
		assert_true(item.depth >= depth);
		if (item.depth == depth && order != 0)
			assert_true(item.order > order);
		depth = item.depth;
		order = item.order;
	}
	assert_int_equal(jb_todo_oldest(&t), UINT64_MAX);
	jb_todo_fini(&t);
}

static struct jb_dirty make_set(uint64_t no, uint64_t upto)
{
	return (struct jb_dirty){.no = no, .upto = {upto, 0}};
}

/* Passed by a set that was handed over after the answer, holds the count, and
 * left nothing over. */
static void test_mark(void **state)
{
	struct jb_mark *m = jb_mark_new();
	struct jb_dirty early = make_set(4, 999), little = make_set(5, 99),
			full = make_set(6, 100), later = make_set(7, 120);

	(void)state;
	assert_false(jb_mark_passed(NULL, &full, UINT64_MAX));
	assert_false(jb_mark_passed(m, &full, UINT64_MAX));
	m->count[0] = 100;
	m->batch = 4;
	atomic_store(&m->answered, true);
	assert_false(jb_mark_passed(m, &early, UINT64_MAX));
	assert_false(jb_mark_passed(m, &little, UINT64_MAX));
	/* Batch 6 left looks over, and one of batch 5 is still to come. */
	assert_false(jb_mark_passed(m, &full, 5));
	assert_false(jb_mark_passed(m, &later, 6));
	assert_true(jb_mark_passed(m, &later, 7));
	jb_mark_unref(m);
}

/* Groups pass in the order of their numbers, never a later one first. */
static void test_detached_groups(void **state)
{
	struct jb_mark *first = jb_mark_new(), *second = jb_mark_new();
	struct jb_dirty set = make_set(9, 100);
	struct jb_detached d;

	(void)state;
	jb_detached_init(&d);
	jb_detached_group_add(&d, 3, 10, NULL);
	jb_detached_group_add(&d, 4, 25, NULL);
	d.groups[0].mark = jb_mark_ref(first);
	d.groups[1].mark = jb_mark_ref(second);
	atomic_store(&second->answered, true);
	jb_detached_advance(&d, &set, UINT64_MAX);
	assert_int_equal(d.passed, 0);
	first->count[0] = 100;
	atomic_store(&first->answered, true);
	jb_detached_advance(&d, &set, UINT64_MAX);
	assert_int_equal(d.passed, 25);
	assert_int_equal(d.n_groups, 0);
	jb_detached_regroup(&d, 9, 30, NULL);
	assert_int_equal(d.passed, 0);
	assert_int_equal(d.n_groups, 1);
	jb_detached_fini(&d);
	jb_mark_unref(first);
	jb_mark_unref(second);
}

/* The set of detached inodes never says no for one that is in it; when it is
 * full it says yes to all. */
static void test_detached_inodes(void **state)
{
	struct jb_detached d;

	(void)state;
	jb_detached_init(&d);
	assert_false(jb_detached_may_hold(&d, 5));
	for (uint64_t i = 1; i <= 100000; i++)
		jb_detached_note(&d, i * 3);
	for (uint64_t i = 1; i <= 100000; i++) {
		assert_true(jb_detached_may_hold(&d, i * 3));
		assert_false(jb_detached_may_hold(&d, i * 3 + 1));
	}
	for (uint64_t i = 1; i <= 1100000; i++)
		jb_detached_note(&d, i * 3);
	assert_true(d.inexact);
	assert_true(jb_detached_may_hold(&d, 4));
	jb_detached_reset(&d);
	assert_false(jb_detached_may_hold(&d, 6));
	jb_detached_fini(&d);
}

/* What was added is never denied; of what was not, hardly anything passes. */
static void test_filter(void **state)
{
	struct jb_filter f = {0};
	unsigned wrong = 0;

	(void)state;
	assert_true(jb_filter_may_hold(&f, 1));
	jb_filter_begin(&f);
	for (uint64_t i = 0; i < 1000000; i++)
		jb_filter_add(&f, i * 2);
	for (uint64_t i = 0; i < 1000000; i++) {
		assert_true(jb_filter_may_hold(&f, i * 2));
		wrong += jb_filter_may_hold(&f, i * 2 + 1);
	}
	assert_true(wrong < 20000);
	jb_filter_end(&f);
}

/* It holds what was added since it was cleared, whatever its size. */
static void test_keyset(void **state)
{
	struct jb_keyset s = {0};

	(void)state;
	assert_false(jb_keyset_has(&s, 1));
	for (unsigned round = 1; round < 4; round++) {
		uint64_t step = 1000 * round + 7;

		for (uint64_t key = step; key < 20000 * step; key += step) {
			assert_int_equal(jb_keyset_add(&s, key), 1);
			assert_int_equal(jb_keyset_add(&s, key), 0);
		}
		assert_int_equal(jb_keyset_add(&s, step), 0);
		for (uint64_t key = step; key < 20000 * step; key += step) {
			assert_true(jb_keyset_has(&s, key));
			assert_false(jb_keyset_has(&s, key + 1));
		}
		jb_keyset_clear(&s);
		assert_false(jb_keyset_has(&s, step));
	}
	jb_keyset_fini(&s);
}

#define AHEAD_DIRS 300

/* Directory i holds "a" and i files "f0", "f1" ... */
static void make_dirs(const char *at)
{
	char command[512];

	snprintf(command, sizeof command,
		 "cd %s && for i in $(seq 0 %d); do mkdir $i && touch $i/a &&"
		 " seq -f $i/f%%g 0 $((i %% 9)) | xargs touch; done",
		 at, AHEAD_DIRS - 1);
	assert_int_equal(system(command), 0);
}

static void check_ahead(const struct jb_ahead_dir *dir, uint64_t key,
			const char *at)
{
	char path[128];
	struct jb_look look;

	assert_int_equal(dir->key, key);
	assert_int_equal(dir->names.n, key % 9 + 2);
	for (size_t i = 0; i < dir->names.n; i++) {
		snprintf(path, sizeof path, "%s/%d/%s", at, (int)key,
			 jb_names_get(&dir->names, i));
		assert_int_equal(jb_look_at(AT_FDCWD, path, &look, NULL), 1);
		assert_true(jb_id_equal(look.id, dir->looks[i].id));
	}
}

/* Want them all, take them all, in one order or the other. Returns how many had
 * been read. */
static unsigned read_ahead(struct jb_ahead *a, const struct jb_root *root,
			   const struct jb_handle *handles, bool backwards,
			   const char *at)
{
	struct jb_ahead_dir *dir;
	unsigned given = 0;

	jb_ahead_begin(a);
	for (uint64_t i = 1; i < AHEAD_DIRS; i++)
		jb_ahead_want(a, i, root,
			      (struct jb_handle_ref){handles[i].bytes,
						     handles[i].len});
	for (uint64_t i = 1; i < AHEAD_DIRS; i++) {
		uint64_t key = backwards ? AHEAD_DIRS - i : i;

		dir = jb_ahead_take(a, key);
		if (dir != NULL)
			check_ahead(dir, key, at);
		given += dir != NULL;
		jb_ahead_dir_free(dir);
		assert_null(jb_ahead_take(a, key));
	}
	return given;
}

/* What is taken is what was wanted, once, in whatever order. */
static void test_ahead(void **state)
{
	char at[] = "/var/tmp/journalctl-backup-ahead-XXXXXX", text[80];
	struct jb_handle handles[AHEAD_DIRS];
	struct jb_root root = {.by_handle = true};
	struct jb_ahead *a = NULL;
	unsigned given = 0;
	bool able = true;

	(void)state;
	assert_non_null(mkdtemp(at));
	make_dirs(at);
	root.fd = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root.fd >= 0);
	for (int i = 0; i < AHEAD_DIRS && able; i++) {
		snprintf(text, sizeof text, "%d", i);
		able = jb_handle_get(root.fd, text, &handles[i], NULL) == JB_OK;
	}
	assert_int_equal(jb_ahead_start(&a, NULL), JB_OK);
	for (int i = 0; able && (i < 20 || (given == 0 && i < 1000)); i++)
		given += read_ahead(a, &root, handles, i % 2 != 0, at);
	jb_ahead_stop(a);
	close(root.fd);
	snprintf(text, sizeof text, "rm -r %s", at);
	assert_int_equal(system(text), 0);
	if (!able || geteuid() != 0)
		skip(); /* no file handles here, or no right to open them */
	assert_true(given > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_todo_order),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_detached_groups),
		cmocka_unit_test(test_detached_inodes),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_keyset),
		cmocka_unit_test(test_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
