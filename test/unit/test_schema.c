/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An older journal is brought to the present schema with all that it holds;
 * and what a clean stop leaves is found again, once. */
#include "journal/gap.h"
#include "journal/rest.h"
#include "journal/retain.h"
#include "journal/schema.h"
#include "journal/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct fixture {
	char dir[32], path[64];
	struct jb_store *store;
};

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 16);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	fclose(f);
	return text;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	strcpy(f->dir, "/tmp/jb-schema.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof f->path, "%s/journal.db", f->dir);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	struct fixture *f = *state;
	char path[80];

	jb_store_close(f->store);
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

static int64_t ask(struct fixture *f, const char *sql)
{
	sqlite3_stmt *st;
	int64_t n;

	assert_int_equal(jb_store_prepare(f->store, sql, &st, NULL), JB_OK);
	assert_int_equal(jb_store_step(f->store, st, NULL), 1);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* A file that schema 1 wrote opens, has the present schema, and nothing in it
 * has changed; a second opening finds nothing to do. */
static void migrates_version_1(void **state)
{
	struct fixture *f = *state;
	struct jb_known_root root;
	struct jb_error err;
	char *sql = read_file(JB_STORED "/journal-1.sql");
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(sql);
	for (int i = 0; i < 2; i++) {
		if (jb_store_open(f->dir, JB_STORE_WRITE, &f->store, &err) !=
		    JB_OK)
			fail_msg("%s", err.text);
		assert_int_equal(ask(f, "PRAGMA user_version"),
				 jb_journal_schema.version);
		assert_int_equal(ask(f, "SELECT count(*) FROM entry"), 3);
		assert_int_equal(ask(f, "SELECT count(*) FROM change"), 1);
		assert_int_equal(jb_known_root_find(f->store, "r", &root, NULL),
				 1);
		assert_int_equal(root.kept, 0);
		jb_store_close(f->store);
		f->store = NULL;
	}
}

/* A journal of schema 1 in the file, as its program left it. */
static void store_old(struct fixture *f, const char *more)
{
	char *sql = read_file(JB_STORED "/journal-1.sql");
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, more, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(sql);
}

/* Retention works in it, though it can't be made smaller. */
static void is_retained(void **state)
{
	static const char more[] =
		"INSERT INTO batch VALUES(100, 0);"
		"INSERT INTO change SELECT 100, kind, source, what, place, "
		"name,"
		" old_place, old_name, ino, birth, mode, size, mtime, entries,"
		" bytes FROM change LIMIT 1";
	const struct jb_retain_order order = {.before_us = INT64_MAX,
					      .upto = INT64_MAX,
					      .shrink = true};
	struct fixture *f = *state;
	struct jb_retained done = {0};
	struct jb_retain *r;
	bool more_to_do = true;

	store_old(f, more);
	assert_int_equal(jb_store_open(f->dir, JB_STORE_WRITE, &f->store, NULL),
			 JB_OK);
	assert_int_equal(jb_retain_open(f->store, &r, NULL), JB_OK);
	while (more_to_do)
		assert_int_equal(jb_retain_step(r, &order, &done, &more_to_do,
						NULL),
				 JB_OK);
	jb_retain_close(r);
	assert_int_equal(done.changes, 1);
	assert_int_equal(done.bytes, 0);
	assert_int_equal(ask(f, "SELECT count(*) FROM session"), 0);
}

/* A reader migrates nothing and says who does; a file of the future is left as
 * it is by everybody. */
static void refuses(void **state)
{
	struct fixture *f = *state;
	struct jb_error err;
	sqlite3 *db;

	store_old(f, "");
	assert_int_equal(jb_store_open(f->dir, JB_STORE_READ, &f->store, &err),
			 JB_ENEWER);
	assert_non_null(strstr(err.text, "start the daemon once"));
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(jb_store_open(f->dir, JB_STORE_WRITE, &f->store, &err),
			 JB_ENEWER);
	assert_non_null(strstr(err.text, "upgrade the program"));
	assert_int_equal(jb_store_open(f->dir, JB_STORE_READ, &f->store, &err),
			 JB_ENEWER);
	assert_int_equal(sqlite3_exec(db, "SELECT * FROM session", NULL, NULL,
				      NULL),
			 SQLITE_ERROR);
	sqlite3_close(db);
}

/* The error that is told is the one that was met, not one that came of it. */
static void tells_the_cause(void **state)
{
	struct fixture *f = *state;
	struct jb_error err;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	assert_int_equal(jb_store_error(db, SQLITE_FULL, &err, "x"), JB_ENOSPC);
	assert_string_equal(err.text, "x: database or disk is full");
	jb_store_error(db, SQLITE_ERROR, &err, "x");
	assert_string_equal(err.text,
			    "x: cannot rollback - no transaction is active");
	sqlite3_close(db);
}

static int compare_look(void *arg, const struct jb_rest_look *look)
{
	unsigned *n = arg;

	assert_int_equal(look->dir, 7 + *n);
	assert_int_equal(look->flags, 1 + *n);
	assert_int_equal(look->len, *n == 0 ? 3 : 0);
	if (*n == 0)
		assert_memory_equal(look->name, "a\nb", 3);
	++*n;
	return JB_OK;
}

static int compare_beyond(void *arg, const struct jb_rest_beyond *b)
{
	assert_int_equal(b->root, 1);
	assert_int_equal(b->ino, 99);
	assert_int_equal(b->len, 2);
	assert_memory_equal(b->handle, "\1\2", 2);
	++*(unsigned *)arg;
	return JB_OK;
}

/* Mark, looks and renames come back as they were left; cleared, nothing does.
 */
static void rest_comes_back(void **state)
{
	const struct jb_rest_mark mark = {.token = -5,
					  .boot = 6,
					  .clock_us = 7};
	const struct jb_rest_look name = {
		.dir = 7, .name = "a\nb", .len = 3, .flags = 1};
	const struct jb_rest_look list = {.dir = 8, .flags = 2};
	const struct jb_rest_beyond beyond = {.root = 1,
					      .ino = 99,
					      .handle = (const uint8_t *)"\1\2",
					      .len = 2};
	struct fixture *f = *state;
	struct jb_rest_mark got;
	unsigned n = 0;

	assert_int_equal(jb_store_open(f->dir, JB_STORE_WRITE, &f->store, NULL),
			 JB_OK);
	assert_int_equal(jb_rest_read(f->store, &got, NULL), 0);
	assert_int_equal(jb_rest_write(f->store, &mark, NULL), JB_OK);
	assert_int_equal(jb_rest_add_look(f->store, &name, NULL), JB_OK);
	assert_int_equal(jb_rest_add_look(f->store, &list, NULL), JB_OK);
	assert_int_equal(jb_rest_add_beyond(f->store, &beyond, NULL), JB_OK);
	assert_int_equal(jb_rest_read(f->store, &got, NULL), 1);
	assert_memory_equal(&got, &mark, sizeof mark);
	assert_int_equal(jb_rest_each_look(f->store, compare_look, &n, NULL),
			 JB_OK);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(
		jb_rest_each_beyond(f->store, compare_beyond, &n, NULL), JB_OK);
	assert_int_equal(n, 1);
	assert_int_equal(jb_rest_clear(f->store, NULL), JB_OK);
	assert_int_equal(jb_rest_read(f->store, &got, NULL), 0);
	assert_int_equal(ask(f, "SELECT count(*) FROM look"), 0);
	assert_int_equal(ask(f, "SELECT count(*) FROM beyond"), 0);
}

/* Only a file that is not there is 'no journal yet'. */
static void tells_what_is_missing(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, none = {0};
	struct jb_error err;
	int rv;

	assert_int_equal(jb_store_open(f->dir, JB_STORE_READ, &f->store, &err),
			 JB_ENOENT);
	assert_int_equal(jb_store_open(f->dir, JB_STORE_WRITE, &f->store, &err),
			 JB_OK);
	jb_store_close(f->store);
	f->store = NULL;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rv = jb_store_open(f->dir, JB_STORE_READ, &f->store, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(rv, JB_ESYS);
	assert_non_null(strstr(err.text, strerror(EMFILE)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(migrates_version_1, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(is_retained, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_the_cause, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(rest_comes_back, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(tells_what_is_missing, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
