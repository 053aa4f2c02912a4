/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a target's trash keeps what was deleted or replaced. */
#include "lib/t_mirror.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC   T_MIRROR_ROOT
#define DST   T_MIRROR
#define OWN   DST "/.journalctl-backup"
#define TRASH OWN "/trash"

/* Until shell line @text is true. */
static void await(const char *text)
{
	for (int i = 0; i < 200; i++) {
		if (system(text) == 0)
			return;
		poll(NULL, 0, 100);
	}
	fail_msg("never true: %s", text);
}

static void delete_one(struct t_mirror *m, struct t_world *w, const char *more)
{
	t_mirror_init(m, w, T_ext4, "echo a > a; echo b > b", more);
	t_mirror_check(m);
	w->daemon.quiet = true;
	t_shell("rm %s/a", SRC);
	t_mirror_check(m);
	t_shell("grep -qx a " TRASH "/*/*/a");
}

/* Stopped, and what is in the trash was put there long ago. */
static void stop_for_years(struct t_world *w)
{
	t_daemon_stop(&w->daemon);
	t_shell("cd " TRASH " && mkdir 2001-01-01 && mv */*-*-* 2001-01-01/");
}

/* An idle policy empties its trash, too, and leaves the target alone then. */
static void idle(struct t_world *w)
{
	struct t_mirror m;

	delete_one(&m, w, "KeepDeleted=4s");
	await("test -z \"$(ls " TRASH ")\"");
	t_mount_detach(&m.target);
	t_mount_attach(&m.target);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What a worker of before has put there is known to the next one. */
static void of_before(struct t_world *w)
{
	struct t_mirror m;

	delete_one(&m, w, "KeepDeleted=1h");
	stop_for_years(w);
	t_shell("sed -i s/KeepDeleted=1h/KeepDeleted=2s/ %s", w->daemon.config);
	t_daemon_start(&w->daemon);
	await("test -z \"$(ls " TRASH ")\"");
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Infinity is not off: what was deleted stays, however old it is. */
static void for_ever(struct t_world *w)
{
	struct t_mirror m;

	delete_one(&m, w, "KeepDeleted=infinity");
	stop_for_years(w);
	t_daemon_start(&w->daemon);
	t_shell("echo more > %s/b", SRC);
	t_mirror_check(&m);
	t_shell("grep -qx a " TRASH "/2001-01-01/*/a && grep -qx b " TRASH
		"/*/*/b");
	t_mirror_fini(&m);
}

/* What can't be removed is told, and keeps nothing else: neither beside it nor
 * what came later. An idle policy does not come for it again and again. */
static void locked(struct t_world *w)
{
	struct t_mirror m;
	int64_t hour_us = INT64_C(3600000000), now_us, next_us;
	char said[240];

	t_mirror_init(&m, w, T_ext4,
		      "mkdir -p d/e; cd d/e; for i in $(seq 50); do echo $i > "
		      "$i; done; cd ../..; echo a > a; echo b > b",
		      "KeepDeleted=1h\nMaxDelete=off");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("rm -r %s/d", SRC);
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_shell("chattr +i " TRASH "/*/*/d/e/25");
	t_shell("sed -i s/KeepDeleted=1h/KeepDeleted=2s/ %s", w->daemon.config);
	t_daemon_start(&w->daemon);
	snprintf(said, sizeof said, "grep -q 'in the trash there stays' %s",
		 w->daemon.log);
	await(said);
	t_shell("rm %s/a", SRC);
	t_mirror_check(&m);
	await("test -z \"$(find " TRASH " -name a)\" && "
	      "test -z \"$(ls " TRASH ")\"");
	t_mirror_command(&m, 0, NULL, "run", "m", NULL);
	now_us = (int64_t)time(NULL) * 1000000;
	next_us = t_mirror_number(&m, "next_us"); /* 0: for nothing at all */
	assert_true(next_us == 0 || next_us > now_us + hour_us / 2);
	t_shell("test 1 = $(find " OWN " -type f -name '[0-9]*' | wc -l)");
	t_shell("chattr -i $(find " OWN " -name 25)");
	t_daemon_stop(&w->daemon);
	t_daemon_start(&w->daemon);
	await("test -z \"$(find " OWN " -name 25)\"");
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What can't be removed from stage/ is named in the log, once, where it lies.
 */
static void unswept(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("cd " OWN "/stage && mkdir -p old/d/e && echo x > old/d/e/x && "
		"echo y > old/d/y && chattr +i old/d/e/x");
	for (int i = 0; i < 3; i++) {
		t_shell("echo %d > %s/b", i, SRC);
		t_mirror_check(&m);
	}
	t_shell("x=$(find " OWN "/stage -type f) && test -f $x && "
		"test \"$(grep -o '/[^ ]*: .* stays' %s)\" = "
		"\"$x: Operation not permitted: what was left unfinished "
		"there, "
		"or is to go, stays\"",
		w->daemon.log);
	t_shell("chattr -i $(find " OWN "/stage -name x)");
	t_shell("echo > %s/b", SRC);
	t_mirror_check(&m);
	t_shell("test -z \"$(ls " OWN "/stage)\"");
	t_mirror_fini(&m);
}

/* A dry run looks at what is there, and takes nothing of it away. */
static void dry(struct t_world *w)
{
	struct t_mirror m;

	delete_one(&m, w, "KeepDeleted=1h");
	stop_for_years(w);
	t_mirror_command(&m, 0, NULL, "run", "m", "--dry-run", NULL);
	t_shell("grep -qx a " TRASH "/2001-01-01/*/a");
	t_mirror_command(&m, 0, NULL, "run", "m", NULL);
	t_shell("test -z \"$(ls " TRASH ")\"");
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(idle, ext4, fanotify),	  T_CASE(of_before, ext4, fanotify),
	T_CASE(for_ever, ext4, fanotify), T_CASE(locked, ext4, fanotify),
	T_CASE(unswept, ext4, fanotify),  T_CASE(dry, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("trash", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
