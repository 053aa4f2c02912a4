/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a query goes on: with its next page, behind a cursor, with what is yet
 * to come. */
#include "lib/t_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Pages follow one another without a hole or a repetition. */
static void test_pages(void **state)
{
	struct t_query *t = *state;

	for (int i = 0; i < 3500; i++)
		t_query_add(t, JB_KIND_CREATED, "a");
	t_query_ask(t);
	assert_int_equal(t->n, 3500);
	for (size_t i = 0; i < t->n; i++)
		assert_int_equal(t->seqs[i], i + 1);
	t->f.reverse = true;
	t_query_ask(t);
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
		t_query_add(t, JB_KIND_CREATED, i % 2 ? "odd" : "even");
	t->f.limit = 2;
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 2, 4);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:4");
	t->f.after_cursor = cursor;
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 6);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
	t_query_ask_for(t, "odd");
	assert_int_equal(t->n, 0);
	t_query_add(t, JB_KIND_CREATED, "odd");
	t_query_ask_for(t, "odd");
	T_QUERY_EXPECT(t, 7);
}

/* Newest first, or the last ones: the cursor is behind the newest. */
static void test_cursor_of_newest(void **state)
{
	struct t_query *t = *state;
	char cursor[JB_QUERY_CURSOR_MAX];

	for (int i = 0; i < 6; i++)
		t_query_add(t, JB_KIND_CREATED, "a");
	t->f.limit = 2;
	t->f.reverse = true;
	t_query_ask(t);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
	t->f.reverse = false;
	t->f.newest = true;
	t_query_ask(t);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:6");
	t->f.limit = 0;
	t_query_ask(t);
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

	t_query_add(t, JB_KIND_CREATED, "a");
	t_query_add(t, JB_KIND_CREATED, "b");
	t_query_add(t, JB_KIND_CREATED, "c");
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		t->f.after_cursor = texts[i];
		assert_int_equal(t_query_open(t), JB_EINVAL);
	}
	t->f.after_cursor = "1123456789abcdef:1";
	assert_int_equal(t_query_open(t), JB_ESTALE);
	t->f.after_cursor = "0123456789abcdef:4";
	assert_int_equal(t_query_open(t), JB_ESTALE);
	t_journal_commit(&t->j);
	assert_int_equal(jb_store_exec(t->j.store,
				       "DELETE FROM change WHERE seq < 3",
				       &t->err),
			 JB_OK);
	t->f.after_cursor = "0123456789abcdef:1";
	assert_int_equal(t_query_open(t), JB_EGAP);
	t->f.after_cursor = "0123456789abcdef:2";
	t_query_ask(t);
	T_QUERY_EXPECT(t, 3);
}

/* A follower gets each later change once, of new roots too. */
static void test_follow(void **state)
{
	struct t_query *t = *state;

	t_query_add(t, JB_KIND_CREATED, "a");
	t_query_add(t, JB_KIND_CREATED, "b");
	t_query_add(t, JB_KIND_CREATED, "a");
	t->f.follow = true;
	t->f.newest = true;
	t->f.limit = 1;
	t_query_ask_for(t, "a");
	T_QUERY_EXPECT(t, 3);
	t_query_read(t);
	assert_int_equal(t->n, 0);
	t_query_add(t, JB_KIND_MODIFIED, "b");
	t_journal_root(&t->j, "new", "/srv/new");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .root = 3,
						   .path = "a"});
	t_journal_commit(&t->j);
	t_query_read(t);
	T_QUERY_EXPECT(t, 5);
	for (int i = 0; i < 2500; i++)
		t_query_add(t, JB_KIND_MODIFIED, "a");
	t_journal_commit(&t->j);
	t_query_read(t);
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
	t_query_ask(t);
	assert_int_equal(t->n, 0);
	jb_query_cursor(t->q, cursor);
	assert_string_equal(cursor, "0123456789abcdef:0");
	t_journal_batch(&t->j, 10);
	t_query_add(t, JB_KIND_CREATED, "a");
	t_journal_commit(&t->j);
	t_query_read(t);
	T_QUERY_EXPECT(t, 1);
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
		t_query_add(t, JB_KIND_CREATED, "a");
	assert_int_equal(t_query_open(t), JB_OK);
	assert_int_equal(jb_query_next(t->q, &rows, &n, &t->err), JB_OK);
	assert_int_equal(n, JB_QUERY_PAGE);
	t_query_add(t, JB_KIND_CREATED, "b");
	assert_int_equal(jb_store_exec(t->j.store, "COMMIT", &t->err), JB_OK);
	assert_int_equal(sqlite3_wal_checkpoint_v2(t->j.store->db, NULL,
						   SQLITE_CHECKPOINT_TRUNCATE,
						   &logged, &written),
			 SQLITE_OK);
	assert_int_equal(jb_store_exec(t->j.store, "BEGIN", &t->err), JB_OK);
	t_query_read(t);
	assert_int_equal(t->n, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T_QUERY(test_pages),
		T_QUERY(test_cursor),
		T_QUERY(test_cursor_of_newest),
		T_QUERY(test_bad_cursors),
		T_QUERY(test_follow),
		T_QUERY(test_empty),
		T_QUERY(test_no_transaction_between_pages),
	};

	return cmocka_run_group_tests_name("query cursor", tests, NULL, NULL);
}
