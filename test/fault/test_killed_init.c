/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `target init`, killed before each of its calls: the policy knows its target,
 * whichever marker is there by then, and goes on by itself. JB_FAULT_FROM=N
 * begins at the N-th. */
#include "lib/t_mirror.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FIRED T_SPACE "/fired"

static const char *config_of(struct t_world *w)
{
	static char path[160];

	snprintf(path, sizeof path, "%s/run.conf", w->daemon.dir);
	return path;
}

/* The daemon knows of no policy, the commands of no daemon. */
static void begin(struct t_mirror *m, struct t_world *w)
{
	*m = (struct t_mirror){.w = w};
	t_mount_init(&m->target, T_ext4, T_MIRROR, 64);
	t_shell("rm -rf " T_MIRROR "/lost+found; mkdir -p " T_MIRROR_ROOT
		"/d; echo a > " T_MIRROR_ROOT "/d/a");
	t_daemon_root(&w->daemon, "r", T_MIRROR_ROOT, w->backend);
	t_shell("cd %s; sed 's|^RuntimeDirectory=.*|&2|' jb.conf > run.conf;"
		" printf '[Target t]\\nTransport=local\\nPath=" T_MIRROR "\\n"
		"RequireMount=yes\\n[Policy m]\\nPlugin=mirror\\nRoot=r\\n"
		"Target=t\\n' >> run.conf",
		w->daemon.dir);
	t_daemon_begin(&w->daemon);
}

/* False: it has come to its end before the @n-th call. */
static bool init_killed(struct t_world *w, long n, const char *adopt)
{
	const char *argv[] = {T_FAULTY, "--config", config_of(w), "target",
			      "init",	"t",	    adopt,	  NULL};
	struct t_output o;
	char fault[32];

	snprintf(fault, sizeof fault, "kill:%ld", n);
	unlink(FIRED);
	setenv("JB_FAULT", fault, 1);
	setenv("JB_FAULT_FIRED", FIRED, 1);
	t_process_run(&o, argv);
	unsetenv("JB_FAULT");
	if (o.status != (access(FIRED, F_OK) == 0 ? 128 + SIGKILL : 0))
		fail_msg("%s: exit %d: %s", fault, o.status, o.err);
	t_output_fini(&o);
	return access(FIRED, F_OK) == 0;
}

static void run_to_the_end(struct t_mirror *m, long n)
{
	const char *argv[] = {t_daemon_program(),
			      "--config",
			      config_of(m->w),
			      "run",
			      "m",
			      NULL};
	struct t_output o;

	t_process_run(&o, argv);
	if (o.status != 0)
		fail_msg("killed before call %ld: run: exit %d: %s", n,
			 o.status, o.err);
	t_output_fini(&o);
	t_mirror_compare(m);
}

static long first_point(void)
{
	const char *text = getenv("JB_FAULT_FROM");

	return text != NULL ? atol(text) : 1;
}

/* A policy that has no target yet. */
static void first_time(struct t_world *w)
{
	struct t_mirror m;
	bool fired;
	long n = first_point();

	begin(&m, w);
	do {
		t_shell("rm -rf " T_MIRROR "/* " T_MIRROR "/.j* %s/policy-m*",
			w->daemon.state);
		fired = init_killed(w, n, NULL);
		run_to_the_end(&m, n);
		n++;
	} while (fired);
	assert_true(n > 20);
	t_mirror_fini(&m);
}

/* One that has a target, and gets a new marker for it. */
static void again(struct t_world *w)
{
	struct t_mirror m;
	bool fired;
	long n = first_point();

	begin(&m, w);
	run_to_the_end(&m, 0);
	do {
		fired = init_killed(w, n, "--adopt");
		run_to_the_end(&m, n);
		n++;
	} while (fired);
	assert_true(n > 20);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(first_time, ext4, fanotify),
	T_CASE(again, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("killed_init", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
