/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy that somebody made before is taken over, not made again. */
#include "lib/t_mirror.h"

#include <stdio.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC	T_MIRROR_ROOT
#define DST	T_MIRROR
#define FEW	20000
#define MANY	100000
#define PER_DIR 500

/* Stop following, and begin anew with a copy by @rsync at the target. */
static void copied_by(struct t_mirror *m, const char *rsync)
{
	m->w->daemon.quiet = true;
	t_daemon_stop(&m->w->daemon);
	t_mirror_command(m, 0, NULL, "policy", "remove", "m", NULL);
	t_shell("rm -r %s/.journalctl-backup; %s %s/ %s/", DST, rsync, SRC,
		DST);
}

static void adopt(struct t_mirror *m, const char *more)
{
	t_daemon_start(&m->w->daemon);
	t_mirror_flush_says(m, 3, "not empty");
	t_shell("%s --config %s target init t --adopt %s", t_daemon_program(),
		m->w->daemon.config, more);
}

/* A sum over the inode numbers of all files. */
static long inodes(const char *path)
{
	return t_shell_number("find %s -path '*/.journalctl-backup' -prune -o "
			      "-type f -printf '%%i\n' | sort -n | cksum",
			      path);
}

/* A copy of very many files by `rsync -aH`, with hard links: all of it is ours
 * afterwards, not a byte is copied and no inode is another one; what changes
 * from then on is followed. JB_TEST_LONG: 100,000 files. */
static void adopts_many(struct t_world *w)
{
	int files = t_case_long() ? MANY : FEW;
	struct t_mirror m;
	char made[256];
	int64_t before;

	snprintf(
		made, sizeof made,
		"for d in $(seq %d); do mkdir $d; "
		"(cd $d; seq %d | xargs touch; seq 20 | split -l 1 - f); done; "
		"ln 1/faa link; ln -s 1 soft",
		files / PER_DIR, PER_DIR - 20);
	t_mirror_init(&m, w, T_xfs, made, "");
	t_mirror_flush(&m, 0);
	copied_by(&m, "rsync -aH --delete");
	before = inodes(DST);
	adopt(&m, "");
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	assert_int_equal(t_mirror_number(&m, "bytes"), 0);
	assert_int_equal(inodes(DST), before);
	t_shell("cd %s && echo new > 1/faa && mv 2 two && rm -r 3", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 1);
	t_mirror_fini(&m);
}

/* By content: a copy without times is taken over, and gets them; one that looks
 * right and has other bytes is reported, and left alone. */
static void by_content(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; seq 20000 > d/a; echo right > d/b; "
		      "touch -d 2001-02-03 d/a d/b d",
		      "");
	t_mirror_flush(&m, 0);
	copied_by(&m, "rsync -r --delete");
	t_shell("cd %s/d; echo wrong > b; touch -d 2001-02-03 b", DST);
	adopt(&m, "--content");
	t_mirror_flush_says(&m, 1, "d/b: the name is taken");
	t_shell("cd %s/d; test \"$(cat b)\" = wrong; rm b", DST);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	t_mirror_full_pass(&m); /* at once */
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 1);
	t_mirror_command(&m, 0, " 0 differ", "verify", "--content", NULL);
	t_mirror_fini(&m);
}

/* Once more for what is ours already: said, and nothing is done. */
static void ours_already(struct t_world *w)
{
	static const char known[] =
		"target 't' is already the target of policy 'm'";
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	t_shell("cp %s/.journalctl-backup/marker %s/marker", T_MIRROR, T_SPACE);
	t_mirror_command(&m, 0, known, "target", "init", "t", NULL);
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 0, known, "target", "init", "t", NULL);
	t_shell("cmp %s/.journalctl-backup/marker %s/marker", T_MIRROR,
		T_SPACE);
	t_daemon_start(&w->daemon);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(ours_already, ext4, fanotify),
	T_CASE(adopts_many, xfs, fanotify),
	T_CASE(by_content, ext4, fanotify),
	T_CASE(by_content, xfs, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("adopt", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
