/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which backend watches what, and where each one ends. */
#include "lib/t_case.h"
#include "lib/t_round.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS   T_SPACE "/fs"
#define ROOT FS "/r"

static char *backend_of(struct t_daemon *d, const char *key)
{
	json_t *status = t_daemon_status(d);
	const char *text = json_string_value(t_daemon_root_member(status, key));
	char *copy = strdup(text != NULL ? text : "");

	json_decref(status);
	return copy;
}

static void expect_backend(struct t_world *w, const char *want)
{
	char *backend = backend_of(&w->daemon, "backend");

	assert_string_equal(backend, want);
	free(backend);
}

/* A btrfs subvolume can be a root, whatever watches it; another one
 * below it is its end. */
static void subvolume(struct t_world *w)
{
	struct t_round r;

	t_shell("btrfs -q subvolume create " ROOT " && mkdir " ROOT "/d &&"
		" btrfs -q subvolume create " ROOT "/d/s && touch " ROOT
		"/d/s/not");
	t_round_open(&r, w, ROOT);
	expect_backend(w, w->backend == T_inotify ? "inotify" : "fanotify");
	t_daemon_shell(&w->daemon, "cd " ROOT " && echo 1 > d/f && mv d e &&"
				   " echo 2 >> e/f && touch e/s/neither");
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "4", "e");
	t_round_expect(&r, 1, "1", "e/f");
	/* A scan does not look into it either. */
	t_daemon_stop(&w->daemon);
	t_shell("touch " ROOT "/e/s/nor " ROOT "/e/that");
	t_daemon_start(&w->daemon);
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "path = 'e/that'"), 1);
	assert_int_equal(t_judge_count(&r.judge, "path LIKE 'e/s/%%'"), 0);
	t_round_fini(&r);
}

/* Subvolumes and the top of one btrfs, each a root: one mark tells of all, and
 * each change belongs to the root that it is in. */
static void subvolumes(struct t_world *w)
{
	static const char *const names[] = {"top", "a", "b"};
	struct t_round r;
	char path[64];
	unsigned i;

	t_shell("cd " FS " && mkdir top && btrfs -q subvolume create a &&"
		" btrfs -q subvolume create b && mkdir " T_SPACE "/b &&"
		" mount -o subvol=b %s " T_SPACE "/b",
		w->fs.device);
	t_daemon_root(&w->daemon, "top", FS "/top", w->backend);
	t_daemon_root(&w->daemon, "a", FS "/a", w->backend);
	t_daemon_root(&w->daemon, "b", T_SPACE "/b", w->backend);
	t_daemon_begin(&w->daemon);
	t_round_init(&r, w);
	t_shell("cd " FS
		" && for i in top a b; do mkdir $i/d; echo 1 > $i/d/$i;"
		" mv $i/d $i/e; echo 2 >> $i/e/$i; done &&"
		" btrfs -q subvolume snapshot a c && touch c/not");
	t_round_check(&r, NULL);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "e/%s", names[i]);
		assert_true(t_round_count(&r, "path = '%s' AND source = 0",
					  path) > 0);
	}
	assert_int_equal(t_round_count(&r, "path LIKE '%%not'"), 0);
	t_round_fini(&r);
	umount2(T_SPACE "/b", MNT_DETACH);
}

/* A FUSE file system has no handles that we could go by: inotify, and status
 * says why. What is written in it through its mount is seen. */
static void fuse(struct t_world *w)
{
	struct t_judge j;
	char *why;

	t_shell("command -v nbdfuse >/dev/null && mkdir " ROOT);
	t_shell("nbdfuse -P " T_SPACE "/nbdfuse.pid " ROOT
		"/disk --command nbdkit -s memory 1M </dev/null >/dev/null"
		" 2>&1 & until mountpoint -q " ROOT "; do :; done");
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_begin(&w->daemon);
	expect_backend(w, "inotify");
	why = backend_of(&w->daemon, "backend_why");
	if (strstr(why, "no fanotify on fuse") == NULL)
		fail_msg("backend_why: %s", why);
	free(why);
	t_judge_init(&j, w->daemon.state);
	t_shell("echo x | dd of=" ROOT "/disk conv=notrunc status=none");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&j, "path = 'disk' AND kind = 2"), 1);
	t_judge_fini(&j);
	t_daemon_stop(&w->daemon);
	t_shell("umount " ROOT);
}

/* Overlayfs refuses the mark: inotify, and status says why. */
static void overlay(struct t_world *w)
{
	struct t_round r;
	char *backend, *why;

	t_shell("cd " FS " && mkdir low up work r && echo 1 > low/f && mkdir"
		" low/d && touch low/d/g && mount -t overlay overlay"
		" -o lowerdir=low,upperdir=up,workdir=work r");
	t_daemon_root(&w->daemon, "r", ROOT, T_auto);
	t_daemon_begin(&w->daemon);
	backend = backend_of(&w->daemon, "backend");
	why = backend_of(&w->daemon, "backend_why");
	assert_string_equal(backend, "inotify");
	assert_true(strlen(why) > 0);
	t_judge_init(&r.judge, w->daemon.state);
	t_shell("cd " ROOT " && touch n d/h && rm d/g");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "kind = 1 AND path IN"
						 " ('n', 'd/h')"),
			 2);
	t_judge_walk(&r.judge, "live", ROOT);
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*) FROM"
						  " j.entry WHERE name ="
						  " x'67'"),
			 0);
	t_judge_fini(&r.judge);
	free(backend);
	free(why);
	umount2(ROOT, MNT_DETACH);
}

/* auto takes fanotify where it can be had. */
static void auto_is_fanotify(struct t_world *w)
{
	struct t_round r;
	char *backend;

	t_shell("mkdir " ROOT);
	t_round_open(&r, w, ROOT);
	backend = backend_of(&w->daemon, "backend");
	assert_string_equal(backend, "fanotify");
	free(backend);
	t_round_fini(&r);
}

static int exchange_number(const char *file, int n)
{
	FILE *f = fopen(file, "r+");
	int old = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &old), 1);
	rewind(f);
	fprintf(f, "%d\n", n);
	assert_int_equal(fclose(f), 0);
	return old;
}

/* An overflow of inotify is a gap, and is closed. */
static void inotify_overflow(struct t_world *w)
{
	static const char limit[] = "/proc/sys/fs/inotify/max_queued_events";
	struct t_round r;
	int old;

	t_shell("mkdir " ROOT);
	t_daemon_root(&w->daemon, "r", ROOT, T_inotify);
	old = exchange_number(limit, 32);
	t_daemon_start(&w->daemon);
	exchange_number(limit, old);
	t_daemon_flush(&w->daemon);
	t_round_init(&r, w);
	t_daemon_shell(&w->daemon,
		       "cd " ROOT
		       " && seq 2000 | xargs touch && mkdir d && mv 1 d");
	t_round_check(&r, NULL);
	assert_true(t_judge_number(&r.judge, "SELECT count(*) FROM j.gap"
					     " WHERE closed NOT NULL") > 0);
	t_round_fini(&r);
}

static void judge_root(struct t_world *w)
{
	struct t_judge j;

	t_daemon_flush(&w->daemon);
	t_judge_init(&j, w->daemon.state);
	t_judge_tree(&j, ROOT, "r");
	t_judge_fini(&j);
}

/* No watches left: a gap that says so, though nothing happens; what is not
 * watched is found by scans, until it is. */
static void watch_limit(struct t_world *w)
{
	static const char limit[] = "/proc/sys/fs/inotify/max_user_watches";
	int old;

	t_shell("mkdir " ROOT " && cd " ROOT " && seq 200 | xargs mkdir");
	t_daemon_root(&w->daemon, "r", ROOT, T_inotify);
	old = exchange_number(limit, 50);
	t_daemon_start(&w->daemon);
	t_daemon_flush(&w->daemon);
	/* One of these directories is not watched, nothing else happens. */
	t_shell("touch " ROOT "/1/f");
	t_shell("touch " ROOT "/200/f");
	exchange_number(limit, old);
	t_daemon_await_words(&w->daemon, "not all directories are watched");
	t_daemon_await_words(&w->daemon, "a directory could not be watched");
	t_daemon_await(&w->daemon, "gap_open", false);
	judge_root(w);
	/* The scan had them watched. */
	t_shell("touch " ROOT "/1/g " ROOT "/200/g");
	judge_root(w);
}

/* Who may not open file handles watches by inotify, and is told why. */
static void no_right(struct t_world *w)
{
	(void)w;
	t_shell("mkdir -p " ROOT " " T_SPACE "/plain/state && cd " T_SPACE
		"/plain && cp %s jb && printf "
		"'[Journal]\nStateDirectory=" T_SPACE
		"/plain/state\nRuntimeDirectory=" T_SPACE "/plain/run"
		"\n[Root r]\nPath=" ROOT "\n' > conf &&"
		" chown -R 65534 . " ROOT,
		t_daemon_program());
	t_shell("cd " T_SPACE "/plain && (timeout 60 setpriv --reuid=65534"
		" --regid=65534 --clear-groups ./jb --config conf daemon"
		" 2>log & echo $! >pid) && n=0 &&"
		" until ./jb --config conf flush 2>/dev/null; do"
		" n=$((n + 1)); test $n -lt 3000 || exit 1; done &&"
		" touch " ROOT "/f && ./jb --config conf flush &&"
		" ./jb --config conf query | grep -q f && kill $(cat pid) &&"
		" grep -q 'inotify: no fanotify.*needs CAP_DAC_READ_SEARCH' "
		"log");
}

static const struct t_case cases[] = {
	T_CASE(subvolume, btrfs, auto),
	T_CASE(subvolume, btrfs, inotify),
	T_CASE(subvolumes, btrfs, auto),
	T_CASE(overlay, ext4, auto),
	T_CASE(fuse, ext4, auto),
	T_CASE(no_right, ext4, auto),
	T_CASE(auto_is_fanotify, ext4, auto),
	T_CASE(auto_is_fanotify, btrfs, auto),
	T_CASE(inotify_overflow, ext4, inotify),
	T_CASE(watch_limit, ext4, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("backends", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
