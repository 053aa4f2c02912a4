/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which changes a query gives, and in which order. */
#include "lib/t_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

/* A row says all that the journal knows. */
static void test_row(void **state)
{
	const struct jb_query_row *rows;
	struct t_query *t = *state;
	size_t n;

	t_journal_batch(&t->j, 1234567);
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_RENAMED,
						   .path = "a/b\xff\n",
						   .old_path = "c",
						   .source = JB_SOURCE_SCAN,
						   .what = JB_WHAT_PLACE,
						   .mode = S_IFDIR | 0755,
						   .size = 4096,
						   .mtime = -5,
						   .ino = 77,
						   .birth = 88,
						   .entries = 9,
						   .bytes = 10});
	assert_int_equal(t_query_open(t), JB_OK);
	assert_int_equal(jb_query_next(t->q, &rows, &n, &t->err), JB_OK);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].seq, 1);
	assert_int_equal(rows[0].time_us, 1234567);
	assert_int_equal(rows[0].kind, JB_KIND_RENAMED);
	assert_int_equal(rows[0].source, JB_SOURCE_SCAN);
	assert_int_equal(rows[0].what, JB_WHAT_PLACE);
	assert_string_equal(rows[0].root, "nfs");
	assert_string_equal(rows[0].path, "a/b\xff\n");
	assert_int_equal(rows[0].path_len, 5);
	assert_string_equal(rows[0].old_path, "c");
	assert_int_equal(rows[0].old_path_len, 1);
	assert_int_equal(rows[0].id.ino, 77);
	assert_int_equal(rows[0].id.birth, 88);
	assert_int_equal(rows[0].mode, S_IFDIR | 0755);
	assert_int_equal(rows[0].size, 4096);
	assert_int_equal(rows[0].mtime_ns, -5);
	assert_int_equal(rows[0].entries, 9);
	assert_int_equal(rows[0].bytes, 10);
}

/* A pattern takes what rsync would exclude by it, and all below. */
static void test_patterns(void **state)
{
	struct t_query *t = *state;

	t_query_add(t, JB_KIND_CREATED, "photos/2024/a.jpg");	/* 1 */
	t_query_add(t, JB_KIND_CREATED, "photos/2024/x/b.jpg"); /* 2 */
	t_query_add(t, JB_KIND_CREATED, "photos/20245/c.jpg");	/* 3 */
	t_query_add(t, JB_KIND_CREATED, "photos/2024");		/* 4: a file */
	t_query_add(t, JB_KIND_CREATED, "old/photos/2024/d.png"); /* 5 */
	t_query_add_rename(t, "photos/2024/e", "elsewhere/e");	  /* 6 */
	t_query_ask_for(t, "/photos/2024/***");
	T_QUERY_EXPECT(t, 1, 2, 6);
	t_query_ask_for(t, "/photos/2024/");
	T_QUERY_EXPECT(t, 1, 2, 6);
	t_query_ask_for(t, "/photos/2024");
	T_QUERY_EXPECT(t, 1, 2, 4, 6);
	t_query_ask_for(t, "photos/2024");
	T_QUERY_EXPECT(t, 1, 2, 4, 5, 6);
	t_query_ask_for(t, "*.jpg");
	T_QUERY_EXPECT(t, 1, 2, 3);
	t_query_ask_for(t, "/photos/2024/*.jpg");
	T_QUERY_EXPECT(t, 1);
	t_query_ask_for(t, "/elsewhere/e");
	T_QUERY_EXPECT(t, 6);
	t_query_ask_for(t, "nothing");
	assert_int_equal(t->n, 0);
}

/* An absolute path is a place in its root, in that one only. */
static void test_absolute(void **state)
{
	struct t_query *t = *state;

	t_query_add(t, JB_KIND_CREATED, "a/b");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .root = 2,
						   .path = "a/b"});
	t_query_add(t, JB_KIND_CREATED, "srv/nfs/a/c");
	t_query_ask_for(t, "/srv/nfs/a/");
	T_QUERY_EXPECT(t, 1, 3);
	t_query_ask_for(t, "/home");
	T_QUERY_EXPECT(t, 2);
	t_query_ask_for(t, "/home/");
	T_QUERY_EXPECT(t, 2);
	t_query_ask_for(t, "/homes");
	assert_int_equal(t->n, 0);
}

/* Roots and kinds narrow; several of them add up. */
static void test_roots_and_kinds(void **state)
{
	const char *const home[] = {"home"}, *const both[] = {"home", "nfs"};
	struct t_query *t = *state;

	t_query_add(t, JB_KIND_CREATED, "a");
	t_query_add(t, JB_KIND_DELETED, "b");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .root = 2,
						   .path = "c"});
	t_query_add(t, JB_KIND_ATTRIB, "d");
	t->f.roots = home;
	t->f.n_roots = 1;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 3);
	t->f.roots = both;
	t->f.n_roots = 2;
	t->f.kinds = 1u << JB_KIND_CREATED | 1u << JB_KIND_ATTRIB;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 1, 3, 4);
}

/* A root that is not there is named, with those that are. */
static void test_unknown_root(void **state)
{
	const char *const roots[] = {"hom"};
	struct t_query *t = *state;

	t->f.roots = roots;
	t->f.n_roots = 1;
	assert_int_equal(t_query_open(t), JB_ENOENT);
	assert_non_null(strstr(t->err.text, "'hom'"));
	assert_non_null(strstr(t->err.text, "nfs home"));
}

/* Times are those of the batches, both ends belong to the window. */
static void test_window(void **state)
{
	struct t_query *t = *state;

	for (int i = 1; i <= 5; i++) {
		t_journal_batch(&t->j, i * 100);
		t_query_add(t, JB_KIND_CREATED, "a");
		t_query_add(t, JB_KIND_MODIFIED, "a");
	}
	t->f.since_us = 200;
	t->f.until_us = 300;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 3, 4, 5, 6);
	t->f.since_us = 301;
	t->f.until_us = INT64_MAX;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 7, 8, 9, 10);
	t->f.since_us = INT64_MIN;
	t->f.until_us = 199;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 1, 2);
	t->f.since_us = t->f.until_us = 250;
	t_query_ask(t);
	assert_int_equal(t->n, 0);
	t->f.since_us = 501;
	t->f.until_us = INT64_MAX;
	t_query_ask(t);
	assert_int_equal(t->n, 0);
}

/* A clock that was set back, or was wrong for a while, hides nothing and adds
 * nothing, in both directions. */
static void test_clock_set_back(void **state)
{
	static const int64_t times[] = {100, 900, 200, 300, 150, 250, 800};
	struct t_query *t = *state;

	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		t_journal_batch(&t->j, times[i]);
		t_query_add(t, JB_KIND_CREATED, "a");
	}
	t->f.since_us = 150;
	t->f.until_us = 250;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 3, 5, 6);
	t->f.reverse = true;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 6, 5, 3);
	t->f.reverse = false;
	t->f.newest = true;
	t->f.limit = 2;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 5, 6);
	t->f = (struct jb_query_filter)JB_QUERY_FILTER_INIT;
	t->f.since_us = 800;
	t_query_ask(t);
	T_QUERY_EXPECT(t, 2, 7);
}

/* First, last, newest first: of what matches. */
static void test_limits(void **state)
{
	struct t_query *t = *state;

	for (int i = 0; i < 10; i++)
		t_query_add(t, JB_KIND_CREATED, i % 2 ? "odd" : "even");
	t->f.limit = 2;
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 2, 4);
	t->f.newest = true;
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 8, 10);
	t->f.reverse = true;
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 10, 8);
	t->f.limit = 0;
	t_query_ask_for(t, "odd");
	assert_int_equal(t->n, 0);
	t->f.reverse = false;
	t->f.limit = 100;
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 2, 4, 6, 8, 10);
}

/* A pattern that can't be parsed is said so. */
static void test_bad_pattern(void **state)
{
	const char *const patterns[] = {"+ x"};
	struct t_query *t = *state;

	t->f.patterns = patterns;
	t->f.n_patterns = 1;
	assert_int_equal(t_query_open(t), JB_EINVAL);
	assert_non_null(strstr(t->err.text, "+ x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_QUERY(test_row),
		T_QUERY(test_patterns),
		T_QUERY(test_absolute),
		T_QUERY(test_roots_and_kinds),
		T_QUERY(test_unknown_root),
		T_QUERY(test_window),
		T_QUERY(test_clock_set_back),
		T_QUERY(test_limits),
		T_QUERY(test_bad_pattern),
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
