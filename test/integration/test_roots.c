/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a root begins and ends: several on one file system, plain directories,
 * what crosses their borders, what is mounted below, and roots that go. */
#include "lib/t_case.h"
#include "lib/t_round.h"

#include "journal/change.h"

#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <setjmp.h>
#include <cmocka.h>

#define FS T_SPACE "/fs"

static void start_two(struct t_round *r, struct t_world *w, const char *one,
		      const char *two)
{
	t_daemon_root(&w->daemon, "one", one, w->backend);
	t_daemon_root(&w->daemon, "two", two, w->backend);
	t_daemon_begin(&w->daemon);
	t_round_init(r, w);
}

/* Two roots on one file system, one's path the other's beginning: each change
 * belongs to the root that it is in. */
static void two_roots(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir " FS "/a " FS "/ab && touch " FS "/a/1 " FS "/ab/2");
	start_two(&r, w, FS "/a", FS "/ab");
	t_shell("cd " FS " && echo x > a/1 && echo y > ab/2 && mkdir a/d ab/d"
		" && touch a/d/3 ab/d/4 a/5 ab/6 && rm a/5");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "root = 1 AND path IN ('2', '6',"
					   " 'd/4')"),
			 0);
	assert_true(t_round_count(
			    &r, "path IN ('1', '2', 'd/3', 'd/4', '6')") >= 5);
	t_round_fini(&r);
}

/* Trees move from one root to the other and back. */
static void between_roots(struct t_world *w)
{
	struct t_round r;
	int i;

	t_shell("mkdir " FS "/a " FS "/b && mkdir -p " FS "/a/t/u/v &&"
		" touch " FS "/a/t/1 " FS "/a/t/u/2 " FS "/a/t/u/v/3 " FS
		"/b/f");
	start_two(&r, w, FS "/a", FS "/b");
	t_round_exempt(&r, 0);
	t_round_exempt(&r, 1);
	for (i = 0; i < 3; i++) {
		t_shell("cd " FS " && mv a/t b/t && echo %d > b/t/u/2", i);
		t_round_check(&r, NULL);
		t_shell("cd " FS " && mv b/t a/t && mv b/f a/f && mv a/f b/f");
		t_round_check(&r, NULL);
	}
	t_round_fini(&r);
}

/* A root that is a plain directory: what happens beside it is not its. */
static void plain_directory(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/x/root/d " FS "/x/beside/d");
	t_round_open(&r, w, FS "/x/root");
	t_shell("cd " FS "/x && touch beside/1 beside/d/2 3 && mv beside b2 &&"
		" rm -rf b2 && mkdir root2 && touch root2/4");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path NOT IN ('', '.')"), 0);
	t_shell("cd " FS "/x && touch root/d/5");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = 'd/5' AND kind = 1"), 1);
	t_round_fini(&r);
}

/* A tree moved in is recorded entry by entry; one moved out is one change. */
static void in_and_out(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/r " FS "/o/t/u/v && cd " FS "/o/t &&"
		" touch 1 u/2 u/v/3 && echo 12345 > u/v/4");
	t_round_open(&r, w, FS "/r");
	t_shell("mv " FS "/o/t " FS "/r/t");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 7);
	t_round_exempt(&r, 0);
	t_shell("mv " FS "/r/t " FS "/o/t");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "1"), 1);
	assert_int_equal(t_round_count(&r, "kind = 5 AND path = 't'"
					   " AND entries = 7 AND bytes = 6"),
			 1);
	/* In, out, and changed in either place between. */
	t_shell("cd " FS " && mv o/t r/s && mv r/s/u o/u && touch o/u/n &&"
		" mv o/u r/u && rm r/u/2");
	t_round_check(&r, NULL);
	t_round_fini(&r);
}

/* Does `status` name a mount at @path? */
static bool names_mount(struct t_daemon *d, const char *path)
{
	json_t *status = t_daemon_status(d);
	json_t *mounts = t_daemon_root_member(status, "mounts"), *m;
	bool found = false;
	size_t i;

	json_array_foreach(mounts, i, m) found =
		found || strcmp(json_string_value(m), path) == 0;
	json_decref(status);
	return found;
}

static void await_mount(struct t_daemon *d, const char *path, bool want)
{
	int tries;

	for (tries = 0; tries < 200; tries++)
		if (names_mount(d, path) == want ||
		    t_process_wait(d->pid, 100) >= 0)
			break;
	assert_int_equal(names_mount(d, path), want);
}

/* Mounted over a directory with content, written in, unmounted: below the
 * mount is not the root, and what it covers is not deleted. */
static void mount_below(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/r/m/d " FS "/r/n && touch " FS "/r/m/1 " FS
		"/r/m/d/2");
	t_round_open(&r, w, FS "/r");
	assert_int_equal(mount("tmpfs", FS "/r/m", "tmpfs", 0, NULL), 0);
	t_shell("touch " FS "/r/m/strange && mkdir " FS "/r/m/dir &&"
		" touch " FS "/r/n/after");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "path LIKE 'm%%'"), 0);
	assert_int_equal(t_judge_count(&r.judge, "path = 'n/after'"), 1);
	await_mount(&w->daemon, "m", true);
	assert_int_equal(umount2(FS "/r/m", 0), 0);
	t_shell("touch " FS "/r/m/3");
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "path = 'm/3' AND kind = 1"), 1);
	assert_int_equal(t_round_count(&r, "kind = 5"), 0);
	await_mount(&w->daemon, "m", false);
	t_round_fini(&r);
}

/* Unmounted in the batch that learns of a new directory: what was covered is
 * no news, also a file with two names. */
static void uncovered_with_news(struct t_world *w)
{
	struct t_round r;
	int i;

	/* Old: a young one would be in doubt. */
	t_shell("mkdir -p " FS "/r/m/d && cd " FS "/r/m && ln -s x s &&"
		" touch -d 2020-01-01 1 && ln 1 d/2 && ln 1 3");
	t_round_open(&r, w, FS "/r");
	for (i = 0; i < 5; i++) {
		assert_int_equal(mount("tmpfs", FS "/r/m", "tmpfs", 0, NULL),
				 0);
		t_daemon_flush(&w->daemon);
		await_mount(&w->daemon, "m", true);
		t_daemon_shell(&w->daemon,
			       "mkdir " FS "/r/a%d && umount " FS "/r/m", i);
		await_mount(&w->daemon, "m", false);
		t_round_check(&r, NULL);
		if (t_round_count(&r, "path LIKE 'm%%'") > 0) {
			t_judge_show(&r.judge, r.start);
			fail_msg("rows of what was only covered");
		}
		assert_int_equal(t_round_count(&r, "kind = 1"), 1);
	}
	t_round_fini(&r);
}

/* What was covered just after it was written may be in doubt: then that is one
 * change, also where the directory holds two names of it. */
static void uncovered_young(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/r/m");
	t_round_open(&r, w, FS "/r");
	t_shell("cd " FS "/r/m && echo 1 > 1 && ln 1 2 && ln 1 3");
	t_round_check(&r, NULL);
	assert_int_equal(mount("tmpfs", FS "/r/m", "tmpfs", 0, NULL), 0);
	t_daemon_flush(&w->daemon);
	assert_int_equal(umount2(FS "/r/m", 0), 0);
	t_round_check(&r, NULL);
	if (t_round_count(&r, "kind = 2") > 1) {
		t_judge_show(&r.judge, r.start);
		fail_msg("one change, and several rows");
	}
	t_round_fini(&r);
}

/* Mounted while the daemon is down, and still there after its start. */
static void mounted_while_stopped(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/r/m/d && touch " FS "/r/m/1 " FS "/r/m/d/2");
	t_round_open(&r, w, FS "/r");
	t_daemon_stop(&w->daemon);
	assert_int_equal(mount("tmpfs", FS "/r/m", "tmpfs", 0, NULL), 0);
	t_daemon_begin(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "kind = 5"), 0);
	await_mount(&w->daemon, "m", true);
	assert_int_equal(umount2(FS "/r/m", 0), 0);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 5"), 0);
	t_round_fini(&r);
}

/* A bind mount of the root's own file system is a border too. */
static void bind_below(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/r/b " FS "/o/d && touch " FS "/o/d/1");
	assert_int_equal(mount(FS "/o", FS "/r/b", NULL, MS_BIND, NULL), 0);
	t_round_open(&r, w, FS "/r");
	t_shell("touch " FS "/o/d/2 " FS "/r/b/d/3 " FS "/r/4");
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "kind = 1"), 1);
	assert_int_equal(t_judge_count(&r.judge, "path = '4'"), 1);
	assert_int_equal(umount2(FS "/r/b", 0), 0);
	await_mount(&w->daemon, "b", false);
	/* What it covered was there all along: no row, but in the catalog. */
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "path = 'b'"), 0);
	t_judge_tree(&r.judge, FS "/r", "r");
	t_round_fini(&r);
}

static void expect_alive(struct t_world *w)
{
	json_t *reply = t_daemon_ask(&w->daemon, "{\"command\":\"ping\"}");

	if (reply == NULL)
		fail_msg("the daemon is gone");
	json_decref(reply);
}

/* The root's file system is unmounted while it is watched: a gap, not an end;
 * nothing is deleted. Mounted again, what changed meanwhile is found. */
static void unmounted(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir " FS "/d && touch " FS "/d/1 " FS "/d/2");
	t_round_open(&r, w, FS);
	assert_int_equal(umount2(FS, MNT_DETACH), 0);
	t_daemon_await(&w->daemon, "gap_open", true);
	expect_alive(w);
	assert_int_equal(t_judge_count(&r.judge, "kind = 5"), 0);
	t_mount_attach(&w->fs);
	t_shell("touch " FS "/d/3 && rm " FS "/d/1");
	t_daemon_await(&w->daemon, "gap_open", false);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 5"), 1);
	assert_int_equal(t_round_count(&r, "kind = 1"), 1);
	t_shell("touch " FS "/d/4"); /* and events flow again */
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1 AND path = 'd/4'"), 1);
	t_round_fini(&r);
}

/* The root directory itself is moved away, and another one takes its place. */
static void root_vanishes(struct t_world *w)
{
	struct t_round r;

	t_shell("mkdir -p " FS "/r/d && touch " FS "/r/d/1");
	t_round_open(&r, w, FS "/r");
	t_shell("mv " FS "/r " FS "/away");
	t_daemon_await(&w->daemon, "gap_open", true);
	expect_alive(w);
	assert_int_equal(t_judge_count(&r.judge, "kind = 5"), 0);
	t_shell("mv " FS "/away " FS "/r && touch " FS "/r/d/2");
	t_daemon_await(&w->daemon, "gap_open", false);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1 AND path = 'd/2'"), 1);
	t_round_fini(&r);
}

/* The state directory lies in the root: its own writes are no changes. */
static void own_files(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_judge j;
	int64_t seq;

	t_shell("mkdir " FS "/r");
	snprintf(d->state, sizeof d->state, FS "/r/state");
	t_daemon_configure(d, "[Journal]\nStateDirectory=%s\n", d->state);
	t_daemon_root(d, "r", FS "/r", w->backend);
	t_daemon_begin(d);
	t_shell("touch " FS "/r/1");
	t_daemon_flush(d);
	t_judge_init(&j, d->state);
	seq = t_judge_seq(&j);
	assert_int_equal(t_judge_count(&j, "path LIKE 'state/%%'"), 0);
	t_daemon_flush(d);
	t_daemon_flush(d);
	assert_int_equal(t_judge_seq(&j), seq);
	t_judge_fini(&j);
}

/* A chain: the target of one policy is a root as well. What the target keeps
 * for itself is none of the journal's business, so a file that goes to the
 * trash there is deleted. The name alone hides nothing. */
static void own_at_target(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_judge j;

	t_shell("mkdir -p " FS "/r/a " FS "/b && seq 10 | (cd " FS "/r/a;"
		" xargs touch)");
	t_daemon_root(d, "r", FS "/r", w->backend);
	t_daemon_root(d, "b", FS "/b", w->backend);
	t_daemon_configure(d, "[Target t]\nTransport=local\nPath=" FS "/b\n"
			      "RequireMount=no\n[Policy m]\nPlugin=mirror\n"
			      "Root=r\nTarget=t\n");
	t_daemon_begin(d);
	t_shell("rm " FS "/r/a/5; mkdir -p " FS "/r/x/.journalctl-backup;"
		" touch " FS "/r/x/.journalctl-backup/f");
	t_daemon_expect(d, 0, NULL, "flush", "--policy", "m", NULL);
	t_shell("rm " FS "/r/a/6");
	t_daemon_expect(d, 0, NULL, "flush", "--policy", "m", NULL);
	t_daemon_flush(d);
	t_judge_init(&j, d->state);
	assert_int_equal(t_judge_count(&j,
				       "path LIKE '.journalctl-backup%%' OR"
				       " old_path LIKE '.journalctl-backup%%'"),
			 0);
	assert_int_equal(t_judge_number(&j, "SELECT count(*) FROM j.entry"
					    " WHERE parent IN (SELECT dirkey"
					    " FROM j.root) AND name ="
					    " CAST('.journalctl-backup' AS"
					    " BLOB)"),
			 0);
	assert_int_equal(t_judge_count(&j, "path = 'a/6' AND kind = %d",
				       JB_KIND_DELETED),
			 2);
	assert_int_equal(t_judge_count(&j,
				       "path = 'x/.journalctl-backup/f' AND"
				       " kind = %d",
				       JB_KIND_CREATED),
			 2);
	t_judge_fini(&j);
}

/* A root whose path leads elsewhere for a moment, just when something is to be
 * deleted: nothing is, and when it is back it goes on. */
static void away_for_a_moment(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;

	t_round_make(&r, w, FS "/r", "touch a b");
	t_shell("cd " FS " && mv r away && rm away/a");
	t_daemon_flush(d);
	t_shell("cd " FS " && mv away r && touch r/new");
	t_daemon_await(d, "gap_open", false);
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "1", "new");
	t_round_fini(&r);
}

/* Where times are whole seconds, that is said wherever one would look. */
static void whole_seconds(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_output o;

	t_shell("mkdir " FS "/r");
	t_daemon_root(d, "r", FS "/r", w->backend);
	t_daemon_begin(d);
	assert_true(t_daemon_said(d, "'r': ext3 keeps times as whole seconds"));
	t_daemon_command(d, &o, "status", NULL);
	assert_non_null(strstr(o.out, "r: times are whole seconds there"));
	t_output_fini(&o);
	t_daemon_command(d, &o, "check-config", NULL);
	assert_non_null(strstr(o.out, "times as whole seconds"));
	t_output_fini(&o);
}

static const struct t_case cases[] = {
	T_CASE(away_for_a_moment, ext4, fanotify),
	T_CASE(away_for_a_moment, ext4, inotify),
	T_CASE(whole_seconds, ext3, fanotify),
	T_CASE(two_roots, ext4, fanotify),
	T_CASE(two_roots, ext4, inotify),
	T_CASE(between_roots, xfs, fanotify),
	T_CASE(between_roots, ext4, inotify),
	T_CASE(plain_directory, ext4, fanotify),
	T_CASE(plain_directory, ext4, inotify),
	T_CASE(in_and_out, ext4, fanotify),
	T_CASE(in_and_out, btrfs, fanotify),
	T_CASE(in_and_out, xfs, inotify),
	T_CASE(mount_below, ext4, fanotify),
	T_CASE(mount_below, ext4, inotify),
	T_CASE(uncovered_with_news, ext4, fanotify),
	T_CASE(uncovered_with_news, xfs, inotify),
	T_CASE(uncovered_young, ext4, fanotify),
	T_CASE(mounted_while_stopped, ext4, fanotify),
	T_CASE(bind_below, ext4, fanotify),
	T_CASE(unmounted, ext4, fanotify),
	T_CASE(unmounted, xfs, inotify),
	T_CASE(root_vanishes, ext4, fanotify),
	T_CASE(root_vanishes, ext4, inotify),
	T_CASE(own_files, ext4, fanotify),
	T_CASE(own_files, ext4, inotify),
	T_CASE(own_at_target, ext4, fanotify),
	T_CASE(own_at_target, ext4, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("roots", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
