/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of every kind and name, and what is done to them: attributes, hard
 * links, mappings, files without a name. */
#include "lib/t_case.h"
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

/* Entries of every kind, and names of every kind. */
static void every_kind(struct t_world *w)
{
	char name[256], from[300], to[300];
	struct t_round r;
	int fd;

	t_round_make(&r, w, ROOT, "mkdir d");
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

	t_round_make(&r, w, ROOT, "mkdir top");
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
	assert_true(t_round_count(&r, "kind = 2") > 0);
	t_daemon_stop(&w->daemon);
	t_shell("mv " ROOT "/top " ROOT "/tip");
	t_daemon_start(&w->daemon);
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "4", "tip");
	t_shell("rm -rf " ROOT "/tip");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "5", "tip");
	t_round_fini(&r);
}

/* Stores through a mapping raise nothing but the last close. */
static void mapped_stores(struct t_world *w)
{
	struct t_round r;
	char *map;
	int fd;

	t_round_make(&r, w, ROOT, "truncate -s 8192 f");
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

/* A write by one name concerns all names, also by one outside. */
static void hard_links(struct t_world *w)
{
	struct t_round r;

	t_round_make(&r, w, ROOT,
		     "mkdir d e ../o && echo 1 > d/f && ln d/f e/g && ln d/f"
		     " ../o/h");
	t_daemon_shell(&w->daemon, "echo 2 >> " ROOT "/d/f");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 2 AND what & 1"), 1);
	if (w->backend == T_fanotify) {
		t_daemon_shell(&w->daemon, "echo 3 >> " FS "/o/h");
		t_round_check(&r, NULL);
		assert_int_equal(t_round_count(&r, "kind = 2 AND what & 1"), 1);
		t_shell("chmod 600 " FS "/o/h && rm " FS "/o/h");
		t_round_check(&r, NULL);
		assert_int_equal(t_round_count(&r, "kind = 3"), 1);
	}
	t_shell("ln " ROOT "/d/f " ROOT "/e/i && rm " ROOT "/e/g");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "1,4", "e/i");
	t_round_fini(&r);
}

/* O_TMPFILE writes bear a name that never was, also after linkat. */
static void named_afterwards(struct t_world *w)
{
	struct t_round r;
	char proc[32];
	int fd;

	t_round_make(&r, w, ROOT, "mkdir d");
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
	t_round_expect(&r, 1, "1", "d/n");
	write_at(fd, "after");
	close(fd);
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "2", "d/n");
	t_round_fini(&r);
}

/* Open and close without a write is no change; each attribute is. */
static void attributes(struct t_world *w)
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

	t_round_make(&r, w, ROOT,
		     "touch -d 2020-01-01 f && mkdir d && ln -s f l");
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

/* Ext4 gives an inode number to the next file at once. */
static void inode_again(struct t_world *w)
{
	struct t_round r;
	int i;

	t_round_make(&r, w, ROOT, "mkdir d && echo old > d/f");
	for (i = 0; i < 10; i++) {
		t_daemon_shell(&w->daemon,
			       "cd " ROOT " && for k in 1 2 3 4 5; do"
			       " rm d/f && echo %d $k > d/f; done",
			       i);
		t_round_check(&r, NULL);
		t_round_expect(&r, 1, "1", "d/f");
		t_round_expect(&r, 1, "5", "d/f");
	}
	/* Its type changes with it. */
	t_round_check(&r, NULL);
	t_shell("cd " ROOT " && rm d/f && mkdir d/f && rmdir d/f && ln -s x"
		" d/f");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(mapped_stores, ext4, fanotify),
	T_CASE(mapped_stores, btrfs, inotify),
	T_CASE(hard_links, ext4, fanotify),
	T_CASE(hard_links, ext4, inotify),
	T_CASE(named_afterwards, ext4, fanotify),
	T_CASE(attributes, ext4, fanotify),
	T_CASE(attributes, xfs, inotify),
	T_CASE(inode_again, ext3, fanotify),
	T_CASE(inode_again, ext3, inotify),
	T_CASE(inode_again, ext4, fanotify),
	T_CASE(inode_again, ext4, inotify),
	T_CASE(every_kind, ext4, fanotify),
	T_CASE(every_kind, btrfs, inotify),
	T_CASE(deeper_than_path_max, ext4, fanotify),
	T_CASE(deeper_than_path_max, xfs, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("entries", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
