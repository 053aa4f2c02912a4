/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Room for the journal: on a full disk, and within MaxJournalSize=. What can't
 * be noted is a gap, nothing is lost, and it heals by itself. */
#include "lib/t_mirror.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT  T_MIRROR_ROOT
#define SMALL 16 /* MB */

/* ---- full disks */

/* A daemon whose state lies on a small disk of its own. */
static void begin_on_small_disk(struct t_world *w, struct t_mount *disk)
{
	struct t_daemon *d = &w->daemon;

	t_mount_init(disk, T_ext4, d->state, SMALL);
	t_shell("mkdir " ROOT " && chmod 700 %s", d->state);
	t_daemon_root(d, "r", ROOT, w->backend);
	d->quiet = true;
	t_daemon_begin(d);
}

/* After a flush the catalog is the tree, and no gap is open. */
static void compare(struct t_world *w)
{
	struct t_judge j;

	t_daemon_flush(&w->daemon);
	t_judge_init(&j, w->daemon.state);
	t_judge_tree(&j, ROOT, "r");
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

	begin_on_small_disk(w, &disk);
	t_ops_init(&ops, &o);
	t_ops_round(&ops, 500);
	compare(w);

	/* Somebody else fills the disk to the brim. */
	fill_disk(d);
	t_ops_round(&ops, 2000);
	await_room(d, false);
	t_daemon_expect(d, 0, "there is no room for the journal", "status",
			NULL);
	t_ops_round(&ops, 2000);

	/* And leaves. */
	t_shell("rm %s/other", d->state);
	t_ops_round(&ops, 2000);
	await_room(d, true);
	t_ops_round(&ops, 2000);
	compare(w);
	t_daemon_expect(d, 0, "there was no room for the journal", "query",
			"--gaps", NULL);
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
	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", "MaxDelete=off");
	t_mirror_check(&m);
	fill_disk(d);
	t_shell("cd %s && for i in $(seq 3000); do echo $i > a/$i; done;"
		" mv a b",
		ROOT);
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

	begin_on_small_disk(w, &disk);
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

/* Bytes free for others on the disk of @path. */
static int64_t free_bytes(const char *path)
{
	struct statvfs st;

	assert_int_equal(statvfs(path, &st), 0);
	return (int64_t)(st.f_bavail * st.f_frsize);
}

/* More than the state disk holds: some of it is always left free, old changes
 * go first, and when the tree is small again the journal is right. */
static void too_large(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mount disk;

	begin_on_small_disk(w, &disk);
	t_shell("cd " ROOT " && for i in $(seq 90); do mkdir d$i; (cd d$i;"
		" seq -f a-name-of-a-file-that-is-long-%%.0f 1000 |"
		" xargs touch); done");
	await_room(d, false);
	assert_true(free_bytes(d->state) > 0);
	t_shell("rm -r " ROOT "/d[2-9]*");
	await_room(d, true);
	compare(w);
	assert_true(t_daemon_journal_number(d, "first_seq") > 1);
	t_daemon_stop(d);
	t_mount_fini(&disk);
}

/* A batch that is lost half-way, since its disk is full, leaves directories in
 * the catalog: what happens in them afterwards is seen. */
static void half_a_batch(struct t_world *w)
{
	struct t_mount disk;
	struct t_round r;

	t_mount_init(&disk, T_ext4, w->daemon.state, 64);
	t_round_make(&r, w, ROOT, "mkdir top");
	w->daemon.quiet = true;
	t_shell("d=%s; free=$(df --output=avail -B1 $d | tail -1);"
		" fallocate -l $((free - 4608 * 1024)) $d/filler",
		w->daemon.state);
	t_daemon_shell(&w->daemon, "cd " ROOT "/top && seq 8000 | xargs mkdir");
	t_daemon_await_words(&w->daemon, "not recorded");
	t_shell("rm %s/filler", w->daemon.state);
	t_round_check(&r, NULL);
	t_shell("cd " ROOT "/top && for d in *; do echo > $d/f; done");
	t_round_check(&r, NULL);
	t_round_fini(&r);
	t_mount_fini(&disk);
}

/* On a small disk the WAL of a policy leaves room for the journal. */
static void small_state_disk(struct t_world *w)
{
	struct t_mount disk;
	struct t_mirror m;
	struct stat st;
	char wal[160];

	t_mount_init(&disk, T_ext4, w->daemon.state, 64);
	snprintf(wal, sizeof wal, "%s/policy-m.db-wal", w->daemon.state);
	t_mirror_init(&m, w, T_ext4,
		      "for d in $(seq 100); do mkdir $d;"
		      " touch $d/f$(seq -s \" $d/f\" 100); done",
		      "");
	for (int i = 0; i < 10; i++) {
		t_mirror_check(&m);
		assert_int_equal(stat(wal, &st), 0);
		assert_in_range(st.st_size, 0, 8 << 20);
		t_shell("chmod -R %d %s", i % 2 ? 755 : 700, ROOT);
	}
	t_mirror_fini(&m);
	t_mount_fini(&disk);
}

/* ---- MaxJournalSize= */

#define LIMIT (16 << 20) /* MaxJournalSize= */

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
		      (long long)t_daemon_journal_number(d, "first_seq"),
		      (long long)t_daemon_journal_number(d, "last_seq"));
	assert_true(most <= LIMIT);
	assert_true(t_daemon_journal_number(d, "first_seq") > 100000);
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
	T_CASE(full_disk, ext4, fanotify),
	T_CASE(full_disk, ext4, inotify),
	T_CASE(full_for_all, ext4, fanotify),
	T_CASE(start_on_full_disk, ext4, fanotify),
	T_CASE(too_large, ext4, fanotify),
	T_CASE(by_size, ext4, fanotify),
	T_CASE(pinned, ext4, fanotify),
	T_CASE(small_state_disk, ext4, fanotify),
	T_CASE(half_a_batch, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("journal_full", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
