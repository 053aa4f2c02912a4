/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `verify`: what is remembered against what is there; rot is found, and copied
 * again on request. */
#include "lib/t_mirror.h"

#include <sys/resource.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

/* Other bytes behind everybody's back: size, times and inode stay. */
static void rot(const char *path)
{
	t_shell("cd %s; touch -r %s /mnt/stamp; printf X | dd of=%s "
		"conv=notrunc status=none; touch -r /mnt/stamp %s",
		DST, path, path, path);
}

static void verify(struct t_mirror *m, int code, const char *words,
		   const char *more)
{
	t_mirror_command(m, code, words, "verify", "--content", more, NULL);
}

/* Rot is found by --content alone; --repair, with a daemon and without, has it
 * copied again and keeps the bad version in the trash; what was not rotten is
 * not touched. A hard link's other name is repaired with it. */
static void repairs_rot(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; echo one > d/a; ln d/a link; echo two > d/b; "
		      "echo three > d/c",
		      "");
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ", NULL);
	rot("d/a");
	rot("d/b");
	t_mirror_command(&m, 0, " 0 differ", "verify", NULL);
	verify(&m, 1, "d/a: rot", NULL);
	verify(&m, 1, "d/b: rot", NULL);
	verify(&m, 1, "m: 'verify --content --repair' mends rot", NULL);
	t_mirror_flush(&m, 0);
	assert_int_equal(t_mirror_number(&m, "copied"), 3);
	verify(&m, 1, "will be copied again", "--repair");
	t_mirror_check(&m);
	t_shell("cd %s && cmp d/a %s/d/a && cmp d/b %s/d/b", DST, SRC, SRC);
	t_shell("test $(stat -c %%i %s/d/a) = $(stat -c %%i %s/link)", DST,
		DST);
	t_shell("grep -rq Xwo %s/.journalctl-backup/trash", DST);
	verify(&m, 0, " 0 differ", NULL);
	assert_int_equal(t_mirror_number(&m, "copied"), 5);

	t_daemon_stop(&w->daemon);
	rot("d/c");
	verify(&m, 1, "1 will be copied again", "--repair");
	t_daemon_start(&w->daemon);
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ", NULL);
	t_mirror_command(&m, 2, "needs --content", "verify", "--repair", NULL);
	t_shell("rm %s/d/c", DST);
	verify(&m, 1, "d/c: is not there", NULL);
	verify(&m, 1, "m: 'reset m' compares again", NULL);
	t_mirror_fini(&m);
}

/* A copy that was taken over by size and time has no hash: the source tells. */
static void adopted_has_no_hash(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo right > a; echo fine > b", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 0, NULL, "policy", "remove", "m", NULL);
	t_shell("rm -r %s/.journalctl-backup", DST);
	rot("a");
	t_daemon_start(&w->daemon);
	t_shell("%s --config %s target init t --adopt", t_daemon_program(),
		w->daemon.config);
	t_mirror_flush(&m, 0);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	verify(&m, 1, "a: not the source's content", NULL);
	verify(&m, 1, " 1 differ", "--repair");
	t_mirror_check(&m);
	t_shell("cmp %s/a %s/a", SRC, DST);
	verify(&m, 0, " 0 differ", NULL);
	t_mirror_fini(&m);
}

/* A tree that has more levels than there may be descriptors; and one directory
 * of more names than are read at once. */
static void deep_and_wide(struct t_world *w)
{
	struct rlimit old, few;
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "p=$(printf 'd/%.0s' $(seq 300)); mkdir -p $p w;"
		      " echo > $p/f; seq -f w/%g 1200 | xargs mkdir;"
		      " seq -f w/%g/f 1200 | xargs touch",
		      "");
	t_mirror_check(&m);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	t_mirror_command(&m, 0, "5404 entries checked, 0 differ", "verify",
			 NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	t_mirror_fini(&m);
}

/* Databases that are damaged are named; the rest is not looked at then. */
static void names_damage(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "seq 2000 | xargs touch", "");
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_shell("dd if=/dev/urandom of=%s/policy-m.db bs=4096 seek=9 count=4 "
		"conv=notrunc status=none",
		w->daemon.state);
	t_mirror_command(&m, 1, "policy-m.db: ", "verify", NULL);
	w->daemon.quiet = true;
	t_daemon_start(&w->daemon);
	t_mirror_fini(&m);
}

static void edit(struct t_world *w, const char *db, const char *sql)
{
	t_shell("sqlite3 %s/%s.db \"%s\"", w->daemon.state, db, sql);
}

/* What catalog and copy don't have in common is told, though each is as it is
 * remembered; not when it is pending or owed, nor before all is read. */
static void names_forgotten(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; echo a > d/a; echo b > d/b; echo c > c; "
		      "echo e > e; echo f > f; echo x > x.tmp",
		      "Exclude=*.tmp");
	t_mirror_flush(&m, 0);
	t_shell("echo more >> %s/d/a", SRC);
	t_mirror_flush(&m, 0);
	t_mirror_command(&m, 0, " 0 differ", "verify", NULL);
	t_daemon_stop(&w->daemon);

	t_shell("cd %s && rm d/b %s/c && ln f g && mv -T g e", SRC, DST);
	edit(w, "journal",
	     "DELETE FROM entry WHERE name = x'62';"
	     "UPDATE entry SET nlink = 2, (ino, birth, size, mtime) = (SELECT "
	     "ino, birth, size, mtime FROM entry WHERE name = x'66')"
	     " WHERE name = x'65'");
	edit(w, "policy-m",
	     "CREATE TEMP TABLE c AS SELECT rid FROM name WHERE name = x'63';"
	     "DELETE FROM name WHERE rid IN c; DELETE FROM node WHERE rid IN "
	     "c");
	t_mirror_command(&m, 1, " 3 differ", "verify", NULL);
	t_mirror_command(&m, 1, "d/b: the source no longer", "verify", NULL);
	t_mirror_command(&m, 1, " c: has no copy", "verify", NULL);
	t_mirror_command(&m, 1, " e: is the copy of another", "verify", NULL);

	edit(w, "policy-m",
	     "INSERT INTO owed SELECT rid, 9, 1, 0, 1, 1 FROM name"
	     " WHERE name IN (x'62', x'65')");
	t_mirror_command(&m, 1, " 1 differ", "verify", NULL);
	edit(w, "policy-m",
	     "DELETE FROM owed; UPDATE meta SET value = value - 1"
	     " WHERE key = 'cursor'");
	t_mirror_command(&m, 0, " 0 differ", "verify", NULL);

	t_daemon_start(&w->daemon);
	t_mirror_full_pass(&m);
	t_mirror_flush(&m, 0);
	t_mirror_command(&m, 0, " 0 differ", "verify", NULL);
	t_shell("cd %s && test ! -e d/b && cmp c %s/c && test e -ef f", DST,
		SRC);
	t_mirror_fini(&m);
}

/* Changes of another root are none of the policy's: it has read all, though the
 * cursor that it stored does not say so. */
static void other_root(struct t_world *w)
{
	struct t_mirror m;

	t_shell("mkdir " T_SPACE "/fs/second");
	t_mirror_init(&m, w, T_ext4, "echo a > a; echo c > c",
		      "[Root s]\nPath=" T_SPACE "/fs/second");
	t_shell("echo b > %s/b", SRC);
	t_mirror_check(&m);
	t_shell("echo x > " T_SPACE "/fs/second/x");
	t_daemon_flush(&w->daemon);
	t_mirror_command(&m, 0, " 0 differ", "verify", NULL, NULL);
	t_daemon_stop(&w->daemon);
	edit(w, "policy-m",
	     "CREATE TEMP TABLE c AS SELECT rid FROM name WHERE name = x'63';"
	     "DELETE FROM name WHERE rid IN c; DELETE FROM node WHERE rid IN "
	     "c");
	t_mirror_command(&m, 1, " c: has no copy", "verify", NULL, NULL);
	t_mirror_fini(&m);
}

/* What the policy has not come to yet is no difference, but is told. */
static void not_done(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	t_mirror_command(&m, 0, NULL, "pause", "m", NULL);
	t_shell("mkdir %s/b; rm %s/a", SRC, SRC);
	t_daemon_flush(&w->daemon);
	t_mirror_command(&m, 0, "policy m: 2 changes not carried out yet",
			 "verify", NULL, NULL);
	t_mirror_command(&m, 0, NULL, "reset", "m", NULL);
	t_mirror_command(&m, 0, "policy m: it owes a full pass", "verify", NULL,
			 NULL);
	t_mirror_command(&m, 0, NULL, "resume", "m", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What can't be looked at is not called gone. */
static void unseen(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a; echo b > b", "");
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_shell("mount -t tmpfs none %s/d", DST);
	t_mirror_command(&m, 1, "d: hidden at the target", "verify", NULL,
			 NULL);
	t_mirror_command(&m, 1, " 1 differ", "verify", NULL, NULL);
	t_shell("umount %s/d", DST);
	t_mount_detach(&m.target);
	t_shell("debugfs -w -R 'clri /b' %s 2> /mnt/debugfs.log",
		m.target.device);
	t_mount_attach(&m.target);
	t_mirror_command(&m, 1, "b: can't be looked at: Structure needs",
			 "verify", NULL, NULL);
	t_mirror_fini(&m);
}

/* A target that is not there is told, and keeps nothing else from being looked
 * at; what differs counts more than what can't be known. */
static void goes_on(struct t_world *w)
{
	struct t_mirror m;

	t_shell("mkdir " T_SPACE "/fs/second");
	t_mirror_init(&m, w, T_ext4, "echo one > a; echo two > b",
		      "[Target s]\nTransport=local\nPath=" T_SPACE
		      "/fs/second\n"
		      "[Policy n]\nPlugin=mirror\nRoot=r\nTarget=s");
	t_mirror_check(&m);
	t_mirror_command(&m, 0, NULL, "flush", "--policy", "n", NULL);
	verify(&m, 0, " 0 differ", NULL);
	t_daemon_stop(&w->daemon);
	t_shell("umount " DST);
	verify(&m, 3, DST, NULL);
	verify(&m, 3, " 0 differ", NULL);
	t_shell("echo 2 > " T_SPACE "/fs/second/b");
	verify(&m, 1, DST, NULL);
	verify(&m, 1, "policy n: b: ", NULL);
	verify(&m, 1, " 1 differ", NULL);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(repairs_rot, ext4, fanotify),
	T_CASE(repairs_rot, xfs, inotify),
	T_CASE(adopted_has_no_hash, ext4, fanotify),
	T_CASE(deep_and_wide, ext4, fanotify),
	T_CASE(names_damage, ext4, fanotify),
	T_CASE(names_forgotten, ext4, fanotify),
	T_CASE(other_root, ext4, fanotify),
	T_CASE(not_done, ext4, fanotify),
	T_CASE(unseen, ext4, fanotify),
	T_CASE(goes_on, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("verify", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
