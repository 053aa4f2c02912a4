/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names at the top that are somebody's already: the file system's lost+found
 * and the target's own directory. */
#include "lib/t_mirror.h"

#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

static void verify(struct t_mirror *m, int code, const char *words)
{
	t_mirror_command(m, code, words, "verify", NULL);
}

/* From the top of one ext4 to the top of another one: lost+found, which mkfs
 * made on both, is like any directory. */
static void lost_found(struct t_world *w)
{
	struct t_mount source;
	struct t_mirror m;

	t_mount_init(&source, T_ext4, SRC, 0);
	t_mirror_init(&m, w, T_ext4, "echo x > lost+found/x; echo a > a", "");
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ");
	t_shell("chmod 755 %s/lost+found; rm %s/lost+found/x", SRC, SRC);
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_mirror_fini(&m);
	t_mount_fini(&source);
}

/* One that holds something, or was not made by mkfs, is somebody's. */
static void lost_found_of_others(struct t_world *w)
{
	struct t_mount source, disk;
	struct t_mirror m;

	t_mount_init(&source, T_ext4, SRC, 0);
	t_mount_init(&disk, T_ext4, DST, 0);
	t_shell("echo orphan > %s/lost+found/5", DST);
	t_mirror_begin(&m, w, "echo a > a", "");
	m.target = disk;
	t_mirror_flush_says(&m, 1, "lost+found: the name is taken");
	t_shell("grep -q orphan %s/lost+found/5; rm -r %s/lost+found; "
		"touch %s/x; mkdir %s/lost+found; rm %s/x",
		DST, DST, DST, DST, DST);
	t_mirror_full_pass(&m);
	t_mirror_flush_says(&m, 1, "lost+found: the name is taken");
	t_shell("rmdir %s/lost+found", DST);
	t_mirror_full_pass(&m);
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_mirror_fini(&m);
	t_mount_fini(&source);
}

static int64_t pending(struct t_mirror *m)
{
	return t_mirror_number(m, "pending");
}

static void dry_run_tells(struct t_mirror *m)
{
	t_mirror_command(m, 0,
			 "make    .journalctl-backup  (the name is reserved at "
			 "the target: rename it, or exclude it)\n",
			 "run", "m", "--dry-run", NULL);
}

/* What bears the name of the target's own directory, at the top, can't be
 * copied: told as long as it is there and selected. Deeper it is a name like
 * any other. */
static void reserved_name(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(
		&m, w, T_ext4,
		"mkdir -p .journalctl-backup/stage d/.journalctl-backup/x;"
		"echo s > .journalctl-backup/stage/s;"
		"echo y > d/.journalctl-backup/x/y; echo a > a",
		"");
	t_mirror_flush_says(&m, 1, ".journalctl-backup: the name is reserved");
	t_mirror_command(&m, 0, ".journalctl-backup: the name is reserved",
			 "query", "--policy=m", "--unsynced", NULL);
	assert_int_equal(pending(&m), 1);
	t_mirror_compare(&m); /* which doesn't look there */
	t_shell("cmp %s/d/.journalctl-backup/x/y %s/d/.journalctl-backup/x/y",
		SRC, DST);
	verify(&m, 1, ".journalctl-backup: has no copy: the name is reserved");
	verify(&m, 1, " 1 differ");
	dry_run_tells(&m);
	t_mirror_pause(&m);
	t_mirror_command(&m, 0, NULL, "reset", "m", NULL);
	dry_run_tells(&m);
	t_mirror_resume(&m);
	t_mirror_full_pass(&m);
	t_mirror_flush(&m, 1);
	assert_int_equal(pending(&m), 1);

	/* By another name it is copied; a file of that name is no better. */
	t_shell("cd %s && mv .journalctl-backup was && echo f > "
		".journalctl-backup && ln .journalctl-backup f",
		SRC);
	t_mirror_flush(&m, 1);
	t_shell("cmp %s/was/stage/s %s/was/stage/s && cmp %s/f %s/f", SRC, DST,
		SRC, DST);
	assert_int_equal(pending(&m), 1);
	t_shell("rm %s/.journalctl-backup", SRC);
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ");
	assert_int_equal(pending(&m), 0);

	/* Nor is it missed when the configuration leaves it out. */
	t_shell("mkdir %s/.journalctl-backup", SRC);
	t_mirror_flush(&m, 1);
	t_daemon_reconfigure(&w->daemon,
			     "/^Plugin=mirror/aExclude=/.journalctl-backup/");
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ");
	t_mirror_fini(&m);
}

static void chain(struct t_world *w, const char *where)
{
	struct t_mirror m;
	char more[320];

	snprintf(more, sizeof more,
		 "[Target u]\nTransport=local\n%s\nRequireMount=no\n"
		 "[Policy n]\nPlugin=mirror\nRoot=o\nTarget=u\n",
		 where);
	t_shell("mkdir " T_SPACE "/fs/o && echo a > " T_SPACE "/fs/o/a");
	t_daemon_root(&w->daemon, "o", T_SPACE "/fs/o", w->backend);
	t_mirror_init(&m, w, T_ext4, "true", more);
	t_mirror_command(&m, 0, NULL, "flush", "--policy", "n", NULL);
	t_shell("test -d " SRC "/.journalctl-backup");
	t_mirror_check(&m);
	t_shell("echo b > " T_SPACE "/fs/o/b; rm " T_SPACE "/fs/o/a");
	t_mirror_command(&m, 0, NULL, "flush", "--policy", "n", NULL);
	t_mirror_check(&m);
	t_shell("cmp " T_SPACE "/fs/o/b " DST "/b");
	t_mirror_full_pass(&m);
	t_mirror_check(&m);
	verify(&m, 0, " 0 differ");
	t_mirror_fini(&m);
}

/* The own directory of a target is not missed: a root that is itself a target
 * of another policy. */
static void own_of_another(struct t_world *w)
{
	chain(w, "Path=" SRC);
}

/* Also where the journal has it, as its place is not in Path= alone. */
static void own_under(struct t_world *w)
{
	chain(w, "Path=" T_SPACE "/fs\nUnder=r");
}

static const struct t_case cases[] = {
	T_CASE(reserved_name, ext4, fanotify),
	T_CASE(own_of_another, ext4, fanotify),
	T_CASE(own_under, ext4, fanotify),
	T_CASE(lost_found, xfs, fanotify),
	T_CASE(lost_found_of_others, xfs, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("top", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
