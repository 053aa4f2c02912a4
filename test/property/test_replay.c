/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever several threads do to a tree: after a flush the catalog equals an
 * independent walk, and the journal's rows played over the listing of before
 * give the listing of after. JB_TEST_SEED repeats a run. */
#include "lib/t_case.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"

#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT	T_SPACE "/fs/in"
#define OUTSIDE T_SPACE "/fs/out"

struct fixture {
	struct t_ops ops;
	struct t_round round;
};

/* Short ones cut between any two operations, long ones make large batches. */
static const int intervals[] = {1, 10, 200};

/* A tree that is not empty when the daemon sees it first. */
static void set_up(struct fixture *f, struct t_world *w, bool links,
		   bool outside)
{
	struct t_ops_options o = {.root = ROOT,
				  .outside = outside ? OUTSIDE : NULL,
				  .threads = 3,
				  .seed = w->seed,
				  .links = links,
				  .nameless = w->backend == T_fanotify};

	t_shell("mkdir " ROOT " " OUTSIDE);
	t_ops_init(&f->ops, &o);
	t_ops_round(&f->ops, 1000);
	t_daemon_configure(&w->daemon, "FlushInterval=%dms\n",
			   intervals[w->seed % 3]);
	t_round_open(&f->round, w, ROOT);
	t_ops_tell(&f->ops, &f->round.judge);
}

static void tear_down(struct fixture *f)
{
	t_ops_fini(&f->ops);
	t_round_fini(&f->round);
}

static unsigned rounds(void)
{
	return t_case_long() ? 50 : 4;
}

static void run_rounds(struct fixture *f, unsigned n_ops)
{
	unsigned i;

	for (i = 0; i < rounds(); i++) {
		t_ops_round(&f->ops, n_ops);
		t_round_check(&f->round, &f->ops);
	}
}

/* One name per file, all inside: no row too many, none too few. */
static void inside(struct t_world *w)
{
	struct fixture f;

	set_up(&f, w, false, false);
	run_rounds(&f, 3000);
	tear_down(&f);
}

/* Files with several names. */
static void links(struct t_world *w)
{
	struct fixture f;

	set_up(&f, w, true, false);
	run_rounds(&f, 3000);
	tear_down(&f);
}

/* Trees move out of the root and in again, and change outside. */
static void border(struct t_world *w)
{
	struct fixture f;

	set_up(&f, w, false, true);
	run_rounds(&f, 3000);
	tear_down(&f);
}

/* All of it at once, also files with one name inside and one outside. */
static void everything(struct t_world *w)
{
	struct fixture f;

	set_up(&f, w, true, true);
	run_rounds(&f, 3000);
	tear_down(&f);
}

/* Few operations between two flushes: other orders than under load. */
static void hasty(struct t_world *w)
{
	struct fixture f;
	unsigned i, n = 40 * rounds();

	set_up(&f, w, false, false);
	for (i = 0; i < n; i++) {
		t_ops_round(&f.ops, 10);
		t_round_check(&f.round, &f.ops);
	}
	tear_down(&f);
}

/* The daemon stands still meanwhile: the queue overflows, events merge. */
static void frozen(struct t_world *w)
{
	struct fixture f;
	unsigned i;

	set_up(&f, w, false, false);
	for (i = 0; i < rounds(); i++) {
		t_daemon_freeze(&w->daemon);
		t_ops_round(&f.ops, i % 2 == 0 ? 10000 : 300);
		t_daemon_thaw(&w->daemon);
		t_ops_round(&f.ops, 300);
		t_round_check(&f.round, &f.ops);
	}
	tear_down(&f);
}

#define MEANWHILE 3000 /* operations a thread */

/* Stopped, or killed, in the midst of it, and started again. */
static void restarted(struct t_world *w)
{
	struct fixture f;
	unsigned i;

	set_up(&f, w, false, false);
	for (i = 0; i < rounds(); i++) {
		t_ops_start(&f.ops, MEANWHILE);
		if (i % 2 == 0)
			t_daemon_kill(&w->daemon);
		else
			t_daemon_stop(&w->daemon);
		t_daemon_start(&w->daemon);
		t_ops_join(&f.ops);
		t_round_check(&f.round, &f.ops);
	}
	tear_down(&f);
}

/* The tree changes while it is seen for the first time. */
static void first_scan(struct t_world *w)
{
	struct t_ops_options o = {.root = ROOT,
				  .outside = OUTSIDE,
				  .threads = 2,
				  .seed = w->seed,
				  .links = w->backend == T_fanotify,
				  .nameless = w->backend == T_fanotify};
	struct fixture f;

	t_shell("mkdir " ROOT " " OUTSIDE " && cd " ROOT
		" && for i in $(seq 60);"
		" do mkdir -p t/$i/a/b t/$i/c && touch t/$i/1 t/$i/a/2"
		" t/$i/a/b/3; done");
	t_ops_init(&f.ops, &o);
	t_ops_round(&f.ops, 1000);
	t_ops_start(&f.ops, MEANWHILE);
	t_daemon_root(&w->daemon, "r", ROOT, w->backend);
	t_daemon_begin(&w->daemon);
	t_ops_join(&f.ops);
	t_daemon_flush(&w->daemon);
	t_round_init(&f.round, w); /* compares */
	t_ops_tell(&f.ops, &f.round.judge);
	run_rounds(&f, 500);
	tear_down(&f);
}

/* links: not with inotify, which tells of a write by the name that it went
 * through. A second link that comes and goes between two looks is not told. */
static const struct t_case cases[] = {
	T_CASE(inside, ext4, fanotify),
	T_CASE(inside, xfs, fanotify),
	T_CASE(inside, btrfs, fanotify),
	T_CASE(inside, tmpfs, fanotify),
	T_CASE(inside, ext4, inotify),
	T_CASE(inside, xfs, inotify),
	T_CASE(inside, btrfs, inotify),
	T_CASE(links, ext4, fanotify),
	T_CASE(border, btrfs, fanotify),
	T_CASE(border, ext4, inotify),
	T_CASE(everything, ext4, fanotify),
	T_CASE(everything, xfs, fanotify),
	T_CASE(everything, btrfs, fanotify),
	T_CASE(everything, tmpfs, fanotify),
	T_CASE(hasty, ext4, fanotify),
	T_CASE(hasty, xfs, inotify),
	T_CASE(frozen, ext4, fanotify),
	T_CASE(frozen, btrfs, inotify),
	T_CASE(restarted, ext4, fanotify),
	T_CASE(restarted, xfs, fanotify),
	T_CASE(restarted, ext4, inotify),
	T_CASE(first_scan, ext4, fanotify),
	T_CASE(first_scan, tmpfs, fanotify),
	T_CASE(first_scan, xfs, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("replay", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
