/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kernels and file systems do that surprises, each with a test that the
 * journal is right all the same. The numbers are those of docs/facts. */
#include "lib/t_case.h"
#include "lib/t_ops_internal.h"
#include "lib/t_round.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS   T_SPACE "/fs"
#define ROOT FS "/r"

static void open_root(struct t_round *r, struct t_world *w, const char *made)
{
	t_shell("mkdir " ROOT " && cd " ROOT " && { %s; }", made);
	t_round_open(r, w, ROOT);
}

static void write_at(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Rows of a kind for a path in the last round, which checks itself. */
static void expect(struct t_round *r, int n, const char *kinds,
		   const char *path)
{
	int64_t is =
		t_round_count(r, "kind IN (%s) AND path = '%s'", kinds, path);

	if (is == n)
		return;
	t_judge_show(&r->judge, r->start);
	fail_msg("%s: %d rows of kind %s, not %d", path, (int)is, kinds, n);
}

union handle {
	struct file_handle h;
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

/* FACTS 2: a write through a handle with cold caches, as an NFS server does
 * it, has neither directory nor name. */
static void fact_02_cold_handle(struct t_world *w)
{
	union handle u = {.h.handle_bytes = MAX_HANDLE_SZ};
	struct t_round r;
	int mount_id, fs, fd, i;

	open_root(&r, w, "mkdir -p d/e && echo 1 > d/e/f && ln d/e/f d/g");
	fs = open(FS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(name_to_handle_at(AT_FDCWD, ROOT "/d/e/f", &u.h,
					   &mount_id, 0),
			 0);
	for (i = 0; i < 3; i++) {
		t_mount_drop_caches();
		fd = open_by_handle_at(fs, &u.h, O_WRONLY | O_APPEND);
		assert_true(fd >= 0);
		write_at(fd, "cold");
		t_round_check(&r, NULL); /* still open, like the server's */
		assert_int_equal(t_round_count(&r, "kind = 2 AND what & 1 AND"
						   " path IN ('d/e/f', 'd/g')"),
				 1);
		close(fd);
	}
	close(fs);
	t_round_fini(&r);
}

/* FACTS 3: parents are stale when their events are read; all deletions have
 * their right path. */
static void fact_03_stale_parents(struct t_world *w)
{
	struct t_round r;
	int root;

	open_root(&r, w,
		  "for i in $(seq 30); do mkdir -p t/$i/s; (cd t/$i/s;"
		  " seq 50 | xargs touch); done");
	root = open(ROOT, O_PATH | O_CLOEXEC);
	t_daemon_freeze(&w->daemon);
	t_ops_remove_tree(root, "t");
	t_daemon_thaw(&w->daemon);
	t_round_check(&r, NULL);
	assert_int_equal(t_judge_number(&r.judge,
					"SELECT sum(1 + ifnull(entries, 0))"
					" FROM c WHERE kind = 5"),
			 1 + 30 * 52);
	close(root);
	t_round_fini(&r);
}

/* FACTS 4: what came and went between two looks is nothing but a counter. */
static void fact_04_merged(struct t_world *w)
{
	struct t_round r;

	open_root(&r, w, "mkdir d");
	t_daemon_freeze(&w->daemon);
	t_shell("cd " ROOT " && for i in $(seq 100); do echo $i > d/x; rm d/x;"
		" mkdir d/x; rmdir d/x; done");
	t_daemon_thaw(&w->daemon);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = 'd/x'"), 0);
	t_round_fini(&r);
}

/* FACTS 5: mkdir x; mv x y; mv y x; rmdir x is read in another order. */
static void fact_05_order(struct t_world *w)
{
	struct t_round r;

	open_root(&r, w, "mkdir a b && touch a/1 b/2");
	t_daemon_freeze(&w->daemon);
	t_shell("cd " ROOT " && mkdir x && mv x y && mv y x && rmdir x");
	t_daemon_thaw(&w->daemon);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path IN ('x', 'y')"), 0);

	/* An exchange is two renames. */
	assert_int_equal(renameat2(AT_FDCWD, ROOT "/a", AT_FDCWD, ROOT "/b",
				   RENAME_EXCHANGE),
			 0);
	t_round_check(&r, NULL);
	expect(&r, 1, "4", "a");
	expect(&r, 1, "4", "b");
	assert_int_equal(t_round_count(&r, "kind IN (1, 5)"), 0);

	/* A rename over a file: the one that went is deleted. */
	t_shell("cd " ROOT " && touch n o");
	t_round_check(&r, NULL);
	t_shell("cd " ROOT " && mv n o");
	t_round_check(&r, NULL);
	expect(&r, 1, "4", "o");
	expect(&r, 1, "5", "o");
	t_round_fini(&r);
}

/* FACTS 6: stores through a mapping raise nothing but the last close. */
static void fact_06_mmap(struct t_world *w)
{
	struct t_round r;
	char *map;
	int fd;

	open_root(&r, w, "truncate -s 8192 f");
	fd = open(ROOT "/f", O_RDWR | O_CLOEXEC);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	memset(map, 'x', 8192);
	munmap(map, 8192);
	close(fd);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = 'f' AND what & 1"), 1);
	t_round_fini(&r);
}

/* FACTS 7: a write by one name concerns all names, also by one outside. */
static void fact_07_hard_links(struct t_world *w)
{
	struct t_round r;

	open_root(&r, w,
		  "mkdir d e ../o && echo 1 > d/f && ln d/f e/g && ln d/f"
		  " ../o/h");
	t_shell("echo 2 >> " ROOT "/d/f");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 2 AND what & 1"), 1);
	if (w->backend == T_fanotify) {
		t_shell("echo 3 >> " FS "/o/h");
		t_round_check(&r, NULL);
		assert_int_equal(t_round_count(&r, "kind = 2 AND what & 1"), 1);
		t_shell("chmod 600 " FS "/o/h && rm " FS "/o/h");
		t_round_check(&r, NULL);
		assert_int_equal(t_round_count(&r, "kind = 3"), 1);
	}
	t_shell("ln " ROOT "/d/f " ROOT "/e/i && rm " ROOT "/e/g");
	t_round_check(&r, NULL);
	expect(&r, 1, "1,4", "e/i");
	t_round_fini(&r);
}

/* FACTS 8: O_TMPFILE writes bear a name that never was, also after linkat. */
static void fact_08_tmpfile(struct t_world *w)
{
	struct t_round r;
	char proc[32];
	int fd;

	open_root(&r, w, "mkdir d");
	fd = open(ROOT "/d", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	write_at(fd, "before");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 0);
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	assert_int_equal(linkat(AT_FDCWD, proc, AT_FDCWD, ROOT "/d/n",
				AT_SYMLINK_FOLLOW),
			 0);
	t_round_check(&r, NULL);
	expect(&r, 1, "1", "d/n");
	write_at(fd, "after");
	close(fd);
	t_round_check(&r, NULL);
	expect(&r, 1, "2", "d/n");
	t_round_fini(&r);
}

/* FACTS 9: open and close without a write is no change; each attribute is. */
static void fact_09_attributes(struct t_world *w)
{
	static const char *const lines[] = {
		"chmod 640 f",
		"chown 1:1 f",
		"setfattr -n user.a -v 1 f",
		"touch -m -d 2001-01-01 f",
		"setfacl -m u:2:rwx f",
		"chmod 700 d",
		"setfattr -n user.a -v 1 d",
		"chown -h 3 l",
	};
	struct t_round r;
	size_t i;
	int fd;

	open_root(&r, w, "touch -d 2020-01-01 f && mkdir d && ln -s f l");
	fd = open(ROOT "/f", O_RDWR | O_CLOEXEC);
	close(fd);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "1"), 0);
	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		t_shell("cd " ROOT " && %s", lines[i]);
		t_round_check(&r, NULL);
		if (t_round_count(&r, "kind IN (2, 3)") != 1)
			fail_msg("%s: not one row", lines[i]);
	}
	t_round_fini(&r);
}

/* FACTS 10: NFS keeps files open for long: what is written is journalled
 * before they are closed; dates may lie in the future. */
static void fact_10_never_closed(struct t_world *w)
{
	struct timespec future[2] = {{4294967295, 1}, {4294967295, 1}};
	struct t_round r;
	int fd, i;

	open_root(&r, w, "touch f");
	fd = open(ROOT "/f", O_WRONLY | O_CLOEXEC);
	for (i = 0; i < 200; i++) { /* within one clock tick, too */
		write_at(fd, "x");
		t_daemon_flush(&w->daemon);
		assert_int_equal(t_judge_count(&r.judge, "what & 1"), i + 1);
	}
	assert_int_equal(futimens(fd, future), 0);
	t_round_check(&r, NULL);
	write_at(fd, "y");
	assert_int_equal(futimens(fd, future), 0);
	t_round_check(&r, NULL);
	expect(&r, 1, "2", "f");
	close(fd);
	t_round_fini(&r);
}

/* FACTS 11: a deleted file that somebody holds open makes no events without
 * end. */
static void fact_11_held_open(struct t_world *w)
{
	struct t_round r;
	int64_t seq;
	int fd;

	open_root(&r, w, "echo 1 > f");
	fd = open(ROOT "/f", O_WRONLY | O_CLOEXEC);
	unlink(ROOT "/f");
	t_round_check(&r, NULL);
	expect(&r, 1, "5", "f");
	write_at(fd, "more");
	t_round_check(&r, NULL);
	seq = t_judge_seq(&r.judge);
	close(fd);
	t_round_check(&r, NULL);
	t_round_check(&r, NULL);
	assert_int_equal(t_judge_seq(&r.judge), seq);
	t_round_fini(&r);
}

static char *backend_of(struct t_daemon *d, const char *key)
{
	json_t *status = t_daemon_status(d);
	const char *text = json_string_value(t_daemon_root_member(status, key));
	char *copy = strdup(text != NULL ? text : "");

	json_decref(status);
	return copy;
}

/* FACTS 15: a btrfs subvolume can be a root, whatever watches it; another one
 * below it is its end. */
static void fact_15_subvolume(struct t_world *w)
{
	struct t_round r;

	t_shell("btrfs -q subvolume create " ROOT " && mkdir " ROOT "/d &&"
		" btrfs -q subvolume create " ROOT "/d/s && touch " ROOT
		"/d/s/not");
	t_round_open(&r, w, ROOT);
	t_shell("cd " ROOT " && echo 1 > d/f && mv d e && echo 2 >> e/f &&"
		" touch e/s/neither");
	t_round_check(&r, NULL);
	expect(&r, 1, "4", "e");
	expect(&r, 1, "1", "e/f");
	t_round_fini(&r);
}

/* FACTS 15: overlayfs refuses the mark: inotify, and status says why. */
static void fact_15_overlay(struct t_world *w)
{
	struct t_round r;
	char *backend, *why;

	t_shell("cd " FS " && mkdir low up work r && echo 1 > low/f && mkdir"
		" low/d && touch low/d/g && mount -t overlay overlay"
		" -o lowerdir=low,upperdir=up,workdir=work r");
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_begin(&w->daemon);
	backend = backend_of(&w->daemon, "backend");
	why = backend_of(&w->daemon, "backend_why");
	assert_string_equal(backend, "inotify");
	assert_true(strlen(why) > 0);
	t_judge_init(&r.judge, w->daemon.state);
	t_shell("cd " ROOT " && touch n d/h && rm d/g");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "kind = 1"), 2);
	assert_int_equal(t_judge_count(&r.judge, "kind = 5"), 1);
	t_judge_fini(&r.judge);
	free(backend);
	free(why);
	umount2(ROOT, MNT_DETACH);
}

/* auto takes fanotify where it can be had. */
static void auto_is_fanotify(struct t_world *w)
{
	struct t_round r;
	char *backend;

	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	backend = backend_of(&w->daemon, "backend");
	assert_string_equal(backend, "fanotify");
	free(backend);
	t_round_fini(&r);
}

/* FACTS 19: a directory that was moved in is listed. */
static void fact_19_moved_in(struct t_world *w)
{
	struct t_round r;

	open_root(&r, w, "mkdir -p ../o/t/u && touch ../o/t/1 ../o/t/u/2");
	t_shell("mv " FS "/o/t " ROOT "/t && echo 3 > " ROOT "/t/u/2");
	t_round_check(&r, NULL);
	expect(&r, 1, "1", "t/u/2");
	t_round_fini(&r);
}

/* FACTS 20: after a rename of a directory what happens below has the new
 * path. */
static void fact_20_renamed_directory(struct t_world *w)
{
	struct t_round r;
	int i;

	open_root(&r, w, "mkdir -p d/e/f && touch d/e/f/1");
	for (i = 0; i < 5; i++) {
		t_shell("cd " ROOT " && mv d x && echo %d > x/e/f/1 && mv x/e"
			" y && touch y/f/n%d && mv y x/e && mv x d",
			i, i);
		t_round_check(&r, NULL);
		assert_int_equal(t_round_count(&r,
					       "kind = 1 AND path ="
					       " 'd/e/f/n%d'",
					       i),
				 1);
		assert_int_equal(t_round_count(&r, "kind = 5"), 0);
	}
	t_round_fini(&r);
}

static int exchange_number(const char *file, int n)
{
	FILE *f = fopen(file, "r+");
	int old = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &old), 1);
	rewind(f);
	fprintf(f, "%d\n", n);
	assert_int_equal(fclose(f), 0);
	return old;
}

/* FACTS 21: an overflow of inotify is a gap, and is closed. */
static void fact_21_inotify_overflow(struct t_world *w)
{
	static const char limit[] = "/proc/sys/fs/inotify/max_queued_events";
	struct t_round r;
	int old;

	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_inotify);
	old = exchange_number(limit, 32);
	t_daemon_start(&w->daemon);
	exchange_number(limit, old);
	t_daemon_flush(&w->daemon);
	t_round_init(&r, w);
	t_daemon_freeze(&w->daemon);
	t_shell("cd " ROOT " && seq 2000 | xargs touch && mkdir d && mv 1 d");
	t_daemon_thaw(&w->daemon);
	t_round_check(&r, NULL);
	assert_true(t_judge_number(&r.judge, "SELECT count(*) FROM j.gap"
					     " WHERE closed NOT NULL") > 0);
	t_round_fini(&r);
}

/* FACTS 21: no watches left: a gap that says so; what is not watched is found
 * by scans. */
static void fact_21_watch_limit(struct t_world *w)
{
	static const char limit[] = "/proc/sys/fs/inotify/max_user_watches";
	struct t_judge j;
	int old;

	t_shell("mkdir " ROOT " && cd " ROOT " && seq 200 | xargs mkdir");
	t_daemon_root(&w->daemon, "r", ROOT, T_inotify);
	old = exchange_number(limit, 50);
	t_daemon_start(&w->daemon);
	t_daemon_await(&w->daemon, "gap_open", true);
	exchange_number(limit, old);
	t_daemon_await(&w->daemon, "gap_open", false);
	t_daemon_flush(&w->daemon);
	t_judge_init(&j, w->daemon.state);
	t_judge_walk(&j, "live", ROOT);
	t_judge_catalog(&j, "catalog", "r");
	t_judge_compare(&j, "live", "catalog");
	t_judge_fini(&j);
}

/* FACTS 38: ext4 gives an inode number to the next file at once. */
static void fact_38_inode_again(struct t_world *w)
{
	struct t_round r;
	int i;

	open_root(&r, w, "mkdir d && echo old > d/f");
	for (i = 0; i < 50; i++) {
		t_shell("cd " ROOT " && rm d/f && echo %d > d/f", i);
		if (i % 5 == 0) {
			t_round_check(&r, NULL);
			expect(&r, 1, "1", "d/f");
			expect(&r, 1, "5", "d/f");
		}
	}
	/* Its type changes with it. */
	t_round_check(&r, NULL);
	t_shell("cd " ROOT " && rm d/f && mkdir d/f && rmdir d/f && ln -s x"
		" d/f");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

/* Entries of every kind, and names of every kind. */
static void every_kind(struct t_world *w)
{
	char name[256], from[300], to[300];
	struct t_round r;
	int fd;

	open_root(&r, w, "mkdir d");
	t_shell("cd " ROOT " && mkfifo fifo && mknod char c 1 3 && mknod block"
		" b 7 0 && ln -s /nowhere sym && truncate -s 1G sparse &&"
		" setfacl -m u:2:r sparse && touch '#h' ';s' ./-d ' b' 'e '"
		" \"$(printf 'n\\nl')\" \"$(printf '\\377\\376')\" '*' '\\' &&"
		" mknod -m 600 d/p p");
	memset(name, 'n', 255);
	name[255] = '\0';
	snprintf(from, sizeof from, ROOT "/%s", name);
	fd = open(from, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 16);
	name[0] = '\x80';
	snprintf(to, sizeof to, ROOT "/%s", name);
	assert_int_equal(rename(from, to), 0);
	t_shell("cd " ROOT " && rm fifo char block && mv d D && mv '*' '?'");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 4"), 3);
	assert_int_equal(t_round_count(&r, "kind = 5"), 3);
	t_round_fini(&r);
}

/* A tree whose paths are far longer than PATH_MAX. */
static void deeper_than_path_max(struct t_world *w)
{
	struct t_round r;
	char name[201];
	int dir, below, i;

	open_root(&r, w, "mkdir top");
	memset(name, 'd', 200);
	name[200] = '\0';
	dir = open(ROOT "/top", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (i = 0; i < 300; i++) {
		assert_int_equal(mkdirat(dir, name, 0755), 0);
		below = openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(dir);
		dir = below;
	}
	assert_int_equal(mknodat(dir, "leaf", S_IFREG | 0600, 0), 0);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 301);
	below = openat(dir, "leaf", O_WRONLY | O_CLOEXEC);
	write_at(below, "deep");
	close(below);
	close(dir);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 2"), 1);
	t_daemon_stop(&w->daemon);
	t_shell("mv " ROOT "/top " ROOT "/tip");
	t_daemon_start(&w->daemon);
	t_round_check(&r, NULL);
	expect(&r, 1, "4", "tip");
	t_shell("rm -rf " ROOT "/tip");
	t_round_check(&r, NULL);
	expect(&r, 1, "5", "tip");
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(fact_02_cold_handle, ext4, fanotify),
	T_CASE(fact_02_cold_handle, xfs, fanotify),
	T_CASE(fact_02_cold_handle, btrfs, fanotify),
	T_CASE(fact_03_stale_parents, ext4, fanotify),
	T_CASE(fact_03_stale_parents, ext4, inotify),
	T_CASE(fact_04_merged, ext4, fanotify),
	T_CASE(fact_04_merged, ext4, inotify),
	T_CASE(fact_05_order, ext4, fanotify),
	T_CASE(fact_05_order, xfs, inotify),
	T_CASE(fact_06_mmap, ext4, fanotify),
	T_CASE(fact_06_mmap, btrfs, inotify),
	T_CASE(fact_07_hard_links, ext4, fanotify),
	T_CASE(fact_07_hard_links, ext4, inotify),
	T_CASE(fact_08_tmpfile, ext4, fanotify),
	T_CASE(fact_09_attributes, ext4, fanotify),
	T_CASE(fact_09_attributes, xfs, inotify),
	T_CASE(fact_10_never_closed, ext4, fanotify),
	T_CASE(fact_10_never_closed, xfs, inotify),
	T_CASE(fact_11_held_open, ext4, fanotify),
	T_CASE(fact_11_held_open, ext4, inotify),
	T_CASE(fact_15_subvolume, btrfs, fanotify),
	T_CASE(fact_15_subvolume, btrfs, auto),
	T_CASE(fact_15_subvolume, btrfs, inotify),
	T_CASE(fact_15_overlay, ext4, auto),
	T_CASE(auto_is_fanotify, ext4, auto),
	T_CASE(auto_is_fanotify, btrfs, auto),
	T_CASE(fact_19_moved_in, ext4, fanotify),
	T_CASE(fact_19_moved_in, ext4, inotify),
	T_CASE(fact_20_renamed_directory, ext4, fanotify),
	T_CASE(fact_20_renamed_directory, ext4, inotify),
	T_CASE(fact_21_inotify_overflow, ext4, inotify),
	T_CASE(fact_21_watch_limit, ext4, inotify),
	T_CASE(fact_38_inode_again, ext4, fanotify),
	T_CASE(fact_38_inode_again, ext4, inotify),
	T_CASE(every_kind, ext4, fanotify),
	T_CASE(every_kind, btrfs, inotify),
	T_CASE(deeper_than_path_max, ext4, fanotify),
	T_CASE(deeper_than_path_max, xfs, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("facts", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
