/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every kind of entry arrives at a local target as it is at the source. */
#include "lib/t_process.h"
#include "lib/t_target.h"
#include "transports/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

static struct t_target x;

/* A tree with files, links, special files, attributes, ACLs and odd names is
 * the same on both sides, to rsync's eye. */
static void test_every_kind(void **state)
{
	char name[256];

	(void)state;
	assert_int_equal(chdir(T_SOURCE), 0);
	t_shell("mkdir -p a/b/c; echo one >a/one; echo two >a/b/two;"
		"head -c 3000000 /dev/urandom >a/b/c/big; : >empty;"
		"ln a/one a/b/hard; ln a/one hard2;"
		"ln -s ../nowhere a/dangling; ln -s /etc/passwd abs; mkfifo p;"
		"mknod dev c 1 3; mknod blk b 7 99; ln p a/p2;"
		"chown 1234:4321 a/b a/b/two p dev abs -h;"
		"chmod 6755 a/one; chmod 0 empty; chmod 1777 a/b/c; chmod 2711 "
		"a;"
		"touch -h -d '1971-02-03 04:05:06.789012345' a/dangling a/one;"
		"touch -d '1960-01-02 03:04:05.6' a/b/two; touch -d 2106-02-07 "
		"p;"
		"setfattr -n user.a -v 1 a/one; setfattr -n trusted.t -v x a/b;"
		"setfattr -n security.foo -v y a/b/two;"
		"setfattr -h -n trusted.link -v z abs;"
		"setfattr -n trusted.p -v p p; setcap cap_net_raw=ep a/b/c/big;"
		"setfacl -m u:77:rwx,g:88:r a/b/two; setfacl -d -m u:9:rx a/b;"
		"setfacl -m u:5:w p; echo s >suid; chown 12:34 suid;"
		"chmod 6755 suid");
	for (int i = 0; i < 255; i++)
		name[i] = (char)(i == '/' - 1 ? 0xff : i + 1);
	name[255] = '\0';
	t_write(name, "odd");
	memset(name, 0xc3, 255);
	assert_int_equal(mkdir(name, 0700), 0);
	t_write("-rf", "dash");
	t_write(" \n", "newline");
	assert_int_equal(chdir("/"), 0);
	t_target_copy(&x);
	t_target_compare(&x);
	assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 0);
	if (x.target.fs == T_ext4) /* what xfs calls its ACLs is not copied */
		assert_int_equal(getxattr(T_TARGET "/a/b/two",
					  "trusted.SGI_ACL_FILE", NULL, 0),
				 -1);
}

/* What a default ACL of the target's directory gives to a new file is taken
 * away again when the source has none. */
static void test_no_inherited_acl(void **state)
{
	(void)state;
	t_shell("mkdir %s/d %s/d; setfacl -d -m u:9:rwx %s/d %s/" JB_STAGE_DIR
		"; echo x >%s/d/f",
		T_SOURCE, T_TARGET, T_TARGET, T_TARGET, T_SOURCE);
	assert_int_equal(t_target_put(&x, "d", "f", NULL), JB_OUTCOME_DONE);
	assert_int_equal(getxattr(T_TARGET "/d/f", "system.posix_acl_access",
				  NULL, 0),
			 -1);
	assert_int_equal(errno, ENODATA);
}

/* Holes stay holes, their length is kept, and the hash counts them as zeros. */
static void test_sparse(void **state)
{
	struct jb_tree tree;
	struct jb_hash hash;
	struct jb_work w;
	struct stat st;
	int fd;

	(void)state;
	fd = open(T_SOURCE "/holes", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	assert_int_equal(pwrite(fd, "begin", 5, 10 << 20), 5);
	assert_int_equal(pwrite(fd, "end", 3, 100 << 20), 3);
	assert_int_equal(ftruncate(fd, 200 << 20), 0);
	close(fd);
	w = t_target_work(&x, "", "holes", "h");
	w.want_hash = true;
	assert_int_equal(x.ops->make(x.t, &w, 1, &x.err), JB_OUTCOME_DONE);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	assert_int_equal(stat(T_TARGET "/" JB_STAGE_DIR "/h", &st), 0);
	assert_int_equal(st.st_size, 200 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	t_shell("cmp %s/holes %s/" JB_STAGE_DIR "/h", T_SOURCE, T_TARGET);
	assert_int_equal(jb_tree_open(&tree, T_SOURCE, "", NULL), JB_OK);
	assert_int_equal(jb_tree_hash(&tree, w.from, &(struct jb_stamp){0},
				      &hash, NULL),
			 JB_OUTCOME_DONE);
	jb_tree_close(&tree);
	assert_true(w.has_hash && hash.low == w.hash.low &&
		    hash.high == w.hash.high);
}

/* One that is nearly all hole is not read for its hash. */
static void test_vast(void **state)
{
	struct jb_work w;

	(void)state;
	t_shell("truncate -s 64G %s/vast && echo x >> %s/vast", T_SOURCE,
		T_SOURCE);
	w = t_target_work(&x, "", "vast", "v");
	w.want_hash = true;
	assert_int_equal(x.ops->make(x.t, &w, 1, &x.err), JB_OUTCOME_DONE);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	assert_false(w.has_hash);
	t_shell("test $(stat -c %%s %s/" JB_STAGE_DIR "/v) = 68719476738",
		T_TARGET);
}

/* Paths longer than the kernel takes at once are no obstacle. */
static void test_deeper_than_path_max(void **state)
{
	struct jb_work w;
	char name[201], path[8192] = "";
	int fd, next;

	(void)state;
	memset(name, 'd', 200);
	name[200] = '\0';
	fd = open(T_SOURCE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
		strncat(path, "/", sizeof path - strlen(path) - 1);
		strncat(path, name, sizeof path - strlen(path) - 1);
	}
	next = openat(fd, "leaf", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(next, "deep", 4), 4);
	close(next);
	close(fd);
	t_target_copy(&x);
	w = t_target_work(&x, path + 1, "leaf", "l");
	w.to = w.from;
	assert_int_equal(x.ops->look(x.t, w.to, &w.target, &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(w.target.size, 4);
	/* and it can go again, by the one name of its top */
	assert_int_equal(x.ops->rename(x.t, (struct jb_place){"", name},
				       &(struct jb_stamp){0},
				       (struct jb_place){JB_STAGE_DIR, "old"},
				       &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sweep(x.t, "old", &x.err), JB_OUTCOME_DONE);
	assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 0);
	assert_int_equal(x.ops->look(x.t, w.to, &w.target, &x.err),
			 JB_OUTCOME_LOST);
}

/* Without a Preserve= bit that attribute is left to the target. */
static void test_preserve(void **state)
{
	struct jb_object o;

	(void)state;
	t_write(T_SOURCE "/f", "x");
	t_shell("chown 55:66 %s/f; chmod 4751 %s/f; touch -d 2001-01-01 %s/f;"
		"setfattr -n user.k -v v %s/f; setfacl -m u:7:r %s/f",
		T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE);
	t_target_open(&x, 0, 0);
	assert_int_equal(t_target_put(&x, "", "f", &o), JB_OUTCOME_DONE);
	assert_int_equal(o.uid, 0);
	assert_int_equal(o.mode & 07000, 0);
	assert_true(o.mtime > INT64_C(1500000000000000000));
	assert_int_equal(listxattr(T_TARGET "/f", NULL, 0), 0);
	assert_int_equal(unlink(T_TARGET "/f"), 0);
	t_target_open(&x, JB_PRESERVE_MODE | JB_PRESERVE_TIMES, 0);
	assert_int_equal(t_target_put(&x, "", "f", &o), JB_OUTCOME_DONE);
	assert_int_equal(o.uid, 0);
	/* no set-id bit for another owner than it was meant for */
	assert_int_equal(o.mode & 07777, 0751);
	assert_int_equal(o.mtime / 1000000000, 978307200);
}

/* Attributes follow the source, and what it lost goes. */
static void test_attrs(void **state)
{
	struct jb_object o;
	struct jb_work w;

	(void)state;
	t_write(T_SOURCE "/f", "x");
	t_shell("setfattr -n user.old -v v %s/f; setfacl -m u:7:r %s/f",
		T_SOURCE, T_SOURCE);
	assert_int_equal(t_target_put(&x, "", "f", &o), JB_OUTCOME_DONE);
	t_shell("setfattr -x user.old %s/f; setfattr -n user.new -v n %s/f;"
		"setfacl -b %s/f; chown 3:4 %s/f; chmod 06711 %s/f;"
		"touch -d 2002-02-02 %s/f",
		T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE);
	w = t_target_work(&x, "", "f", "f");
	w.to = w.from;
	w.expect = jb_stamp_of(&o);
	assert_int_equal(x.ops->attrs(x.t, &w, 1, &x.err), JB_OUTCOME_DONE);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_OK);
	t_target_attrs(&x, "", ".");
	t_target_compare(&x);
	/* a new owner takes the set-id bits away, which come back */
	t_shell("chown 8:9 %s/f; chmod 06711 %s/f", T_SOURCE, T_SOURCE);
	w.expect = jb_stamp_of(&w.target);
	x.ops->attrs(x.t, &w, 1, &x.err);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	t_target_compare(&x);
	/* the stamp that it got is the one that it has */
	w.expect = jb_stamp_of(&w.target);
	x.ops->attrs(x.t, &w, 1, &x.err);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	/* not when the source changed after it was looked at */
	w.ctime = w.source.ctime;
	t_shell("touch %s/f", T_SOURCE);
	x.ops->attrs(x.t, &w, 1, &x.err);
	assert_int_equal(w.outcome, JB_OUTCOME_TORN);
}

/* A big file that changed in part is written in part, where the target can
 * share blocks, and never touches the old version. */
static void test_blockwise(void **state)
{
	struct jb_object o;
	struct jb_work w;

	(void)state;
	t_shell("head -c 20000000 /dev/urandom >%s/big; cp %s/big /mnt/first",
		T_SOURCE, T_SOURCE);
	assert_int_equal(t_target_put(&x, "", "big", &o), JB_OUTCOME_DONE);
	t_shell("printf changed | dd of=%s/big bs=1 seek=7000000 conv=notrunc "
		"status=none; truncate -s 19000000 %s/big",
		T_SOURCE, T_SOURCE);
	w = t_target_work(&x, "", "big", "new");
	w.old = w.from;
	w.expect = jb_stamp_of(&o);
	x.ops->make(x.t, &w, 1, &x.err);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	t_shell("cmp %s/big %s/" JB_STAGE_DIR "/new && cmp /mnt/first %s/big",
		T_SOURCE, T_TARGET, T_TARGET);
	if (x.can & JB_CAN_CLONE)
		assert_true(w.bytes <= 131072);
	else
		assert_int_equal(w.bytes, 19000000);
}

/* Many small files by several threads, and each directory before what is in
 * it, in one call. */
static void test_many(void **state)
{
	enum { DIRS = 20, FILES = 100, N = DIRS * (FILES + 1) };
	struct jb_work *work = calloc(N, sizeof *work);
	static char dirs[DIRS][16], to[DIRS][64], files[FILES][16];
	size_t n = 0;

	(void)state;
	t_shell("cd %s; for d in $(seq 0 19); do mkdir d$d; for f in $(seq 0 "
		"99);"
		"do echo $d.$f >d$d/f$f; done; done",
		T_SOURCE);
	t_target_open(&x, JB_PRESERVE_ALL, 4);
	for (int f = 0; f < FILES; f++)
		snprintf(files[f], sizeof files[f], "f%d", f);
	for (int d = 0; d < DIRS; d++) {
		snprintf(dirs[d], sizeof dirs[d], "d%d", d);
		snprintf(to[d], sizeof to[d], JB_STAGE_DIR "/d%d", d);
		for (int f = 0; f < FILES; f++) {
			work[n] = t_target_work(&x, dirs[d], files[f], NULL);
			work[n].near = NULL;
			work[n++].to = (struct jb_place){to[d], files[f]};
		}
		work[n++] = t_target_work(&x, "", dirs[d], dirs[d]);
	}
	assert_int_equal(x.ops->make(x.t, work, n, &x.err), JB_OUTCOME_DONE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(work[i].outcome, JB_OUTCOME_DONE);
	for (int d = 0; d < DIRS; d++)
		assert_int_equal(
			x.ops->rename(x.t,
				      (struct jb_place){JB_STAGE_DIR, dirs[d]},
				      &(struct jb_stamp){0},
				      (struct jb_place){"", dirs[d]}, &x.err),
			JB_OUTCOME_DONE);
	for (int d = 0; d < DIRS; d++)
		t_target_attrs(&x, "", dirs[d]);
	t_target_attrs(&x, "", ".");
	assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_OK);
	t_target_compare(&x);
	free(work);
}

static const struct t_pair ext4_ext4 = {T_ext4, T_ext4, 0};
static const struct t_pair xfs_xfs = {T_xfs, T_xfs, 0};
static const struct t_pair btrfs_btrfs = {T_btrfs, T_btrfs, 0};
static const struct t_pair ext4_xfs = {T_ext4, T_xfs, 0};
static const struct t_pair xfs_ext4 = {T_xfs, T_ext4, 0};
static const struct t_pair xfs_one = {T_xfs, T_none, 0};
static const struct t_pair btrfs_one = {T_btrfs, T_none, 0};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T_TARGET_TEST(test_every_kind, ext4_ext4),
		T_TARGET_TEST(test_every_kind, xfs_xfs),
		T_TARGET_TEST(test_every_kind, btrfs_btrfs),
		T_TARGET_TEST(test_every_kind, ext4_xfs),
		T_TARGET_TEST(test_every_kind, xfs_ext4),
		T_TARGET_TEST(test_every_kind, xfs_one),
		T_TARGET_TEST(test_no_inherited_acl, ext4_ext4),
		T_TARGET_TEST(test_sparse, ext4_ext4),
		T_TARGET_TEST(test_sparse, xfs_xfs),
		T_TARGET_TEST(test_sparse, btrfs_btrfs),
		T_TARGET_TEST(test_sparse, ext4_xfs),
		T_TARGET_TEST(test_vast, ext4_xfs),
		T_TARGET_TEST(test_deeper_than_path_max, ext4_ext4),
		T_TARGET_TEST(test_deeper_than_path_max, btrfs_one),
		T_TARGET_TEST(test_preserve, ext4_ext4),
		T_TARGET_TEST(test_attrs, ext4_ext4),
		T_TARGET_TEST(test_attrs, ext4_xfs),
		T_TARGET_TEST(test_blockwise, ext4_ext4),
		T_TARGET_TEST(test_blockwise, ext4_xfs),
		T_TARGET_TEST(test_blockwise, btrfs_btrfs),
		T_TARGET_TEST(test_blockwise, btrfs_one),
		T_TARGET_TEST(test_many, ext4_ext4),
		T_TARGET_TEST(test_many, xfs_xfs),
		T_TARGET_TEST(test_many, btrfs_one),
	};

	return t_target_run("local kinds", &x, tests,
			    sizeof tests / sizeof tests[0], argc, argv);
}
