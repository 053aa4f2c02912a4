/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line against a journal that is known to the last row: what it
 * prints, how it ends, what it says when something is wrong. No daemon. */
#include "lib/t_daemon.h"
#include "lib/t_journal.h"
#include "lib/t_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 20000

struct t_cli {
	char dir[64], config[96], state[96];
	struct t_output o; /* of the last line run */
};

static int setup(void **state)
{
	struct t_cli *t = calloc(1, sizeof *t);

	assert_non_null(t);
	strcpy(t->dir, "/tmp/jb-cli-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->config, sizeof t->config, "%s/jb.conf", t->dir);
	snprintf(t->state, sizeof t->state, "%s/state", t->dir);
	t_shell("chmod 755 %s && mkdir %s/state %s/run && printf "
		"'[Journal]\\nStateDirectory=%s\\nRuntimeDirectory=%s/run\\n"
		"[Root nfs]\\nPath=/tmp\\n' > %s",
		t->dir, t->dir, t->dir, t->state, t->dir, t->config);
	setenv("TZ", "UTC", 1);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct t_cli *t = *state;

	t_output_fini(&t->o);
	t_shell("rm -rf %s", t->dir);
	free(t);
	return 0;
}

/* Run "PROGRAM --config FILE LINE" with a shell; expects @code. */
__attribute__((format(printf, 3, 4))) static void run(struct t_cli *t, int code,
						      const char *format, ...)
{
	char args[1024], line[1400];
	const char *argv[] = {"sh", "-c", line, NULL};
	va_list ap;

	va_start(ap, format);
	vsnprintf(args, sizeof args, format, ap);
	va_end(ap);
	snprintf(line, sizeof line, "%s --config %s %s", t_daemon_program(),
		 t->config, args);
	t_output_fini(&t->o);
	t_process_run(&t->o, argv);
	if (t->o.status != code)
		fail_msg("%s: exit %d, not %d: %s%s", args, t->o.status, code,
			 t->o.out, t->o.err);
}

/* One line on stderr that has all of the words (up to the NULL). */
static void expect_words(struct t_cli *t, ...)
{
	const char *word;
	va_list ap;

	assert_int_equal(strcspn(t->o.err, "\n") + 1, t->o.err_len);
	va_start(ap, t);
	while ((word = va_arg(ap, const char *)) != NULL)
		if (strstr(t->o.err, word) == NULL)
			fail_msg("does not say '%s': %s", word, t->o.err);
	va_end(ap);
}

static void expect_out(struct t_cli *t, const char *text)
{
	if (strcmp(t->o.out, text) != 0)
		fail_msg("printed:\n%s\nnot:\n%s", t->o.out, text);
}

#define T0 INT64_C(1764000000000000) /* 2025-11-24 16:00:00 UTC */

/* Five changes, of all kinds, in two batches. */
static void make_small(struct t_cli *t, struct t_journal *j)
{
	static const struct t_change changes[] = {
		{.kind = JB_KIND_CREATED,
		 .path = "d/a\nb\x1b[31m\xff",
		 .size = 1536,
		 .what = JB_WHAT_CONTENT},
		{.kind = JB_KIND_MODIFIED,
		 .path = "d/\xc3\xa4",
		 .size = 3,
		 .what = JB_WHAT_CONTENT,
		 .source = JB_SOURCE_SCAN},
		{.kind = JB_KIND_RENAMED,
		 .path = "e",
		 .old_path = "d",
		 .mode = S_IFDIR | 0755,
		 .what = JB_WHAT_PLACE},
		{.kind = JB_KIND_ATTRIB,
		 .path = "l",
		 .mode = S_IFLNK | 0777,
		 .what = JB_WHAT_METADATA},
		{.kind = JB_KIND_DELETED,
		 .path = "e",
		 .mode = S_IFDIR | 0755,
		 .entries = 1234,
		 .bytes = 4096},
	};

	t_journal_init(j, t->state);
	t_journal_root(j, "nfs", "/tmp");
	for (size_t i = 0; i < 5; i++) {
		if (i % 3 == 0)
			t_journal_batch(j, T0 + (int64_t)i * 1000);
		t_journal_change(j, &changes[i]);
	}
	t_journal_commit(j);
}

static void make_and_close(struct t_cli *t)
{
	struct t_journal j;

	make_small(t, &j);
	t_journal_fini(&j);
}

/* For people: each kind, and no byte that a terminal would obey. */
static void test_short(void **state)
{
	struct t_cli *t = *state;

	make_and_close(t);
	run(t, 0, "query");
	expect_out(
		t,
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

	make_and_close(t);
	run(t, 0, "query -o json -n +1");
	expect_out(t,
		   "{\"seq\":1,\"time\":\"2025-11-24T16:00:00.000000Z\","
		   "\"root\":\"nfs\",\"kind\":\"created\","
		   "\"path_b64\":\"ZC9hCmIbWzMxbf8=\",\"type\":\"file\","
		   "\"size\":1536,\"mtime\":\"1970-01-01T00:00:00.000000000Z\","
		   "\"inode\":0,\"source\":\"event\",\"content\":true,"
		   "\"metadata\":false,\"place\":false}\n");
	run(t, 0, "query -o json --kind renamed,deleted");
	assert_non_null(strstr(t->o.out, "\"path\":\"e\",\"old_path\":\"d\""));
	assert_non_null(strstr(t->o.out, "\"entries\":1234,\"bytes\":4096}"));
}

/* Lists are bytes, and nothing else gets into them. */
static void test_lists(void **state)
{
	struct t_cli *t = *state;

	make_and_close(t);
	run(t, 0, "query -o paths0 -n +2 --show-cursor");
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

	make_and_close(t);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		run(t, 0, "query -o paths %s", lines[i][0]);
		expect_out(t, lines[i][1]);
	}
}

/* A cursor takes a reader from page to page to the end. */
static void test_cursor(void **state)
{
	struct t_cli *t = *state;

	make_and_close(t);
	run(t, 0, "query -n +2 --show-cursor | tail -n 1");
	expect_out(t, "-- cursor: 0123456789abcdef:2\n");
	run(t, 0,
	    "query -o json -n 2 --after-cursor 0123456789abcdef:2 "
	    "--show-cursor | cut -c 1-31");
	expect_out(t, "{\"seq\":3,\"time\":\"2025-11-24T16:\n"
		      "{\"seq\":4,\"time\":\"2025-11-24T16:\n"
		      "{\"cursor\":\"0123456789abcdef:4\"}\n");
	run(t, 1, "query --after-cursor 1123456789abcdef:2");
	expect_words(t, "another journal", "begin anew", NULL);
	run(t, 2, "query --after-cursor soon");
	expect_words(t, "soon", NULL);
}

/* Counts by directory, hour and kind. */
static void test_by(void **state)
{
	struct t_cli *t = *state;

	make_and_close(t);
	run(t, 0, "query --by kind -o json --top 0 --kind created");
	expect_out(t, "{\"kind\":\"created\",\"changes\":1,\"bytes\":1536}\n");
	run(t, 0, "query --by dir -o json --top 1");
	expect_out(t, "{\"root\":\"nfs\",\"dir\":\".\",\"changes\":3,"
		      "\"created\":0,\"modified\":0,\"attrib\":1,"
		      "\"renamed\":1,\"deleted\":1,\"bytes\":0}\n");
	run(t, 0, "query --by hour | sed 's/  */ /g'");
	expect_out(t, "CHANGES CREATED MODIFIED ATTRIB RENAMED DELETED BYTES "
		      "HOUR\n 5 1 1 1 1 1 1.5K 2025-11-24 16:00:00\n");
}

/* When changes may have been missed. */
static void test_gaps(void **state)
{
	struct t_cli *t = *state;
	struct t_journal j;

	make_small(t, &j);
	t_journal_gap(&j, "overflow", T0, T0 + 1000000, T0 + 2000000, 17);
	t_journal_gap(&j, "root vanished", T0 + 9000000, T0 + 9000000, 0, 0);
	t_journal_fini(&j);
	run(t, 0, "query --gaps | sed 's/  */ /g;s/ $//'");
	expect_out(t, "ROOT REASON FROM TO CLOSED FOUND\n"
		      "nfs overflow 2025-11-24 16:00:00 2025-11-24 16:00:01 "
		      "2025-11-24 16:00:02 17\n"
		      "nfs root vanished 2025-11-24 16:00:09 "
		      "2025-11-24 16:00:09 open 0\n");
	run(t, 0, "query --gaps -o json -S @1764000005");
	expect_out(t, "{\"root\":\"nfs\",\"reason\":\"root vanished\","
		      "\"from\":\"2025-11-24T16:00:09.000000Z\","
		      "\"to\":\"2025-11-24T16:00:09.000000Z\","
		      "\"closed\":null,\"found\":0}\n");
	run(t, 75, "status --json");
	assert_non_null(strstr(t->o.out, "\"gaps_open\": 1"));
}

/* What can't be meant is refused in one line, with exit 2. */
static void test_usage(void **state)
{
	static const char *const lines[][2] = {
		{"", "no command"},
		{"qurey", "did you mean 'query'?"},
		{"frobnicate", "see --help"},
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
		{"scan absent", "[Root absent]"},
		{"scan nfs nfs", "'nfs'"},
		{"status now", "'now'"},
		{"query \"$(printf 'a\\033[31m')\" --x", "--x"},
		{"\"$(printf 'a\\033[31m\\nb')\"", "'a?[31m?b'"},
	};
	struct t_cli *t = *state;

	make_and_close(t);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		run(t, 2, "%s", lines[i][0]);
		expect_words(t, lines[i][1], NULL);
		assert_int_equal(t->o.out_len, 0);
	}
}

/* Each command knows --help, and --config on either side of its name. */
static void test_help_and_config(void **state)
{
	static const char *const names[] = {"daemon", "query", "status",
					    "flush",  "scan",  "check-config"};
	struct t_cli *t = *state;
	char usage[64];

	make_and_close(t);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		run(t, 0, "%s --help", names[i]);
		snprintf(usage, sizeof usage, "Usage: journalctl-backup %s",
			 names[i]);
		assert_int_equal(strncmp(t->o.out, usage, strlen(usage)), 0);
		run(t, 0, "--help | grep -q '^  %s '", names[i]);
	}
	run(t, 2, "query --config /nowhere/x.conf");
	expect_words(t, "/nowhere/x.conf", NULL);
	run(t, 0, "query --config %s", t->config);
}

/* A journal that can't be read: why, and what to do. */
static void test_unreadable(void **state)
{
	struct t_cli *t = *state;

	run(t, 1, "query");
	expect_words(t, t->state, "start the daemon", NULL);
	t_shell("rmdir %s", t->state);
	run(t, 1, "query");
	expect_words(t, t->state, "never run", NULL);
	t_shell("mkdir %s", t->state);
	make_and_close(t);
	t_shell("cd %s && cp journal.db good && sqlite3 journal.db "
		"'PRAGMA user_version = 99'",
		t->state);
	run(t, 1, "query");
	expect_words(t, "99", "upgrade", NULL);
	run(t, 75, "status");
	assert_non_null(strstr(t->o.out, "upgrade"));
	t_shell("cd %s && rm -f journal.db-* && head -c 20000 /dev/urandom "
		"> journal.db",
		t->state);
	run(t, 1, "query");
	expect_words(t, "damaged", "restart the daemon", NULL);
	t_shell("cd %s && sqlite3 other 'CREATE TABLE x(y)' && "
		"mv other journal.db",
		t->state);
	run(t, 1, "query");
	expect_words(t, "not a journal of this program", NULL);
	t_shell("cd %s && rm journal.db && mkdir journal.db", t->state);
	run(t, 1, "query");
	expect_words(t, "not a file", NULL);
}

/* Damaged in its middle: what is found later is said as well. */
static void test_damaged_inside(void **state)
{
	struct t_cli *t = *state;
	struct t_journal j;
	struct t_fill fill = {.changes = 5000,
			      .dirs = 10,
			      .per_batch = 10,
			      .end_us = T0,
			      .span_us = 1000000};

	t_journal_init(&j, t->state);
	t_journal_root(&j, "nfs", "/tmp");
	t_journal_fill(&j, &fill);
	t_journal_fini(&j);
	t_shell("cd %s && dd if=/dev/urandom of=journal.db bs=4096 seek=20 "
		"count=60 conv=notrunc status=none",
		t->state);
	run(t, 1, "query");
	expect_words(t, "journal.db: damaged", NULL);
}

/* Not root, and not allowed: said so. */
static void test_not_allowed(void **state)
{
	struct t_cli *t = *state;

	if (geteuid() != 0)
		skip();
	make_and_close(t);
	t_shell("cp %s %s/program && chmod 755 %s/program", t_daemon_program(),
		t->dir, t->dir);
	t_shell("chmod 700 %s", t->state);
	run(t, 0,
	    "--version; cd / && if setpriv --reuid 65534 --clear-groups "
	    "%s/program --config %s query; then false; fi",
	    t->dir, t->config);
	expect_words(t, "permission denied", "run as root", NULL);
}

/* A reader who has seen enough is no failure. */
static void test_reader_leaves(void **state)
{
	struct t_cli *t = *state;
	struct t_journal j;
	struct t_fill fill = {.changes = 30000,
			      .dirs = 10,
			      .per_batch = 10,
			      .end_us = T0,
			      .span_us = 1000000};

	t_journal_init(&j, t->state);
	t_journal_root(&j, "nfs", "/tmp");
	t_journal_fill(&j, &fill);
	t_journal_fini(&j);
	run(t, 0,
	    "query > %s/all; { %s --config %s query; echo $? > %s/rc; } "
	    "| head -n 1; cat %s/rc",
	    t->dir, t_daemon_program(), t->config, t->dir, t->dir);
	assert_non_null(strstr(t->o.out, "\n0\n"));
	assert_int_equal(t->o.err_len, 0);
	run(t, 1, "query > /dev/full");
	expect_words(t, "No space left", NULL);
	run(t, 1, "check-config --keys > /dev/full");
	expect_words(t, "No space left", NULL);
}

/* Whoever starts a worker by hand is told who does. */
static void test_worker_by_hand(void **state)
{
	struct t_cli *t = *state;

	run(t, 1, "worker p < /dev/null");
	expect_words(t, "by a daemon", NULL);
}

/* ---- following ---- */

static bool log_has(const char *log, const char *text)
{
	char line[512];
	FILE *f = fopen(log, "r");
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		found = strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

/* Wait until the log has @text; the program is not to end. */
static void wait_log(pid_t pid, const char *log, const char *text)
{
	for (int ms = 0; !log_has(log, text); ms++) {
		if (ms > WAIT_MS || t_process_wait(pid, 1) >= 0)
			fail_msg("not followed: %s", text);
	}
}

static pid_t follow(struct t_cli *t, const char *log)
{
	const char *argv[] = {t_daemon_program(),
			      "--config",
			      t->config,
			      "query",
			      "-f",
			      "-o",
			      "paths",
			      "--show-cursor",
			      NULL};

	return t_process_start(argv, log);
}

static void add_path(struct t_journal *j, const char *path)
{
	t_journal_change(j, &(struct t_change){.kind = JB_KIND_CREATED,
					       .path = path});
	t_journal_commit(j);
}

/* -f waits for a journal that is not there yet, goes over to one that
 * replaces it, and ends with exit 0 when asked. */
static void test_follow(void **state)
{
	struct t_cli *t = *state;
	struct t_journal j;
	char log[96];
	pid_t pid;

	snprintf(log, sizeof log, "%s/log", t->dir);
	t_shell("rmdir %s", t->state);
	pid = follow(t, log);
	wait_log(pid, log, "waiting");
	t_shell("mkdir %s", t->state);
	t_journal_init(&j, t->state);
	t_journal_root(&j, "nfs", "/tmp");
	add_path(&j, "first");
	wait_log(pid, log, "first");
	add_path(&j, "second");
	wait_log(pid, log, "second");
	t_journal_fini(&j);
	t_shell("cd %s && for f in journal.db*; do mv $f set-aside-$f; done",
		t->state);
	t_journal_init(&j, t->state);
	t_journal_root(&j, "nfs", "/tmp");
	add_path(&j, "third");
	wait_log(pid, log, "begun anew");
	wait_log(pid, log, "third");
	add_path(&j, "fourth");
	wait_log(pid, log, "fourth");
	t_journal_fini(&j);
	kill(pid, SIGINT);
	assert_int_equal(t_process_wait(pid, WAIT_MS), 0);
	assert_true(log_has(log, "-- cursor: 0123456789abcdef:2"));
}

/* -f ends when nobody reads what it would print. */
static void test_follow_alone(void **state)
{
	struct t_cli *t = *state;

	make_and_close(t);
	run(t, 0,
	    "query; { timeout 20 %s --config %s query -f; echo $? "
	    "> %s/rc; } | head -n 1; cat %s/rc",
	    t_daemon_program(), t->config, t->dir, t->dir);
	assert_non_null(strstr(t->o.out, "\n0\n"));
}

/* ---- the control socket ---- */

/* Whatever listens there instead of the daemon: says @reply, or nothing. */
static pid_t listen_with(struct t_cli *t, const char *reply)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	char request[256];
	pid_t pid;

	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/run/control", t->dir);
	unlink(addr.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(fd, 1), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		close(fd);
		return pid;
	}
	c = accept(fd, NULL, NULL);
	if (reply == NULL)
		pause();
	if (read(c, request, sizeof request) > 0)
		dprintf(c, "%s", reply);
	_exit(0);
}

static void end_listener(pid_t pid)
{
	kill(pid, SIGKILL);
	t_process_wait(pid, WAIT_MS);
}

/* No daemon, a stuck one, a stranger, and one that refuses. */
static void test_control(void **state)
{
	struct t_cli *t = *state;
	pid_t pid;

	run(t, 75, "flush");
	expect_words(t, "not running", "systemctl start", NULL);
	run(t, 75, "scan");
	run(t, 75, "status");
	assert_non_null(strstr(t->o.out, "not running"));
	pid = listen_with(t, NULL);
	run(t, 4, "flush --timeout 10ms");
	expect_words(t, "does not answer", NULL);
	end_listener(pid);
	run(t, 75, "flush"); /* a socket that was left behind */
	pid = listen_with(t, "hello\n");
	run(t, 1, "flush");
	expect_words(t, "is it the daemon of this version?", NULL);
	end_listener(pid);
	pid = listen_with(t, "{\"ok\":fal");
	run(t, 75, "flush");
	expect_words(t, "ended before it answered", NULL);
	end_listener(pid);
	pid = listen_with(t, "{\"ok\":false,\"code\":\"ETIMEDOUT\","
			     "\"error\":\"root 'nfs': a gap is open\"}\n");
	run(t, 4, "flush --timeout 1s");
	expect_words(t, "a gap is open", NULL);
	end_listener(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
		T(test_not_allowed),
		T(test_reader_leaves),
		T(test_worker_by_hand),
		T(test_follow),
		T(test_follow_alone),
		T(test_control),
#undef T
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
