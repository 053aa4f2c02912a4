/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which changes a query gives, in which order, and where it goes on. */
#include "journal/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/t_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEQS_MAX 4096

struct t_query {
	char dir[64];
	struct t_journal j;
	struct jb_store *reader; /* owned */
	struct jb_query_filter f;
	struct jb_query *q; /* owned; of ask() */
	struct jb_error err;
	int64_t seqs[SEQS_MAX];
	size_t n;
};

static int setup(void **state)
{
	struct t_query *t = calloc(1, sizeof *t);

	assert_non_null(t);
	strcpy(t->dir, "/tmp/jb-query-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t_journal_init(&t->j, t->dir);
	t_journal_root(&t->j, "nfs", "/srv/nfs");
	t_journal_root(&t->j, "home", "/home");
	t->f = (struct jb_query_filter)JB_QUERY_FILTER_INIT;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct t_query *t = *state;
	char line[128];

	jb_query_close(t->q);
	jb_store_close(t->reader);
	t_journal_fini(&t->j);
	snprintf(line, sizeof line, "rm -r %s", t->dir);
	assert_int_equal(system(line), 0);
	free(t);
	return 0;
}

static void add(struct t_query *t, int kind, const char *path)
{
	t_journal_change(&t->j, &(struct t_change){.kind = kind, .path = path});
}

static void rename_to(struct t_query *t, const char *from, const char *to)
{
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_RENAMED,
						   .path = to,
						   .old_path = from});
}

/* Open t->f; the result is jb_query_open's. */
static int open_query(struct t_query *t)
{
	t_journal_commit(&t->j);
	jb_query_close(t->q);
	t->q = NULL;
	if (t->reader == NULL)
		assert_int_equal(jb_store_open(t->dir, JB_STORE_READ,
					       &t->reader, &t->err),
				 JB_OK);
	return jb_query_open(t->reader, &t->f, &t->q, &t->err);
}

/* What the open query gives until its end. */
static void read_on(struct t_query *t)
{
	const struct jb_query_row *rows;
	size_t n;

	t->n = 0;
	for (;;) {
		if (jb_query_next(t->q, &rows, &n, &t->err) != JB_OK)
			fail_msg("%s", t->err.text);
		assert_true(n <= JB_QUERY_PAGE);
		if (n == 0)
			return;
		for (size_t i = 0; i < n && t->n < SEQS_MAX; i++)
			t->seqs[t->n++] = rows[i].seq;
	}
}

static void ask(struct t_query *t)
{
	if (open_query(t) != JB_OK)
		fail_msg("%s", t->err.text);
	read_on(t);
}

/* The seqs given are those, ended by 0. */
static void expect(struct t_query *t, const int64_t *seqs)
{
	size_t n = 0;

	while (seqs[n] != 0)
		n++;
	if (n != t->n || memcmp(seqs, t->seqs, n * sizeof *seqs) != 0) {
		for (size_t i = 0; i < t->n; i++)
			print_message("got %lld\n", (long long)t->seqs[i]);
		fail_msg("%zu rows, expected %zu", t->n, n);
	}
}
#define EXPECT(t, ...) expect(t, (const int64_t[]){__VA_ARGS__, 0})

static void ask_pattern(struct t_query *t, const char *pattern)
{
	const char *const patterns[] = {pattern};

	t->f.patterns = patterns;
	t->f.n_patterns = 1;
	ask(t);
}

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
	assert_int_equal(open_query(t), JB_OK);
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

	add(t, JB_KIND_CREATED, "photos/2024/a.jpg");	  /* 1 */
	add(t, JB_KIND_CREATED, "photos/2024/x/b.jpg");	  /* 2 */
	add(t, JB_KIND_CREATED, "photos/20245/c.jpg");	  /* 3 */
	add(t, JB_KIND_CREATED, "photos/2024");		  /* 4: a file */
	add(t, JB_KIND_CREATED, "old/photos/2024/d.png"); /* 5 */
	rename_to(t, "photos/2024/e", "elsewhere/e");	  /* 6 */
	ask_pattern(t, "/photos/2024/***");
	EXPECT(t, 1, 2, 6);
	ask_pattern(t, "/photos/2024/");
	EXPECT(t, 1, 2, 6);
	ask_pattern(t, "/photos/2024");
	EXPECT(t, 1, 2, 4, 6);
	ask_pattern(t, "photos/2024");
	EXPECT(t, 1, 2, 4, 5, 6);
	ask_pattern(t, "*.jpg");
	EXPECT(t, 1, 2, 3);
	ask_pattern(t, "/photos/2024/*.jpg");
	EXPECT(t, 1);
	ask_pattern(t, "/elsewhere/e");
	EXPECT(t, 6);
	ask_pattern(t, "nothing");
	assert_int_equal(t->n, 0);
}

/* An absolute path is a place in its root, in that one only. */
static void test_absolute(void **state)
{
	struct t_query *t = *state;

	add(t, JB_KIND_CREATED, "a/b");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .root = 2,
						   .path = "a/b"});
	add(t, JB_KIND_CREATED, "srv/nfs/a/c");
	ask_pattern(t, "/srv/nfs/a/");
	EXPECT(t, 1, 3);
	ask_pattern(t, "/home");
	EXPECT(t, 2);
	ask_pattern(t, "/home/");
	EXPECT(t, 2);
	ask_pattern(t, "/homes");
	assert_int_equal(t->n, 0);
}

/* Roots and kinds narrow; several of them add up. */
static void test_roots_and_kinds(void **state)
{
	const char *const home[] = {"home"}, *const both[] = {"home", "nfs"};
	struct t_query *t = *state;

	add(t, JB_KIND_CREATED, "a");
	add(t, JB_KIND_DELETED, "b");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .root = 2,
						   .path = "c"});
	add(t, JB_KIND_ATTRIB, "d");
	t->f.roots = home;
	t->f.n_roots = 1;
	ask(t);
	EXPECT(t, 3);
	t->f.roots = both;
	t->f.n_roots = 2;
	t->f.kinds = 1u << JB_KIND_CREATED | 1u << JB_KIND_ATTRIB;
	ask(t);
	EXPECT(t, 1, 3, 4);
}

/* A root that is not there is named, with those that are. */
static void test_unknown_root(void **state)
{
	const char *const roots[] = {"hom"};
	struct t_query *t = *state;

	t->f.roots = roots;
	t->f.n_roots = 1;
	assert_int_equal(open_query(t), JB_ENOENT);
	assert_non_null(strstr(t->err.text, "'hom'"));
	assert_non_null(strstr(t->err.text, "nfs home"));
}

/* Times are those of the batches, both ends belong to the window. */
static void test_window(void **state)
{
	struct t_query *t = *state;

	for (int i = 1; i <= 5; i++) {
		t_journal_batch(&t->j, i * 100);
		add(t, JB_KIND_CREATED, "a");
		add(t, JB_KIND_MODIFIED, "a");
	}
	t->f.since_us = 200;
	t->f.until_us = 300;
	ask(t);
	EXPECT(t, 3, 4, 5, 6);
	t->f.since_us = 301;
	t->f.until_us = INT64_MAX;
	ask(t);
	EXPECT(t, 7, 8, 9, 10);
	t->f.since_us = INT64_MIN;
	t->f.until_us = 199;
	ask(t);
	EXPECT(t, 1, 2);
	t->f.since_us = t->f.until_us = 250;
	ask(t);
	assert_int_equal(t->n, 0);
	t->f.since_us = 501;
	t->f.until_us = INT64_MAX;
	ask(t);
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
		add(t, JB_KIND_CREATED, "a");
	}
	t->f.since_us = 150;
	t->f.until_us = 250;
	ask(t);
	EXPECT(t, 3, 5, 6);
	t->f.reverse = true;
	ask(t);
	EXPECT(t, 6, 5, 3);
	t->f.reverse = false;
	t->f.newest = true;
	t->f.limit = 2;
	ask(t);
	EXPECT(t, 5, 6);
	t->f = (struct jb_query_filter)JB_QUERY_FILTER_INIT;
	t->f.since_us = 800;
	ask(t);
	EXPECT(t, 2, 7);
}

/* First, last, newest first: of what matches. */
static void test_limits(void **state)
{
	struct t_query *t = *state;

	for (int i = 0; i < 10; i++)
		add(t, JB_KIND_CREATED, i % 2 ? "odd" : "even");
	t->f.limit = 2;
	ask_pattern(t, "odd");
	EXPECT(t, 2, 4);
	t->f.newest = true;
	ask_pattern(t, "odd");
	EXPECT(t, 8, 10);
	t->f.reverse = true;
	ask_pattern(t, "odd");
	EXPECT(t, 10, 8);
	t->f.limit = 0;
	ask_pattern(t, "odd");
	assert_int_equal(t->n, 0);
	t->f.reverse = false;
	t->f.limit = 100;
	ask_pattern(t, "odd");
	EXPECT(t, 2, 4, 6, 8, 10);
}

/* Pages follow one another without a hole or a repetition. */
static void test_pages(void **state)
{
	struct t_query *t = *state;

	for (int i = 0; i < 3500; i++)
		add(t, JB_KIND_CREATED, "a");
	ask(t);
	assert_int_equal(t->n, 3500);
	for (size_t i = 0; i < t->n; i++)
		assert_int_equal(t->seqs[i], i + 1);
	t->f.reverse = true;
	ask(t);
	assert_int_equal(t->n, 3500);
	for (size_t i = 0; i < t->n; i++)
		assert_int_equal(t->seqs[i], 3500 - i);
}

/* A cursor continues behind what was looked at, row by row or at the end. */
static void test_cursor(void **state)
{
	struct t_query *t = *state;
	char cursor[JB_QUERY_CURSOR_MAX];

	for (int i = 0; i < 6; i++)
		add(t, JB_KIND_CREATED, i % 2 ? "odd" : "even");
	t->f.limit = 2;
	ask_pattern(t, "odd");
	EXPECT(t, 2, 4);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:4");
	t->f.after_cursor = cursor;
	ask_pattern(t, "odd");
	EXPECT(t, 6);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
	ask_pattern(t, "odd");
	assert_int_equal(t->n, 0);
	add(t, JB_KIND_CREATED, "odd");
	ask_pattern(t, "odd");
	EXPECT(t, 7);
}

/* Newest first, or the last ones: the cursor is behind the newest. */
static void test_cursor_of_newest(void **state)
{
	struct t_query *t = *state;
	char cursor[JB_QUERY_CURSOR_MAX];

	for (int i = 0; i < 6; i++)
		add(t, JB_KIND_CREATED, "a");
	t->f.limit = 2;
	t->f.reverse = true;
	ask(t);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
	t->f.reverse = false;
	t->f.newest = true;
	ask(t);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
	t->f.limit = 0;
	ask(t);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
}

/* A cursor that can't be honoured is refused, never half used. */
static void test_bad_cursors(void **state)
{
	static const char *const texts[] = {"",
					    "x",
					    "0123456789abcdef",
					    "0123456789abcdef:",
					    "0123456789abcdef:1x",
					    "0123456789abcdef:-1",
					    ":1"};
	struct t_query *t = *state;

	add(t, JB_KIND_CREATED, "a");
	add(t, JB_KIND_CREATED, "b");
	add(t, JB_KIND_CREATED, "c");
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		t->f.after_cursor = texts[i];
		assert_int_equal(open_query(t), JB_EINVAL);
	}
	t->f.after_cursor = "1123456789abcdef:1";
	assert_int_equal(open_query(t), JB_ESTALE);
	t->f.after_cursor = "0123456789abcdef:4";
	assert_int_equal(open_query(t), JB_ESTALE);
	t_journal_commit(&t->j);
	assert_int_equal(jb_store_exec(t->j.store,
				       "DELETE FROM change WHERE seq < 3",
				       &t->err),
			 JB_OK);
	t->f.after_cursor = "0123456789abcdef:1";
	assert_int_equal(open_query(t), JB_EGAP);
	t->f.after_cursor = "0123456789abcdef:2";
	ask(t);
	EXPECT(t, 3);
}

/* A follower gets each later change once, of new roots too. */
static void test_follow(void **state)
{
	struct t_query *t = *state;

	add(t, JB_KIND_CREATED, "a");
	add(t, JB_KIND_CREATED, "b");
	add(t, JB_KIND_CREATED, "a");
	t->f.follow = true;
	t->f.newest = true;
	t->f.limit = 1;
	ask_pattern(t, "a");
	EXPECT(t, 3);
	read_on(t);
	assert_int_equal(t->n, 0);
	add(t, JB_KIND_MODIFIED, "b");
	t_journal_root(&t->j, "new", "/srv/new");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .root = 3,
						   .path = "a"});
	t_journal_commit(&t->j);
	read_on(t);
	EXPECT(t, 5);
	for (int i = 0; i < 2500; i++)
		add(t, JB_KIND_MODIFIED, "a");
	t_journal_commit(&t->j);
	read_on(t);
	assert_int_equal(t->n, 2500);
	assert_int_equal(t->seqs[0], 6);
	assert_int_equal(t->seqs[2499], 2505);
}

/* A journal without changes is no failure, and can be followed. */
static void test_empty(void **state)
{
	struct t_query *t = *state;
	char cursor[JB_QUERY_CURSOR_MAX];

	t->f.follow = true;
	t->f.newest = true;
	t->f.limit = 10;
	t->f.since_us = 5;
	ask(t);
	assert_int_equal(t->n, 0);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:0");
	t_journal_batch(&t->j, 10);
	add(t, JB_KIND_CREATED, "a");
	t_journal_commit(&t->j);
	read_on(t);
	EXPECT(t, 1);
}

/* A pattern that can't be parsed is said so. */
static void test_bad_pattern(void **state)
{
	const char *const patterns[] = {"+ x"};
	struct t_query *t = *state;

	t->f.patterns = patterns;
	t->f.n_patterns = 1;
	assert_int_equal(open_query(t), JB_EINVAL);
	assert_non_null(strstr(t->err.text, "+ x"));
}

/* While a query waits for its caller, no read transaction is open: the writer
 * can empty the WAL. */
static void test_no_transaction_between_pages(void **state)
{
	const struct jb_query_row *rows;
	struct t_query *t = *state;
	int logged, written;
	size_t n;

	for (int i = 0; i < 3000; i++)
		add(t, JB_KIND_CREATED, "a");
	assert_int_equal(open_query(t), JB_OK);
	assert_int_equal(jb_query_next(t->q, &rows, &n, &t->err), JB_OK);
	assert_int_equal(n, JB_QUERY_PAGE);
	add(t, JB_KIND_CREATED, "b");
	assert_int_equal(jb_store_exec(t->j.store, "COMMIT", &t->err), JB_OK);
	assert_int_equal(sqlite3_wal_checkpoint_v2(t->j.store->db, NULL,
						   SQLITE_CHECKPOINT_TRUNCATE,
						   &logged, &written),
			 SQLITE_OK);
	assert_int_equal(jb_store_exec(t->j.store, "BEGIN", &t->err), JB_OK);
	read_on(t);
	assert_int_equal(t->n, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_row),
		T(test_patterns),
		T(test_absolute),
		T(test_roots_and_kinds),
		T(test_unknown_root),
		T(test_window),
		T(test_clock_set_back),
		T(test_limits),
		T(test_pages),
		T(test_cursor),
		T(test_cursor_of_newest),
		T(test_bad_cursors),
		T(test_follow),
		T(test_empty),
		T(test_bad_pattern),
		T(test_no_transaction_between_pages),
#undef T
	};

	return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
