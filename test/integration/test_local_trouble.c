/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A source that moves, changes or can't be read; a target that is full,
 * read-only, broken, or another one. */
#include "lib/t_process.h"
#include "lib/t_target.h"
#include "transports/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define P(dir, name) ((struct jb_place){dir, name})
#define STAGE	     T_TARGET "/" JB_STAGE_DIR

static struct t_target x;

static enum jb_outcome make_one(struct jb_work *w)
{
	x.ops->make(x.t, w, 1, &x.err);
	return w->outcome;
}

/* Another entry under the name, none, one of another kind, or a link in the
 * way: moved, and nothing is made. */
static void test_moved(void **state)
{
	struct jb_work w, d;

	(void)state;
	t_shell("mkdir %s/d; echo one >%s/d/f", T_SOURCE, T_SOURCE);
	w = t_target_work(&x, "d", "f", "s");
	d = t_target_work(&x, "", "d", "s");
	t_shell("echo two >%s/g; mv %s/g %s/d/f", T_SOURCE, T_SOURCE, T_SOURCE);
	assert_int_equal(make_one(&w), JB_OUTCOME_MOVED);
	assert_int_equal(w.err.code, JB_ESTALE);
	assert_non_null(strstr(w.err.text, T_SOURCE "/d/f"));
	t_shell("rm %s/d/f", T_SOURCE);
	assert_int_equal(make_one(&w), JB_OUTCOME_MOVED);
	t_shell("mkfifo %s/d/f", T_SOURCE); /* opened, it would wait */
	assert_int_equal(make_one(&w), JB_OUTCOME_MOVED);
	t_shell("mv %s/d %s/e; ln -s e %s/d", T_SOURCE, T_SOURCE, T_SOURCE);
	assert_int_equal(make_one(&w), JB_OUTCOME_MOVED);
	assert_int_equal(make_one(&d), JB_OUTCOME_MOVED);
	assert_int_equal(t_count(STAGE), 0);
}

/* A file below a mount point of the source is not the root's. */
static void test_source_mount(void **state)
{
	struct jb_work w;

	(void)state;
	t_shell("mkdir %s/m; echo one >%s/m/f", T_SOURCE, T_SOURCE);
	w = t_target_work(&x, "m", "f", "s");
	assert_int_equal(mount("tmpfs", T_SOURCE "/m", "tmpfs", 0, ""), 0);
	assert_int_equal(make_one(&w), JB_OUTCOME_MOVED);
	/* the mount point itself is an empty directory */
	w = (struct jb_work){.from = {"", "m"},
			     .mode = S_IFDIR,
			     .mount = true,
			     .to = {JB_STAGE_DIR, "m"}};
	assert_int_equal(make_one(&w), JB_OUTCOME_DONE);
	assert_int_equal(umount(T_SOURCE "/m"), 0);
}

/* What a full target has no room for is told of each; what was there stays,
 * nothing half-made is left, what fits is made, though it comes last. */
static void test_full(void **state)
{
	struct jb_work w[6];
	static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
	struct jb_space space;
	struct stat st;
	unsigned done = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		t_shell("head -c 2000000 /dev/urandom >%s/%s", T_SOURCE,
			names[i]);
		w[i] = t_target_work(&x, "", names[i], names[i]);
		if (i % 2 == 0)
			w[i].near = NULL; /* under its name at once */
	}
	t_write(T_SOURCE "/little", "little");
	t_write(T_TARGET "/old", "old");
	assert_int_equal(x.ops->make(x.t, w, 6, &x.err), JB_OUTCOME_DONE);
	for (int i = 0; i < 6; i++) {
		char path[64];

		snprintf(path, sizeof path, STAGE "/%s", names[i]);
		if (w[i].outcome == JB_OUTCOME_DONE) {
			assert_int_equal(stat(path, &st), 0);
			assert_int_equal(st.st_size, 2000000);
			done++;
		} else {
			assert_int_equal(w[i].outcome, JB_OUTCOME_NO_SPACE);
			assert_int_equal(w[i].err.code, JB_ENOSPC);
			assert_non_null(strstr(w[i].err.text, T_TARGET));
			assert_int_equal(stat(path, &st), -1);
		}
	}
	assert_true(done >= 1 && done <= 4);
	w[0] = t_target_work(&x, "", "little", "g");
	assert_int_equal(make_one(&w[0]), JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sweep(x.t, "g", &x.err), JB_OUTCOME_DONE);
	w[0] = t_target_work(&x, "", "a", "a");
	t_expect_text(T_TARGET "/old", "old");
	for (int i = 0; i < 6; i++)
		assert_int_equal(x.ops->sweep(x.t, names[i], &x.err),
				 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_OK);
	assert_int_equal(x.ops->space(x.t, &space, &x.err), JB_OK);
	assert_true(space.free_bytes > 4000000);
	assert_int_equal(make_one(&w[0]), JB_OUTCOME_DONE);
}

/* On a full target the plan can start, and a removal makes room. */
static void test_full_start(void **state)
{
	struct jb_object o;
	struct jb_stamp s;

	(void)state;
	t_shell("cd %s; seq -f i%%g 3000 | xargs touch 2>/dev/null;"
		"dd if=/dev/zero of=i7 bs=64k status=none 2>/dev/null;"
		"sync -f .; true",
		T_TARGET);
	t_target_open(&x, JB_PRESERVE_ALL, 0);
	assert_int_equal(x.ops->look(x.t, P("", "i7"), &o, &x.err),
			 JB_OUTCOME_DONE);
	s = jb_stamp_of(&o);
	assert_int_equal(x.ops->remove(x.t, P("", "i7"), &s, NULL, &x.err),
			 JB_OUTCOME_DONE);
}

/* A read-only target stops; it is no path's fault. */
static void test_read_only(void **state)
{
	struct jb_work w;
	unsigned can;

	(void)state;
	t_write(T_SOURCE "/f", "x");
	w = t_target_work(&x, "", "f", "s");
	assert_int_equal(
		mount(NULL, T_TARGET, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(make_one(&w), JB_OUTCOME_STOPPED);
	assert_non_null(strstr(w.err.text, "Read-only file system"));
	x.ops->end(x.t);
	if (x.ops->start(x.t, x.uuid, 0, &can, &x.err) == JB_OK)
		assert_int_equal(make_one(&w), JB_OUTCOME_STOPPED);
	else
		assert_int_not_equal(x.err.code, JB_EHELD);
}

/* What this user may not read is that path's outcome, others are copied. */
static void test_unreadable(void **state)
{
	struct jb_work w[2];
	int status;
	pid_t pid;

	(void)state;
	t_shell("echo -n x >%s/open; echo y >%s/shut; chmod 600 %s/shut;"
		"chown 7777 %s %s/open; chmod 755 %s; chown -R 7777 %s",
		T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE,
		T_TARGET);
	w[0] = t_target_work(&x, "", "shut", "a");
	w[1] = t_target_work(&x, "", "open", "b");
	pid = fork();
	if (pid == 0) {
		if (setresgid(7777, 7777, 7777) != 0 ||
		    setresuid(7777, 7777, 7777) != 0)
			_exit(9);
		x.ops->make(x.t, w, 2, &x.err);
		if (w[0].outcome != JB_OUTCOME_UNREADABLE)
			_exit(1);
		_exit(w[1].outcome == JB_OUTCOME_DONE ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	t_expect_text(STAGE "/b", "x");
}

/* Without rights of its own it fills a directory that may not be written, and
 * shuts it in the end. */
static int fill_shut_directory(struct jb_work w[2])
{
	if (setresgid(7777, 7777, 7777) != 0 ||
	    setresuid(7777, 7777, 7777) != 0)
		return 9;
	x.ops->make(x.t, w, 2, &x.err);
	if (w[0].outcome != JB_OUTCOME_DONE || w[1].outcome != JB_OUTCOME_DONE)
		return 1;
	x.ops->attrs(x.t, w, 1, &x.err);
	return w[0].outcome == JB_OUTCOME_DONE ? 0 : 2;
}

static void test_shut_directory(void **state)
{
	struct jb_work w[2];
	struct stat st;
	int status;
	pid_t pid;

	(void)state;
	t_shell("mkdir %s/d; echo -n x >%s/d/f; chmod 555 %s/d;"
		"chown -R 7777:7777 %s %s; chmod 755 %s",
		T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_TARGET, T_SOURCE);
	w[0] = t_target_work(&x, "", "d", "d");
	w[1] = t_target_work(&x, "d", "f", NULL);
	w[1].to = P(JB_STAGE_DIR "/d", "f");
	w[1].near = NULL;
	pid = fork();
	if (pid == 0)
		_exit(fill_shut_directory(w));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	t_expect_text(STAGE "/d/f", "x");
	assert_int_equal(stat(STAGE "/d", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
}

/* An attribute that doesn't fit beside ext4's inode is left out and said. */
static void test_partial(void **state)
{
	struct jb_work w;

	(void)state;
	t_shell("echo x >%s/f; head -c 45000 /dev/zero | tr '\\0' v >/mnt/v;"
		"setfattr -n user.big -v \"$(cat /mnt/v)\" %s/f;"
		"setfattr -n user.small -v s %s/f",
		T_SOURCE, T_SOURCE, T_SOURCE);
	w = t_target_work(&x, "", "f", "s");
	assert_int_equal(make_one(&w), JB_OUTCOME_DONE);
	assert_true(w.partial);
	assert_non_null(strstr(w.err.text, "user.big"));
	t_shell("getfattr -n user.small %s/s >/dev/null", STAGE);
}

/* What was told to stop does not begin. */
static void test_stop(void **state)
{
	struct jb_work w;

	(void)state;
	t_write(T_SOURCE "/f", "x");
	w = t_target_work(&x, "", "f", "s");
	x.ops->stop(x.t);
	assert_int_equal(make_one(&w), JB_OUTCOME_SKIPPED);
	t_target_open(&x, JB_PRESERVE_ALL, 0);
	assert_int_equal(make_one(&w), JB_OUTCOME_DONE);
}

static int start_with(const char *uuid, uint64_t fsid)
{
	unsigned can;

	return x.ops->start(x.t, uuid, fsid, &can, &x.err);
}

/* Who the target is: marker, file system, mount; and that nothing of it is held
 * open between two plans. */
static void test_identity(void **state)
{
	const struct jb_target_options o = {
		.name = "disk",
		.path = T_TARGET,
		.source = T_SOURCE,
		.require_mount = true,
	};
	struct jb_target_state s;
	uint64_t fsid;

	(void)state;
	x.ops->close(x.t);
	assert_int_equal(x.ops->open(&o, &x.t, &x.err), JB_OK);
	assert_int_equal(x.ops->inspect(x.t, &s, &x.err), JB_OK);
	assert_true(s.is_mount && s.has_marker && s.is_empty);
	assert_string_equal(s.uuid, x.uuid);
	assert_string_equal(s.owner, "test");
	assert_int_not_equal(s.fsid, 0);
	fsid = s.fsid;
	t_write(T_TARGET "/foreign", "x");
	assert_int_equal(x.ops->inspect(x.t, &s, &x.err), JB_OK);
	assert_false(s.is_empty);
	assert_int_equal(start_with(x.uuid, fsid), JB_OK);
	assert_int_equal(start_with(x.uuid, fsid + 1), JB_EHELD);
	assert_int_equal(start_with("another", fsid), JB_EHELD);
	assert_non_null(strstr(x.err.text, "disk"));
	assert_int_equal(start_with(x.uuid, fsid), JB_OK);
	x.ops->end(x.t);
	t_mount_detach(&x.target); /* fails when something is open */
	assert_int_equal(start_with(x.uuid, fsid), JB_EHELD);
	assert_non_null(strstr(x.err.text, "not mounted"));
	assert_int_equal(x.ops->inspect(x.t, &s, &x.err), JB_EHELD);
	assert_int_equal(x.ops->init(x.t, "o", x.uuid, &x.err), JB_EHELD);
	assert_int_equal(t_count(T_TARGET), 0);
	t_mount_attach(&x.target);
	assert_int_equal(start_with(x.uuid, fsid), JB_OK);
	x.ops->end(x.t);
	t_shell("rm %s/" JB_OWN_DIR "/marker", T_TARGET);
	assert_int_equal(start_with(x.uuid, fsid), JB_EHELD);
	assert_int_equal(jb_target_make_uuid(x.uuid, &x.err), JB_OK);
	assert_int_equal(x.ops->init(x.t, "again", x.uuid, &x.err), JB_OK);
	assert_int_equal(start_with(x.uuid, fsid), JB_OK);
}

/* Under= is made by init, and is the top from then on. */
static void test_under(void **state)
{
	const struct jb_target_options o = {
		.name = "disk",
		.path = T_TARGET,
		.under = "deep/er",
		.source = T_SOURCE,
	};
	struct jb_target_state s;
	struct jb_work w;

	(void)state;
	t_write(T_SOURCE "/f", "x");
	x.ops->close(x.t);
	assert_int_equal(x.ops->open(&o, &x.t, &x.err), JB_OK);
	assert_int_equal(x.ops->inspect(x.t, &s, &x.err), JB_OK);
	assert_true(s.is_empty && !s.has_marker);
	assert_int_equal(t_count(T_TARGET), 2); /* lost+found, the marker's */
	assert_int_equal(jb_target_make_uuid(x.uuid, &x.err), JB_OK);
	assert_int_equal(x.ops->init(x.t, "o", x.uuid, &x.err), JB_OK);
	assert_int_equal(start_with(x.uuid, 0), JB_OK);
	w = t_target_work(&x, "", "f", "s");
	assert_int_equal(make_one(&w), JB_OUTCOME_DONE);
	t_expect_text(T_TARGET "/deep/er/" JB_STAGE_DIR "/s", "x");
}

/* A file system that has died gives the errors of a bad spot: it is not taken
 * for one. */
static void test_dead(void **state)
{
	struct jb_object o;
	struct jb_stamp stamp;
	enum jb_outcome out;

	(void)state;
	t_write(T_SOURCE "/f", "x");
	assert_int_equal(t_target_put(&x, "", "f", &o), JB_OUTCOME_DONE);
	stamp = jb_stamp_of(&o);
	t_mount_lose_power(&x.target);
	out = x.ops->rename(x.t, P("", "f"), &stamp, P("", "g"), &x.err);
	assert_int_equal(out, JB_OUTCOME_STOPPED);
	assert_non_null(strstr(x.err.text, T_TARGET));
	assert_int_not_equal(x.ops->sync(x.t, true, &x.err), JB_OK);
}

/* Whether a damaged top is empty can't be told: what is wrong is. */
static void test_top_damaged(void **state)
{
	struct jb_target_state s;

	(void)state;
	x.ops->end(x.t);
	t_shell("cd " T_TARGET "; rm -r " JB_OWN_DIR " lost+found; echo > f");
	t_mount_detach(&x.target);
	t_shell("debugfs -w -R 'clri /f' %s 2> /dev/null", x.target.device);
	t_mount_attach(&x.target);
	assert_int_not_equal(x.ops->inspect(x.t, &s, &x.err), JB_OK);
	assert_non_null(strstr(x.err.text, "target 'disk': " T_TARGET "/f: "));
}

static const struct t_pair ext4 = {T_ext4, T_ext4, 0};
static const struct t_pair xfs_btrfs = {T_xfs, T_btrfs, 0};
static const struct t_pair xfs_ext4 = {T_xfs, T_ext4, 0};
static const struct t_pair ext4_xfs = {T_ext4, T_xfs, 0};
static const struct t_pair tiny = {T_ext4, T_ext4, 8};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T_TARGET_TEST(test_moved, ext4),
		T_TARGET_TEST(test_source_mount, ext4),
		T_TARGET_TEST(test_full, tiny),
		T_TARGET_TEST(test_full_start, tiny),
		T_TARGET_TEST(test_read_only, ext4),
		T_TARGET_TEST(test_unreadable, ext4),
		T_TARGET_TEST(test_shut_directory, ext4),
		T_TARGET_TEST(test_partial, xfs_ext4),
		T_TARGET_TEST(test_stop, ext4),
		T_TARGET_TEST(test_identity, ext4),
		T_TARGET_TEST(test_identity, xfs_btrfs),
		T_TARGET_TEST(test_under, ext4),
		T_TARGET_TEST(test_dead, ext4),
		T_TARGET_TEST(test_dead, ext4_xfs),
		T_TARGET_TEST(test_top_damaged, ext4),
	};

	return t_target_run("local trouble", &x, tests,
			    sizeof tests / sizeof tests[0], argc, argv);
}
