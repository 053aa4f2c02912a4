/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bad input: one line that says what, where and what to do; exit 2 or 1;
 * nothing is lost. */
#include "lib/t_case.h"
#include "lib/t_round.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS   T_SPACE "/fs"
#define ROOT T_SPACE "/fs/r"

/* The daemon and check-config refuse with @code and say each of @words. */
static void expect_refused(struct t_world *w, int code, ...)
{
	struct t_output o;
	const char *word;
	char *said;
	int is = t_daemon_refused(&w->daemon);
	va_list ap;

	said = t_daemon_words(&w->daemon);
	if (is != code)
		fail_msg("exit %d, not %d: %s", is, code, said);
	t_daemon_command(&w->daemon, &o, "check-config", NULL);
	va_start(ap, code);
	while ((word = va_arg(ap, const char *)) != NULL) {
		if (strstr(said, word) == NULL)
			fail_msg("does not say '%s': %s", word, said);
		if (code == 2 && strstr(o.err, word) == NULL)
			fail_msg("check-config does not say '%s': %s", word,
				 o.err);
	}
	va_end(ap);
	if (code == 2)
		assert_int_equal(o.status, 2);
	t_output_fini(&o);
	free(said);
}

static void unknown_key(struct t_world *w)
{
	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_configure(&w->daemon, "Colour=blue\n");
	expect_refused(w, 2, "jb.conf:7", "Colour", NULL);
}

static void bad_value(struct t_world *w)
{
	t_shell("mkdir " ROOT);
	t_daemon_configure(&w->daemon, "FlushInterval=soon\n");
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	expect_refused(w, 2, "jb.conf:4", "FlushInterval", "soon", NULL);
}

static void missing_root(struct t_world *w)
{
	t_daemon_root(&w->daemon, "r", FS "/absent", T_auto);
	expect_refused(w, 2, "jb.conf:", FS "/absent", NULL);
}

static void root_in_root(struct t_world *w)
{
	t_shell("mkdir -p " ROOT "/in/side");
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_root(&w->daemon, "s", ROOT "/in/side", T_auto);
	expect_refused(w, 2, "jb.conf:8", "[Root s]", "[Root r]", NULL);
}

/* The same directory by another way. */
static void root_in_root_by_symlink(struct t_world *w)
{
	t_shell("mkdir -p " ROOT "/in && ln -s r/in " FS "/by");
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_root(&w->daemon, "s", FS "/by", T_auto);
	expect_refused(w, 2, "jb.conf:8", "[Root s]", FS "/by", NULL);
}

static void file_for_directory(struct t_world *w)
{
	t_shell("touch " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	expect_refused(w, 2, "jb.conf:", ROOT, "directory", NULL);
}

static void file_for_state_directory(struct t_world *w)
{
	t_shell("mkdir " ROOT " && touch %s", w->daemon.state);
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	expect_refused(w, 2, w->daemon.state, NULL);
}

static void no_root_at_all(struct t_world *w)
{
	expect_refused(w, 2, "Root", NULL);
}

static void no_such_config(struct t_world *w)
{
	remove(w->daemon.config);
	t_daemon_refuse(&w->daemon, 2, w->daemon.config, "daemon", NULL);
}

/* Start it as @argv, until it answers; its status, owned by the caller. */
static json_t *start_as(struct t_daemon *d, const char *const *argv)
{
	json_t *status = NULL;

	d->pid = t_process_start(argv, d->log);
	for (int i = 0; i < 2000 && status == NULL; i++) {
		status = t_daemon_ask(d, "{\"command\":\"status\"}");
		if (status == NULL && t_process_wait(d->pid, 5) >= 0)
			break;
	}
	assert_non_null(status);
	return status;
}

/* No right to watch: without CAP_SYS_ADMIN auto falls back, and says why. */
static void no_capability(struct t_world *w)
{
	const char *argv[] = {"setpriv",    "--bounding-set",
			      "-sys_admin", "--inh-caps",
			      "-sys_admin", t_daemon_program(),
			      "--config",   w->daemon.config,
			      "daemon",	    NULL};
	struct t_daemon *d = &w->daemon;
	struct t_round r;
	json_t *status;

	t_shell("mkdir " ROOT " && touch " ROOT "/1");
	t_daemon_root(d, "r", ROOT, T_auto);
	status = start_as(d, argv);
	assert_string_equal(json_string_value(
				    t_daemon_root_member(status, "backend")),
			    "inotify");
	assert_non_null(strstr(
		json_string_value(t_daemon_root_member(status, "backend_why")),
		"CAP_SYS_ADMIN"));
	json_decref(status);
	t_daemon_flush(d);
	t_round_init(&r, w);
	t_shell("cd " ROOT " && mkdir -p a/b && echo 1 > a/b/c && mv 1 a/2");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

/* A daemon of a user who may not read everything says what it can't see, and
 * sees it when it may. */
static void no_access(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	char program[160];
	const char *argv[] = {
		"setpriv",	  "--reuid=65534", "--regid=65534",
		"--clear-groups", program,	   "--config",
		d->config,	  "daemon",	   NULL};
	struct t_round r;

	snprintf(program, sizeof program, "%s/program", d->dir);
	t_shell("mkdir -p " ROOT "/priv/deep " ROOT "/late/in && touch " ROOT
		"/priv/deep/c && chmod 700 " ROOT "/priv && cp %s %s",
		t_daemon_program(), program);
	t_daemon_root(d, "r", ROOT, T_auto);
	t_shell("chown -R 65534 %s", d->dir);
	json_decref(start_as(d, argv));
	t_daemon_flush(d);
	t_shell("grep -q 'priv: user 65534 may not read' %s", d->log);
	t_shell("chmod 700 " ROOT "/late && touch " ROOT "/late/1 " ROOT
		"/late/in/2");
	t_daemon_flush(d);
	t_shell("grep -q 'late: user 65534 may not read' %s", d->log);
	t_shell("chmod 755 " ROOT "/priv " ROOT "/late");
	t_daemon_flush(d);
	t_round_init(&r, w);
	t_shell("touch " ROOT "/priv/new " ROOT "/late/in/new && rm " ROOT
		"/priv/deep/c");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

/* The same with Backend=fanotify asked for: refused, and said why. */
static void no_capability_for_fanotify(struct t_world *w)
{
	const char *argv[] = {"setpriv",    "--bounding-set",
			      "-sys_admin", "--inh-caps",
			      "-sys_admin", t_daemon_program(),
			      "--config",   w->daemon.config,
			      "daemon",	    NULL};
	struct t_output o;

	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_fanotify);
	t_process_run(&o, argv);
	assert_true(o.status == 1 || o.status == 2);
	assert_non_null(strstr(o.err, "CAP_SYS_ADMIN"));
	t_output_fini(&o);
}

static void newer_schema(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;

	t_shell("mkdir " ROOT " && touch " ROOT "/1");
	t_round_open(&r, w, ROOT);
	t_daemon_stop(d);
	t_round_fini(&r);
	t_shell("cp %s/journal.db %s/kept &&"
		" sqlite3 %s/journal.db 'PRAGMA user_version=999' &&"
		" md5sum < %s/journal.db > %s/sum",
		d->state, d->dir, d->state, d->state, d->dir);
	expect_refused(w, 1, "999", "upgrade", NULL);
	t_shell("md5sum < %s/journal.db | cmp - %s/sum", d->state, d->dir);
	/* Nothing was lost: put back, it goes on. */
	t_shell("cp %s/kept %s/journal.db", d->dir, d->state);
	t_daemon_begin(d);
	t_daemon_stop(d);
}

static char *epoch_of(struct t_daemon *d)
{
	json_t *status = t_daemon_status(d);
	char *epoch =
		strdup(json_string_value(json_object_get(status, "epoch")));

	json_decref(status);
	return epoch;
}

/* A damaged journal is set aside under a name that says so, and rebuilt by a
 * scan: another epoch. */
static void corrupt_journal(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	char *before, *after;
	struct t_round r;

	t_shell("mkdir " ROOT " && cd " ROOT " && seq 500 | xargs touch");
	t_round_open(&r, w, ROOT);
	before = epoch_of(d);
	t_daemon_stop(d);
	t_round_fini(&r);
	t_shell("dd if=/dev/urandom of=%s/journal.db bs=4096 seek=1 count=10"
		" conv=notrunc status=none",
		d->state);
	t_daemon_begin(d);
	after = epoch_of(d);
	assert_string_not_equal(before, after);
	t_shell("ls %s/journal.db?* | grep -E 'corrupt|damaged|aside'",
		d->state);
	assert_true(t_daemon_said(d, "journal.db"));
	t_round_init(&r, w); /* the catalog is whole */
	t_shell("echo 1 > " ROOT "/1 && rm " ROOT "/2");
	t_round_check(&r, NULL);
	t_round_fini(&r);
	free(before);
	free(after);
}

/* Not a database at all. */
static void no_journal_but_a_file(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;

	t_shell("mkdir -p " ROOT " %s && echo 'not a database, but longer than"
		" a header of one' > %s/journal.db",
		d->state, d->state);
	t_round_open(&r, w, ROOT);
	t_shell("grep -l 'not a database' %s/*", d->state);
	t_shell("touch " ROOT "/1");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

/* A full state disk: no exit and nothing lost; when there is space again, all
 * is in the journal. */
static void full_state_disk(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount small;
	struct t_round r;
	json_t *reply;

	t_mount_init(&small, T_ext4, T_SPACE "/small", 8);
	snprintf(d->state, sizeof d->state, T_SPACE "/small/state");
	t_daemon_configure(d, "[Journal]\nStateDirectory=%s\n", d->state);
	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	t_shell("cd " ROOT " && mkdir d && cd d && seq 100 | xargs touch");
	t_round_check(&r, NULL);
	t_shell("head -c 20M /dev/zero > " T_SPACE "/small/ballast || true");
	t_shell("cd " ROOT " && for i in $(seq 40); do mkdir e$i; (cd e$i; seq"
		" 500 | xargs touch); done; rm -rf d; mv e1 f1");
	reply = t_daemon_ask(d, "{\"command\":\"flush\",\"timeout_ms\":500}");
	assert_non_null(reply); /* it lives, and does not pretend */
	assert_false(json_is_true(json_object_get(reply, "ok")));
	json_decref(reply);
	t_shell("rm " T_SPACE "/small/ballast");
	t_round_check(&r, NULL);
	t_round_fini(&r);
	t_daemon_stop(d);
	t_mount_fini(&small);
}

/* Two daemons on one state directory: the second is refused, the first goes
 * on. */
static void two_daemons(struct t_world *w)
{
	struct t_daemon *d = &w->daemon, other;
	struct t_round r;
	char *said;

	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	other = *d;
	other.pid = 0;
	snprintf(other.log, sizeof other.log, "%s/other.log", d->dir);
	assert_int_equal(t_daemon_refused(&other), 1);
	said = t_daemon_words(&other);
	if (strstr(said, "running") == NULL && strstr(said, "use") == NULL)
		fail_msg("does not say that another one runs: %s", said);
	free(said);
	/* Also with a run-time directory of its own. */
	snprintf(other.config, sizeof other.config, "%s/other.conf", d->dir);
	t_shell("sed s,/run,/run2, %s > %s", d->config, other.config);
	assert_int_equal(t_daemon_refused(&other), 1);
	t_shell("touch " ROOT "/1");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 1);
	t_round_fini(&r);
}

/* Commands: what does not parse is exit 2, no daemon is 75. */
static void commands(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;

	t_shell("mkdir " ROOT);
	t_daemon_root(d, "r", ROOT, T_auto);
	t_daemon_refuse(d, 75, "running", "flush", NULL);
	t_daemon_refuse(d, 75, "running", "scan", NULL);
	t_daemon_begin(d);
	t_daemon_expect(d, 0, NULL, "query", NULL);
	t_daemon_expect(d, 0, NULL, "flush", NULL);
	t_daemon_expect(d, 0, NULL, "scan", "r", NULL);
	t_daemon_expect(d, 0, NULL, "status", "--json", NULL);
	t_daemon_refuse(d, 2, "sometime", "query", "--since", "sometime", NULL);
	t_daemon_refuse(d, 2, "[a", "query", "[a", NULL);
	t_daemon_refuse(d, 1, "absent", "query", "--root", "absent", NULL);
	t_daemon_refuse(d, 2, "eaten", "query", "--kind", "eaten", NULL);
	t_daemon_refuse(d, 2, "yaml", "query", "-o", "yaml", NULL);
	t_daemon_refuse(d, 2, "frob", "frob", NULL);
	t_daemon_refuse(d, 2, "--frob", "query", "--frob", NULL);
	t_daemon_refuse(d, 2, "absent", "scan", "absent", NULL);
	t_daemon_refuse(d, 2, "never", "flush", "--timeout", "never", NULL);
}

/* A connection to the daemon that has said nothing yet. */
static int open_client(const struct t_world *w)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(to.sun_path, w->daemon.control);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* More connections than there may be, that say nothing, while one waits for
 * its flush; and one that reads no reply. The next command is answered. */
static void silent_clients(struct t_world *w)
{
	static const char line[] = "{\"command\":\"status\"}\n";
	int fds[200], n = sizeof fds / sizeof fds[0];
	json_t *reply;

	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_begin(&w->daemon);
	for (int i = 0; i < n; i++) {
		fds[i] = open_client(w);
	}
	t_daemon_flush(&w->daemon);
	/* Ends when the daemon has had enough of it. */
	while (send(fds[n - 1], line, sizeof line - 1, MSG_NOSIGNAL) > 0)
		continue;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	reply = t_daemon_status(&w->daemon);
	assert_non_null(reply);
	json_decref(reply);
}

/* Connections that are open when it stops, one of them waiting for a flush, do
 * it no harm. */
static void clients_at_stop(struct t_world *w)
{
	static const char flush[] = "{\"command\":\"flush\"}\n";
	int fds[8], n = sizeof fds / sizeof fds[0];
	char byte;

	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_begin(&w->daemon);
	for (int i = 0; i < n; i++) {
		fds[i] = open_client(w);
		assert_true(send(fds[i], flush, sizeof flush - 1,
				 MSG_NOSIGNAL) > 0);
		if (i < n / 2)
			assert_int_equal(recv(fds[i], &byte, 1, 0), 1);
	}
	t_daemon_stop(&w->daemon);
	for (int i = 0; i < n; i++)
		close(fds[i]);
}

/* Whoever asks after a reload finds the daemon. */
static void after_reload(struct t_world *w)
{
	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_begin(&w->daemon);
	for (int i = 0; i < 5; i++) {
		t_daemon_expect(&w->daemon, 0, NULL, "reload", NULL);
		t_daemon_expect(&w->daemon, 0, NULL, "flush", NULL);
	}
}

static const struct t_case cases[] = {
	T_CASE(unknown_key, ext4, auto),
	T_CASE(bad_value, ext4, auto),
	T_CASE(missing_root, ext4, auto),
	T_CASE(root_in_root, ext4, auto),
	T_CASE(root_in_root_by_symlink, ext4, auto),
	T_CASE(file_for_directory, ext4, auto),
	T_CASE(file_for_state_directory, ext4, auto),
	T_CASE(no_root_at_all, ext4, auto),
	T_CASE(no_such_config, ext4, auto),
	T_CASE(no_access, ext4, inotify),
	T_CASE(no_capability, ext4, auto),
	T_CASE(no_capability_for_fanotify, ext4, auto),
	T_CASE(newer_schema, ext4, auto),
	T_CASE(corrupt_journal, ext4, fanotify),
	T_CASE(no_journal_but_a_file, ext4, fanotify),
	T_CASE(full_state_disk, ext4, fanotify),
	T_CASE(two_daemons, ext4, fanotify),
	T_CASE(commands, ext4, auto),
	T_CASE(silent_clients, ext4, auto),
	T_CASE(clients_at_stop, ext4, auto),
	T_CASE(after_reload, ext4, auto),
};

int main(int argc, char **argv)
{
	return t_case_run("bad input", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
