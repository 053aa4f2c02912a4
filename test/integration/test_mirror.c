/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirror on real file systems: a second copy that equals the source after
 * each flush, and keeps its hands off everything else. */
#include "lib/t_mirror.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

/* `query --policy m --unsynced` says @words; "": nothing at all. */
static void expect_unsynced(struct t_daemon *d, const char *words)
{
	struct t_output o;

	t_daemon_command(d, &o, "query", "--policy", "m", "--unsynced", NULL);
	if (o.status != 0 || strstr(o.out, words) == NULL ||
	    (words[0] == '\0' && o.out_len > 0))
		fail_msg("--unsynced: exit %d, not '%s' but: %s%s", o.status,
			 words, o.out, o.err);
	t_output_fini(&o);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static enum t_fs target_of(struct t_world *w)
{
	return w->backend == T_inotify || w->fs.fs == T_xfs ? T_xfs : T_ext4;
}

/* Whatever a tree can hold arrives, and follows each kind of change. */
static void follows(struct t_world *w)
{
	static const char *const steps[] = {
		"mkdir -p a/b; echo hi > a/b/f; ln a/b/f a/g; ln -s nowhere l",
		"echo more >> a/g; chmod 600 a/b/f",
		"mkfifo p; mknod n c 1 3; truncate -s 1M hole; echo x >> hole",
		"setfattr -n user.k -v v a/g; setfacl -m u:7:r a/b/f",
		"chown 7:8 a/g; chmod 4711 a/g; touch -d 2001-02-03 a/b",
		"mv a/b c; mv c/f a/b",
		"rm l; mkdir l; echo file > l/x; rm p; ln -s l p",
		"printf new > t; mv t a/g",
		"rm -r a; mv c a",
		"for i in 1 2 3; do mkdir v$i; echo $i > v$i/f; done;"
		" mv v1 t; mv v2 v1; mv v3 v2; mv t v3",
		"mkdir -p deep/1/2/3; mv v1 deep/1/2/3/; mv deep/1 v2/; "
		"rm -r deep",
		"rm -r ./*",
	};
	struct t_mirror m;

	t_mirror_init(&m, w, target_of(w), "mkdir start; echo s > start/s",
		      "MaxDelete=off");
	t_mirror_check(&m);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		print_message("%s\n", steps[i]);
		t_shell("cd %s; %s", SRC, steps[i]);
		t_mirror_check(&m);
	}
	t_mirror_fini(&m);
}

/* All threads of a worker stand back behind whoever else wants CPU and disk. */
static void stands_back(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "seq 100 | xargs touch", "Nice=7\n");
	t_mirror_check(&m);
	t_shell("cd /proc/%d/task; test $(ls | wc -l) -gt 1; for t in *; do"
		" test $(ps -L -o tid=,ni= -p %d | awk -v t=$t '$1 == t"
		" {print $2}') -eq 7 && test $(ionice -p $t) = idle ||"
		" exit 1; done",
		(int)t_mirror_number(&m, "pid"),
		(int)t_mirror_number(&m, "pid"));
	t_mirror_fini(&m);
}

/* A worker that hangs is seen to lag behind. */
static void hangs(struct t_world *w)
{
	struct t_mirror m;
	pid_t pid;

	t_mirror_init(&m, w, T_ext4, "touch a", "");
	t_mirror_check(&m);
	pid = (pid_t)t_mirror_number(&m, "pid");
	assert_int_equal(kill(pid, SIGSTOP), 0);
	t_shell("touch %s/b %s/c", SRC, SRC);
	t_daemon_flush(&w->daemon);
	assert_true(t_mirror_number(&m, "last_seq") >
		    t_mirror_number(&m, "cursor"));
	assert_int_equal(kill(pid, SIGCONT), 0);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What somebody else has at the target survives, and is not overwritten. */
static void strangers(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, target_of(w), "mkdir d e; echo a > d/a", "");
	t_mirror_check(&m);
	t_shell("mkdir -p %s/foreign/x; echo theirs | tee %s/foreign/x/y "
		"> %s/d/name",
		DST, DST, DST);
	t_shell("echo ours > %s/d/name; echo b > %s/d/b", SRC, SRC);
	t_mirror_flush(&m, 1);
	t_mirror_flush_says(&m, 1, "not ours");
	t_shell("grep -q theirs %s/d/name && cmp %s/d/b %s/d/b", DST, SRC, DST);
	t_shell("rm -r %s/d", SRC);
	/* That leaves what the source doesn't have, so it is told. */
	t_mirror_flush_says(&m, 1, "d: the directory holds what is not ours");
	t_shell("grep -q theirs %s/d/name; grep -q theirs %s/foreign/x/y; "
		"test ! -e %s/d/b",
		DST, DST, DST);
	t_shell("rm %s/d/name", DST);
	t_mirror_flush(&m, 0);
	t_shell("test ! -e %s/d", DST);
	t_mirror_fini(&m);
}

/* What waits is named, however long the names are (226 KB of JSON here). */
static void long_answer(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, target_of(w),
		      "n=$(printf '\\001%.0s' $(seq 250)); p=.;"
		      " for i in $(seq 15); do p=$p/$n; done; mkdir -p $p",
		      "");
	t_mirror_check(&m);
	t_shell("for top in %s %s; do d=$(find $top -mindepth 15 -type d);"
		" for i in $(seq 12); do echo $top > $d/$i; done; done",
		DST, SRC);
	t_mirror_flush_says(&m, 1, "not ours");
	t_mirror_fini(&m);
}

/* Without its disk nothing is written to where it was mounted, and another
 * disk there is not taken for it. */
static void target_gone(struct t_world *w)
{
	struct t_mount other = {0};
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	t_mount_detach(&m.target);
	w->daemon.quiet = true;
	t_shell("echo b > %s/b", SRC);
	t_mirror_flush_says(&m, 3, "not mounted");
	t_shell("test -z \"$(ls -A %s)\"", DST);
	t_mount_init(&other, T_ext4, DST, 0);
	t_mirror_flush_says(&m, 3, "another disk");
	t_shell("test \"$(ls -A %s)\" = lost+found", DST);
	t_mount_fini(&other);
	t_shell("mkdir -p %s", DST);
	t_mount_attach(&m.target);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

static bool is_held(struct t_daemon *d)
{
	json_t *status = t_daemon_status(d);
	json_t *policy = json_array_get(json_object_get(status, "policies"), 0);
	const char *state = json_string_value(json_object_get(policy, "state"));
	bool is = state != NULL && strcmp(state, "held") == 0;

	json_decref(status);
	return is;
}

/* The target goes in the middle of a first copy: what the plans had no room for
 * yet is not forgotten. */
static void gone_meanwhile(struct t_world *w)
{
	struct t_mirror m = {.w = w};
	pid_t pid;

	t_mount_init(&m.target, T_ext4, DST, 0);
	t_shell("rm -r %s/lost+found; mkdir %s; cd %s; for d in $(seq 40); do"
		" mkdir d$d; (cd d$d; seq 1000 | xargs touch); done",
		DST, SRC, SRC);
	t_daemon_root(&w->daemon, "r", SRC, w->backend);
	t_daemon_configure(&w->daemon, /* no RequireMount= */
			   "[Target t]\nTransport=local\nPath=%s\n"
			   "[Policy m]\nPlugin=mirror\nRoot=r\nTarget=t\n",
			   DST);
	t_daemon_begin(&w->daemon);
	w->daemon.quiet = true;
	while (!exists(DST "/d1")) /* by the first plan */
		poll(NULL, 0, 1);
	pid = (pid_t)t_mirror_number(&m, "pid");
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_false(exists(DST "/d9"));
	assert_int_equal(umount2(DST, MNT_DETACH), 0);
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (int i = 0; i < 40; i++) { /* while it looks, again and again */
		while (!is_held(&w->daemon))
			poll(NULL, 0, 10);
		poll(NULL, 0, 100);
	}
	t_mount_attach(&m.target);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A source that is not mounted is not a deletion. */
static void source_gone(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	assert_int_equal(mount("tmpfs", SRC, "tmpfs", 0, NULL), 0);
	t_mirror_flush_says(&m, 3, "not the directory");
	assert_true(exists(DST "/d/a"));
	assert_int_equal(umount(SRC), 0);
	t_shell("echo b > %s/d/b", SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A worker that is killed in the middle of a copy leaves nothing half done
 * that the next one does not finish. */
static void killed(struct t_world *w)
{
	struct t_mirror m;
	pid_t pid;

	t_mirror_init(&m, w, target_of(w), "mkdir d", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	for (int i = 0; i < 3; i++) {
		t_shell("mkdir %s/k%d; cd %s/k%d; for i in $(seq 1500); do "
			"echo $i > f$i; done; mv %s/k%d %s/d/",
			SRC, i, SRC, i, SRC, i, SRC);
		pid = (pid_t)t_mirror_number(&m, "pid");
		assert_true(pid > 0);
		assert_int_equal(kill(pid, SIGKILL), 0);
		t_mirror_check(&m);
	}
	assert_true(t_mirror_number(&m, "restarts") >= 3);
	t_mirror_fini(&m);
}

/* A copy that somebody made with rsync is adopted: no byte is copied. */
static void adopts(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; cd d; seq 500 | xargs touch",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 0, NULL, "policy", "remove", "m", NULL);
	t_shell("rm -r %s/.journalctl-backup; rsync -a %s/ %s/", DST, SRC, DST);
	t_daemon_start(&w->daemon);
	t_mirror_flush_says(&m, 3, "not empty");
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 0, NULL, "target", "init", "t", NULL);
	t_daemon_start(&w->daemon);
	t_mirror_flush(&m, 1);
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 2, "target init NAME", "target", "init",
			 "--content", NULL);
	t_shell("%s --config %s target init t --adopt", t_daemon_program(),
		w->daemon.config);
	t_daemon_start(&w->daemon);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	t_mirror_fini(&m);
}

/* `verify` finds what was changed behind our back, on either side, also what
 * neither size nor time shows. */
static void verifies(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; cd d; seq 9 | xargs touch; "
		      "echo content > c",
		      "");
	t_mirror_check(&m);
	t_mirror_command(&m, 0, " 0 differ", "verify", "--content", NULL);
	t_shell("cd %s/d; touch -r c ../t; printf C | dd of=c conv=notrunc "
		"status=none; touch -r ../t c; rm ../t 1",
		DST);
	t_mirror_command(&m, 1, "d/1: is not there", "verify", NULL);
	t_mirror_command(&m, 1, " 1 differ", "verify", NULL);
	t_mirror_command(&m, 1, "d/c: rot", "verify", "--content", NULL);
	t_daemon_stop(&w->daemon);
	t_shell("rm %s/d/2", SRC);
	t_mirror_command(&m, 1, "root r: d/2: is not there", "verify", NULL);
	t_daemon_start(&w->daemon);
	t_mirror_fini(&m);
}

static void await_copy(const char *name)
{
	t_shell("for i in $(seq 200); do test -e %s/%s && exit; "
		"timeout 0.1 tail -f /dev/null; done; exit 1",
		DST, name);
}

/* A file that is written on and on is copied when it was left alone, whole;
 * a change of its mode does not wait. */
static void settles(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "Settle=3s");
	await_copy("a"); /* a first copy waits, too */
	t_mirror_check(&m);
	t_shell("echo b > %s/b; chmod 600 %s/a", SRC, SRC);
	t_mirror_flush_says(&m, 1, "until it is quiet");
	assert_false(exists(DST "/b"));
	t_shell("test $(stat -c %%a %s/a) = 600", DST);
	await_copy("b");
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* A plugin that is not there, or no plugin, has its message; the journal goes
 * on. */
static void bad_plugin(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_daemon_stop(&w->daemon);
	t_shell("mkdir %s/plugins; sed -i 's|^\\[Journal\\]|&\\n"
		"PluginDirectory=%s/plugins|' %s",
		w->daemon.dir, w->daemon.dir, w->daemon.config);
	t_daemon_start(&w->daemon);
	t_mirror_flush_says(&m, 1, "install it");
	t_shell("echo nonsense > %s/plugins/mirror.so", w->daemon.dir);
	t_mirror_flush_says(&m, 1, "mirror.so");
	t_daemon_flush(&w->daemon);
	t_mirror_fini(&m);
}

/* A damaged database is set aside, and its policy held until a person says to
 * take over what is there. */
static void damaged(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; cd d; seq 100 | xargs touch",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	/* Both name every file: nobody else is to read them. */
	t_shell("test -z \"$(find %s -name '*.db*' -perm /077)\"",
		w->daemon.state);
	t_daemon_stop(&w->daemon);
	t_shell("echo nonsense > %s/policy-m.db", w->daemon.state);
	t_daemon_start(&w->daemon);
	t_mirror_flush(&m, 3);
	t_mirror_flush_says(&m, 3, "does not know it");
	t_shell("ls %s/policy-m.db.damaged-*", w->daemon.state);
	t_shell("%s --config %s target init t --adopt", t_daemon_program(),
		w->daemon.config);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 0);
	t_mirror_fini(&m);
}

/* `query --unsynced` lists what is not at the target, whatever the reason. */
static void lists_unsynced(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir gone kept; (cd gone; seq 200 | xargs touch); "
		      "touch kept/a",
		      "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	expect_unsynced(&w->daemon, "");
	t_shell("echo theirs > %s/kept/name", DST);
	t_daemon_shell(&w->daemon, "echo ours > %s/kept/name; rm -r %s/gone",
		       SRC, SRC);
	t_mirror_flush(&m, 3);
	assert_true(t_mirror_number(&m, "next_us") > 0);
	t_mirror_pause(&m);
	assert_int_equal(t_mirror_number(&m, "next_us"), 0);
	for (int i = 0; i < 3; i++) {
		t_shell("echo new >> %s/new", SRC);
		t_daemon_flush(&w->daemon);
	}
	t_shell("test 1 = $(%s --config %s query --policy m --unsynced | "
		"grep -c '^new: ')",
		t_daemon_program(), w->daemon.config);
	expect_unsynced(&w->daemon,
			"kept/name: the name is taken by an entry that is not "
			"ours: move that away\n");
	expect_unsynced(&w->daemon, "gone/200: held, waits for release\n");
	expect_unsynced(&w->daemon, "new: not carried out yet\n");
	t_mirror_command(&m, 2, "go together", "query", "--unsynced", NULL);
	t_shell("rm %s/kept/name", DST);
	t_mirror_command(&m, 0, NULL, "release", "m", NULL);
	t_mirror_resume(&m);
	t_mirror_full_pass(&m); /* at once */
	t_mirror_check(&m);
	expect_unsynced(&w->daemon, "");
	t_mirror_fini(&m);
}

/* While a first copy runs, `status` says how far it is. */
static void shows_progress(struct t_world *w)
{
	struct t_mirror m;
	json_t *status, *progress;
	double done = -1, now;

	t_mirror_init(&m, w, T_ext4,
		      "for d in $(seq 60); do mkdir d$d; (cd d$d; seq 200 | "
		      "xargs touch); done",
		      "");
	do {
		status = t_daemon_status(&w->daemon);
		progress = json_object_get(
			json_array_get(json_object_get(status, "policies"), 0),
			"progress");
		now = json_number_value(json_object_get(progress, "done"));
		if (progress != NULL && now > 0) {
			assert_true(now >= done);
			done = now;
			/* the root, too */
			assert_int_equal(json_integer_value(json_object_get(
						 progress, "total")),
					 60 * 201 + 1);
		}
		json_decref(status);
	} while (t_mirror_number(&m, "entries") < 60 * 201);
	assert_true(done > 0);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* The inotify cases have an xfs target: the way from ext4 to xfs. */
static const struct t_case cases[] = {
	T_CASE(follows, ext4, fanotify),
	T_CASE(follows, ext4, inotify),
	T_CASE(follows, xfs, inotify),
	T_CASE(stands_back, ext4, fanotify),
	T_CASE(hangs, ext4, fanotify),
	T_CASE(strangers, ext4, fanotify),
	T_CASE(long_answer, ext4, fanotify),
	T_CASE(target_gone, ext4, fanotify),
	T_CASE(gone_meanwhile, ext4, fanotify),
	T_CASE(source_gone, ext4, fanotify),
	T_CASE(killed, ext4, fanotify),
	T_CASE(killed, ext4, inotify),
	T_CASE(adopts, ext4, fanotify),
	T_CASE(verifies, ext4, fanotify),
	T_CASE(settles, ext4, fanotify),
	T_CASE(bad_plugin, ext4, fanotify),
	T_CASE(damaged, ext4, fanotify),
	T_CASE(lists_unsynced, ext4, fanotify),
	T_CASE(shows_progress, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
