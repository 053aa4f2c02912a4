/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the target lies behind somebody's mount, or on a bad spot of its
 * disk: what is ours there is not gone. The rest goes on, what waits is told
 * with its reason, and all is right when it comes to light, not copied again.
 */
#include "lib/t_mirror.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC    T_MIRROR_ROOT
#define DST    T_MIRROR
#define HIDDEN "d: hidden at the target by a mount"

static ino_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

static void begin(struct t_mirror *m, struct t_world *w)
{
	t_mirror_init(m, w, T_ext4,
		      "mkdir -p d/e f; echo a > d/a; echo b > d/e/b;"
		      "echo c > d/e/c; echo x > f/x",
		      "");
	t_mirror_check(m);
	w->daemon.quiet = true;
}

/* All kinds of changes, in and out of d. */
static void change(void)
{
	t_shell("cd %s; echo new > d/new; echo more >> d/a; rm d/e/b;"
		"mv f/x d/x; mv d/e/c f/c; echo y > f/y",
		SRC);
}

static void check_meanwhile(struct t_mirror *m)
{
	t_mirror_flush_says(m, 1, HIDDEN);
	t_mirror_command(m, 0, HIDDEN, "query", "--policy=m", "--unsynced",
			 NULL);
	t_shell("cmp %s/f/y %s/f/y", SRC, DST);
}

/* A full pass sees no more than any other plan. */
static void check_full_pass(struct t_mirror *m)
{
	t_mirror_full_pass(m);
	t_mirror_flush_says(m, 1, HIDDEN);
}

/* A file system that somebody mounted at a directory of ours. */
static void mounted(struct t_world *w)
{
	struct t_mirror m;
	ino_t dir, sub;

	begin(&m, w);
	dir = inode(DST "/d");
	sub = inode(DST "/d/e");
	assert_int_equal(mount("tmpfs", DST "/d", "tmpfs", 0, ""), 0);
	change();
	check_meanwhile(&m);
	check_full_pass(&m);
	/* Nothing is copied that could not take its place. */
	t_shell("test -z \"$(ls %s/.journalctl-backup/stage)\"", DST);
	t_shell("test -z \"$(ls %s/d)\"", DST);
	assert_int_equal(umount(DST "/d"), 0);
	t_mirror_check(&m);
	assert_int_equal(inode(DST "/d"), dir);
	assert_int_equal(inode(DST "/d/e"), sub);
	t_mirror_fini(&m);
}

/* A file of several names, of which one is hidden, and which is replaced or
 * removed by the others: what is hidden is still ours afterwards. */
static void linked(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; echo a > a; ln a d/a; echo b > b; ln b d/b;"
		      "echo c > c; ln c d/c",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	assert_int_equal(mount("tmpfs", DST "/d", "tmpfs", 0, ""), 0);
	t_shell("cd %s; echo more >> a; rm b; rm c d/c; echo new > c", SRC);
	t_mirror_flush_says(&m, 1, HIDDEN);
	t_shell("cmp %s/c %s/c", SRC, DST);
	assert_int_equal(umount(DST "/d"), 0);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Mounts at both sides of one directory. */
static void both_mounted(struct t_world *w)
{
	struct t_mirror m;
	ino_t dir;

	t_mirror_init(&m, w, T_ext4, "mkdir d", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	dir = inode(DST "/d");
	assert_int_equal(mount("tmpfs", DST "/d", "tmpfs", 0, ""), 0);
	t_shell("echo a > %s/d/a", SRC);
	t_mirror_flush_says(&m, 1, HIDDEN);
	assert_int_equal(mount("tmpfs", SRC "/d", "tmpfs", 0, ""), 0);
	t_shell("echo b > %s/b", SRC);
	t_mirror_flush_says(&m, 1, HIDDEN);
	t_mirror_flush_says(&m, 1, HIDDEN);
	assert_int_equal(umount(SRC "/d"), 0);
	assert_int_equal(umount(DST "/d"), 0);
	t_mirror_check(&m);
	assert_int_equal(inode(DST "/d"), dir);
	t_mirror_fini(&m);
}

/* That a mount has gone is noticed, however long a next try would have been
 * waited for. */
static void comes_to_light(struct t_world *w)
{
	struct t_mirror m;

	begin(&m, w);
	assert_int_equal(mount("tmpfs", DST "/d", "tmpfs", 0, ""), 0);
	change();
	for (int i = 0; i < 8; i++) /* each makes the next wait longer */
		t_mirror_flush_says(&m, 1, HIDDEN);
	assert_int_equal(umount(DST "/d"), 0);
	for (int i = 0; t_mirror_number(&m, "pending") > 0; i++) {
		assert_true(i < 500);
		poll(NULL, 0, 20);
	}
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A FUSE mount that answers nothing, until the descriptor is closed. */
static int mount_hung(const char *path)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char how[80];

	if (fd < 0)
		skip();
	snprintf(how, sizeof how, "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 fd);
	assert_int_equal(mount("hung", path, "fuse", 0, how), 0);
	return fd;
}

/* One whose process died: whoever looks at it gets an error. */
static void mount_dead(const char *path)
{
	struct stat st;

	close(mount_hung(path));
	assert_int_equal(stat(path, &st), -1);
}

/* One that can't even be looked at, at a directory of ours and among others. */
static void dead(struct t_world *w)
{
	struct t_mirror m;
	ino_t sub;

	begin(&m, w);
	sub = inode(DST "/d/e");
	mount_dead(DST "/d");
	t_shell("mkdir %s/f/theirs", DST);
	mount_dead(DST "/f/theirs");
	change();
	check_meanwhile(&m);
	check_full_pass(&m);
	t_shell("mv %s/f %s/g", SRC, SRC);
	t_mirror_flush_says(&m, 1, HIDDEN);
	assert_int_equal(umount(DST "/d"), 0);
	assert_int_equal(umount2(DST "/g/theirs", MNT_DETACH), 0);
	t_shell("rmdir %s/g/theirs", DST);
	t_mirror_check(&m);
	assert_int_equal(inode(DST "/d/e"), sub);
	t_mirror_fini(&m);
}

/* After a plan that did not end, what it meant to change is looked for: what
 * can't be seen is not given up, and nothing else waits for it. */
static void cut_short(struct t_world *w)
{
	struct t_mirror m;
	ino_t dir, file;

	begin(&m, w);
	dir = inode(DST "/d/e");
	file = inode(DST "/d/e/c");
	t_daemon_stop(&w->daemon);
	t_shell("sqlite3 %s/policy-m.db \"INSERT INTO intent SELECT rid, prid,"
		" name, 0, NULL FROM name\"",
		w->daemon.state);
	assert_int_equal(mount("tmpfs", DST "/d", "tmpfs", 0, ""), 0);
	t_daemon_start(&w->daemon);
	t_shell("echo y > %s/f/y", SRC);
	check_meanwhile(&m);
	assert_int_equal(umount(DST "/d"), 0);
	t_mirror_check(&m);
	assert_int_equal(inode(DST "/d/e"), dir);
	assert_int_equal(inode(DST "/d/e/c"), file);
	t_mirror_fini(&m);
}

/* Nor does check-config wait for it, or for such a root, or below one. */
static void check_unanswered(struct t_mirror *m)
{
	const char *config = m->w->daemon.config;
	int below;

	t_shell("mkdir %s/b; echo '[Policy m]\nExclude=*.tmp' >> %s", SRC,
		config);
	below = mount_hung(SRC "/b");
	t_mirror_command(m, 0, "warning  nothing answers there within 5 s",
			 "check-config", NULL);
	t_shell("sed '/^.Root/,/^Path/s|^Path=.*|&/b|' %s > %s.2; "
		"! %s --config %s.2 check-config 2> %s.3; "
		"grep -q '.2:[0-9]*: .Root r. .*/b: nothing answers' %s.3",
		config, config, t_daemon_program(), config, config, config);
	close(below);
	assert_int_equal(umount2(SRC "/b", MNT_DETACH), 0);
}

/* A target that answers nothing (an NFS server that is away) keeps its policy
 * waiting, and nobody else: neither the journal nor who asks the daemon. */
static void hung(struct t_world *w)
{
	struct t_mirror m;
	int fd;

	t_mirror_init(&m, w, T_ext4, "echo a > a",
		      "[Target t]\nPath=" DST "/hung/copy\nRequireMount=no");
	w->daemon.quiet = true;
	t_mirror_flush(&m, 3); /* no such directory */
	t_shell("mkdir %s/hung", DST);
	fd = mount_hung(DST "/hung");
	for (int i = 0; i < 3; i++) {
		t_shell("mkdir -p " T_SPACE "/x; mount -t tmpfs none " T_SPACE
			"/x; umount " T_SPACE "/x; echo b > %s/b%d",
			SRC, i);
		t_daemon_flush(&w->daemon);
	}
	t_mirror_command(&m, 0, "m ", "status", NULL);
	check_unanswered(&m);
	close(fd);
	assert_int_equal(umount2(DST "/hung", MNT_DETACH), 0);
	t_shell("mkdir %s/hung/copy", DST);
	t_mirror_flush(&m, 0);
	t_shell("cmp %s/b2 %s/hung/copy/b2", SRC, DST);
	t_mirror_fini(&m);
}

#define DAMAGED ": the target's disk is damaged there"

/* Two inodes of the target become unreadable. */
static void damage(struct t_mirror *m)
{
	t_mount_detach(&m->target);
	t_shell("for name in /d/a /f; do "
		"debugfs -w -R \"clri $name\" %s 2> %s/debugfs.log; done",
		m->target.device, T_SPACE);
	t_mount_attach(&m->target);
	t_shell("! ls %s/d/a %s/f 2> /dev/null", DST, DST);
}

/* A bad spot is not a disk that has died: the policy goes on with the rest,
 * and when the file system is mended with this, too. */
static void damaged(struct t_world *w)
{
	struct t_mirror m;

	begin(&m, w);
	damage(&m);
	change();
	t_mirror_flush_says(&m, 1, "d/a" DAMAGED);
	t_mirror_flush_says(&m, 1, "f" DAMAGED);
	t_shell("cmp %s/d/new %s/d/new", SRC, DST);
	t_shell("test ! -e %s/d/e/b", DST);
	t_mirror_full_pass(&m);
	t_mirror_flush_says(&m, 1, "f" DAMAGED);
	t_shell("rm -r %s/f; mv %s/d %s/g", SRC, SRC, SRC);
	t_mirror_flush_says(&m, 1, "g/a" DAMAGED);
	t_mirror_pause(&m);
	t_mount_detach(&m.target);
	t_shell("e2fsck -fy %s > %s/e2fsck.log 2>&1 || test $? -eq 1",
		m.target.device, T_SPACE);
	t_mount_attach(&m.target);
	/* what e2fsck and we do to the top's times is not the policy's */
	t_shell("rm -r %s/lost+found; touch -r %s %s", DST, SRC, DST);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(mounted, ext4, fanotify),
	T_CASE(linked, ext4, fanotify),
	T_CASE(both_mounted, ext4, fanotify),
	T_CASE(comes_to_light, ext4, fanotify),
	T_CASE(dead, ext4, fanotify),
	T_CASE(hung, ext4, fanotify),
	T_CASE(cut_short, ext4, fanotify),
	T_CASE(damaged, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("hidden", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
