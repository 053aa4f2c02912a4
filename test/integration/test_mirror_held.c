/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A mirror that waits for a person: deletions that are held, a pause. */
#include "lib/t_mirror.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* Too many deletions are held, all else goes on, `release` lets them go. */
static void held(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "for d in $(seq 10); do mkdir d$d; (cd d$d; seq 50 | "
		      "xargs touch); done",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("cd %s; rm -r d1 d2 d3 d4 d5 d6", SRC);
	t_mirror_flush_says(&m, 3, "deletions are held");
	t_shell("echo new > %s/new", SRC);
	t_mirror_flush(&m, 3);
	assert_true(exists(DST "/new"));
	assert_true(exists(DST "/d6/50"));
	t_mirror_command(&m, 0, "deletions are held", "status", NULL);
	t_mirror_command(&m, 0, "deletions released", "release", "m", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* More than one plan takes in: all of it is held, by its number, and all of it
 * goes when it is released; what was moved out of it moves. */
static void held_in_pages(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir -p d/e; echo stays > a; cd d/e; seq 26000 | "
		      "xargs touch; echo moved > f",
		      "KeepDeleted=off");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("mv %s/d/e/f %s/f; mv %s/d %s/../gone; echo new > %s/new", SRC,
		SRC, SRC, SRC, SRC);
	t_mirror_flush_says(&m, 3, "26002 deletions are held");
	assert_true(exists(DST "/d/e/1"));
	assert_true(exists(DST "/d/e/26000"));
	t_shell("cmp %s/f %s/f && cmp %s/new %s/new", SRC, DST, SRC, DST);
	t_mirror_command(&m, 0, "26002 deletions released", "release", "m",
			 NULL);
	t_mirror_check(&m);
	assert_false(exists(DST "/d"));
	t_mirror_fini(&m);
}

/* No share at all is none, not the hundred that a share is at least. */
static void held_at_first(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "touch a b", "MaxDelete=0%");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("rm %s/a", SRC);
	t_mirror_flush_says(&m, 3, "1 deletion is held");
	t_mirror_fini(&m);
}

/* What was released and can't go for another reason says so. */
static void released(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; touch d/1 d/2", "MaxDelete=0");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("echo theirs > %s/d/name; rm -r %s/d", DST, SRC);
	t_mirror_flush(&m, 3);
	t_mirror_command(&m, 0, "3 deletions released", "release", "m", NULL);
	t_mirror_flush_says(&m, 1, "d: the directory holds what is not ours");
	t_mirror_command(&m, 0, "policy m: 1 not done yet", "verify", NULL);
	assert_false(exists(DST "/d/1"));
	t_shell("rm %s/d/name", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What was released stays so, whatever comes between. */
static void released_for_good(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "for i in $(seq 6); do echo a > f$i; done",
		      "MaxReplace=2");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_daemon_shell(&w->daemon,
		       "cd %s; for i in $(seq 6); do echo b > f$i;"
		       " done",
		       SRC);
	t_mirror_flush(&m, 3);
	/* It can't be carried out yet. */
	t_shell("mount -o remount,ro %s", DST);
	t_mirror_command(&m, 0, "6 overwrites released", "release", "m", NULL);
	t_mirror_flush_says(&m, 1, "Read-only");
	assert_int_equal(kill((pid_t)t_mirror_number(&m, "pid"), SIGKILL), 0);
	t_shell("mount -o remount,rw %s", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* The same slowly: deletions are counted across batches and restarts. */
static void held_slowly(struct t_world *w)
{
	struct t_mirror m;
	int code = 0;

	t_mirror_init(&m, w, T_ext4,
		      "for d in $(seq 20); do mkdir d$d; (cd d$d; seq 20 | "
		      "xargs touch); done",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	for (int d = 1; d <= 12; d++) {
		/* the hundredth deletion is the last one of d4 */
		code = d <= 4 ? 0 : 3;
		t_shell("rm -r %s/d%d", SRC, d);
		t_mirror_flush(&m, code);
		if (d == 3) {
			t_daemon_stop(&w->daemon);
			t_daemon_start(&w->daemon);
		}
	}
	assert_true(exists(DST "/d12/20"));
	assert_false(exists(DST "/d4"));
	t_mirror_command(&m, 0, NULL, "release", "m", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Paused it does nothing, also after a restart; then it catches up. */
static void paused(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_mirror_pause(&m);
	t_shell("echo b > %s/b", SRC);
	t_daemon_stop(&w->daemon);
	t_daemon_start(&w->daemon);
	t_mirror_flush_says(&m, 3, "paused");
	assert_false(exists(DST "/b"));
	t_mirror_resume(&m);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What changed while no daemon ran is found, and nothing is copied twice. */
static void restarted(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; cd d; seq 500 | xargs touch",
		      "");
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_shell("cd %s; mv d e; rm e/1; echo x > e/2; echo y > new", SRC);
	t_daemon_begin(&w->daemon);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 2);
	t_mirror_full_pass(&m);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 2);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(released_for_good, ext4, fanotify),
	T_CASE(held, ext4, fanotify),
	T_CASE(held_in_pages, ext4, fanotify),
	T_CASE(held_at_first, ext4, fanotify),
	T_CASE(released, ext4, fanotify),
	T_CASE(held_slowly, ext4, fanotify),
	T_CASE(paused, ext4, fanotify),
	T_CASE(restarted, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror_held", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
