/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Much at once: nests that are deeper than the watch is quick, trees removed
 * as a whole, a queue that is much too small, real source trees. */
#include "lib/t_case.h"
#include "lib/t_ops_internal.h"
#include "lib/t_round.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT  T_SPACE "/fs/r"
#define NESTS 2000
#define QUEUE "/proc/sys/fs/fanotify/max_queued_events"
#define LINUX "/usr/src/linux-source-6.1.tar.xz"

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* mkdir -p n/a/b/c and a leaf in it, back to back: every leaf is there. With
 * a short interval the directories are met while they are being filled. */
static void nests(struct t_world *w)
{
	struct t_round r;
	char path[64];
	int root, i, k;

	t_shell("mkdir " ROOT);
	t_daemon_configure(&w->daemon, "FlushInterval=1ms\n");
	t_round_open(&r, w, ROOT);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	for (i = 0; i < NESTS; i++) {
		int len = snprintf(path, sizeof path, "n%04d", i);

		for (k = 0; k < 4; k++) {
			assert_int_equal(mkdirat(root, path, 0755), 0);
			len += snprintf(path + len, sizeof path - (size_t)len,
					"/%c", 'a' + k);
		}
		strcpy(path + len - 2, "/leaf");
		write_file(root, path, "leaf");
	}
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1 AND what & 1 AND size = 4"
					   " AND path LIKE 'n____/a/b/c/leaf'"),
			 NESTS);
	for (i = 0; i < NESTS; i++) { /* and all of them are watched */
		snprintf(path, sizeof path, "n%04d/a/b/c/late", i);
		write_file(root, path, "late");
	}
	close(root);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), NESTS);
	t_round_fini(&r);
}

/* rm -rf of 100,000 entries: each is named, alone or counted with its tree. */
static void removed_tree(struct t_world *w)
{
	struct t_round r;
	char path[64];
	int root, i, k;

	t_shell("mkdir " ROOT);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	assert_int_equal(mkdirat(root, "big", 0755), 0);
	for (i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "big/d%02d", i);
		assert_int_equal(mkdirat(root, path, 0755), 0);
		for (k = 0; k < 1000; k++) {
			snprintf(path, sizeof path, "big/d%02d/f%03d", i, k);
			assert_int_equal(mknodat(root, path, S_IFREG | 0644, 0),
					 0);
		}
	}
	t_round_open(&r, w, ROOT);
	t_ops_remove_tree(root, "big");
	close(root);
	t_round_check(&r, NULL); /* holds path and entries of each row */
	assert_int_equal(t_judge_number(&r.judge,
					"SELECT sum(ifnull(entries, 1))"
					" FROM c WHERE kind = 5"),
			 100101);
	t_round_fini(&r);
}

static int read_limit(void)
{
	FILE *f = fopen(QUEUE, "r");
	int n = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	fclose(f);
	return n;
}

/* 200,000 files past a queue of 64 events: a gap, closed by a scan that found
 * them, and the journal is exact. */
static void small_queue(struct t_world *w)
{
	int limit = read_limit(), root, i;
	struct t_output o;
	struct t_round r;
	char name[32];

	t_shell("mkdir " ROOT " && cd " ROOT " && seq 10 | xargs mkdir");
	t_daemon_root(&w->daemon, "r", ROOT, w->backend);
	/* The kernel's bound of a queue is taken when the queue is made. */
	t_shell("echo 64 > " QUEUE);
	t_daemon_start(&w->daemon);
	t_shell("echo %d > " QUEUE, limit);
	t_daemon_flush(&w->daemon);
	t_round_init(&r, w);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	for (i = 0; i < 200000; i++) {
		snprintf(name, sizeof name, "%d/f%d", 1 + i % 10, i);
		assert_int_equal(mknodat(root, name, S_IFREG | 0644, 0), 0);
	}
	close(root);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 200000);
	assert_true(t_judge_number(&r.judge, "SELECT count(*) FROM j.gap") > 0);
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*) FROM j.gap"
						  " WHERE closed IS NULL"),
			 0);
	assert_true(t_judge_number(&r.judge, "SELECT sum(found) FROM j.gap") >
		    0);
	t_daemon_command(&w->daemon, &o, "query", "--gaps", NULL);
	assert_int_equal(o.status, 0);
	assert_true(o.out_len > 0);
	t_output_fini(&o);
	t_round_fini(&r);
}

/* A git repository is filled, and checked out back and forth. */
static void git_checkouts(struct t_world *w)
{
	static const char git[] = "git -c user.name=t -c user.email=t@localhost"
				  " -c commit.gpgsign=false -c gc.auto=0";
	struct t_round r;
	int i;

	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	t_shell("cd " ROOT " && git init -q -b main .");
	for (i = 0; i < 6; i++) {
		t_shell("cd " ROOT " && for d in $(seq 12); do mkdir -p s$d/t;"
			" for f in $(seq 25); do"
			" echo %d $f > s$d/f$((f + %d * 7)).c;"
			" echo %d > s$d/t/f$((f * %d)).h; done; done;"
			" rm -rf s$((%d + 1)) && %s add -A && %s commit -qm %d",
			i, i, i, i + 1, i, git, git, i);
		t_round_check(&r, NULL);
	}
	for (i = 0; i < 10; i++) {
		t_shell("cd " ROOT " && git checkout -q main~%d",
			(i * 3 + 1) % 6);
		if (i % 2 == 1)
			t_round_check(&r, NULL);
	}
	t_round_fini(&r);
}

/* The kernel's source: 80,000 files. It takes minutes, so JB_TEST_LONG=1. */
static void linux_source(struct t_world *w)
{
	struct t_round r;

	if (!t_case_long() || access(LINUX, R_OK) != 0) {
		print_message("skipped: needs JB_TEST_LONG=1 and Debian's "
			      "linux-source-6.1\n");
		skip();
	}
	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	t_shell("tar -xf " LINUX " -C " ROOT);
	t_round_check(&r, NULL);
	assert_true(t_round_count(&r, "kind = 1") > 70000);
	t_shell("cd " ROOT "/linux* && mv drivers d && mv d/net n && mv fs d/");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 4"), 3);
	t_shell("rm -rf " ROOT "/linux*");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

struct writer {
	int dir;
	atomic_bool stop;
	int n;
};

static void *write_below(void *arg)
{
	struct writer *x = arg;
	char name[32];

	while (!atomic_load(&x->stop) && x->n < 30000) {
		snprintf(name, sizeof name, "d%d/f%d", x->n % 20, x->n % 1000);
		write_file(x->dir, name, "more");
		if (x->n % 7 == 0)
			unlinkat(x->dir, name, 0);
		x->n++;
	}
	return NULL;
}

/* Big directories are renamed while below them is written. */
static void renamed_while_written(struct t_world *w)
{
	struct writer x = {0};
	struct t_round r;
	pthread_t thread;
	char from[16] = "big", to[16];
	int root, i;

	t_shell("mkdir -p " ROOT "/big " ROOT "/other && cd " ROOT "/big &&"
		" for i in $(seq 0 19); do mkdir d$i; (cd d$i;"
		" seq 100 | sed s/^/g/ | xargs touch); done");
	t_round_open(&r, w, ROOT);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	x.dir = open(ROOT "/big", O_PATH | O_CLOEXEC);
	pthread_create(&thread, NULL, write_below, &x);
	for (i = 0; i < 300; i++) {
		snprintf(to, sizeof to, i % 3 == 0 ? "other/big%d" : "big%d",
			 i % 5);
		if (renameat(root, from, root, to) == 0)
			strcpy(from, to);
		if (i % 10 == 0)
			t_daemon_flush(&w->daemon);
	}
	atomic_store(&x.stop, true);
	pthread_join(thread, NULL);
	close(x.dir);
	close(root);
	t_round_check(&r, NULL);
	assert_int_equal(
		t_round_count(&r, "kind = 5 AND (mode & 61440) = 16384"), 0);
	assert_int_equal(
		t_round_count(&r, "kind = 1 AND (mode & 61440) = 16384"), 0);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(nests, ext4, fanotify),
	T_CASE(nests, tmpfs, fanotify),
	T_CASE(nests, ext4, inotify),
	T_CASE(nests, tmpfs, inotify),
	T_CASE(removed_tree, ext4, fanotify),
	T_CASE(removed_tree, xfs, inotify),
	T_CASE(small_queue, ext4, fanotify),
	T_CASE(git_checkouts, btrfs, fanotify),
	T_CASE(git_checkouts, ext4, inotify),
	T_CASE(renamed_while_written, xfs, fanotify),
	T_CASE(renamed_while_written, ext4, inotify),
	{"linux_source/ext4/fanotify", linux_source, T_ext4, T_fanotify, 4096},
	{"linux_source/btrfs/inotify", linux_source, T_btrfs, T_inotify, 4096},
};

int main(int argc, char **argv)
{
	return t_case_run("bulk", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
