/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mode, owner, extended attributes and ACLs: those that the target can't keep
 * are told, and those that somebody else changed there are found. */
#include "lib/t_mirror.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

/* More than fits beside an inode of ext4. */
#define BIG "$(head -c 20000 /dev/zero | tr '\\0' v)"

static void verify(struct t_mirror *m, int code, const char *words,
		   const char *content)
{
	t_mirror_command(m, code, words, "verify", content, NULL);
}

/* How often the daemon has said it, in all of its runs. */
static long count_log(struct t_mirror *m, const char *words)
{
	return t_shell_number("grep -c \"%s\" %s || true", words,
			      m->w->daemon.log);
}

/* An attribute that the target can't keep: the content is there and is copied
 * once, the entry is pending with what to do, the log names the attribute once;
 * without it in Preserve= all is equal; when the source no longer has it, too.
 */
static void cannot_be_kept(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; echo a > d/a; echo b > b; echo c > d/c;"
		      "setfattr -n user.big -v " BIG " d/a;"
		      "setfattr -n user.big -v " BIG " b;"
		      "setfattr -n user.big -v " BIG " d;"
		      "setfattr -n user.small -v s b",
		      "");
	t_mirror_flush_says(&m, 1,
			    "d/a: the target can't keep all its attributes");
	t_mirror_flush_says(&m, 1, "Preserve=");
	assert_int_equal(t_mirror_number(&m, "pending"), 3);
	t_mirror_command(&m, 0, "b: the target can't keep all", "query",
			 "--policy=m", "--unsynced", NULL);
	assert_int_equal(count_log(&m, "can't keep user.big of"), 1);
	t_shell("cd %s && cmp d/a %s/d/a && getfattr -n user.small b", DST,
		SRC);
	verify(&m, 0, " 0 differ", "--content");

	/* A full pass tries again, without a copy and without a word. */
	t_mirror_full_pass(&m);
	t_mirror_flush(&m, 1);
	assert_int_equal(t_mirror_number(&m, "pending"), 3);
	assert_int_equal(t_mirror_number(&m, "copied"), 3);
	assert_int_equal(count_log(&m, "can't keep user.big of"), 1);

	/* When it goes at the source, or with its entry, nothing is left. */
	t_shell("cd %s && setfattr -x user.big d && setfattr -x user.big b",
		SRC);
	t_mirror_flush_says(&m, 1, "d/a: the target");
	assert_int_equal(t_mirror_number(&m, "pending"), 1);
	t_shell("rm -r %s/d", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 3);
	t_mirror_fini(&m);
}

/* An entry with more attributes than can be listed is copied without them, and
 * what is below a directory that has so many. */
static void cannot_be_listed(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_xfs,
		      "mkdir d; echo a > d/a; echo b > b; for i in $(seq 320);"
		      " do setfattr -n user.$i$(printf %0240d 0) d b; done",
		      "");
	t_mirror_flush_says(&m, 1,
			    "b: the target can't keep all its attributes");
	t_shell("cd %s && cmp d/a %s/d/a && cmp b %s/b", DST, SRC, SRC);
	assert_int_equal(count_log(&m, "can't keep so many extended"), 1);
	assert_int_equal(t_mirror_number(&m, "pending"), 2);
	t_shell("cd %s; for i in $(seq 320);"
		" do setfattr -x user.$i$(printf %%0240d 0) d b; done",
		SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A tree of such entries that goes is one change, and nothing of it is left,
 * however much there was. */
static void goes_with_its_tree(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir -p d/e; cd d/e; seq 1500 | xargs touch;"
		      "setfattr -n user.big -v " BIG " *",
		      "MaxDelete=off");
	t_mirror_flush(&m, 1);
	assert_int_equal(t_mirror_number(&m, "pending"), 1500);
	t_shell("rm -r %s/d", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "pending"), 0);
	t_mirror_fini(&m);
}

/* The same of the root itself, and of what Preserve= leaves out. */
static void need_not_be_kept(struct t_world *w)
{
	struct t_mirror m;
	char *text;

	t_mirror_init(&m, w, T_ext4,
		      "echo b > b; setfattr -n user.big -v " BIG " b;"
		      "setfattr -n user.big -v " BIG " .",
		      "");
	t_mirror_flush(&m, 1);
	assert_int_equal(t_mirror_number(&m, "pending"), 2);
	text = t_mirror_differences(&m);
	assert_non_null(strstr(text, ".f........x b"));
	free(text);
	t_daemon_reconfigure(&w->daemon,
			     "/^Plugin=mirror/aPreserve=mode owner times acls");
	t_mirror_flush(&m, 0);
	assert_int_equal(t_mirror_number(&m, "pending"), 0);
	verify(&m, 0, " 0 differ", "--content");
	t_mirror_fini(&m);
}

/* What Preserve= gets later is set for what was copied before. */
static void kept_later(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_xfs,
		      "mkdir d; echo a > d/a; chown 7:8 d/a; setfattr -n "
		      "user.x -v 1 d/a; setfacl -d -m u:7:rx d; "
		      "setfattr -n user.x -v 1 .",
		      "Preserve=mode times");
	t_mirror_flush(&m, 0);
	t_shell("test $(stat -c %%u %s/d/a) = 0", DST);
	t_daemon_reconfigure(&w->daemon, "/^Preserve=/d");
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	verify(&m, 0, " 0 differ", "--content");
	t_mirror_fini(&m);
}

/* ACLs where the file system is mounted without. */
static void no_acls(struct t_world *w)
{
	struct t_mount disk;
	struct t_mirror m;

	t_mount_init(&disk, T_btrfs, DST, 0);
	t_shell("mount -o remount,noacl %s", DST);
	t_mirror_begin(&m, w, "echo a > a; setfacl -m u:7:r a; echo b > b", "");
	m.target = disk;
	t_mirror_flush_says(&m, 1,
			    "a: the target can't keep all its attributes");
	assert_int_equal(t_mirror_number(&m, "pending"), 1);
	assert_int_equal(count_log(&m, "can't keep system.posix_acl_access"),
			 1);
	t_shell("setfacl -b %s/a", SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A target that takes no owner: what has another one is pending, is not told as
 * a difference, and has no set-id bit for the wrong user; no full pass changes
 * that, and none copies. */
static void no_owners(struct t_world *w)
{
	struct t_mirror m;

	t_shell("printf '#!/bin/sh\\nexec setpriv --bounding-set=-chown -- "
		"%s \"$@\"\\n' > /mnt/bin && chmod 755 /mnt/bin",
		t_daemon_program());
	setenv("JB_BIN", "/mnt/bin", 1);
	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; echo a > a; echo b > d/b; chown 7:8 a d;"
		      "chmod 4755 a",
		      "");
	t_mirror_flush(&m, 1);
	assert_int_equal(t_mirror_number(&m, "pending"), 2);
	assert_int_equal(count_log(&m, "can't keep owner of"), 1);
	verify(&m, 0, " 0 differ", "--content");
	t_shell("test $(stat -c %%a:%%u %s/a) = 755:0", DST);
	t_mirror_full_pass(&m);
	t_mirror_flush(&m, 1);
	assert_int_equal(t_mirror_number(&m, "pending"), 2);
	assert_int_equal(t_mirror_number(&m, "copied"), 2);
	unsetenv("JB_BIN");
	t_daemon_stop(&w->daemon);
	t_daemon_start(&w->daemon);
	t_mirror_full_pass(&m);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "pending"), 0);
	t_mirror_fini(&m);
}

/* Mode, owner and group that somebody changed at the target: told by `verify`,
 * set again by a full pass; content is not copied. */
static void changed_there(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_xfs,
		      "mkdir d; echo a > d/a; echo b > b; ln b b2; ln -s b l;"
		      "mkfifo p; chmod 750 d; chmod 4711 d/a; chown 7:8 b",
		      "");
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ", NULL);
	t_shell("cd %s && chmod 711 . && chmod 777 d/a && chmod 700 d && chgrp "
		"9 b && "
		"chown -h 5 l && chmod 0 p",
		DST);
	verify(&m, 1, "d/a: mode or owner", NULL);
	verify(&m, 1, " .: mode or owner", NULL);
	verify(&m, 1, " d: mode or owner", NULL);
	verify(&m, 1, " l: mode or owner", NULL);
	verify(&m, 1, " p: mode or owner", NULL);
	verify(&m, 1, " b2: mode or owner", NULL);
	t_mirror_pause(&m);
	t_mirror_full_pass(&m);
	t_mirror_command(&m, 0, "attrs   d/a\n", "run", "m", "--dry-run", NULL);
	t_mirror_resume(&m);
	t_mirror_full_pass(&m);
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ", NULL);
	assert_int_equal(t_mirror_number(&m, "copied"), 4);
	t_mirror_fini(&m);
}

/* What Preserve= does not have may differ; a mode without an owner has no
 * set-id bits to miss. */
static void not_preserved(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_xfs,
		      "echo a > a; chown 7:8 a; chmod 6755 a; echo b > b",
		      "Preserve=mode times");
	t_mirror_flush(&m, 0);
	t_shell("cd %s && chown 5:6 b && test $(stat -c %%a a) = 755", DST);
	verify(&m, 0, " 0 differ", "--content");
	t_shell("chmod 600 %s/a", DST);
	verify(&m, 1, " 1 differ", NULL);
	t_mirror_full_pass(&m);
	t_mirror_flush(&m, 0);
	verify(&m, 0, " 0 differ", NULL);
	t_shell("test $(stat -c %%a:%%u %s/a) = 755:0 && "
		"test $(stat -c %%u:%%g %s/b) = 5:6",
		DST, DST);
	t_mirror_fini(&m);
}

/* xattrs and ACLs that were changed there are found by `--content`, and set
 * again by `--repair`. */
static void xattrs_changed_there(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_xfs,
		      "mkdir d; echo a > d/a; echo b > b; echo c > c;"
		      "setfattr -n user.x -v 1 d/a; setfacl -m u:7:r b;"
		      "setfacl -d -m u:7:rx d",
		      "");
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ", "--content");
	t_shell("cd %s && setfattr -n user.x -v 2 d/a && setfacl -b b && "
		"setfattr -n user.new -v 3 c && setfacl -k d && "
		"chmod --reference=%s/b b",
		DST, SRC);
	verify(&m, 0, " 0 differ", NULL);
	verify(&m, 1, "d/a: extended attributes or ACLs differ", "--content");
	verify(&m, 1, " b: extended", "--content");
	verify(&m, 1, " c: extended", "--content");
	verify(&m, 1, " d: extended", "--content");
	t_mirror_command(&m, 1, "4 will have their attributes set", "verify",
			 "--content", "--repair", NULL);
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ", "--content");
	assert_int_equal(t_mirror_number(&m, "copied"), 3);
	t_mirror_fini(&m);
}

/* Far in the past and in the future. */
#define FAR                                                                    \
	"echo a > a; touch -d 1910-01-01 a; echo b > b; touch -d 2100-01-01 "  \
	"b; echo c > c; touch -d 2300-05-06T01:02:03.004005006 c; mkdir d;"    \
	"touch -d 2262-04-13 d"

/* Also times that 64 bits of nanoseconds don't hold arrive as they are; one
 * that is yet to come is no doubt about what is written now, so nothing is
 * copied again after a crash. */
static void far_times(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_xfs, FAR, "");
	t_mirror_check(&m);
	t_shell("touch -d 2301-01-01 %s/c", SRC);
	t_mirror_check(&m);
	t_daemon_kill(&w->daemon);
	t_daemon_begin(&w->daemon);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	t_mirror_fini(&m);
}

/* A target whose times end in 2038 takes the last that it has, without a word:
 * we say it. */
static void times_end(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext3, FAR "; echo e > e", "");
	t_mirror_flush_says(&m, 1, "c: the target can't keep all");
	assert_int_equal(t_mirror_number(&m, "pending"), 3);
	assert_int_equal(count_log(&m, "can't keep times of"), 1);
	t_shell("cd %s && touch -d 2020-01-01 b c d", SRC);
	t_mirror_flush(&m, 0);
	t_shell("cd %s && touch -d 2020-01-01 a e", SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(cannot_be_kept, xfs, fanotify),
	T_CASE(cannot_be_listed, xfs, fanotify),
	T_CASE(goes_with_its_tree, xfs, fanotify),
	T_CASE(need_not_be_kept, xfs, fanotify),
	T_CASE(kept_later, ext4, fanotify),
	T_CASE(no_acls, ext4, fanotify),
	T_CASE(no_owners, ext4, fanotify),
	T_CASE(changed_there, ext4, fanotify),
	T_CASE(changed_there, xfs, inotify),
	T_CASE(not_preserved, ext4, fanotify),
	T_CASE(xattrs_changed_there, ext4, fanotify),
	T_CASE(far_times, xfs, fanotify),
	T_CASE(times_end, xfs, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("attributes", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
