/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power cuts of the state disk, and state disks that are put back to what they
 * were: the journal opens, no number is given twice to a reader, and whoever is
 * ahead of it or behind it finds out. */
#include "lib/t_judge.h"
#include "lib/t_mirror.h"
#include "lib/t_ops.h"
#include "lib/t_random.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <setjmp.h>
#include <cmocka.h>

#define IMAGE	 T_SPACE "/image"
#define DISK_MB	 64
#define CUTS	 3
#define DEATH_MS 60000

/* A mirror whose state lies on a disk of its own, with changes going on. */
struct cut {
	struct t_mirror m;
	struct t_mount disk;
	struct t_ops ops;
	struct t_judge judge;
	struct t_random random;
	pthread_t load;
	atomic_bool stop;
};

static struct cut the_cut;

static struct t_daemon *daemon_of(struct cut *c)
{
	return &c->m.w->daemon;
}

static void cut_init(struct cut *c, struct t_world *w, enum t_fs disk)
{
	struct t_ops_options o = {.root = T_MIRROR_ROOT,
				  .threads = 2,
				  .seed = w->seed,
				  .links = true,
				  .shallow = true};

	memset(c, 0, sizeof *c);
	c->random.state = w->seed;
	t_mount_init(&c->disk, disk, w->daemon.state,
		     disk == T_xfs ? 0 : DISK_MB);
	w->daemon.quiet = true;
	t_mirror_init(&c->m, w, T_ext4, "mkdir a; echo 1 > a/1",
		      "MaxDelete=off");
	t_mirror_check(&c->m); /* from now on it knows its target */
	t_ops_init(&c->ops, &o);
	t_judge_init(&c->judge, w->daemon.state);
	t_judge_exec(&c->judge, "CREATE TABLE seen(seq INTEGER PRIMARY KEY,"
				" kind, ino, name, time)");
}

static void cut_fini(struct cut *c)
{
	t_judge_fini(&c->judge);
	t_ops_fini(&c->ops);
	t_mirror_fini(&c->m);
	t_mount_fini(&c->disk);
}

static void *run_load(void *arg)
{
	struct cut *c = arg;

	while (!atomic_load(&c->stop))
		t_ops_round(&c->ops, 20);
	return NULL;
}

static void start_load(struct cut *c)
{
	atomic_store(&c->stop, false);
	assert_int_equal(pthread_create(&c->load, NULL, run_load, c), 0);
}

static void stop_load(struct cut *c)
{
	atomic_store(&c->stop, true);
	pthread_join(c->load, NULL);
}

/* A reader takes note of what it sees. */
static void see(struct cut *c)
{
	t_judge_exec(&c->judge,
		     "INSERT INTO seen SELECT seq, kind, ino, name,"
		     " (SELECT time FROM j.batch b WHERE b.seq <= c.seq"
		     "  ORDER BY b.seq DESC LIMIT 1) FROM j.change c"
		     " WHERE seq > (SELECT ifnull(max(seq), 0) FROM seen)");
}

/* Read on until @more changes have been seen. */
static void see_more(struct cut *c, int64_t more)
{
	int64_t until = t_judge_seq(&c->judge) + more;

	for (int i = 0; i < 6000 && t_judge_seq(&c->judge) < until; i++)
		poll(NULL, 0, 5);
	assert_true(t_judge_seq(&c->judge) >= until);
	see(c);
}

/* All that was ever seen is still there, and the same. */
static void check_seen(struct cut *c)
{
	assert_int_equal(
		t_judge_number(&c->judge,
			       "SELECT count(*) FROM seen s WHERE NOT EXISTS"
			       " (SELECT 1 FROM j.change c WHERE c.seq = s.seq"
			       "  AND c.kind = s.kind AND c.ino = s.ino"
			       "  AND c.name = s.name AND s.time ="
			       "  (SELECT time FROM j.batch b WHERE b.seq <="
			       "   c.seq ORDER BY b.seq DESC LIMIT 1))"),
		0);
}

/* Catalog = live, and it is still the same journal. */
static void check_catalog(struct cut *c)
{
	struct t_daemon *d = daemon_of(c);

	t_daemon_flush(d);
	t_judge_reopen(&c->judge);
	t_judge_tree(&c->judge, T_MIRROR_ROOT, "r");
	t_judge_catalog_is_sound(&c->judge);
	assert_false(t_daemon_said(d, "damaged"));
	assert_false(t_daemon_said(d, "set aside"));
}

/* The worker ends a moment after its daemon. */
static void unmount(struct cut *c)
{
	int rv = -1;

	for (int i = 0; i < 1000 && rv != 0; i++) {
		rv = umount2(c->disk.path, 0);
		if (rv != 0)
			poll(NULL, 0, 10);
	}
	assert_int_equal(rv, 0);
}

static bool stands_still(pid_t pid)
{
	char line[96];
	FILE *f;
	int c;

	snprintf(line, sizeof line,
		 "cat /proc/%d/task/*/stat | sed 's/.*) //' | grep -v ^T",
		 (int)pid);
	f = popen(line, "r");
	assert_non_null(f);
	c = fgetc(f);
	pclose(f);
	return c == EOF;
}

/* The disk's power fails while daemon and worker stand still: a sync that it
 * meets on its way may end well, with ext4 one in four, though nothing is
 * written. On a real disk none does. Returns the worker, or 0. */
static pid_t cut_power(struct cut *c)
{
	struct t_daemon *d = daemon_of(c);
	pid_t worker = t_daemon_child(d);

	t_daemon_freeze(d);
	if (worker > 0)
		kill(worker, SIGSTOP);
	for (int i = 0; worker > 0 && i < 6000 && !stands_still(worker); i++)
		poll(NULL, 0, 5);
	t_mount_lose_power(&c->disk);
	return worker;
}

/* The state disk gives nothing but errors from now on. The daemon can't know
 * for how long, and ends by itself when it can't read its journal any more:
 * with a line that says why, and without a hand on what it could not read. */
static void disk_dies(struct cut *c)
{
	struct t_daemon *d = daemon_of(c);
	pid_t worker = cut_power(c);
	int code;

	t_daemon_thaw(d);
	if (worker > 0)
		kill(worker, SIGCONT);
	code = t_process_wait(d->pid, DEATH_MS);
	if (code != 1)
		fail_msg("without its state disk the daemon has the exit "
			 "code %d",
			 code);
	d->pid = 0;
	if (!t_daemon_said(d, "journal.db: Input/output error; see to its "
			      "disk"))
		fail_msg("it did not say that the disk is at fault");
}

/* The disk is back, nothing lies aside, and all that was ever seen is there. */
static void disk_returns(struct cut *c)
{
	struct t_daemon *d = daemon_of(c);

	t_judge_let_go(&c->judge);
	unmount(c);
	t_mount_attach(&c->disk);
	t_shell("! ls %s | grep damaged", d->state);
	t_daemon_begin(d);
	t_judge_reopen(&c->judge);
	check_seen(c);
	check_catalog(c);
	t_mirror_check(&c->m);
	see(c);
}

/* The state disk fails under load while the daemon goes on. */
static void disk_fails(struct t_world *w)
{
	struct cut *c = &the_cut;

	cut_init(c, w, w->fs.fs);
	for (int i = 0; i < CUTS; i++) {
		start_load(c);
		see_more(c, 200 + (int64_t)t_random_below(&c->random, 800));
		disk_dies(c);
		stop_load(c);
		disk_returns(c);
	}
	cut_fini(c);
}

/* The power of the state disk fails under load, again and again, and that of
 * the daemon: what a reader has seen is in the journal for good. */
static void power_cut(struct t_world *w)
{
	struct cut *c = &the_cut;
	struct t_daemon *d = &w->daemon;
	pid_t worker;

	cut_init(c, w, w->fs.fs);
	for (int i = 0; i < CUTS; i++) {
		start_load(c);
		see_more(c, 200 + (int64_t)t_random_below(&c->random, 800));
		worker = cut_power(c);
		t_daemon_kill(d);
		if (worker > 0)
			kill(worker, SIGCONT); /* to its end */
		stop_load(c);
		disk_returns(c);
	}
	cut_fini(c);
}

/* Somebody removes the state directory: the daemon does not go on as if all
 * were well. */
static void removed(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;

	t_shell("mkdir " T_SPACE "/fs/r");
	t_daemon_root(d, "r", T_SPACE "/fs/r", w->backend);
	t_daemon_begin(d);
	d->quiet = true;
	t_shell("rm -r %s && touch " T_SPACE "/fs/r/1", d->state);
	assert_int_equal(t_process_wait(d->pid, DEATH_MS), 1);
	d->pid = 0;
	t_shell("grep -q 'journal.db: was removed or replaced' %s", d->log);
	t_daemon_begin(d);
	t_shell("touch " T_SPACE "/fs/r/2");
	t_daemon_flush(d);
	t_shell("%s --config %s query | grep -q 2", t_daemon_program(),
		d->config);
}

/* A cursor of `query` behind all there is. */
static void save_cursor(struct t_daemon *d, char cursor[96])
{
	struct t_output o;
	const char *at;

	t_daemon_command(d, &o, "query", "-n", "1", "--show-cursor", NULL);
	at = strstr(o.out, "-- cursor: ");
	assert_non_null(at);
	snprintf(cursor, 96, "%.*s", (int)strcspn(at + 11, "\n"), at + 11);
	t_output_fini(&o);
}

static void refuse_cursor(struct t_daemon *d, const char *cursor)
{
	t_daemon_refuse(d, 1, "put back", "query", "--after-cursor", cursor,
			NULL);
}

/* What was seen is no longer so. */
static void forget(struct cut *c)
{
	t_judge_exec(&c->judge, "DELETE FROM seen");
	see(c);
}

/* The target holds what a policy has made and does not know any more: that is
 * said, never passed over, and a person decides. */
static void heal_target(struct t_mirror *m)
{
	struct t_output o;

	t_daemon_command(&m->w->daemon, &o, "flush", "--policy", "m",
			 "--timeout", "60s", NULL);
	if (o.status == 0) { /* then it is right */
		t_output_fini(&o);
		t_mirror_compare(m);
		return;
	}
	if (o.status != 1 || strstr(o.err, "not ours") == NULL)
		fail_msg("flush: exit %d: %s", o.status, o.err);
	t_output_fini(&o);
	/* Not while the policy tries it once more. */
	t_mirror_pause(m);
	t_shell("find " T_MIRROR " -mindepth 1 -delete");
	t_mirror_command(m, 0, NULL, "target", "init", "t", NULL);
	t_mirror_resume(m);
	t_mirror_check(m);
}

/* The whole state disk goes back to what it was at some moment: journal and
 * replica are older than tree and target. The journal is right again at once, a
 * reader's cursor from the lost time is refused, and what the replica does not
 * know is said. */
static void image_back(struct t_world *w)
{
	struct cut *c = &the_cut;
	struct t_daemon *d = &w->daemon;
	char cursor[96];

	cut_init(c, w, w->fs.fs);
	for (int i = 0; i < CUTS; i++) {
		start_load(c);
		see_more(c, 200 + (int64_t)t_random_below(&c->random, 800));
		/* A crash's image: what has reached the disk by now. */
		t_daemon_shell(d,
			       "dd if=%s of=" IMAGE
			       " bs=1M iflag=direct status=none",
			       c->disk.device);
		see_more(c, 200);
		stop_load(c);
		t_mirror_check(&c->m); /* the target has all of it */
		save_cursor(d, cursor);
		t_daemon_kill(d);
		t_judge_let_go(&c->judge);
		unmount(c);
		t_shell("dd if=" IMAGE " of=%s bs=1M oflag=direct status=none",
			c->disk.device);
		t_mount_attach(&c->disk);
		t_daemon_begin(d);
		check_catalog(c);
		refuse_cursor(d, cursor);
		heal_target(&c->m);
		forget(c);
	}
	cut_fini(c);
}

/* Copy the state's files to or from a directory aside, while nothing runs. */
static void copy_files(struct t_daemon *d, const char *what, bool back)
{
	char aside[160];

	snprintf(aside, sizeof aside, "%s/aside", d->dir);
	if (back)
		t_shell("rm -f %s/%s && cp -a %s/%s %s/", d->state, what, aside,
			what, d->state);
	else
		t_shell("rm -rf %s && mkdir %s && cp -a %s/%s %s/", aside,
			aside, d->state, what, aside);
}

static void make_changes(int from, int n)
{
	t_shell("cd " T_MIRROR_ROOT " && for i in $(seq %d %d); do"
		" echo $i > a/$i; done; mv a/%d a/moved-%d; rm -f a/%d",
		from, from + n - 1, from, from, from + 1);
}

/* The journal alone goes back. A policy that is ahead of it would find other
 * changes under the numbers that it has passed: it looks at everything. */
static void journal_back(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;
	char cursor[96];

	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", "MaxDelete=off");
	make_changes(10, 20);
	t_mirror_check(&m);
	t_daemon_stop(d);
	copy_files(d, "journal.db*", false);
	t_daemon_begin(d);
	/* Many numbers, of which the scan afterwards needs one. */
	for (int i = 0; i < 60; i++) {
		t_shell("echo %d >> " T_MIRROR_ROOT "/a/1", i);
		t_daemon_flush(d);
	}
	t_mirror_check(&m);
	t_mirror_pause(&m);
	save_cursor(d, cursor);
	t_daemon_stop(d);
	copy_files(d, "journal.db*", true);

	/* It goes on to numbers far beyond the policy's cursor. */
	t_daemon_begin(d);
	make_changes(200, 120);
	t_daemon_flush(d);
	assert_true(t_mirror_number(&m, "cursor") <
		    t_daemon_journal_number(d, "last_seq"));
	refuse_cursor(d, cursor);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A policy's database goes back: what it has made since is said to be not ours,
 * and taken over without copying when a person says so. */
static void policy_back(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_output o;
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir a; echo 1 > a/1", "MaxDelete=off");
	make_changes(10, 20);
	t_mirror_check(&m);
	t_daemon_stop(d);
	copy_files(d, "policy-m.db*", false);
	t_daemon_begin(d);
	make_changes(100, 40);
	t_mirror_check(&m);
	t_daemon_stop(d);
	copy_files(d, "policy-m.db*", true);
	t_daemon_begin(d);
	make_changes(200, 10);
	t_mirror_flush(&m, 1);
	t_daemon_command(d, &o, "target", "init", "t", "--adopt", NULL);
	assert_int_equal(o.status, 0);
	t_output_fini(&o);
	t_mirror_check(&m);
	assert_true(t_mirror_number(&m, "copied") < 40);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(image_back, ext4, fanotify),
	T_CASE(image_back, xfs, fanotify),
	T_CASE(journal_back, ext4, fanotify),
	T_CASE(policy_back, ext4, fanotify),
	T_CASE(power_cut, ext4, fanotify),
	T_CASE(power_cut, xfs, fanotify),
	T_CASE(removed, ext4, fanotify),
	T_CASE(disk_fails, ext4, fanotify),
	T_CASE(disk_fails, xfs, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("state disk", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
