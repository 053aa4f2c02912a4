/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a target doesn't have yet: when it is tried again, and who is told. */
#include "lib/t_mirror.h"

#include <poll.h>
#include <stdlib.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

#define DAY	"86400000000"
#define MINUTES "600000000" /* ten, fewer than the longest wait */

/* The clock is set back by @us, as the policy's database sees it. */
static void set_back(struct t_mirror *m, const char *us)
{
	t_shell("cd %s && sqlite3 -cmd '.timeout 9000' policy-m.db "
		"\"UPDATE pending SET "
		"next = next + %s, since = since + %s; "
		"UPDATE owed SET next = next + %s\"",
		m->w->daemon.state, us, us, us);
}

/* Without giving it anything to do. */
static void await_none_pending(struct t_mirror *m)
{
	for (int i = 0; i < 1000; i++) {
		if (t_mirror_number(m, "entries") > 0 &&
		    t_mirror_number(m, "pending") == 0)
			return;
		poll(NULL, 0, 20);
	}
	fail_msg("what is pending is not tried again");
}

/* A stranger has the name of a file of ours. */
static void block(struct t_mirror *m, struct t_world *w)
{
	t_mirror_init(m, w, T_ext4, "echo a > a", "");
	t_mirror_check(m);
	w->daemon.quiet = true;
	t_shell("echo theirs > %s/b; echo ours > %s/b", DST, SRC);
	t_mirror_flush_says(m, 1, "b: the name is taken");
}

/* A clock that was set back by a day keeps nothing from being tried again. */
static void clock_set_back(struct t_world *w)
{
	struct t_mirror m;

	block(&m, w);
	t_shell("rm %s/b", DST);
	set_back(&m, DAY);
	await_none_pending(&m);
	t_mirror_compare(&m);
	t_mirror_fini(&m);
}

/* `flush --policy` tries what is pending, though its time has not come. */
static void flush_tries(struct t_world *w)
{
	struct t_mirror m;

	block(&m, w);
	set_back(&m, MINUTES);
	t_mirror_flush_says(&m, 1, "b: the name is taken");
	t_shell("rm %s/b", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* So does `run`, also without a daemon; what fails again is told again. */
static void run_tries(struct t_world *w)
{
	struct t_mirror m;

	block(&m, w);
	t_daemon_stop(&w->daemon);
	set_back(&m, MINUTES);
	t_mirror_command(&m, 1, "b: the name is taken", "run", "m", NULL);
	set_back(&m, MINUTES);
	t_shell("rm %s/b", DST);
	t_mirror_command(&m, 0, "1 copied", "run", "m", NULL);
	t_mirror_compare(&m);
	t_daemon_start(&w->daemon);
	t_shell("echo theirs > %s/c; echo ours > %s/c", DST, SRC);
	t_mirror_command(&m, 1, "c: the name is taken", "run", "m", NULL);
	t_shell("rm %s/c", DST);
	t_mirror_command(&m, 0, NULL, "run", "m", NULL);
	t_mirror_compare(&m);
	t_mirror_fini(&m);
}

/* More than one plan takes are all tried, and a flush ends though each fails
 * again. */
static void many(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("for top in %s %s; do (cd $top/d; seq 21000 | xargs touch -d "
		"$(test $top = %s && echo 2001-01-01 || echo 2002-02-02)); "
		"done",
		DST, SRC, DST);
	t_mirror_flush_says(&m, 1, "and 20990 more");
	set_back(&m, MINUTES);
	t_mirror_flush(&m, 1);
	t_shell("find %s/d -type f -delete", DST);
	t_mirror_flush(&m, 0);
	t_mirror_compare(&m);
	t_mirror_fini(&m);
}

/* What is to settle is not hurried by a first copy, a full pass or a flush,
 * below a new directory neither; its old version stays. */
static void settles_anyway(struct t_world *w)
{
	static const char line[] = "d/a: waits until it is quiet";
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a", "Settle=1h");
	t_mirror_flush_says(&m, 1, line);
	w->daemon.quiet = true;
	t_mirror_command(&m, 1, line, "run", "m", NULL);
	t_mirror_full_pass(&m);
	t_mirror_flush_says(&m, 1, line);
	t_shell("mkdir %s/new; echo b > %s/new/b", SRC, SRC);
	t_mirror_flush_says(&m, 1, "new/b: waits until it is quiet");
	t_shell("test -d %s/new; test -z \"$(find %s/d %s/new -type f)\"", DST,
		DST, DST);
	assert_int_equal(t_mirror_number(&m, "failed"), 0);
	t_daemon_stop(&w->daemon);
	t_shell("sed -i s/Settle=1h/Settle=off/ %s", w->daemon.config);
	t_mirror_command(&m, 0, "copy    d/a\n", "run", "m", "--dry-run", NULL);
	t_daemon_start(&w->daemon);
	t_mirror_check(&m); /* nothing waits for the old hour */
	t_daemon_stop(&w->daemon);
	t_shell("sed -i s/Settle=off/Settle=1h/ %s; echo other > %s/d/other; "
		"mv %s/d/other %s/d/a",
		w->daemon.config, SRC, SRC, SRC);
	t_daemon_start(&w->daemon);
	t_mirror_flush_says(&m, 1, line);
	t_shell("grep -qx a %s/d/a", DST);
	/* The old version is looked at less and less often. */
	t_shell("test \"$(sqlite3 -readonly %s/policy-m.db 'SELECT attempts > 0"
		" FROM owed')\" = 1",
		w->daemon.state);
	t_mirror_fini(&m);
}

/* A file that is written all the time: copies are dropped, and counted. */
static void torn(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "head -c 16M /dev/urandom > f", "");
	t_shell("(while test ! -e %s/stop; do echo x; done) >> %s/f 2>&- "
		"<&- &",
		w->daemon.dir, SRC);
	for (int i = 0; i < 500 && t_mirror_number(&m, "torn") == 0; i++)
		poll(NULL, 0, 20);
	t_shell("touch %s/stop", w->daemon.dir);
	assert_true(t_mirror_number(&m, "torn") > 0);
	assert_int_equal(t_mirror_number(&m, "failed"), 0);
	t_mirror_command(&m, 0, "m: files changed while they were copied",
			 "status", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A removal that can't be made is told with its path, and makes a flush fail:
 * the target is not what the source is. */
static void removal_fails(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; echo a > d/a; echo b > \"$(printf "
		      "'d/b\\377')\"",
		      "KeepDeleted=off\nMaxDelete=off");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("chattr +i %s/d/*", DST);
	t_shell("rm -r %s/d", SRC);
	t_mirror_flush_says(&m, 1, "d/a: not allowed at the target");
	t_mirror_command(&m, 1, "d/b\\xff: not allowed at the target", "run",
			 "m", NULL);
	assert_true(t_mirror_number(&m, "failed") >= 2);
	t_mirror_command(&m, 0, "of its tries failed", "status", NULL);
	t_mirror_command(&m, 0, "d/b\\xff: not allowed at the target", "query",
			 "--policy=m", "--unsynced", NULL);
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 1, "d/b\\xff: not allowed at the target", "run",
			 "m", NULL);
	t_shell("chattr -i %s/d/*", DST);
	t_daemon_start(&w->daemon);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Attributes of a copy that somebody has locked are not what the target can't
 * keep: they wait like anything else, those of the top too. */
static void locked(struct t_world *w)
{
	static const char line[] = "a: not allowed at the target";
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a; mkdir d", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("chattr +i %s/a", DST);
	t_shell("chmod 600 %s/a; echo b > %s/b", SRC, SRC);
	t_mirror_flush_says(&m, 1, line);
	t_shell("cmp %s/b %s/b", SRC, DST);
	t_shell("chown 7:7 %s/a", SRC);
	t_mirror_flush_says(&m, 1, line);
	t_shell("setfattr -n user.x -v y %s/a", SRC);
	t_mirror_flush_says(&m, 1, line);
	t_shell("chattr -i %s/a", DST);
	t_mirror_check(&m);
	t_shell("chattr +i %s; chmod 700 %s", DST, SRC);
	t_mirror_flush_says(&m, 1, ".: not allowed at the target");
	t_shell("touch -d 2020-01-01 %s", SRC);
	t_mirror_flush_says(&m, 1, ".: not allowed at the target");
	t_shell("chattr -i %s", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What waits for its next try is not tried by each change of something else:
 * new versions that could not take their places. */
static void waits_its_turn(struct t_world *w)
{
	struct t_mirror m;
	int64_t failed;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; for i in $(seq 50); do echo $i > d/$i; done",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("chattr +i %s/d/*", DST);
	t_shell("cd %s/d; for i in *; do echo more >> $i; done", SRC);
	for (int i = 0; i < 5; i++) /* each makes the next wait longer */
		t_mirror_flush_says(&m, 1, "not allowed at the target");
	failed = t_mirror_number(&m, "failed");
	for (int i = 0; i < 20; i++) {
		t_shell("echo %d > %s/busy", i, SRC);
		for (int k = 0; system("cmp -s " SRC "/busy " DST "/busy");
		     k++) {
			assert_true(k < 500);
			poll(NULL, 0, 20);
		}
	}
	assert_true(t_mirror_number(&m, "failed") < failed + 20 * 50);
	t_shell("chattr -i %s/d/*", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A name that is not UTF-8 is written the same way by all that list it. */
static void odd_name(struct t_world *w)
{
	static const char line[] = "\\xffx: the name is taken by an entry that "
				   "is not ours";
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("for top in %s %s; do echo $top > \"$(printf "
		"\"$top/\\377x\")\"; done",
		DST, SRC);
	t_mirror_flush_says(&m, 1, line);
	t_mirror_command(&m, 1, line, "run", "m", NULL);
	t_mirror_command(&m, 0, line, "query", "--policy=m", "--unsynced",
			 NULL);
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 1, line, "run", "m", NULL);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(clock_set_back, ext4, fanotify),
	T_CASE(flush_tries, ext4, fanotify),
	T_CASE(run_tries, ext4, fanotify),
	T_CASE(many, ext4, fanotify),
	T_CASE(settles_anyway, ext4, fanotify),
	T_CASE(torn, ext4, fanotify),
	T_CASE(removal_fails, ext4, fanotify),
	T_CASE(locked, ext4, fanotify),
	T_CASE(waits_its_turn, ext4, fanotify),
	T_CASE(odd_name, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("pending", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
