/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What retention drops, what it must keep, and in which steps. */
#include "journal/retain.h"

#include "journal/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/t_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_US (INT64_C(86400) * 1000000)
#define FAR    INT64_MAX

struct t_retain {
	char dir[64];
	struct t_journal j;
	struct jb_retain *r; /* owned */
	struct jb_retained done;
	unsigned steps;
};

static int setup(void **state)
{
	struct t_retain *t = calloc(1, sizeof *t);
	struct jb_error err;

	assert_non_null(t);
	strcpy(t->dir, "/tmp/jb-retain-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t_journal_init(&t->j, t->dir);
	t_journal_root(&t->j, "nfs", "/srv/nfs");
	assert_int_equal(jb_retain_open(t->j.store, &t->r, &err), JB_OK);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct t_retain *t = *state;
	char line[128];

	jb_retain_close(t->r);
	t_journal_fini(&t->j);
	snprintf(line, sizeof line, "rm -r %s", t->dir);
	assert_int_equal(system(line), 0);
	free(t);
	return 0;
}

/* The changes @path of day @day, each in a batch of its own. */
static void add(struct t_retain *t, int64_t day, const char *path)
{
	t_journal_batch(&t->j, day * DAY_US);
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_MODIFIED,
						   .path = path});
}

/* Carry out an order, outside of the fixture's transaction. */
static void carry_out(struct t_retain *t, struct jb_retain_order order)
{
	struct jb_error err;
	bool more = true;

	assert_int_equal(jb_store_exec(t->j.store, "COMMIT", &err), JB_OK);
	t->done = (struct jb_retained){0};
	for (t->steps = 0; more; t->steps++) {
		int64_t before = t->done.changes;

		assert_int_equal(jb_retain_step(t->r, &order, &t->done, &more,
						&err),
				 JB_OK);
		assert_true(t->done.changes - before <= JB_RETAIN_ROWS);
	}
	assert_int_equal(jb_store_exec(t->j.store, "BEGIN", &err), JB_OK);
}

static struct jb_retain_order older_than(int64_t day, int64_t upto)
{
	return (struct jb_retain_order){.before_us = day * DAY_US,
					.upto = upto};
}

static int64_t number(struct t_retain *t, const char *sql)
{
	struct jb_error err;
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(jb_store_prepare(t->j.store, sql, &st, &err), JB_OK);
	assert_int_equal(jb_store_step(t->j.store, st, &err), 1);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* Old changes go, with their batches and with the places that nothing names any
 * more; what is kept keeps its time. */
static void by_time(void **state)
{
	struct t_retain *t = *state;

	add(t, 10, "old/a");
	add(t, 11, "both/b");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_RENAMED,
						   .path = "old/c",
						   .old_path = "from/c"});
	add(t, 20, "both/d");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_RENAMED,
						   .path = "both/e",
						   .old_path = "was/e"});
	add(t, 21, "new/f");
	carry_out(t, older_than(15, FAR));
	assert_int_equal(t->done.changes, 3);
	assert_int_equal(t->done.places, 2); /* old, from */
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 4);
	assert_int_equal(number(t, "SELECT count(*) FROM place"), 3);
	assert_int_equal(number(t, "SELECT count(*) FROM change c JOIN place p"
				   " ON p.id = c.place"),
			 3);
	assert_int_equal(number(t, "SELECT min(seq) FROM batch"), 4);
	assert_int_equal(number(t, "SELECT time FROM batch WHERE seq <= 4"
				   " ORDER BY seq DESC LIMIT 1"),
			 20 * DAY_US);
}

/* A batch of which a part is kept stays. */
static void within_a_batch(void **state)
{
	struct t_retain *t = *state;

	add(t, 10, "a/1");
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_CREATED,
						   .path = "a/2"});
	add(t, 20, "a/3");
	carry_out(t, older_than(15, 1));
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 2);
	assert_int_equal(number(t, "SELECT min(seq) FROM batch"), 1);
}

/* Nothing goes that somebody still reads, however old it is. */
static void behind_the_cursor(void **state)
{
	struct t_retain *t = *state;

	for (int i = 0; i < 10; i++)
		add(t, 10, "a/b");
	carry_out(t, older_than(15, 4));
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 5);
}

/* The last change stays, so that no number is given twice. */
static void the_last_one_stays(void **state)
{
	struct t_retain *t = *state;

	for (int i = 0; i < 3; i++)
		add(t, 10, "a/b");
	carry_out(t, older_than(15, FAR));
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 3);
	assert_int_equal(number(t, "SELECT count(*) FROM place"), 1);
}

/* Many go in pages; each ends soon. */
static void in_steps(void **state)
{
	struct t_retain *t = *state;

	t_journal_fill(&t->j, &(struct t_fill){.changes = 10500,
					       .dirs = 200,
					       .per_batch = 40,
					       .end_us = 10 * DAY_US,
					       .span_us = DAY_US});
	add(t, 20, "a/b");
	carry_out(t, older_than(15, FAR));
	assert_int_equal(t->done.changes, 10500);
	assert_true(t->steps >= 11);
	assert_int_equal(number(t, "SELECT count(*) FROM place"), 1);
	assert_int_equal(number(t, "SELECT count(*) FROM batch"), 1);
}

/* A clock that was wrong for a while does not stop retention. */
static void a_wrong_clock(void **state)
{
	struct t_retain *t = *state;
	int64_t now = (int64_t)time(NULL) / 86400;

	add(t, 10, "a/1");
	add(t, now + 30000, "a/2");
	add(t, 11, "a/3");
	add(t, now, "a/4");
	add(t, now, "a/5");
	carry_out(t, older_than(now - 1, FAR));
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 4);
	assert_int_equal(number(t, "SELECT count(*) FROM clock"), 0);
}

/* Beyond its size the oldest go; then the file gets smaller. */
static void by_size(void **state)
{
	struct t_retain *t = *state;
	struct jb_extent was, is;
	struct jb_error err;
	int64_t limit;

	t_journal_fill(&t->j, &(struct t_fill){.changes = 60000,
					       .dirs = 500,
					       .per_batch = 40,
					       .end_us = 10 * DAY_US,
					       .span_us = DAY_US});
	assert_int_equal(jb_retain_extent(t->r, &was, &err), JB_OK);
	limit = was.used_bytes / 2;
	carry_out(t, (struct jb_retain_order){.before_us = INT64_MIN,
					      .max_bytes = limit,
					      .upto = FAR,
					      .shrink = true});
	assert_int_equal(jb_retain_extent(t->r, &is, &err), JB_OK);
	assert_true(is.used_bytes <= limit);
	assert_true(is.used_bytes > limit - (1 << 20)); /* and no more */
	assert_true(is.file_bytes < was.file_bytes * 6 / 10);
	assert_int_equal(t->done.bytes, was.file_bytes - is.file_bytes);
	assert_int_equal(number(t, "SELECT max(seq) FROM change"), 60000);
}

/* Without being told to, it leaves some free pages for what comes. */
static void keeps_some_room(void **state)
{
	struct t_retain *t = *state;
	struct jb_extent is;
	struct jb_error err;

	t_journal_fill(&t->j, &(struct t_fill){.changes = 20000,
					       .dirs = 50,
					       .per_batch = 40,
					       .end_us = 10 * DAY_US,
					       .span_us = DAY_US});
	carry_out(t, older_than(15, FAR));
	assert_int_equal(jb_retain_extent(t->r, &is, &err), JB_OK);
	assert_true(is.file_bytes - is.used_bytes > 1 << 20);
	assert_int_equal(t->done.bytes, 0);
}

/* Closed gaps go with the changes of their time; open ones stay. */
static void gaps(void **state)
{
	struct t_retain *t = *state;

	t_journal_gap(&t->j, "overflow", 9 * DAY_US, 10 * DAY_US, 11 * DAY_US,
		      1);
	t_journal_gap(&t->j, "overflow", 12 * DAY_US, 12 * DAY_US, 0, 0);
	t_journal_gap(&t->j, "overflow", 13 * DAY_US, 13 * DAY_US, 20 * DAY_US,
		      1);
	add(t, 10, "a/1");
	add(t, 20, "a/2");
	carry_out(t, older_than(15, FAR));
	assert_int_equal(t->done.gaps, 1);
	assert_int_equal(number(t, "SELECT count(*) FROM gap"), 2);
}

/* A reader's seq can be checked as long as it can go on from there. */
static void sessions(void **state)
{
	struct t_retain *t = *state;
	struct jb_error err;
	int64_t a, b, now;

	assert_int_equal(jb_session_begin(t->j.store, &err), JB_OK);
	add(t, 10, "a/1");
	add(t, 10, "a/2");
	assert_int_equal(jb_session_at(t->j.store, 2, &a, &err), JB_OK);
	assert_int_equal(jb_session_begin(t->j.store, &err), JB_OK);
	assert_int_equal(jb_session_begin(t->j.store, &err), JB_OK);
	add(t, 20, "a/3");
	add(t, 20, "a/4");
	assert_int_equal(jb_session_at(t->j.store, 3, &b, &err), JB_OK);
	assert_true(a != 0 && b != 0 && a != b);
	carry_out(t, older_than(15, FAR));
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 3);
	assert_int_equal(jb_session_at(t->j.store, 2, &now, &err), JB_OK);
	assert_int_equal(now, a);
	carry_out(t, older_than(25, FAR));
	assert_int_equal(number(t, "SELECT min(seq) FROM change"), 4);
	assert_int_equal(number(t, "SELECT count(*) FROM session"), 1);
	assert_int_equal(jb_session_at(t->j.store, 3, &now, &err), JB_OK);
	assert_int_equal(now, b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(by_time),
		T(within_a_batch),
		T(behind_the_cursor),
		T(the_last_one_stays),
		T(in_steps),
		T(a_wrong_clock),
		T(by_size),
		T(keeps_some_room),
		T(gaps),
		T(sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
