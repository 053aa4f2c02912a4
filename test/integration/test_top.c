/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names at the top that are somebody's already: the file system's lost+found
 * and the target's own directory. */
#include "lib/t_mirror.h"

#include <stdlib.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

static void verify(struct t_mirror *m, int code, const char *words)
{
	t_mirror_command(m, code, words, "verify", NULL, NULL);
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
	t_mirror_command(&m, 1, "lost+found: the name is taken", "flush",
			 "--policy", "m");
	t_shell("grep -q orphan %s/lost+found/5; rm -r %s/lost+found; "
		"touch %s/x; mkdir %s/lost+found; rm %s/x",
		DST, DST, DST, DST, DST);
	t_mirror_command(&m, 0, NULL, "reset", "m", NULL);
	t_mirror_command(&m, 1, "lost+found: the name is taken", "flush",
			 "--policy", "m");
	t_shell("rmdir %s/lost+found", DST);
	t_mirror_command(&m, 0, NULL, "reset", "m", NULL);
	t_mirror_check(&m);
	t_daemon_stop(&w->daemon);
	t_mirror_fini(&m);
	t_mount_fini(&source);
}

static const struct t_case cases[] = {
	T_CASE(lost_found, xfs, fanotify),
	T_CASE(lost_found_of_others, xfs, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("top", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
