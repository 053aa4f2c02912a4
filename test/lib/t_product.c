/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_product.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define OUTSIDE	 T_SPACE "/fs/outside"
#define EIO_DIR	 T_SPACE "/eio"
#define END_MS	 30000 /* for a killed process to be gone */
#define SETTLE_S 120   /* from the last fault to a target that is equal */
#define FAKETIME "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
#define PLANTED                                                                \
	"mkdir -p foreign/x kept; echo theirs > foreign/x/y;"                  \
	" ln -s nowhere foreign-link; setfattr -n user.their -v 1 foreign;"    \
	" echo theirs > kept/foreign; chmod 751 kept/foreign;"                 \
	" touch -r " T_MIRROR_ROOT "/kept kept;"                               \
	" touch -r " T_MIRROR_ROOT " .; sync -f ."

/* ---- what others have at the target */

static char *look_at_foreign(void)
{
	const char *argv[] = {
		"sh", "-c",
		"cd " T_MIRROR " && find foreign* kept/foreign -not -name"
		" foreign-filler -printf '%p %i %s %T@ %m %U %l\\n' | sort &&"
		" cat foreign/x/y kept/foreign && getfattr -d foreign",
		NULL};
	struct t_output o;

	t_process_run(&o, argv);
	if (o.status != 0)
		fail_msg("what others have is gone: %s%s", o.out, o.err);
	free(o.err);
	return o.out;
}

static void check_foreign(struct t_product *p)
{
	char *now = look_at_foreign();

	if (strcmp(now, p->foreign) != 0)
		fail_msg("touched what others have:\n%s instead of\n%s", now,
			 p->foreign);
	free(now);
}

/* ---- processes */

void t_product_kill_worker(struct t_product *p)
{
	pid_t pid = t_daemon_child(&p->w->daemon);

	if (pid > 0)
		kill(pid, SIGKILL);
}

void t_product_kill_all(struct t_product *p)
{
	pid_t worker = t_daemon_child(&p->w->daemon);

	if (worker > 0)
		kill(worker, SIGKILL);
	t_daemon_kill(&p->w->daemon);
	/* Orphans come to us (see open): nothing of it runs on. */
	if (worker > 0)
		t_process_wait(worker, END_MS);
}

/* ---- the world */

static void mount_target(struct t_product *p)
{
	struct t_mount *disk = &p->disk;

	if (!p->v->eio) {
		t_mount_init(disk, p->v->target, T_MIRROR, 0);
		return;
	}
	if (!t_eio_init(&p->eio, EIO_DIR, T_MIRROR))
		skip();
	disk->loop = -1;
	disk->fs = p->v->target;
	snprintf(disk->path, sizeof disk->path, "%s", T_MIRROR);
}

void t_product_attach_target(struct t_product *p)
{
	if (p->v->eio)
		t_eio_remount(&p->eio);
	else
		t_mount_attach(&p->disk);
}

/* From here on the program's clock is ours to shift. */
static void take_clock(struct t_product *p)
{
	FILE *f;

	if (access(FAKETIME, R_OK) != 0)
		skip();
	snprintf(p->clock, sizeof p->clock, "%s/clock", p->w->daemon.dir);
	f = fopen(p->clock, "w");
	assert_non_null(f);
	fprintf(f, "+0\n");
	fclose(f);
	setenv("FAKETIME_TIMESTAMP_FILE", p->clock, 1);
	setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
	setenv("FAKETIME_NO_CACHE", "1", 1);
	setenv("NO_FAKE_STAT", "1", 1);
	p->w->daemon.preload = FAKETIME;
}

static void note_copied(struct t_product *p)
{
	p->worker = t_mirror_number(&p->m, "pid");
	p->copied_bytes = t_mirror_number(&p->m, "bytes");
}

static void begin_ops(struct t_product *p)
{
	struct t_ops_options o = {.root = T_MIRROR_ROOT,
				  .outside = p->v->links ? OUTSIDE : NULL,
				  .threads = 3,
				  .seed = p->w->seed,
				  .links = p->v->links,
				  .shallow = true,
				  .nameless = p->w->backend == T_fanotify,
				  .script = &p->script};

	t_shell("mkdir -p " OUTSIDE);
	t_ops_init(&p->ops, &o);
}

void t_product_open(struct t_product *p, struct t_world *w,
		    const struct t_variant *v, struct t_totals *totals)
{
	static const int intervals[] = {1, 10, 200};

	memset(p, 0, sizeof *p);
	p->w = w;
	p->v = v;
	p->totals = totals;
	w->daemon.quiet = true;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	t_script_open(&p->script);
	t_mount_init(&p->state, T_ext4, w->daemon.state, T_STATE_MB);
	t_shell("rm -rf %s/lost+found", w->daemon.state);
	if (v->clock)
		take_clock(p);
	if (v->served) {
		t_manager_init(&p->manager, T_SPACE "/manager");
		w->daemon.manager = &p->manager;
	}
	t_daemon_configure(&w->daemon, "FlushInterval=%dms\n%s\n",
			   intervals[w->seed % 3],
			   v->journal != NULL ? v->journal : "");
	mount_target(p);
	t_mirror_begin(&p->m, w, "mkdir kept; echo ours > kept/file",
		       v->policy != NULL ? v->policy : "MaxDelete=off");
	p->m.strangers = true;
	t_round_init(&p->round, w);
	t_mirror_flush(&p->m, 0);
	t_shell("cd " T_MIRROR "; " PLANTED);
	p->foreign = look_at_foreign();
	begin_ops(p);
	note_copied(p);
}

void t_product_close(struct t_product *p)
{
	t_ops_fini(&p->ops);
	t_round_fini(&p->round);
	t_mirror_fini(&p->m);
	if (p->v->served)
		t_manager_fini(&p->manager);
	p->w->daemon.manager = NULL;
	t_mount_fini(&p->state);
	t_mount_fini(&p->disk);
	if (p->v->eio)
		t_eio_fini(&p->eio);
	t_script_close(&p->script);
	free(p->foreign);
}

/* ---- a round */

static const struct t_fault *choose_fault(struct t_product *p)
{
	const char *wanted = getenv("JB_TEST_FAULT");
	unsigned sum = 0, at;
	size_t i;

	for (i = 0; wanted != NULL && i < t_n_faults; i++)
		if (strcmp(t_faults[i].name, wanted) == 0)
			return &t_faults[i];

	for (i = 0; i < t_n_faults; i++)
		if (t_faults[i].fits == NULL || t_faults[i].fits(p))
			sum += t_faults[i].weight;
	at = t_random_below(&p->random, sum);
	for (i = 0; i < t_n_faults; i++) {
		if (t_faults[i].fits != NULL && !t_faults[i].fits(p))
			continue;
		if (at < t_faults[i].weight)
			return &t_faults[i];
		at -= t_faults[i].weight;
	}
	return NULL; /* not reached */
}

/* One fault between operations @from and @to of the round. */
static void suffer(struct t_product *p, unsigned i, unsigned from, unsigned to)
{
	const struct t_fault *f = choose_fault(p);
	unsigned at = from + t_random_below(&p->random, (to - from) / 2);
	unsigned until = at + t_random_below(&p->random, to - at);

	if (!t_script_wants(&p->script, p->ops.rounds, T_SCRIPT_FAULT, i))
		return;
	t_ops_await(&p->ops, f->quiet ? UINT_MAX : at);
	t_script_tell(&p->script, p->ops.rounds, T_SCRIPT_FAULT, i,
		      "fault: %s, from operation %u to %u", f->name, at,
		      f->heal != NULL ? until : at);
	print_message("round %u: %s\n", p->ops.rounds, f->name);
	p->totals->faults++;
	p->totals->by_fault[f - t_faults]++;
	f->strike(p);
	if (f->heal == NULL)
		return;
	t_ops_await(&p->ops, until);
	f->heal(p);
}

void t_product_round(struct t_product *p)
{
	unsigned round = p->ops.rounds + 1, n, n_faults, i;
	uint64_t done = p->ops.done;

	p->random.state = t_script_seed(p->w->seed, round, T_SCRIPT_FAULT, 0);
	p->may_copy_again = p->may_tell_less = false;
	n = 100 + t_random_below(&p->random, 700);
	n_faults = t_random_below(&p->random, 10) < 9
			   ? 1 + t_random_below(&p->random, 2)
			   : 0;
	t_ops_start(&p->ops, n);
	for (i = 0; i < n_faults; i++)
		suffer(p, i, 3 * n * i / n_faults, 3 * n * (i + 1) / n_faults);
	t_ops_join(&p->ops);
	p->totals->rounds++;
	p->totals->operations += p->ops.done - done;
	t_product_judge(p);
}

/* ---- the verdict */

static int64_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* The target may be waiting for its next try: 'resume' is a person who says
 * that it is mended. */
static void settle(struct t_product *p)
{
	int64_t end = now_s() + SETTLE_S;
	struct t_output o;

	for (;;) {
		t_daemon_command(&p->w->daemon, &o, "flush", "--policy", "m",
				 "--timeout", "60s", NULL);
		if (o.status == 0)
			break;
		if (now_s() > end)
			fail_msg("the mirror does not settle: flush: %d: %s%s",
				 o.status, o.out, o.err);
		t_output_fini(&o);
		t_daemon_command(&p->w->daemon, &o, "resume", "m", NULL);
		t_output_fini(&o);
	}
	t_output_fini(&o);
}

/* Nothing is copied but what the journal says has changed, and that once. The
 * size of a file that was written meanwhile is what it came to. */
static void count_bytes(struct t_product *p)
{
	int64_t changed = t_judge_number(
		&p->round.judge,
		"SELECT ifnull(sum(max(c.size, ifnull(l.size, 0))), 0) FROM c"
		" LEFT JOIN (SELECT ino, birth, max(size) AS size FROM live_0"
		" GROUP BY ino, birth) l ON l.ino = c.ino AND l.birth = c.birth"
		" WHERE seq > (SELECT after FROM round)"
		" AND what & 1 AND (c.mode & 61440) = 32768");
	int64_t copied = t_mirror_number(&p->m, "bytes");

	if (t_mirror_number(&p->m, "pid") == p->worker)
		copied -= p->copied_bytes;
	p->totals->copied_bytes += copied;
	p->totals->changed_bytes += changed;
	if (copied <= changed)
		return;
	if (!p->may_copy_again)
		fail_msg("%lld bytes were copied where %lld had changed",
			 (long long)copied, (long long)changed);
	p->totals->extra_bytes += copied - changed;
}

static void show(struct t_product *p, const char *command, const char *option)
{
	struct t_output o;

	t_daemon_command(&p->w->daemon, &o, command, option, NULL);
	print_message("--- %s:\n%.900s", command, o.out);
	t_output_fini(&o);
}

/* What the program itself knows of a difference, and whether it lasts. */
static void compare_target(struct t_product *p)
{
	char *text = t_mirror_differences(&p->m);

	if (text[0] != '\0') {
		print_message("--- the target differs:\n%.900s", text);
		show(p, "status", NULL);
		show(p, "verify", NULL);
		t_mirror_compare(&p->m);
		fail_msg("the target differed when a flush had returned");
	}
	free(text);
}

void t_product_judge(struct t_product *p)
{
	struct t_accuracy *sum = &p->totals->accuracy;

	memset(&p->round.accuracy, 0, sizeof p->round.accuracy);
	if (p->v->links || p->may_tell_less)
		t_round_compare(&p->round, &p->ops);
	else
		t_round_check(&p->round, &p->ops);
	sum->names += p->round.accuracy.names;
	sum->right += p->round.accuracy.right;
	settle(p);
	compare_target(p);
	check_foreign(p);
	count_bytes(p);
	note_copied(p);
}
