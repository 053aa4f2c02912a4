/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Full passes: what no change tells of is found, whatever else is there costs a
 * look and no copy. */
#include "lib/t_mirror.h"

#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

/* A full pass, until it is through. */
static void pass(struct t_mirror *m)
{
	t_mirror_full_pass(m);
	t_mirror_flush(m, 0);
}

/* The rows of what is at the target. */
static void dump(struct t_mirror *m, const char *to)
{
	t_shell("sqlite3 -readonly %s/policy-m.db 'SELECT * FROM node;"
		" SELECT * FROM name' > %s/%s",
		m->w->daemon.state, m->w->daemon.dir, to);
}

/* Over an unchanged tree a pass changes no row and copies nothing; with links,
 * sockets and names that sort in odd ways. */
static void unchanged(struct t_world *w)
{
	struct t_mirror m;
	int64_t copied;

	t_mirror_init(&m, w, T_ext4,
		      "for d in a a/b a.b 'a b' B; do mkdir -p \"$d\"; "
		      "for f in 1 10 2 .x \"$(printf '\\377')\" a-b a.b; do "
		      "echo \"$d\" > \"$d/$f\"; done; done; "
		      "ln a/1 B/link; ln -s nowhere a/soft; mkfifo a/pipe",
		      "");
	t_mirror_check(&m);
	copied = t_mirror_number(&m, "copied");
	dump(&m, "before");
	pass(&m);
	dump(&m, "after");
	t_shell("cd %s && cmp before after", w->daemon.dir);
	assert_int_equal(t_mirror_number(&m, "copied"), copied);
	t_mirror_compare(&m);
	t_mirror_fini(&m);
}

/* What somebody took away at the target comes back, alone and as a tree, more
 * of it in one directory than a plan takes; nothing else is copied. */
static void repairs(struct t_world *w)
{
	struct t_mirror m;
	int64_t copied;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir -p many tree/a/b one; "
		      "(cd many; seq 5000 | xargs touch); "
		      "echo x > tree/a/b/x; echo y > tree/y; echo 1 > one/1; "
		      "echo 2 > one/2",
		      "MaxDelete=off");
	t_mirror_check(&m);
	copied = t_mirror_number(&m, "copied");
	t_shell("cd %s; rm one/1; rm -r tree; find many -type f -delete", DST);
	pass(&m);
	t_mirror_compare(&m);
	assert_int_equal(t_mirror_number(&m, "copied") - copied, 5003);
	t_mirror_fini(&m);
}

/* Other patterns are another configuration: what they leave out goes, what they
 * take in comes, and what stays is not copied. */
static void other_patterns(struct t_world *w)
{
	struct t_mirror m;

	/* Not written just now, which the scan at the start would doubt. */
	t_mirror_init(&m, w, T_ext4,
		      "mkdir -p out/deep in/deep; "
		      "for d in out out/deep in in/deep; do "
		      "(cd $d; seq 10 | xargs touch -d '2 seconds ago'); done",
		      "Exclude=/in/deep/");
	t_mirror_flush(&m, 0);
	t_shell("test ! -e %s/in/deep -a -e %s/out/deep/1", DST, DST);
	t_daemon_reconfigure(&w->daemon, "s|^Exclude=.*|Exclude=/out/|");
	t_mirror_flush(&m, 0);
	t_shell("test ! -e %s/out -a -e %s/in/deep/10", DST, DST);
	assert_int_equal(t_mirror_number(&m, "copied"), 10);
	t_daemon_reconfigure(&w->daemon, "/^Exclude=/d");
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What the journal's rows would have told is found without them: directories
 * that were moved into new ones, and what changed in there. */
static void without_rows(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(
		&m, w, T_ext4,
		"mkdir -p d/deep gone; (cd d/deep; seq 20 | xargs touch); "
		"echo 1 > d/1; echo 2 > gone/2",
		"");
	t_mirror_check(&m);
	t_mirror_pause(&m);
	/* Not written just now, which the scan at the start would doubt. */
	t_shell("cd %s; mkdir -p n/n; mv d n/n/; echo more >> n/n/d/deep/7; "
		"touch -d '2 seconds ago' n/n/d/deep/7; "
		"chmod 600 n/n/d/1; mv gone/2 n/; rmdir gone",
		SRC);
	t_daemon_flush(&w->daemon);
	t_daemon_stop(&w->daemon);
	t_shell("cd %s && sqlite3 policy-m.db \"ATTACH 'journal.db' AS j; "
		"UPDATE meta SET value = (SELECT max(seq) FROM j.change) "
		"WHERE key = 'cursor'; "
		"INSERT OR REPLACE INTO meta VALUES('full', 1)\"",
		w->daemon.state);
	t_daemon_start(&w->daemon);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 1);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(unchanged, ext4, fanotify),
	T_CASE(unchanged, xfs, inotify),
	T_CASE(repairs, ext4, fanotify),
	T_CASE(other_patterns, ext4, fanotify),
	T_CASE(without_rows, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("full_pass", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
