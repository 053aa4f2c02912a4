/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What kernels and file systems do that surprises, each with a test that the
 * journal is right all the same. */
#include "lib/t_case.h"
#include "lib/t_ops_internal.h"
#include "lib/t_round.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS   T_SPACE "/fs"
#define ROOT FS "/r"

static void write_at(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

union handle {
	struct file_handle h;
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
};

/* A write through a handle with cold caches, as an NFS server does
 * it, has neither directory nor name. */
static void cold_handle(struct t_world *w)
{
	union handle u = {.h.handle_bytes = MAX_HANDLE_SZ};
	struct t_round r;
	int mount_id, fs, fd, i;

	t_round_make(&r, w, ROOT,
		     "mkdir -p d/e && echo 1 > d/e/f && ln d/e/f d/g");
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
		/* Or two: what was written just before the last look is
		 * doubted when it is closed. */
		assert_in_range(t_round_count(&r, "kind = 2 AND what & 1 AND"
						  " path IN ('d/e/f', 'd/g')"),
				1, 2);
		close(fd);
	}
	close(fs);
	t_round_fini(&r);
}

/* Parents are stale when their events are read; all deletions have
 * their right path. */
static void stale_parents(struct t_world *w)
{
	struct t_round r;
	int root;

	t_round_make(&r, w, ROOT,
		     "for i in $(seq 30); do mkdir -p t/$i/s; (cd t/$i/s;"
		     " seq 50 | xargs touch); done");
	root = open(ROOT, O_PATH | O_CLOEXEC);
	t_daemon_freeze(&w->daemon);
	t_ops_remove_tree(root, "t");
	t_daemon_thaw(&w->daemon);
	t_round_check(&r, NULL);
	assert_int_equal(t_judge_number(&r.judge,
					"SELECT sum(ifnull(entries, 1))"
					" FROM c WHERE kind = 5"),
			 1 + 30 * 52);
	close(root);
	t_round_fini(&r);
}

/* What came and went between two looks is nothing; the directory, whose times
 * tell of it, has a row. */
static void merged(struct t_world *w)
{
	struct t_round r;

	t_round_make(&r, w, ROOT, "mkdir d");
	t_daemon_shell(&w->daemon,
		       "cd " ROOT
		       " && for i in $(seq 100); do echo $i > d/x; rm d/x;"
		       " mkdir d/x; rmdir d/x; done");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = 'd/x'"), 0);
	t_round_expect(&r, 1, "3", "d");
	t_round_fini(&r);
}

/* A directory has a row about its times only where no other row tells that
 * names in it changed. */
static void times(struct t_world *w)
{
	static const char *const quiet[] = {
		"touch d/x",
		"mv d/x e/y",
		"mv e/y e/x",
		"mkdir -p d/s/t && touch d/s/t/u",
		"mv d/s e/",
		"rm e/x",
		"ln -s n d/l && mv d/l d/m && touch d/n",
		"rm -r e/s",
	};
	struct t_round r;

	t_round_make(&r, w, ROOT, "mkdir d e");
	for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++) {
		t_shell("cd " ROOT " && %s", quiet[i]);
		t_round_check(&r, NULL);
		if (t_round_count(&r, "kind = 3 AND path IN ('d', 'e')") > 0) {
			t_judge_show(&r.judge, r.start);
			fail_msg("a row too many after: %s", quiet[i]);
		}
	}

	/* Where it was for a moment has no other row. */
	t_daemon_shell(&w->daemon, "cd " ROOT " && mv d/n e/n && mv e/n d/n");
	t_round_check(&r, NULL);
	t_round_expect(&r, 0, "3", "d");
	t_round_expect(&r, 1, "3", "e");

	/* A name that stays tells nothing of one that came and went. */
	t_daemon_shell(&w->daemon,
		       "cd " ROOT " && touch e/z && rm e/z && chmod 700 d");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "3", "d");
	t_round_expect(&r, 1, "3", "e");
	t_round_fini(&r);
}

/* Mkdir x; mv x y; mv y x; rmdir x is read in another order. */
static void order(struct t_world *w)
{
	struct t_round r;

	t_round_make(&r, w, ROOT, "mkdir a b && touch a/1 b/2");
	t_daemon_shell(&w->daemon,
		       "cd " ROOT " && mkdir x && mv x y && mv y x && rmdir x");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path IN ('x', 'y')"), 0);

	/* An exchange is two renames. */
	assert_int_equal(renameat2(AT_FDCWD, ROOT "/a", AT_FDCWD, ROOT "/b",
				   RENAME_EXCHANGE),
			 0);
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "4", "a");
	t_round_expect(&r, 1, "4", "b");
	assert_int_equal(t_round_count(&r, "kind IN (1, 5)"), 0);

	/* A rename over a file: the one that went is deleted. */
	t_shell("cd " ROOT " && touch n o");
	t_round_check(&r, NULL);
	t_shell("cd " ROOT " && mv n o");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "4", "o");
	t_round_expect(&r, 1, "5", "o");
	t_round_fini(&r);
}

/* NFS keeps files open for long: what is written is journalled
 * before they are closed; dates may lie in the future. */
static void never_closed(struct t_world *w)
{
	struct timespec future[2] = {{4294967295, 1}, {4294967295, 1}};
	struct t_round r;
	int fd, i;

	t_round_make(&r, w, ROOT, "touch f");
	fd = open(ROOT "/f", O_WRONLY | O_CLOEXEC);
	for (i = 0; i < 200; i++) { /* within one clock tick, too */
		write_at(fd, "x");
		t_daemon_flush(&w->daemon);
		assert_int_equal(t_judge_count(&r.judge, "what & 1"), i + 1);
	}
	assert_int_equal(futimens(fd, future), 0);
	t_round_check(&r, NULL);
	t_daemon_freeze(&w->daemon);
	write_at(fd, "y");
	assert_int_equal(futimens(fd, future), 0);
	t_daemon_thaw(&w->daemon);
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "2", "f");

	/* Neither size nor time tells, and the event alone does. */
	assert_int_equal(pwrite(fd, "z", 1, 0), 1);
	assert_int_equal(futimens(fd, future), 0);
	t_round_check(&r, NULL);
	assert_true(t_round_count(&r, "kind = 2 AND path = 'f'") > 0);
	close(fd);
	t_round_fini(&r);
}

/* A deleted file that somebody holds open makes no events without
 * end. */
static void held_open(struct t_world *w)
{
	struct t_round r;
	int64_t seq;
	int fd;

	t_round_make(&r, w, ROOT, "echo 1 > f");
	fd = open(ROOT "/f", O_WRONLY | O_CLOEXEC);
	unlink(ROOT "/f");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "5", "f");
	write_at(fd, "more");
	t_round_check(&r, NULL);
	seq = t_judge_seq(&r.judge);
	close(fd);
	t_round_check(&r, NULL);
	t_round_check(&r, NULL);
	assert_int_equal(t_judge_seq(&r.judge), seq);
	t_round_fini(&r);
}

/* A directory that was moved in is listed. */
static void moved_in(struct t_world *w)
{
	struct t_round r;

	t_round_make(&r, w, ROOT,
		     "mkdir -p ../o/t/u && touch ../o/t/1 ../o/t/u/2");
	t_shell("mv " FS "/o/t " ROOT "/t && echo 3 > " ROOT "/t/u/2");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "1", "t/u/2");
	t_round_fini(&r);
}

/* After a rename of a directory what happens below has the new
 * path. */
static void renamed_directory(struct t_world *w)
{
	struct t_round r;
	int i;

	t_round_make(&r, w, ROOT, "mkdir -p d/e/f && touch d/e/f/1");
	for (i = 0; i < 5; i++) {
		t_daemon_freeze(&w->daemon); /* one look, when all is done */
		t_shell("cd " ROOT " && mv d x && echo %d > x/e/f/1 && mv x/e"
			" y && touch y/f/n%d && mv y x/e && mv x d",
			i, i);
		t_daemon_thaw(&w->daemon);
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

/* Two directories that change places, and leave: by the catalog the one that
 * goes first lies below the other. No event comes after to help. */
static void left_inside_out(struct t_world *w)
{
	struct t_round r;

	t_round_make(&r, w, ROOT, "mkdir -p a/b ../o");
	t_daemon_shell(&w->daemon,
		       "cd " ROOT " && mv a/b c && mv a c/a && mv c ../o/c");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "5", "a");
	t_round_expect(&r, 1, "5", "a/b");
	t_round_fini(&r);
}

/* The one that is below goes deeper, takes the one above in, and what lay
 * between is deleted: that says nothing of who is found elsewhere. */
static void turned_inside_out(struct t_world *w)
{
	struct t_round r;

	t_round_make(&r, w, ROOT, "mkdir -p a/b/p a/d q/1/2/3 && touch a/d/1");
	t_daemon_shell(&w->daemon,
		       "cd " ROOT " && mv a/b/p q/1/2/3/z && mv a q/1/2/3/z/a"
		       " && rmdir q/1/2/3/z/a/b");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "4", "q/1/2/3/z/a");
	t_round_expect(&r, 0, "1,5", "q/1/2/3/z/a/d");
	t_round_fini(&r);
}

/* The inode numbers of what is gone are taken again at once: by a handle it is
 * gone nevertheless, and no trouble. */
static void taken_again(struct t_world *w)
{
	struct t_round r;
	int root, fd, i;

	t_round_make(&r, w, ROOT, "mkdir d");
	root = open(ROOT, O_RDONLY | O_DIRECTORY);
	for (i = 0; i < 15000; i++) {
		assert_int_equal(mkdirat(root, "x", 0755), 0);
		fd = openat(root, "x/f", O_CREAT | O_WRONLY, 0644);
		assert_true(fd >= 0);
		close(fd);
		assert_int_equal(unlinkat(root, "x/f", 0), 0);
		assert_int_equal(unlinkat(root, "x", AT_REMOVEDIR), 0);
	}
	close(root);
	t_round_check(&r, NULL);
	assert_int_equal(t_judge_number(&r.judge,
					"SELECT count(*) FROM j.gap WHERE"
					" reason LIKE '%%opened'"),
			 0);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(taken_again, ext4, fanotify),
	T_CASE(turned_inside_out, ext4, fanotify),
	T_CASE(turned_inside_out, btrfs, fanotify),
	T_CASE(turned_inside_out, xfs, inotify),
	T_CASE(left_inside_out, ext4, fanotify),
	T_CASE(left_inside_out, xfs, fanotify),
	T_CASE(cold_handle, ext4, fanotify),
	T_CASE(cold_handle, xfs, fanotify),
	T_CASE(cold_handle, btrfs, fanotify),
	T_CASE(stale_parents, ext4, fanotify),
	T_CASE(stale_parents, ext4, inotify),
	T_CASE(merged, ext4, fanotify),
	T_CASE(times, ext4, fanotify),
	T_CASE(times, xfs, inotify),
	T_CASE(merged, ext4, inotify),
	T_CASE(order, ext4, fanotify),
	T_CASE(order, xfs, inotify),
	T_CASE(never_closed, ext4, fanotify),
	T_CASE(never_closed, xfs, inotify),
	T_CASE(held_open, ext4, fanotify),
	T_CASE(held_open, ext4, inotify),
	T_CASE(moved_in, ext4, fanotify),
	T_CASE(moved_in, ext4, inotify),
	T_CASE(renamed_directory, ext4, fanotify),
	T_CASE(renamed_directory, ext4, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("surprises", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
