/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line against a journal that is known to the last row: what it
 * prints, how it ends, what it says when something is wrong. No daemon. */
#include "lib/t_cli.h"
#include "lib/t_daemon.h"
#include "lib/t_journal.h"
#include "lib/t_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* For people: each kind, and no byte that a terminal would obey. */
static void test_short(void **state)
{
	struct t_cli *t = *state;

	t_cli_make_only(t);
	t_cli_run(t, 0, "query");
	t_cli_out(t,
		  "2025-11-24 16:00:00.000 created  d/a\\nb\\x1b[31m\\xff"
		  "  (1.5K)\n"
		  "2025-11-24 16:00:00.000 modified d/\xc3\xa4  (3B, by scan)\n"
		  "2025-11-24 16:00:00.000 renamed  d/ -> e/\n"
		  "2025-11-24 16:00:00.003 attrib   l  (symlink)\n"
		  "2025-11-24 16:00:00.003 deleted  e/  (1,234 entries, 4K)\n");
	assert_int_equal(t->o.err_len, 0);
}

/* For programs: one object a line; bytes that are no text go to _b64. */
static void test_json(void **state)
{
	struct t_cli *t = *state;

	t_cli_make_only(t);
	t_cli_run(t, 0, "query -o json -n +1");
	t_cli_out(t,
		  "{\"seq\":1,\"time\":\"2025-11-24T16:00:00.000000Z\","
		  "\"root\":\"nfs\",\"kind\":\"created\","
		  "\"path_b64\":\"ZC9hCmIbWzMxbf8=\",\"type\":\"file\","
		  "\"size\":1536,\"mtime\":\"1970-01-01T00:00:00.000000000Z\","
		  "\"inode\":0,\"source\":\"event\",\"content\":true,"
		  "\"metadata\":false,\"place\":false}\n");
	t_cli_run(t, 0, "query -o json --kind renamed,deleted");
	assert_non_null(strstr(t->o.out, "\"path\":\"e\",\"old_path\":\"d\""));
	assert_non_null(strstr(t->o.out, "\"entries\":1234,\"bytes\":4096}"));
}

/* Lists are bytes, and nothing else gets into them. */
static void test_lists(void **state)
{
	struct t_cli *t = *state;

	t_cli_make_only(t);
	t_cli_run(t, 0, "query -o paths0 -n +2 --show-cursor");
	assert_int_equal(t->o.out_len, 17);
	assert_memory_equal(t->o.out, "d/a\nb\x1b[31m\xff\0d/\xc3\xa4", 17);
	assert_string_equal(t->o.err, "-- cursor: 0123456789abcdef:2\n");
}

/* The ways to say how many. */
static void test_lines(void **state)
{
	static const char *const lines[][2] = {
		{"-n2", "l\ne\n"},
		{"-n 2", "l\ne\n"},
		{"--lines=2", "l\ne\n"},
		{"-n 2 -r", "e\nl\n"},
		{"-n +1 /e", "e\n"},
		{"-n0", ""},
		{"-n 1 /e", "e\n"},
		{"--lines all -n +1 /l", "l\n"},
		{"-n -r --kind attrib", "l\n"},
	};
	struct t_cli *t = *state;

	t_cli_make_only(t);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		t_cli_run(t, 0, "query -o paths %s", lines[i][0]);
		t_cli_out(t, lines[i][1]);
	}
}

/* A cursor takes a reader from page to page to the end. */
static void test_cursor(void **state)
{
	struct t_cli *t = *state;

	t_cli_make_only(t);
	t_cli_run(t, 0, "query -n +2 --show-cursor | tail -n 1");
	t_cli_out(t, "-- cursor: 0123456789abcdef:2\n");
	t_cli_run(t, 0,
		  "query -o json -n 2 --after-cursor 0123456789abcdef:2 "
		  "--show-cursor | cut -c 1-31");
	t_cli_out(t, "{\"seq\":3,\"time\":\"2025-11-24T16:\n"
		     "{\"seq\":4,\"time\":\"2025-11-24T16:\n"
		     "{\"cursor\":\"0123456789abcdef:4\"}\n");
	t_cli_run(t, 1, "query --after-cursor 1123456789abcdef:2");
	t_cli_words(t, "another journal", "begin anew", NULL);
	t_cli_run(t, 2, "query --after-cursor soon");
	t_cli_words(t, "soon", NULL);
}

/* Counts by directory, hour and kind. */
static void test_by(void **state)
{
	struct t_cli *t = *state;

	t_cli_make_only(t);
	t_cli_run(t, 0, "query --by kind -o json --top 0 --kind created");
	t_cli_out(t, "{\"kind\":\"created\",\"changes\":1,\"bytes\":1536}\n");
	t_cli_run(t, 0, "query --by dir -o json --top 1");
	t_cli_out(t, "{\"root\":\"nfs\",\"dir\":\".\",\"changes\":3,"
		     "\"created\":0,\"modified\":0,\"attrib\":1,"
		     "\"renamed\":1,\"deleted\":1,\"bytes\":0}\n");
	t_cli_run(t, 0, "query --by hour | sed 's/  */ /g'");
	t_cli_out(t, "CHANGES CREATED MODIFIED ATTRIB RENAMED DELETED BYTES "
		     "HOUR\n 5 1 1 1 1 1 1.5K 2025-11-24 16:00:00\n");
}

/* When changes may have been missed. */
static void test_gaps(void **state)
{
	struct t_cli *t = *state;
	struct t_journal j;

	t_cli_make(t, &j);
	t_journal_gap(&j, "overflow", T_CLI_T0, T_CLI_T0 + 1000000,
		      T_CLI_T0 + 2000000, 17);
	t_journal_gap(&j, "root vanished", T_CLI_T0 + 9000000,
		      T_CLI_T0 + 9000000, 0, 0);
	t_journal_fini(&j);
	t_cli_run(t, 0, "query --gaps | sed 's/  */ /g;s/ $//'");
	t_cli_out(t, "ROOT REASON FROM TO CLOSED FOUND\n"
		     "nfs overflow 2025-11-24 16:00:00 2025-11-24 16:00:01 "
		     "2025-11-24 16:00:02 17\n"
		     "nfs root vanished 2025-11-24 16:00:09 "
		     "2025-11-24 16:00:09 open 0\n");
	t_cli_run(t, 0, "query --gaps -o json -S @1764000005");
	t_cli_out(t, "{\"root\":\"nfs\",\"reason\":\"root vanished\","
		     "\"from\":\"2025-11-24T16:00:09.000000Z\","
		     "\"to\":\"2025-11-24T16:00:09.000000Z\","
		     "\"closed\":null,\"found\":0}\n");
	t_cli_run(t, 75, "status --json");
	assert_non_null(strstr(t->o.out, "\"gaps_open\": 1"));
}

/* What can't be meant is refused in one line, with exit 2. */
static void test_usage(void **state)
{
	static const char *const lines[][2] = {
		{"", "no command"},
		{"qurey", "did you mean 'query'?"},
		{"frobnicate", "see --help"},
		{"query --foo", "see --help"},
		{"query --sinse x", "did you mean '--since'?"},
		{"query -Z", "'-Z'"},
		{"query -S", "needs a value"},
		{"query --gaps=1", "takes no value"},
		{"query -S tomorrowish", "2026-11-23 06:00"},
		{"query -S now -U yesterday", "--since is later"},
		{"query -o xml", "short, json, paths, paths0"},
		{"query --kind touched", "created, modified"},
		{"query --kind created,", "created, modified"},
		{"query --lines=x", "'x'"},
		{"query --top 3", "--by"},
		{"query --by size", "dir, hour, kind"},
		{"query -f -r", "--reverse"},
		{"query -f -U now", "--until"},
		{"query ''", "empty pattern"},
		{"query --gaps x", "no pattern"},
		{"query -f --gaps", "--gaps"},
		{"flush --timeout soon", "5min"},
		{"flush now", "'now'"},
		{"scan absent", "has no [Root absent]; it has: nfs"},
		{"query --unsynced --policy absent",
		 "has no [Policy absent]; it has: none"},
		{"pause absent", "has no [Policy absent]; it has: none"},
		{"target init absent", "has no [Target absent]; it has: none"},
		{"scan nfs nfs", "'nfs'"},
		{"status now", "'now'"},
		{"query \"$(printf 'a\\033[31m')\" --x", "--x"},
		{"\"$(printf 'a\\033[31m\\nb')\"", "'a?[31m?b'"},
	};
	struct t_cli *t = *state;

	t_cli_make_only(t);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		t_cli_run(t, 2, "%s", lines[i][0]);
		t_cli_words(t, lines[i][1], NULL);
		assert_int_equal(t->o.out_len, 0);
	}
}

/* Each command knows --help, which fits a terminal, and --config on either side
 * of its name. */
static void test_help_and_config(void **state)
{
	struct t_cli *t = *state;
	char names[512], usage[64], *rest = names, *name;
	unsigned n = 0;

	t_cli_make_only(t);
	t_cli_run(
		t, 0,
		"--help | sed '/^Commands:/,/^$/!d; s/^  \\([^ ]*\\).*/\\1/'");
	snprintf(names, sizeof names, "%s", t->o.out);
	t_cli_run(t, 0, "--help | awk 'length > 80'");
	assert_int_equal(t->o.out_len, 0);
	strsep(&rest, "\n"); /* the head */
	while ((name = strsep(&rest, "\n")) != NULL && *name != '\0') {
		n++;
		t_cli_run(t, 0, "%s --help", name);
		snprintf(usage, sizeof usage, "Usage: journalctl-backup %s",
			 name);
		assert_int_equal(strncmp(t->o.out, usage, strlen(usage)), 0);
		t_cli_run(t, 0, "%s -h | awk 'length > 80'", name);
		t_cli_out(t, "");
	}
	assert_in_range(n, 17, 50);
	t_cli_run(t, 2, "query --config /nowhere/x.conf");
	t_cli_words(t, "/nowhere/x.conf", NULL);
	t_cli_run(t, 0, "query --config %s", t->config);
}

/* A journal that can't be read: why, and what to do. */
static void test_unreadable(void **state)
{
	struct t_cli *t = *state;

	t_cli_run(t, 1, "query");
	t_cli_words(t, t->state, "start the daemon", NULL);
	t_shell("rmdir %s", t->state);
	t_cli_run(t, 1, "query");
	t_cli_words(t, t->state, "never run", NULL);
	t_shell("mkdir %s", t->state);
	t_cli_make_only(t);
	t_shell("cd %s && cp journal.db good && sqlite3 journal.db "
		"'PRAGMA user_version = 99'",
		t->state);
	t_cli_run(t, 1, "query");
	t_cli_words(t, "99", "upgrade", NULL);
	t_cli_run(t, 75, "status");
	assert_non_null(strstr(t->o.out, "upgrade"));
	t_shell("cd %s && rm -f journal.db-* && head -c 20000 /dev/urandom "
		"> journal.db",
		t->state);
	t_cli_run(t, 1, "query");
	t_cli_words(t, "damaged", "restart the daemon", NULL);
	t_shell("cd %s && sqlite3 other 'CREATE TABLE x(y)' && "
		"mv other journal.db",
		t->state);
	t_cli_run(t, 1, "query");
	t_cli_words(t, "not a journal of this program", NULL);
	t_shell("cd %s && rm journal.db && mkdir journal.db", t->state);
	t_cli_run(t, 1, "query");
	t_cli_words(t, "not a file", NULL);
}

/* A journal of @changes. */
static void fill_journal(struct t_cli *t, int64_t changes)
{
	struct t_fill fill = {.changes = changes,
			      .dirs = 10,
			      .per_batch = 10,
			      .end_us = T_CLI_T0,
			      .span_us = 1000000};
	struct t_journal j;

	t_journal_init(&j, t->state);
	t_journal_root(&j, "nfs", "/tmp");
	t_journal_fill(&j, &fill);
	t_journal_fini(&j);
}

/* Damaged in its middle: what is found later is said as well. */
static void test_damaged_inside(void **state)
{
	struct t_cli *t = *state;

	fill_journal(t, 5000);
	t_shell("cd %s && dd if=/dev/urandom of=journal.db bs=4096 seek=20 "
		"count=60 conv=notrunc status=none",
		t->state);
	t_cli_run(t, 1, "query");
	t_cli_words(t, "journal.db: damaged", NULL);
}

static void add_policy(struct t_cli *t)
{
	t_shell("printf '[Target t]\nTransport=local\nPath=/mnt\n"
		"[Policy p]\nPlugin=mirror\nRoot=nfs\nTarget=t\n' >> %s",
		t->config);
}

/* What reads or writes a policy's database without the daemon. */
static const char *const alone[] = {
	"query --policy p --unsynced",
	"verify",
	"pause p",
	"run p",
	"reset p",
	"release p",
	"target init t",
};

#define N_ALONE (sizeof alone / sizeof alone[0])

/* No state directory: the daemon has never run, and all say so. */
static void test_never_ran(void **state)
{
	struct t_cli *t = *state;

	add_policy(t);
	t_shell("rmdir %s", t->state);
	for (size_t i = 0; i < N_ALONE; i++) {
		t_cli_run(t, 1, "%s", alone[i]);
		t_cli_words(t, t->state, "the daemon has never run", NULL);
		assert_int_equal(t->o.out_len, 0);
	}
}

/* Not root, and not allowed: said so. */
static void test_not_allowed(void **state)
{
	struct t_cli *t = *state;

	if (geteuid() != 0)
		skip();
	add_policy(t);
	t_cli_make_only(t);
	t_shell("cp %s %s/program && chmod 755 %s/program", t_daemon_program(),
		t->dir, t->dir);
	t_shell("chmod 700 %s", t->state);
	for (size_t i = 0; i <= N_ALONE; i++) {
		t_cli_run(t, 0,
			  "--version; cd / && if setpriv --reuid 65534 "
			  "--clear-groups %s/program --config %s %s; "
			  "then false; fi",
			  t->dir, t->config,
			  i < N_ALONE ? alone[i] : "policy remove p");
		t_cli_words(t, "permission denied", "run as root", NULL);
	}
}

/* A reader who has seen enough is no failure. */
static void test_reader_leaves(void **state)
{
	struct t_cli *t = *state;

	fill_journal(t, 30000);
	t_cli_run(t, 0,
		  "query > %s/all; { %s --config %s query; echo $? > %s/rc; } "
		  "| head -n 1; cat %s/rc",
		  t->dir, t_daemon_program(), t->config, t->dir, t->dir);
	assert_non_null(strstr(t->o.out, "\n0\n"));
	assert_int_equal(t->o.err_len, 0);
	t_cli_run(t, 1, "query > /dev/full");
	t_cli_words(t, "No space left", NULL);
	t_cli_run(t, 1, "check-config --keys > /dev/full");
	t_cli_words(t, "No space left", NULL);
}

/* Whoever starts a worker by hand is told who does. */
static void test_worker_by_hand(void **state)
{
	struct t_cli *t = *state;

	t_cli_run(t, 1, "worker p < /dev/null");
	t_cli_words(t, "by a daemon", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, t_cli_init, t_cli_fini)
		T(test_short),
		T(test_json),
		T(test_lists),
		T(test_lines),
		T(test_cursor),
		T(test_by),
		T(test_gaps),
		T(test_usage),
		T(test_help_and_config),
		T(test_unreadable),
		T(test_damaged_inside),
		T(test_never_ran),
		T(test_not_allowed),
		T(test_reader_leaves),
		T(test_worker_by_hand),
#undef T
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
