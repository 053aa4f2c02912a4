/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every call that can fail, failing: one after another until none is left.
 * Whatever it was, nothing crashes, and the next start without a fault leads to
 * the truth: catalog = tree, target = tree, rows that can be played.
 *
 * All points take a while (JB_TEST_LONG); else they thin out towards the end,
 * and the seed moves them from run to run. JB_FAULT_FROM=N begins at the N-th.
 */
#include "lib/t_mirror.h"
#include "lib/t_random.h"
#include "lib/t_round.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FIRED	 T_SPACE "/fired"
#define END_MS	 60000
#define FLUSH_MS 3000
#define SETTLE_S 30 /* for what is pending: it is tried again after a while */
#define DENSITY	 6  /* the next point: one more, and a sixth of all before */

/* Each turn makes what the next two rename, change and remove. */
#define CHURN                                                                  \
	"cd " T_MIRROR_ROOT "; mkdir -p n%d/s; echo %d > n%d/s/a;"             \
	" head -c 5000 /dev/zero > n%d/b; ln n%d/b n%d/c; ln -s x n%d/l;"      \
	" setfattr -n user.k -v %d n%d/b; mkfifo n%d/p;"                       \
	" if test -e n%d; then mv n%d m%d; echo more >> m%d/s/a;"              \
	" mv m%d/b m%d/b2; chmod 600 m%d/s/a; rm m%d/p; fi; rm -rf m%d"

struct sweep {
	struct t_world *w;
	struct t_random random;
	const char *kind; /* "alloc" */
	bool lasting;
	long n;	  /* the call that fails */
	int turn; /* of the churn */
	unsigned points;
	char fault[64], said[640];
};

static void churn(struct sweep *s)
{
	int i = ++s->turn, j = i - 1, k = i - 2;

	t_shell(CHURN, i, i, i, i, i, i, i, i, i, i, j, j, j, j, j, j, j, j, k);
}

static void begin(struct sweep *s, struct t_world *w, const char *kind,
		  bool lasting)
{
	s->w = w;
	s->random.state = w->seed;
	s->kind = kind;
	s->lasting = lasting;
	s->n = getenv("JB_FAULT_FROM") != NULL ? atol(getenv("JB_FAULT_FROM"))
					       : 1;
	w->daemon.quiet = true;
}

static void arm(struct sweep *s)
{
	snprintf(s->fault, sizeof s->fault, "%s:%ld%s", s->kind, s->n,
		 s->lasting ? "+" : "");
	unlink(FIRED);
	setenv("JB_FAULT", s->fault, 1);
	setenv("JB_FAULT_FIRED", FIRED, 1);
	s->points++;
	print_message("%s\n", s->fault);
}

/* False: it has not come to the call any more. */
static bool disarm(struct sweep *s)
{
	unsetenv("JB_FAULT");
	if (access(FIRED, F_OK) != 0)
		return false;
	s->n++;
	if (!t_case_long() && s->n > DENSITY)
		s->n += t_random_below(&s->random,
				       2 * (unsigned)s->n / DENSITY + 1);
	return true;
}

static void check_exit(struct sweep *s, int code)
{
	if (code < 0)
		fail_msg("%s: does not end", s->fault);
	/* Ours, when it was ending by itself already. */
	if (code >= 128 && code != 128 + SIGTERM)
		fail_msg("%s: died of signal %d", s->fault, code - 128);
}

/* ---- store, catalog, recorder, scan: the daemon */

/* Wait until it answers or is gone. */
static bool answers(struct sweep *s)
{
	struct t_daemon *d = &s->w->daemon;
	json_t *reply;
	int ms, code;

	for (ms = 0; ms < END_MS; ms += 5) {
		reply = t_daemon_ask(d, "{\"command\":\"ping\"}");
		if (reply != NULL) {
			json_decref(reply);
			return true;
		}
		code = t_process_wait(d->pid, 5);
		if (code >= 0) {
			check_exit(s, code);
			d->pid = 0;
			return false;
		}
	}
	fail_msg("%s: neither answers nor ends", s->fault);
	return false;
}

/* A root that can't be opened at the start is waited for. */
static bool is_root_missing(struct t_daemon *d)
{
	json_t *status = t_daemon_ask(d, "{\"command\":\"status\"}");
	json_t *root = json_array_get(json_object_get(status, "roots"), 0);
	const char *state = json_string_value(json_object_get(root, "state"));
	bool missing = state == NULL || strcmp(state, "missing") == 0 ||
		       strcmp(state, "leaving") == 0;

	json_decref(status);
	return missing;
}

/* A flush that says 'all is in the journal' is held to it, fault or not; it
 * speaks of the roots that are there. */
static void flush_and_compare(struct sweep *s, struct t_judge *j)
{
	char request[64];
	json_t *reply;
	bool ok;

	snprintf(request, sizeof request,
		 "{\"command\":\"flush\",\"timeout_ms\":%d}", FLUSH_MS);
	reply = t_daemon_ask(&s->w->daemon, request);
	ok = json_is_true(json_object_get(reply, "ok"));
	json_decref(reply);
	if (!ok || is_root_missing(&s->w->daemon))
		return;
	t_judge_reopen(j);
	t_judge_tree(j, T_MIRROR_ROOT, "r");
	t_judge_let_go(j);
}

static void suffer_daemon(struct sweep *s, struct t_judge *j)
{
	const char *argv[] = {T_FAULTY, "--config", s->w->daemon.config,
			      "daemon", NULL};
	struct t_daemon *d = &s->w->daemon;
	bool there;

	d->pid = t_process_start(argv, d->log);
	there = answers(s);
	churn(s);
	if (!there)
		return;
	flush_and_compare(s, j);
	kill(d->pid, SIGTERM);
	check_exit(s, t_process_wait(d->pid, END_MS));
	d->pid = 0;
}

static void sweep_daemon(struct t_world *w, const char *kind, bool lasting)
{
	struct t_round r;
	struct sweep s = {0};
	bool fired;

	begin(&s, w, kind, lasting);
	t_shell("mkdir " T_MIRROR_ROOT);
	t_daemon_configure(&w->daemon, "FlushInterval=1ms\n");
	churn(&s);
	churn(&s);
	t_round_open(&r, w, T_MIRROR_ROOT);
	do {
		t_daemon_stop(&w->daemon);
		t_judge_let_go(&r.judge);
		arm(&s);
		suffer_daemon(&s, &r.judge);
		fired = disarm(&s);
		t_daemon_start(&w->daemon);
		t_judge_reopen(&r.judge);
		t_round_check(&r, NULL);
	} while (fired);
	print_message("%s%s: %u of %ld points\n", kind, lasting ? "+" : "",
		      s.points, s.n);
	t_round_fini(&r);
	t_daemon_stop(&w->daemon);
}

/* ---- planner, replica, intents, cursor, transport: a run of the policy */

static int run_policy(struct sweep *s, const char *program)
{
	char config[160];
	const char *argv[] = {program, "--config", config, "run", "m", NULL};
	struct t_output o;
	int code;

	snprintf(config, sizeof config, "%s/run.conf", s->w->daemon.dir);
	t_process_run(&o, argv);
	code = o.status;
	check_exit(s, code);
	snprintf(s->said, sizeof s->said, "%.300s%.300s", o.out, o.err);
	t_output_fini(&o);
	return code;
}

/* What failed is pending, and tried again after a second or two. */
static void settle(struct sweep *s)
{
	time_t end = time(NULL) + SETTLE_S;
	int code;

	while ((code = run_policy(s, t_daemon_program())) != 0) {
		if (code != 1 || time(NULL) > end)
			fail_msg("%s: run without a fault: exit %d: %s",
				 s->fault, code, s->said);
		poll(NULL, 0, 50);
	}
}

/* The daemon knows of no policy, `run` of no daemon. */
static void configure_run(struct sweep *s)
{
	t_shell("cd %s; sed 's|^RuntimeDirectory=.*|&2|' jb.conf > run.conf;"
		" printf '[Target t]\\nTransport=local\\nPath=" T_MIRROR "\\n"
		"RequireMount=yes\\n[Policy m]\\nPlugin=mirror\\nRoot=r\\n"
		"Target=t\\nMaxDelete=off\\nKeepDeleted=1h\\n' >> run.conf",
		s->w->daemon.dir);
}

static void sweep_run(struct t_world *w, const char *kind, bool lasting)
{
	struct t_mirror m = {.w = w};
	struct sweep s = {0};
	bool fired;

	begin(&s, w, kind, lasting);
	t_mount_init(&m.target, T_ext4, T_MIRROR, 64);
	t_shell("rm -rf " T_MIRROR "/lost+found; mkdir " T_MIRROR_ROOT);
	t_daemon_root(&w->daemon, "r", T_MIRROR_ROOT, w->backend);
	configure_run(&s);
	churn(&s);
	churn(&s);
	t_daemon_begin(&w->daemon);
	settle(&s);
	do {
		churn(&s);
		t_daemon_flush(&w->daemon);
		arm(&s);
		run_policy(&s, T_FAULTY);
		fired = disarm(&s);
		settle(&s);
		t_mirror_compare(&m);
	} while (fired);
	print_message("%s%s: %u of %ld points\n", kind, lasting ? "+" : "",
		      s.points, s.n);
	t_mirror_fini(&m);
}

#define SWEEP(what, kind)                                                      \
	static void what##_##kind(struct t_world *w)                           \
	{                                                                      \
		sweep_##what(w, #kind, false);                                 \
	}                                                                      \
	static void what##_##kind##_lasting(struct t_world *w)                 \
	{                                                                      \
		sweep_##what(w, #kind, true);                                  \
	}

SWEEP(daemon, alloc)
SWEEP(daemon, sqlite)
SWEEP(daemon, call)
SWEEP(run, alloc)
SWEEP(run, sqlite)
SWEEP(run, call)

static const struct t_case cases[] = {
	T_CASE(run_alloc, ext4, fanotify),
	T_CASE(run_alloc_lasting, ext4, fanotify),
	T_CASE(run_sqlite, ext4, fanotify),
	T_CASE(run_sqlite_lasting, ext4, fanotify),
	T_CASE(run_call, ext4, fanotify),
	T_CASE(run_call_lasting, ext4, fanotify),
	T_CASE(daemon_alloc, ext4, fanotify),
	T_CASE(daemon_alloc_lasting, ext4, fanotify),
	T_CASE(daemon_sqlite, ext4, fanotify),
	T_CASE(daemon_sqlite_lasting, ext4, fanotify),
	T_CASE(daemon_call, ext4, fanotify),
	T_CASE(daemon_call_lasting, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("sweep", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
