/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal keeps what it must and drops what it may, while it is written:
 * by age, by size, on a full disk; and whoever reads it learns what is gone. */
#include "lib/t_mirror.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS	T_SPACE "/fs"
#define ROOT	FS "/r"
#define LOOKS	3000 /* of 20 ms */
#define SMALL	16   /* MB */
#define FOR_ALL "MaxDelete=off"

/* A number of the status: "journal", key. */
static int64_t journal_number(struct t_daemon *d, const char *key)
{
	json_t *status = t_daemon_status(d);
	int64_t n = json_integer_value(
		json_object_get(json_object_get(status, "journal"), key));

	json_decref(status);
	return n;
}

static void await_first(struct t_daemon *d, int64_t first)
{
	int64_t is = 0;

	for (int i = 0; i < LOOKS; i++) {
		is = journal_number(d, "first_seq");
		if (is >= first)
			return;
		poll(NULL, 0, 20);
	}
	fail_msg("the first change is %lld, not %lld", (long long)is,
		 (long long)first);
}

static void run(struct t_daemon *d, int code, const char *words, const char *a,
		const char *b, const char *c)
{
	struct t_output o;

	t_daemon_command(d, &o, a, b, c, NULL);
	if (o.status != code ||
	    (words != NULL && strstr(o.out, words) == NULL &&
	     strstr(o.err, words) == NULL))
		fail_msg("%s: exit %d, not %d, or not '%s': %s%s", a, o.status,
			 code, words, o.out, o.err);
	t_output_fini(&o);
}

/* What is older than Retain= goes by itself, the rest can be asked for, and
 * who asks for more is told. */
static void by_time(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;
	struct t_output o;

	t_daemon_configure(d, "Retain=1s\n");
	t_round_make(&r, w, ROOT, "mkdir a b");
	t_shell("cd " ROOT " && echo 1 > a/1 && echo 1 > b/2");
	t_round_check(&r, NULL);
	await_first(d, 2); /* the last one stays */
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*)"
						  " FROM j.change"),
			 1);
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*)"
						  " FROM j.place"),
			 1);
	run(d, 0, "is no longer kept", "query", "-S", "yesterday");
	t_daemon_command(d, &o, "query", "-o", "paths", NULL);
	assert_string_equal(o.out, "b/2\n");
	assert_string_equal(o.err, ""); /* nothing was asked for in vain */
	t_output_fini(&o);
	t_daemon_command(d, &o, "query", "--after-cursor", "0000000000000001:1",
			 NULL);
	assert_int_equal(o.status, 1);
	t_output_fini(&o);
	t_daemon_stop(d);
	t_daemon_begin(d);
	t_shell("echo 3 > " ROOT "/a/3");
	t_daemon_flush(d);
	assert_true(journal_number(d, "last_seq") > 2); /* counted on */
	t_round_fini(&r);
}

/* Nothing goes that a policy has not read, `vacuum` says whose it is; and it
 * goes when that policy has. */
static void behind_the_cursor(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;
	int64_t cursor;

	t_daemon_configure(d, "[Journal]\nRetain=1s\n");
	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_shell("cd %s && for i in 2 3 4; do echo $i > a/$i; done",
		T_MIRROR_ROOT);
	t_mirror_check(&m);
	t_mirror_command(&m, 0, NULL, "pause", "m", NULL);
	cursor = journal_number(d, "last_seq");
	t_shell("cd %s && for i in 5 6 7 8; do echo $i > a/$i; done",
		T_MIRROR_ROOT);
	t_daemon_flush(d);
	run(d, 0, "policy 'm' has not read change", "vacuum", "--time", "0s");
	await_first(d, cursor + 1);
	assert_int_equal(journal_number(d, "first_seq"), cursor + 1);
	t_mirror_command(&m, 0, NULL, "resume", "m", NULL);
	t_mirror_check(&m);
	assert_int_equal(t_daemon_said(d, "full pass"), false);
	await_first(d, journal_number(d, "last_seq"));
	t_mirror_fini(&m);
}

/* A policy that is too far behind holds nothing back: it owes a full pass, and
 * is right after it. */
static void dead_leg(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;

	t_daemon_configure(d, "[Journal]\nRetain=1s\nMaxBacklog=20\n");
	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_mirror_check(&m);
	t_mirror_command(&m, 0, NULL, "pause", "m", NULL);
	t_shell("cd %s && for i in $(seq 60); do echo $i > a/$i; done; mv a b;"
		" rm b/2*",
		T_MIRROR_ROOT);
	t_daemon_flush(d);
	await_first(d, journal_number(d, "last_seq"));
	assert_true(t_daemon_said(d, "it owes a full pass"));
	run(d, 0, "GAP", "status", NULL, NULL);
	t_mirror_command(&m, 0, NULL, "resume", "m", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* The same within MaxBacklog=, but for a worker that finds only now what was
 * dropped behind its back: no change is skipped. */
static void dropped_behind_its_back(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_mirror_check(&m);
	t_mirror_command(&m, 0, NULL, "pause", "m", NULL);
	t_shell("cd %s && for i in $(seq 60); do echo $i > a/$i; done",
		T_MIRROR_ROOT);
	t_daemon_flush(d);
	t_daemon_stop(d);
	t_shell("sqlite3 %s/journal.db 'DELETE FROM change"
		" WHERE seq < (SELECT max(seq) - 3 FROM change)'",
		d->state);
	t_daemon_begin(d);
	t_mirror_command(&m, 0, NULL, "resume", "m", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* `vacuum` makes the file smaller, while changes are recorded. */
static void vacuum(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;
	struct stat before, after;
	char file[160];

	t_round_make(&r, w, ROOT, "mkdir a");
	for (int i = 0; i < 6; i++) {
		t_shell("cd " ROOT "/a && seq -f f%%.0f 5000 | xargs touch");
		t_daemon_flush(d);
		t_shell("cd " ROOT "/a && ls | xargs rm");
		t_daemon_flush(d);
	}
	t_shell("cd " ROOT "/a && seq -f g%%.0f 5000 | xargs touch");
	snprintf(file, sizeof file, "%s/journal.db", d->state);
	run(d, 0, "given back", "vacuum", "--time", "365d"); /* cuts the WAL */
	t_shell("sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)'", file);
	assert_int_equal(stat(file, &before), 0);
	run(d, 0, "given back", "vacuum", "--size", "2M");
	assert_int_equal(stat(file, &after), 0);
	assert_true(before.st_size > 4 << 20);
	assert_true(after.st_size < before.st_size / 10 * 6);
	t_daemon_flush(d);
	t_judge_walk(&r.judge, "l", ROOT);
	t_judge_catalog(&r.judge, "c2", "r");
	t_judge_compare(&r.judge, "l", "c2");
	run(d, 2, "30d", "vacuum", "--time", "soon");
	run(d, 2, "500M", "vacuum", "--size", "big");
	t_round_fini(&r);
}

/* Bytes free for others on the disk of @path. */
static int64_t free_bytes(const char *path)
{
	struct statvfs st;

	assert_int_equal(statvfs(path, &st), 0);
	return (int64_t)(st.f_bavail * st.f_frsize);
}

static void compare(struct t_world *w)
{
	struct t_judge j;

	t_daemon_flush(&w->daemon);
	t_judge_init(&j, w->daemon.state);
	t_judge_walk(&j, "live", ROOT);
	t_judge_catalog(&j, "catalog", "r");
	t_judge_compare(&j, "live", "catalog");
	t_judge_catalog_is_sound(&j);
	assert_int_equal(t_judge_number(&j, "SELECT count(*) FROM j.gap"
					    " WHERE closed IS NULL"),
			 0);
	t_judge_fini(&j);
}

static void await_room(struct t_daemon *d, bool want)
{
	t_daemon_await(d, "no_room", !want);
}

static void fill_disk(struct t_daemon *d)
{
	t_shell("dd if=/dev/zero of=%s/other bs=64k status=none || true",
		d->state);
}

/* A state disk that is full: nothing is recorded, nothing is lost, some room is
 * left; when there is room again the journal heals by itself, under load. */
static void full_disk(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount disk;
	struct t_ops_options o = {.root = ROOT,
				  .threads = 2,
				  .seed = w->seed,
				  .links = w->backend != T_inotify};
	struct t_ops ops;

	t_mount_init(&disk, T_ext4, d->state, SMALL);
	t_shell("mkdir " ROOT " && chmod 700 %s", d->state);
	t_daemon_root(d, "r", ROOT, w->backend);
	d->quiet = true;
	t_daemon_begin(d);
	t_ops_init(&ops, &o);
	t_ops_round(&ops, 500);
	compare(w);

	/* Somebody else fills the disk to the brim. */
	fill_disk(d);
	t_ops_round(&ops, 2000);
	await_room(d, false);
	run(d, 0, "there is no room for the journal", "status", NULL, NULL);
	t_ops_round(&ops, 2000);

	/* And leaves. */
	t_shell("rm %s/other", d->state);
	t_ops_round(&ops, 2000);
	await_room(d, true);
	t_ops_round(&ops, 2000);
	compare(w);
	run(d, 0, "there was no room for the journal", "query", "--gaps", NULL);
	t_ops_fini(&ops);
	t_daemon_stop(d);
	t_mount_fini(&disk);
}

/* Directory @i with 3,000 files, made or removed. */
static void make_files(int i)
{
	t_shell("cd " ROOT " && mkdir d%d && cd d%d &&"
		" seq -f a-name-of-a-file-%%.0f 3000 | xargs touch",
		i, i);
}

static void remove_files(int i)
{
	t_shell("cd " ROOT "/d%d && ls | xargs rm && cd .. && rmdir d%d", i, i);
}

/* The policy's database is on the full disk too: it waits, and goes on. */
static void full_for_all(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount disk;
	struct t_mirror m;

	t_mount_init(&disk, T_ext4, d->state, SMALL);
	d->quiet = true;
	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", FOR_ALL);
	t_mirror_check(&m);
	fill_disk(d);
	t_shell("cd %s && for i in $(seq 3000); do echo $i > a/$i; done;"
		" mv a b",
		T_MIRROR_ROOT);
	await_room(d, false);
	t_shell("rm %s/other", d->state);
	await_room(d, true);
	t_mirror_check(&m);
	t_mirror_fini(&m);
	t_mount_fini(&disk);
}

/* Killed, and started on a full disk: it waits, or ends and is started again by
 * the service manager; when there is room it is right. */
static void start_on_full_disk(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount disk;

	t_mount_init(&disk, T_ext4, d->state, SMALL);
	t_shell("mkdir " ROOT " && chmod 700 %s", d->state);
	t_daemon_root(d, "r", ROOT, w->backend);
	d->quiet = true;
	t_daemon_begin(d);
	make_files(0);
	fill_disk(d);
	make_files(1);
	t_daemon_kill(d);
	make_files(2);
	if (t_daemon_refused(d) == -1)
		await_room(d, false);
	t_shell("rm %s/other", d->state);
	if (d->pid == 0)
		t_daemon_start(d);
	await_room(d, true);
	compare(w);
	t_daemon_stop(d);
	t_mount_fini(&disk);
}

/* More than the state disk holds: some of it is always left free, old changes
 * go first, and when the tree is small again the journal is right. */
static void too_large(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount disk;

	t_mount_init(&disk, T_ext4, d->state, SMALL);
	t_shell("mkdir " ROOT " && chmod 700 %s", d->state);
	t_daemon_root(d, "r", ROOT, w->backend);
	d->quiet = true;
	t_daemon_begin(d);
	t_shell("cd " ROOT " && for i in $(seq 90); do mkdir d$i; (cd d$i;"
		" seq -f a-name-of-a-file-that-is-long-%%.0f 1000 |"
		" xargs touch); done");
	await_room(d, false);
	assert_true(free_bytes(d->state) > 0);
	t_shell("rm -r " ROOT "/d[2-9]*");
	await_room(d, true);
	compare(w);
	assert_true(journal_number(d, "first_seq") > 1);
	t_daemon_stop(d);
	t_mount_fini(&disk);
}

#define LIMIT (16 << 20) /* MaxJournalSize= of the following */

/* What the journal takes of its disk now. */
static int64_t size_of(struct t_daemon *d)
{
	int64_t n = 0;
	char path[160];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/journal.db%s", d->state,
			 i == 0 ? "" : "-wal");
		if (stat(path, &st) == 0)
			n += st.st_size;
	}
	return n;
}

static void begin_limited(struct t_world *w)
{
	t_shell("mkdir " ROOT);
	t_daemon_configure(&w->daemon, "MaxJournalSize=%d\n", LIMIT);
	t_daemon_root(&w->daemon, "r", ROOT, w->backend);
	w->daemon.quiet = true;
	t_daemon_begin(&w->daemon);
}

/* Ten times as much happens as may be kept: the journal stays within its size,
 * the WAL is cut although somebody reads slowly, and nothing is lost. */
static void by_size(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	const char *argv[] = {"sh", "-c", NULL, NULL};
	char line[512], fifo[160];
	int64_t size, most = 0;
	pid_t reader;
	int fd;

	begin_limited(w);
	make_files(0);
	t_daemon_flush(d);
	/* A page of changes is read; the rest waits for ever in a pipe. */
	snprintf(fifo, sizeof fifo, "%s/fifo", d->dir);
	snprintf(line, sizeof line, "mkfifo %s; exec %s --config %s query > %s",
		 fifo, t_daemon_program(), d->config, fifo);
	argv[2] = line;
	reader = t_process_start(argv, d->log);
	while ((fd = open(fifo, O_RDONLY | O_CLOEXEC)) < 0)
		poll(NULL, 0, 5);
	for (int i = 1; i < 80; i++) {
		make_files(i);
		if (i > 3)
			remove_files(i - 3);
		size = size_of(d);
		most = size > most ? size : most;
	}
	assert_int_equal(t_process_wait(reader, 0), -1); /* still there */
	compare(w);
	print_message("at most %lld of %d bytes, changes from %lld to %lld\n",
		      (long long)most, LIMIT,
		      (long long)journal_number(d, "first_seq"),
		      (long long)journal_number(d, "last_seq"));
	assert_true(most <= LIMIT);
	assert_true(journal_number(d, "first_seq") > 100000);
	kill(reader, SIGKILL);
	t_process_wait(reader, 10000);
	close(fd);
	t_daemon_stop(d);
}

static bool has_no_room(struct t_daemon *d)
{
	json_t *status = t_daemon_status(d);
	bool no = json_is_true(t_daemon_root_member(status, "no_room"));

	json_decref(status);
	return no;
}

/* Somebody pins the WAL for ever: changes collapse into a gap before the
 * journal outgrows its size. When he leaves it heals. */
static void pinned(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	int64_t size, most = 0;
	char path[160];
	sqlite3 *db;

	begin_limited(w);
	snprintf(path, sizeof path, "%s/journal.db", d->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT * FROM entry", NULL,
				      NULL, NULL),
			 SQLITE_OK);
	for (int i = 0; i < 300 && !has_no_room(d); i++) {
		make_files(i);
		if (i > 2)
			remove_files(i - 2);
		json_decref(t_daemon_ask(d, "{\"command\":\"flush\","
					    "\"timeout_ms\":1000}"));
		size = size_of(d);
		most = size > most ? size : most;
	}
	await_room(d, false);
	assert_true(most <= LIMIT + LIMIT / 8);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	await_room(d, true);
	compare(w);
	t_daemon_stop(d);
}

static const struct t_case cases[] = {
	T_CASE(by_time, ext4, fanotify),
	T_CASE(by_time, ext4, inotify),
	T_CASE(behind_the_cursor, ext4, fanotify),
	T_CASE(dead_leg, ext4, fanotify),
	T_CASE(dropped_behind_its_back, ext4, fanotify),
	T_CASE(vacuum, ext4, fanotify),
	T_CASE(full_disk, ext4, fanotify),
	T_CASE(full_disk, ext4, inotify),
	T_CASE(full_for_all, ext4, fanotify),
	T_CASE(start_on_full_disk, ext4, fanotify),
	T_CASE(too_large, ext4, fanotify),
	T_CASE(by_size, ext4, fanotify),
	T_CASE(pinned, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("retention", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
