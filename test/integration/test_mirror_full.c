/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target without room: what it has no room for is pending, everything else
 * goes on, so that deletions make room; nothing is lost, and with room what
 * waited is copied by itself. */
#include "lib/t_mirror.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC	  T_MIRROR_ROOT
#define DST	  T_MIRROR
#define DISK_MB	  64
#define LARGER_MB 520 /* from 512 on mkfs takes blocks of 4 KB */
#define LACKS	  "no space at target 't' for "

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void begin_with(struct t_mirror *m, struct t_world *w, unsigned mb,
		       const char *made, const char *more)
{
	struct t_mount disk;

	t_mount_init(&disk, T_ext4, DST, mb);
	t_mirror_begin(m, w, made, more);
	m->target = disk;
}

static void begin(struct t_mirror *m, struct t_world *w, const char *made,
		  const char *more)
{
	begin_with(m, w, DISK_MB, made, more);
}

/* Somebody's file takes all that is free there but @left bytes. */
static void take_room(const char *disk, const char *left)
{
	t_shell("cat /dev/zero > %s/theirs 2>/dev/null; sync -f %s; "
		"truncate -s -%s %s/theirs; sync -f %s",
		disk, disk, left, disk, disk);
}

/* Just these wait for room, and `status` and `query` say so. */
static void expect_lacking(struct t_mirror *m, int64_t n, const char *path)
{
	char words[80];
	struct t_output o;

	snprintf(words, sizeof words, "%s: no space at the target", path);
	t_mirror_flush_says(m, 1, words);
	assert_int_equal(t_mirror_number(m, "no_space"), n);
	snprintf(words, sizeof words, LACKS "%d of its entries", (int)n);
	t_mirror_command(m, 0, words, "status", NULL);
	t_daemon_command(&m->w->daemon, &o, "query", "--policy", "m",
			 "--unsynced", NULL);
	assert_non_null(strstr(o.out, "no space at the target"));
	t_output_fini(&o);
}

/* All is equal but for these names of the source's top. */
static void expect_missing(struct t_mirror *m, const char *names)
{
	(void)m;
	t_shell("cd %s; test \"$(echo %s | xargs -n1 | sort)\" = "
		"\"$(rsync -naHAXi --delete --exclude=/theirs "
		"--exclude=/.journalctl-backup ./ %s/ | grep -v ' \\./$' | "
		"awk '{print $2}' | sort)\"",
		SRC, names, DST);
}

/* The file that is too large waits alone: it is not tried byte by byte, and
 * the policy follows. */
static void one_too_large(struct t_world *w)
{
	struct t_mirror m;
	int64_t bytes;

	begin(&m, w, "mkdir d; echo a > d/a; echo b > b; fallocate -l 100M big",
	      "");
	expect_lacking(&m, 1, "big");
	expect_missing(&m, "big");
	bytes = t_mirror_number(&m, "bytes");
	assert_true(bytes < 1000000);
	t_daemon_shell(&w->daemon,
		       "cd %s; mv d e; rm b; head -c 1M /dev/urandom > c; "
		       "chmod 600 big; echo aa >> e/a",
		       SRC);
	expect_lacking(&m, 1, "big");
	expect_missing(&m, "big");
	assert_true(t_mirror_number(&m, "bytes") < bytes + 20000000);
	assert_int_equal(t_mirror_number(&m, "restarts"), 0);
	/* It grows smaller than the room. */
	t_shell("truncate -s 1M %s/big", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "no_space"), 0);
	t_mirror_fini(&m);
}

/* What is not copied keeps its old version; room by somebody is found. */
static void old_version_stays(struct t_world *w)
{
	struct t_mirror m;

	begin(&m, w, "echo old > v; echo a > a; mkdir d", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	take_room(DST, "1M");
	t_shell("cd %s; head -c 8M /dev/urandom > ../v; mv ../v v; "
		"mv a d/a; echo n > n",
		SRC);
	expect_lacking(&m, 1, "v");
	t_shell("grep -qx old %s/v; cmp %s/n %s/n; cmp %s/d/a %s/d/a", DST, SRC,
		DST, SRC, DST);
	t_shell("rm %s/theirs", DST);
	for (int i = 0; i < 600 && t_mirror_number(&m, "no_space") > 0; i++)
		poll(NULL, 0, 50);
	t_mirror_compare(&m);
	assert_true(t_daemon_said(&w->daemon, "has no room for some entries"));
	assert_true(t_daemon_said(&w->daemon, "there is room for all again"));
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Full because of what is to go: it goes, and then the new has room, also where
 * the trash has to give it. */
static void run_old_files(struct t_world *w, const char *keep)
{
	struct t_mirror m;

	begin(&m, w, "fallocate -l 35M old; mkdir d; echo a > d/a", keep);
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon,
		       "cd %s; rm old; head -c 30M /dev/urandom > new; "
		       "mv d e; echo b > e/b",
		       SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "no_space"), 0);
	t_mirror_fini(&m);
}

static void old_files(struct t_world *w)
{
	run_old_files(w, "KeepDeleted=off");
}

static void old_files_kept(struct t_world *w)
{
	run_old_files(w, "KeepDeleted=1h");
}

/* The trash is not emptied for what would not fit then either. */
static void kept_in_vain(struct t_world *w)
{
	struct t_mirror m;

	begin(&m, w, "echo a > a; echo old > old", "KeepDeleted=1h");
	t_mirror_check(&m);
	t_shell("cd %s; rm old; fallocate -l 100M big", SRC);
	expect_lacking(&m, 1, "big");
	t_shell("grep -qx old %s/.journalctl-backup/trash/*/*/old", DST);
	t_mirror_fini(&m);
}

/* No inode is left, so no directory can be made and nothing be put into the
 * trash: names and deletions go on all the same. */
static void no_inodes(struct t_world *w)
{
	struct t_mirror m;

	begin(&m, w, "echo a > a; echo b > b; mkdir d", "KeepDeleted=1h");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("mkdir %s/theirs; cd %s/theirs; seq 70000 | "
		"xargs touch 2>/dev/null; ! touch x 2>/dev/null",
		DST, DST);
	t_shell("cd %s; mkdir n; echo f > n/f; mv a d/a", SRC);
	expect_lacking(&m, 1, "n");
	assert_false(exists(DST "/n"));
	t_shell("cmp %s/d/a %s/d/a; test ! -e %s/a", SRC, DST, DST);
	t_shell("rm -r %s/b %s/n", SRC, SRC);
	t_mirror_flush(&m, 0);
	assert_false(exists(DST "/b"));
	t_shell("mkdir %s/n; echo f > %s/n/f", SRC, SRC);
	expect_lacking(&m, 1, "n/f"); /* n has the inode of b */
	t_shell("rm -r %s/theirs; touch %s/z", DST, SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* MinFree= is left free; nothing else waits for that. */
static void nearly_full(struct t_world *w)
{
	struct t_mirror m;

	begin(&m, w, "echo a > a; echo c > c", "[Target t]\nMinFree=10M");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("fallocate -l $(($(df --output=avail -B1 %s | tail -1) - "
		"9000000)) %s/theirs",
		DST, DST);
	t_shell("cd %s; echo b > b; rm a; mv c cc", SRC);
	expect_lacking(&m, 1, "b");
	expect_missing(&m, "b");
	t_shell("rm %s/theirs", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A full state disk is not a full target: nothing is said of the target, and
 * its trash stays. */
static void full_state_disk(struct t_world *w)
{
	struct t_mirror m;
	struct t_mount state;

	t_mount_init(&state, T_ext4, w->daemon.state, 128);
	begin(&m, w, "echo a > a; echo old > old", "KeepDeleted=1h");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("rm %s/old", SRC);
	t_mirror_check(&m);
	t_mount_detach(&m.target);
	t_shell("cd %s; for i in $(seq 3000); do echo $i > n$i; done", SRC);
	t_daemon_flush(&w->daemon);
	t_mirror_flush_says(&m, 3, "not mounted");
	take_room(w->daemon.state, "0");
	t_mount_attach(&m.target);
	/* The journal has no room either: no flush. */
	t_daemon_await_words(&w->daemon, "policy-m.db: ");
	assert_int_equal(t_mirror_number(&m, "no_space"), 0);
	t_shell("grep -qx old %s/.journalctl-backup/trash/*/*/old", DST);
	t_shell("rm %s/theirs", w->daemon.state);
	t_mirror_check(&m);
	t_mirror_fini(&m);
	t_mount_fini(&state);
}

/* ext4 keeps a fiftieth for itself, which statfs(2) counts as free: a file that
 * is refused there, though it seems to fit, takes its room from the trash. */
static void hidden_reserve(struct t_world *w)
{
	struct t_mirror m;

	begin_with(&m, w, LARGER_MB,
		   "echo k > k; head -c 240M /dev/urandom > old", "");
	t_mirror_check(&m);
	t_shell("rm %s/old", SRC);
	t_mirror_check(&m);
	assert_true(t_shell_number("ls -R %s/.journalctl-backup/trash |"
				   " grep -c old",
				   DST) == 1);
	/* 2 MB more than ext4 will give. */
	t_shell("cd %s; mkdir d; head -c $(( $(stat -f -c '%%f * %%S' %s) -"
		" (%d << 20) / 50 + 2000000 )) /dev/urandom |"
		" split -b 8192 -a 4 - d/",
		SRC, DST, LARGER_MB);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(one_too_large, ext4, fanotify),
	T_CASE(old_version_stays, ext4, fanotify),
	T_CASE(old_files, ext4, fanotify),
	T_CASE(old_files_kept, ext4, fanotify),
	T_CASE(kept_in_vain, ext4, fanotify),
	T_CASE(no_inodes, ext4, fanotify),
	T_CASE(nearly_full, ext4, fanotify),
	T_CASE(hidden_reserve, ext4, fanotify),
	T_CASE(full_state_disk, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror_full", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
