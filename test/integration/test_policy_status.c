/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `status` says of policies: when they ran and will run, how long the
 * target has not had it all; and of all this what the databases tell while no
 * daemon runs. */
#include "engine/base/clock.h"
#include "lib/t_mirror.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <setjmp.h>
#include <cmocka.h>

#define SRC	T_MIRROR_ROOT
#define DST	T_MIRROR
#define HOUR_US INT64_C(3600000000)

static int64_t now_us(void)
{
	return jb_clock_us(CLOCK_REALTIME);
}

/* A time that the status says lies between @since and now. */
static int64_t check_time(struct t_mirror *m, const char *key, int64_t since)
{
	int64_t time = t_mirror_number(m, key);

	assert_in_range(time, since, now_us());
	return time;
}

/* A target that has it all has it now, and nothing is to come; a file that
 * waits to be quiet says when, and since when something is missing. */
static void says_when(struct t_world *w)
{
	struct t_mirror m;
	int64_t begin = now_us(), synced, next;

	t_mirror_init(&m, w, T_ext4, "mkdir a", "Settle=1h");
	t_mirror_check(&m);
	check_time(&m, "last_us", begin);
	begin = now_us();
	check_time(&m, "synced_us", begin);

	begin = now_us();
	t_shell("echo b > %s/b", SRC);
	t_mirror_flush_says(&m, 1, "until it is quiet");
	synced = check_time(&m, "synced_us", begin);
	check_time(&m, "last_us", begin);
	next = t_mirror_number(&m, "next_us");
	assert_in_range(next, begin + HOUR_US / 2, now_us() + HOUR_US);
	t_shell("chmod 700 %s/a", SRC);
	t_mirror_flush(&m, 1);
	assert_int_equal(t_mirror_number(&m, "synced_us"), synced);
	t_mirror_command(&m, 0, "LAST RUN            NEXT RUN", "status", NULL);
	t_mirror_command(&m, 0, "m: its target had it all at ", "status", NULL);
	t_shell("rm %s/b", SRC);
	t_mirror_check(&m);
	assert_true(t_mirror_number(&m, "synced_us") > synced);
	t_mirror_fini(&m);
}

static void sum(struct t_world *w, const char *what)
{
	t_shell("cd %s; ls > " T_SPACE "/sum.%s; sqlite3 policy-m.db .dump |"
		" md5sum >> " T_SPACE "/sum.%s",
		w->daemon.state, what, what);
}

/* Without a daemon: cursor, lag, what is pending and held, and the command that
 * approves it; what a run would do; a policy that never ran; a database of
 * another version. Nothing is created, and nothing written: not even what an
 * adoption that somebody else carries out has for itself. */
static void without_daemon(struct t_world *w)
{
	struct t_mirror m;
	char seq[48];

	t_mirror_init(&m, w, T_ext4, "mkdir e; mkfifo e/$(seq -s ' e/' 50)",
		      "MaxDelete=4\nSettle=1h");
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon, "cd %s; rm e/[1-8]; echo x > x", SRC);
	t_mirror_flush_says(&m, 3, "8 deletions are held");
	snprintf(seq, sizeof seq, "release m --seq %ld' approves them",
		 (long)t_mirror_number(&m, "held_seq"));
	t_daemon_stop(&w->daemon);
	t_daemon_configure(&w->daemon,
			   "[Target o]\nTransport=local\nPath=" T_SPACE
			   "/other\n[Policy n]\nPlugin=mirror\nRoot=r\n"
			   "Target=o\n");
	t_shell("sqlite3 %s/policy-m.db 'CREATE INDEX node_target ON "
		"node(tino)'",
		w->daemon.state);
	sum(w, "before");
	t_mirror_command(&m, 75, "the daemon is not running", "status", NULL);
	t_mirror_command(&m, 75, "m: 8 deletions are held (MaxDelete=)",
			 "status", NULL);
	t_mirror_command(&m, 75, seq, "status", NULL);
	t_mirror_command(&m, 75, "  not running  ", "status", NULL);
	t_mirror_command(&m, 75, "  never ran ", "status", NULL);
	t_mirror_command(&m, 75, "\"held_count\": 8", "status", "--json", NULL);
	t_mirror_command(&m, 75, "\"pending\": 1,", "status", "--json", NULL);
	t_mirror_command(&m, 75, "\"running\": false", "status", "--json",
			 NULL);
	t_mirror_command(&m, 0, "x: waits until", "query", "--policy=m",
			 "--unsynced", NULL);
	t_mirror_command(&m, 0, "8 deletions are held: 'status' shows", "run",
			 "m", "--dry-run", NULL);
	sum(w, "after");
	t_shell("cmp " T_SPACE "/sum.before " T_SPACE "/sum.after");
	t_shell("sqlite3 %s/policy-m.db 'PRAGMA user_version = 99'",
		w->daemon.state);
	t_mirror_command(&m, 75, "not known", "status", NULL);
	t_mirror_command(&m, 75, "policy-m.db: ", "status", NULL);
	t_mirror_command(&m, 1, "policy-m.db: ", "query", "--policy=m",
			 "--unsynced", NULL);
	t_mirror_fini(&m);
}

/* How much there is behind the cursor, as a stopped daemon has left it. */
static int64_t still_lag(struct t_mirror *m)
{
	struct t_output o;
	json_t *status, *policy;
	int64_t lag;

	t_daemon_command(&m->w->daemon, &o, "status", "--json", NULL);
	assert_int_equal(o.status, 75);
	status = json_loads(o.out, 0, NULL);
	policy = json_array_get(json_object_get(status, "policies"), 0);
	assert_non_null(policy);
	lag = json_integer_value(json_object_get(policy, "last_seq")) -
	      json_integer_value(json_object_get(policy, "cursor"));
	json_decref(status);
	t_output_fini(&o);
	return lag;
}

/* Changes of other roots are nothing that a policy is behind. */
static void behind_others(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir a", "");
	t_daemon_stop(d);
	t_shell("mkdir " T_SPACE "/fs/o");
	t_daemon_root(d, "o", T_SPACE "/fs/o", w->backend);
	t_daemon_begin(d);
	t_mirror_check(&m);
	t_shell("touch " T_SPACE "/fs/o/$(seq -s ' " T_SPACE "/fs/o/' 50)");
	t_daemon_flush(d);
	t_daemon_stop(d);
	assert_int_equal(still_lag(&m), 0);

	t_daemon_begin(d);
	t_mirror_pause(&m);
	t_mirror_command(&m, 0, "m: 'journalctl-backup resume m' lets it go on",
			 "status", NULL);
	assert_int_equal(t_mirror_number(&m, "next_us"), 0);
	t_shell("touch " T_SPACE "/fs/o/b && touch %s/b", SRC);
	t_daemon_flush(d);
	t_daemon_stop(d);
	assert_in_range(still_lag(&m), 1, 2);
	t_mirror_fini(&m);
}

/* What stands in the file, and the daemon has not read yet. */
static void not_reloaded(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir a", "");
	t_daemon_configure(d, "[Policy n]\nPlugin=mirror\nTarget=t\nRoot=o\n"
			      "Under=n\n[Root o]\nPath=" T_SPACE "/o\n"
			      "[Policy m]\nUnder=m\n");
	t_daemon_refuse(d, 1, "watches no root 'o': 'reload'", "scan", "o",
			NULL);
	t_daemon_refuse(d, 1, "watches no root 'o': 'reload'", "release-root",
			"o", NULL);
	t_daemon_refuse(d, 1, "serves no policy 'n': 'reload'", "flush",
			"--policy", "n", NULL);
	t_daemon_refuse(d, 1, "serves no policy 'n': 'reload'", "pause", "n",
			NULL);
	t_daemon_refuse(d, 1, "serves no policy 'n': 'reload'", "release", "n",
			NULL);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(says_when, ext4, fanotify),
	T_CASE(without_daemon, ext4, fanotify),
	T_CASE(behind_others, ext4, fanotify),
	T_CASE(not_reloaded, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("policy_status", cases,
			  sizeof cases / sizeof cases[0], argc, argv);
}
