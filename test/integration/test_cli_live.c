/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line and somebody at the other end: who writes what it follows,
 * and a daemon that answers in odd ways. */
#include "lib/t_cli.h"
#include "lib/t_daemon.h"
#include "lib/t_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 20000

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
	struct t_journal j;

	t_cli_make(t, &j); /* somebody else has it open */
	t_cli_run(t, 0,
		  "query; { timeout 20 %s --config %s query -f; echo $? "
		  "> %s/rc; } | head -n 1; cat %s/rc",
		  t_daemon_program(), t->config, t->dir, t->dir);
	assert_non_null(strstr(t->o.out, "\n0\n"));
	/* Nor is there a reason to complain when nobody ever did. */
	t_shell("mkfifo %s/pipe", t->dir);
	t_cli_run(t, 0,
		  "--version; exec 3<> %s/pipe 4> %s/pipe 3<&-; "
		  "timeout 20 %s --config %s query -f >&4",
		  t->dir, t->dir, t_daemon_program(), t->config);
	assert_int_equal(t->o.err_len, 0);
	t_journal_fini(&j);
}

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

	t_cli_run(t, 75, "flush");
	t_cli_words(t, "not running", "--config FILE daemon", NULL);
	t_cli_run(t, 75, "scan");
	t_cli_run(t, 75, "status");
	assert_non_null(strstr(t->o.out, "not running"));
	pid = listen_with(t, NULL);
	t_cli_run(t, 4, "status");
	assert_null(strstr(t->o.out, "not running"));
	assert_null(strstr(t->o.out, "not watched"));
	assert_non_null(strstr(t->o.out, " not known "));
	end_listener(pid);
	pid = listen_with(t, NULL);
	t_cli_run(t, 4, "flush --timeout 10ms");
	t_cli_words(t, "does not answer", NULL);
	end_listener(pid);
	t_cli_run(t, 75, "flush"); /* a socket that was left behind */
	pid = listen_with(t, "hello\n");
	t_cli_run(t, 1, "flush");
	t_cli_words(t, "is it the daemon of this version?", NULL);
	end_listener(pid);
	pid = listen_with(t, "{\"ok\":fal");
	t_cli_run(t, 75, "flush");
	t_cli_words(t, "ended before it answered", NULL);
	end_listener(pid);
	pid = listen_with(t, "{\"ok\":false,\"code\":\"ETIMEDOUT\","
			     "\"error\":\"root 'nfs': a gap is open\"}\n");
	t_cli_run(t, 4, "flush --timeout 1s");
	t_cli_words(t, "a gap is open", NULL);
	end_listener(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, t_cli_init, t_cli_fini)
		T(test_follow),
		T(test_follow_alone),
		T(test_control),
#undef T
	};

	return cmocka_run_group_tests_name("cli live", tests, NULL, NULL);
}
