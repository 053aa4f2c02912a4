/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be wrong with a target or a plugin: each has its own message, the
 * journal goes on, nothing at the target is lost, and when it is mended the
 * copy is made complete. */
#include "lib/t_eio.h"
#include "lib/t_judge.h"
#include "lib/t_mirror.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* The journal takes what changes, whatever is wrong elsewhere. */
static void check_journal(struct t_world *w, const char *name)
{
	struct t_judge j;

	t_shell("echo %s > %s/%s", name, SRC, name);
	t_daemon_flush(&w->daemon);
	t_judge_init(&j, w->daemon.state);
	assert_true(t_judge_count(&j, "path = '%s'", name) > 0);
	t_judge_fini(&j);
}

/* `flush --policy m` ends with @code and says @words; so does `status`. */
static void expect(struct t_mirror *m, int code, const char *words)
{
	t_mirror_flush_says(m, code, words);
	t_mirror_command(m, 0, words, "status", NULL);
	check_journal(m->w, "meanwhile");
}

/* A target that turned read-only. */
static void read_only(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("mount -o remount,ro %s", DST);
	t_shell("rm -r %s/d; echo b > %s/b", SRC, SRC);
	expect(&m, 1, "Read-only file system");
	assert_true(exists(DST "/d/a"));
	t_shell("mount -o remount,rw %s", DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* Wait for a state, without giving it anything to do. */
static void await_state(struct t_mirror *m, const char *state)
{
	json_t *status, *policy;
	const char *now;
	bool same;

	for (int i = 0; i < 600; i++) {
		status = t_daemon_status(&m->w->daemon);
		policy = json_array_get(json_object_get(status, "policies"), 0);
		now = json_string_value(json_object_get(policy, "state"));
		same = now != NULL && strcmp(now, state) == 0;
		json_decref(status);
		if (same)
			return;
		poll(NULL, 0, 20);
	}
	fail_msg("its state does not become '%s'", state);
}

/* A disk that is taken out is noticed though nothing changes, and goes on when
 * it is put in, with what has changed meanwhile. */
static void unplugged(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	await_state(&m, "following");
	t_mount_detach(&m.target);
	await_state(&m, "held");
	t_mirror_command(&m, 0, "not mounted: mount it", "status", NULL);
	t_mount_attach(&m.target);
	await_state(&m, "following");
	t_mount_detach(&m.target);
	await_state(&m, "held");
	t_shell("echo b > %s/b", SRC);
	t_daemon_flush(&w->daemon);
	t_mount_attach(&m.target);
	await_state(&m, "following");
	t_mirror_compare(&m);
	t_mirror_fini(&m);
}

/* A source that is gone when something is mounted at the target: that is what
 * is said, and not just a path. */
static void no_source(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("mv %s %s.away; mount -t tmpfs none %s/d", SRC, SRC, DST);
	await_state(&m, "held");
	t_mirror_command(&m, 0, "m: source: " SRC ": No such", "status", NULL);
	t_shell("mv %s.away %s; umount %s/d", SRC, SRC, DST);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A target whose disk fails: nothing counts as copied that did not arrive. */
static void failing(struct t_world *w)
{
	struct t_mirror m;
	struct t_eio disk;

	if (!t_eio_init(&disk, T_SPACE "/eio", DST))
		skip();
	t_mirror_begin(&m, w, "mkdir d; seq 200 > d/a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_eio_fail(&disk);
	t_shell("cd %s; for i in $(seq 100); do echo $i > n$i; done; rm d/a",
		SRC);
	expect(&m, 1, DST);
	t_eio_heal(&disk);
	t_eio_remount(&disk);
	t_mirror_check(&m);
	t_mirror_fini(&m);
	t_eio_fini(&disk);
}

/* The disk is well again, its file system is not: what a plan did before stands
 * in memory alone, and nothing has to be done again. That is no success. */
static void failed_once(struct t_world *w)
{
	struct t_mirror m;
	struct t_output o;
	struct t_eio disk;

	if (!t_eio_init(&disk, T_SPACE "/eio", DST))
		skip();
	t_mirror_begin(&m, w, "mkdir d; seq 200 > d/a; echo b > b", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_eio_fail(&disk);
	t_shell("mv %s/d %s/e", SRC, SRC);
	expect(&m, 1, DST);
	t_eio_heal(&disk);
	for (int i = 0; i < 3; i++) {
		t_daemon_command(&w->daemon, &o, "flush", "--policy", "m",
				 NULL);
		if (o.status == 0 && exists(DST "/e"))
			fail_msg("a dead file system counts as durable");
		t_output_fini(&o);
		t_mirror_command(&m, 0, NULL, "resume", "m", NULL);
	}
	t_eio_remount(&disk);
	t_mirror_check(&m);
	t_mirror_fini(&m);
	t_eio_fini(&disk);
}

static void kill_worker(struct t_mirror *m)
{
	assert_int_equal(kill((pid_t)t_mirror_number(m, "pid"), SIGKILL), 0);
}

static void await_file(const char *path)
{
	for (int ms = 0; !exists(path); ms += 20) {
		assert_true(ms < 20000);
		poll(NULL, 0, 20);
	}
}

/* A worker that is started again works by the configuration that the daemon
 * has, not by what somebody is writing at the moment; after a reload by that.
 */
static void edited(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a; echo b > b", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_daemon_configure(&w->daemon, "[Policy m]\nExclude=/b\n");
	kill_worker(&m);
	t_shell("echo c > %s/c", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "restarts"), 1);
	t_mirror_command(&m, 0, NULL, "release-root", "r", NULL);
	t_mirror_command(&m, 0, NULL, "release-root", "--back", "r", NULL);
	t_mirror_check(&m);

	kill_worker(&m);
	t_daemon_configure(&w->daemon, "[Half");
	t_shell("echo d > %s/d", SRC);
	await_file(DST "/d");
	t_mirror_command(&m, 2, "[Half", "reload", NULL);
	t_shell("sed -i '$d' %s", w->daemon.config);
	t_mirror_check(&m);

	t_mirror_command(&m, 0, NULL, "reload", NULL);
	t_mirror_flush(&m, 0);
	assert_true(exists(DST "/d") && !exists(DST "/b"));
	kill_worker(&m);
	t_shell("echo e > %s/e", SRC);
	t_mirror_flush(&m, 0);
	assert_true(exists(DST "/e") && !exists(DST "/b"));
	t_mirror_fini(&m);
}

/* A target directory that is not there. */
static void missing(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a",
		      "[Target t]\nPath=" DST "/copy\nRequireMount=no");
	w->daemon.quiet = true;
	expect(&m, 3, "no such directory");
	t_shell("mkdir %s/copy", DST);
	t_mirror_flush(&m, 0);
	t_shell("cmp %s/a %s/copy/a", SRC, DST);
	t_shell("mv %s/copy %s/elsewhere; echo b > %s/b", DST, DST, SRC);
	expect(&m, 3, "no such directory");
	assert_true(exists(DST "/elsewhere/a"));
	t_shell("mv %s/elsewhere %s/copy", DST, DST);
	t_mirror_flush(&m, 0);
	t_shell("cmp %s/b %s/copy/b", SRC, DST);
	t_mirror_fini(&m);
}

/* A target inside its own root, by a way that the configuration does not
 * show: the copy would contain itself. */
static void inside(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a; mkdir copy",
		      "[Target t]\nPath=" T_SPACE "/link\nRequireMount=no");
	w->daemon.quiet = true;
	expect(&m, 3, "no such directory");
	t_shell("ln -s %s/copy %s/link", SRC, T_SPACE);
	expect(&m, 3, "lies inside [Root r]");
	assert_false(exists(SRC "/copy/a"));
	t_shell("rm %s/link; mkdir %s/link; mount --bind %s/copy %s/link",
		T_SPACE, T_SPACE, SRC, T_SPACE);
	expect(&m, 3, "lies inside [Root r]");
	assert_false(exists(SRC "/copy/a"));
	t_shell("umount %s/link; mount --bind %s %s/link", T_SPACE, DST,
		T_SPACE);
	t_mirror_check(&m);
	t_shell("umount %s/link", T_SPACE);
	t_mirror_fini(&m);
}

/* Two policies that lead to one directory by different paths: the second one
 * touches nothing. */
static void shared(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_daemon_stop(&w->daemon);
	t_shell("mkdir %s/fs/s; echo s > %s/fs/s/s; ln -s %s %s/same", T_SPACE,
		T_SPACE, DST, T_SPACE);
	t_daemon_configure(&w->daemon,
			   "[Root s]\nPath=%s/fs/s\n"
			   "[Target u]\nTransport=local\n"
			   "Path=%s/same\n"
			   "[Policy n]\nPlugin=mirror\nRoot=s\n"
			   "Target=u\n",
			   T_SPACE, T_SPACE);
	t_daemon_begin(&w->daemon);
	t_mirror_command(&m, 0, NULL, "flush", NULL);
	t_mirror_command(&m, 3, "was initialised by m@", "flush", "--policy",
			 "n", NULL);
	t_shell("echo b > %s/b", SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* ---- plugins */

#define BAD "[Journal]\nPluginDirectory=" T_PLUGINS "\n[Policy m]\nPlugin=bad\n"

/* With the right plugin all that waited is done. */
static void mend(struct t_mirror *m)
{
	t_daemon_reconfigure(&m->w->daemon,
			     "/^PluginDirectory=/d; /^Plugin=bad/d; /^How=/d");
	t_mirror_check(m);
}

static void run_bad(struct t_world *w, const char *how, int code,
		    const char *words)
{
	struct t_mirror m;
	char more[512];

	snprintf(more, sizeof more, BAD "PluginTimeout=1s\nHow=%s", how);
	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a", more);
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_shell("cd %s; echo x > trigger; rm -r d; echo b > b", SRC);
	expect(&m, code, words);
	assert_true(exists(DST "/d/a"));
	assert_false(exists(DST "/trigger"));
	mend(&m);
	t_mirror_fini(&m);
}

/* A plugin that crashes takes its worker down, no more. */
static void crashes(struct t_world *w)
{
	run_bad(w, "crash", 1, "its worker died of signal 9");
}

/* One that does not return is ended, and the worker begun anew. */
static void hangs(struct t_world *w)
{
	run_bad(w, "hang", 1, "'bad' has not returned from plan() for 1 s");
}

/* One that answers what there is not. */
static void talks_nonsense(struct t_world *w)
{
	run_bad(w, "number", 1, "returned 7 from plan()");
}

/* One that asks for what there is not, and does not hear the answer. */
static void asks_nonsense(struct t_world *w)
{
	static const struct {
		const char *how, *words;
	} cases[] = {
		{"kind", "asked for an operation that there is not"},
		{"change", "asked for a change that it was not given"},
		{"entry", "asked for an entry that it was not given"},
		{"nothing", "asked for neither a change nor an entry"},
	};
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a", BAD "How=none");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		t_daemon_stop(&w->daemon);
		t_shell("sed -i 's/^How=.*/How=%s/' %s", cases[i].how,
			w->daemon.config);
		t_shell("echo x >> %s/trigger", SRC);
		t_daemon_begin(&w->daemon);
		expect(&m, 1, cases[i].words);
		assert_true(exists(DST "/d/a"));
	}
	mend(&m);
	t_mirror_fini(&m);
}

/* One that does not want to begin. */
static void does_not_open(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", BAD "How=closed");
	w->daemon.quiet = true;
	expect(&m, 1, "'bad' failed in open(): not supported");
	mend(&m);
	t_mirror_fini(&m);
}

/* A plugin's own keys are checked by its own table, with file and line. */
static void has_keys(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", BAD "How=none\nPatience=5s");
	t_mirror_check(&m);
	t_mirror_command(&m, 0, "policy m", "check-config", NULL);
	w->daemon.quiet = true;
	t_daemon_stop(&w->daemon);
	t_shell("sed -i 's/^How=/Who=/' %s", w->daemon.config);
	t_mirror_command(&m, 2,
			 "jb.conf:19: unknown key 'Who' in [Policy]; keys of "
			 "plugin 'bad': How=, Patience=",
			 "check-config", NULL);
	t_daemon_start(&w->daemon);
	expect(&m, 2, "jb.conf:19: unknown key 'Who'");
	t_daemon_stop(&w->daemon);
	t_shell("sed -i '/^Who=/d; s/^Patience=.*/Patience=soon/' %s",
		w->daemon.config);
	t_mirror_command(&m, 2, "jb.conf:19: Patience=: ", "check-config",
			 NULL);
	t_shell("sed -i 's/^Plugin=bad/Plugin=mirror/' %s", w->daemon.config);
	t_mirror_command(&m, 2,
			 "jb.conf:19: unknown key 'Patience' in [Policy]",
			 "check-config", NULL);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(read_only, ext4, fanotify),
	T_CASE(unplugged, ext4, fanotify),
	T_CASE(no_source, ext4, fanotify),
	T_CASE(edited, ext4, fanotify),
	T_CASE(failing, ext4, fanotify),
	T_CASE(failed_once, ext4, fanotify),
	T_CASE(missing, ext4, fanotify),
	T_CASE(inside, ext4, fanotify),
	T_CASE(shared, ext4, fanotify),
	T_CASE(crashes, ext4, fanotify),
	T_CASE(hangs, ext4, fanotify),
	T_CASE(talks_nonsense, ext4, fanotify),
	T_CASE(asks_nonsense, ext4, fanotify),
	T_CASE(does_not_open, ext4, fanotify),
	T_CASE(has_keys, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror_trouble", cases,
			  sizeof cases / sizeof cases[0], argc, argv);
}
