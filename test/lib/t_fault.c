/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_fault.h"

#include "lib/t_product.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define MOST_TRIES 2000 /* of what somebody keeps busy, 5 ms each */

/* ---- processes */

static void kill_daemon(struct t_product *p)
{
	t_daemon_kill(&p->w->daemon);
}

static void start_daemon(struct t_product *p)
{
	t_daemon_start(&p->w->daemon);
}

static void stop_daemon(struct t_product *p)
{
	t_daemon_stop(&p->w->daemon);
}

static void freeze_daemon(struct t_product *p)
{
	t_daemon_freeze(&p->w->daemon);
}

static void thaw_daemon(struct t_product *p)
{
	t_daemon_thaw(&p->w->daemon);
}

static void freeze_worker(struct t_product *p)
{
	p->frozen = t_daemon_child(&p->w->daemon);
	if (p->frozen > 0)
		kill(p->frozen, SIGSTOP);
}

static void thaw_worker(struct t_product *p)
{
	if (p->frozen > 0)
		kill(p->frozen, SIGCONT);
	p->frozen = 0;
}

static void scan(struct t_product *p)
{
	json_t *reply = t_daemon_ask(&p->w->daemon, "{\"command\":\"scan\"}");

	assert_non_null(reply);
	json_decref(reply);
}

static void reload(struct t_product *p)
{
	t_daemon_reload(&p->w->daemon);
}

/* A full pass of the policy. */
static void reset(struct t_product *p)
{
	struct t_output o;

	t_daemon_command(&p->w->daemon, &o, "reset", "m", NULL);
	t_output_fini(&o);
}

/* ---- full disks */

static void fill_disk(const char *path)
{
	off_t at = 0, size = 1 << 28;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return; /* so full that there is no room for a name */
	while (size >= 4096) {
		if (fallocate(fd, 0, at, size) == 0)
			at += size;
		else
			size /= 2;
	}
	close(fd);
}

static void name_filler(struct t_product *p, char *to, size_t room)
{
	snprintf(to, room, "%s/filler", p->state.path);
}

static void fill_state(struct t_product *p)
{
	char path[160];

	/* What the policy can't write down is copied again. */
	p->may_copy_again = true;
	name_filler(p, path, sizeof path);
	fill_disk(path);
}

static void empty_state(struct t_product *p)
{
	char path[160];

	name_filler(p, path, sizeof path);
	unlink(path);
}

static void fill_target(struct t_product *p)
{
	p->may_copy_again = true;
	fill_disk(T_MIRROR "/foreign-filler");
}

static void empty_target(struct t_product *p)
{
	(void)p;
	unlink(T_MIRROR "/foreign-filler");
}

static bool target_fills_cleanly(const struct t_product *p)
{
	return p->v->target != T_btrfs; /* keeps no room for its own needs */
}

/* ---- disks that go and come */

/* Who has what open below @path. */
static void show_users(const char *path)
{
	const char *argv[] = {
		"sh", "-c",
		"for p in /proc/[0-9]*; do ls -l $p/fd $p/cwd 2>/dev/null |"
		" grep -F -- \"-> $0\" | sed \"s|^|$(cat $p/comm) $p: |\"; "
		"done",
		path, NULL};
	struct t_output o;

	t_process_run(&o, argv);
	print_message("%s is used by:\n%s", path, o.out);
	t_output_fini(&o);
}

/* As soon as those who use it let it go. */
static void unmount(struct t_mount *m, void (*push)(struct t_product *p),
		    struct t_product *p)
{
	int i;

	for (i = 0; i < MOST_TRIES; i++) {
		if (umount2(m->path, 0) == 0)
			return;
		assert_int_equal(errno, EBUSY);
		push(p);
		poll(NULL, 0, 5);
	}
	show_users(m->path);
	fail_msg("%s stays busy", m->path);
}

static void push_nobody(struct t_product *p)
{
	(void)p;
}

/* Lazily: those who have files open there write on. */
static void unmount_target(struct t_product *p)
{
	p->may_copy_again = true;
	if (umount2(T_MIRROR, 0) != 0)
		assert_int_equal(umount2(T_MIRROR, MNT_DETACH), 0);
}

/* Nothing was written to where it was mounted. */
static void mount_target(struct t_product *p)
{
	struct t_output o;
	const char *argv[] = {"ls", "-A", T_MIRROR, NULL};

	t_process_run(&o, argv);
	if (o.out_len > 0)
		fail_msg("written below the unmounted target: %s", o.out);
	t_output_fini(&o);
	t_product_attach_target(p);
}

static void push_worker(struct t_product *p)
{
	t_product_kill_worker(p);
}

static bool target_loses_power(const struct t_product *p)
{
	return t_mount_can_lose_power(&p->disk) && !p->v->eio;
}

static bool both_lose_power(const struct t_product *p)
{
	return target_loses_power(p) && t_mount_can_lose_power(&p->state);
}

static bool state_loses_power(const struct t_product *p)
{
	return t_mount_can_lose_power(&p->state);
}

/* With power again. Whoever was killed may take a while to be gone. */
static void mount_again(struct t_mount *m, void (*push)(struct t_product *p),
			void (*attach)(struct t_product *p),
			struct t_product *p)
{
	for (int i = 0; i < MOST_TRIES; i++) {
		unmount(m, push, p);
		attach(p);
		if (!t_mount_is_dead(m))
			return;
		poll(NULL, 0, 5);
	}
	fail_msg("%s has no power", m->path);
}

static void cut_target(struct t_product *p)
{
	p->may_copy_again = true;
	t_product_kill_worker(p);
	t_mount_lose_power(&p->disk);
}

static void recover_target(struct t_product *p)
{
	mount_again(&p->disk, push_worker, t_product_attach_target, p);
	empty_target(p); /* that it had been may not have been durable */
}

static void cut_state(struct t_product *p)
{
	t_product_kill_all(p);
	t_judge_let_go(&p->round.judge);
	t_mount_lose_power(&p->state);
}

static void attach_state(struct t_product *p)
{
	t_mount_attach(&p->state);
}

static void recover_state(struct t_product *p)
{
	mount_again(&p->state, push_nobody, attach_state, p);
	empty_state(p); /* as in recover_target() */
	t_judge_reopen(&p->round.judge);
	t_daemon_start(&p->w->daemon);
}

static void cut_both(struct t_product *p)
{
	p->may_copy_again = true;
	cut_state(p);
	t_mount_lose_power(&p->disk);
}

static void recover_both(struct t_product *p)
{
	mount_again(&p->disk, push_nobody, t_product_attach_target, p);
	empty_target(p);
	recover_state(p);
}

/* Nobody works in it; the administrator says so first. */
static void unmount_root(struct t_product *p)
{
	struct t_output o;

	t_ops_let_go(&p->ops);
	t_daemon_command(&p->w->daemon, &o, "release-root", "r", NULL);
	if (o.status != 0)
		fail_msg("release-root: exit %d: %s", o.status, o.err);
	t_output_fini(&o);
	unmount(&p->w->fs, push_nobody, p);
}

static void mount_root(struct t_product *p)
{
	t_mount_attach(&p->w->fs);
	t_ops_resume(&p->ops);
	t_daemon_await(&p->w->daemon, "gap_open", false);
}

static bool root_can_go(const struct t_product *p)
{
	return p->w->fs.fs != T_tmpfs;
}

/* ---- a disk that fails */

static bool has_failing_disk(const struct t_product *p)
{
	return p->v->eio;
}

static void fail_target(struct t_product *p)
{
	p->may_copy_again = true;
	t_eio_fail(&p->eio);
}

static void replace_cable(struct t_product *p)
{
	t_eio_heal(&p->eio);
	recover_target(p);
}

/* ---- the clock */

static bool has_clock(const struct t_product *p)
{
	return p->v->clock;
}

/* The kernel's own stamps don't step with it: rows say less. */
static void step_clock(struct t_product *p)
{
	int by = (int)t_random_below(&p->random, 14400) - 7200;
	FILE *f = fopen(p->clock, "w");

	assert_non_null(f);
	p->may_tell_less = true;
	p->clock_s += by;
	fprintf(f, "%+lld\n", (long long)p->clock_s);
	fclose(f);
}

const struct t_fault t_faults[] = {
	{"kill -9 of the daemon", 4, NULL, kill_daemon, start_daemon, false},
	{"kill -9 of the worker", 4, NULL, t_product_kill_worker, NULL, false},
	{"stop and start", 2, NULL, stop_daemon, start_daemon, false},
	{"the daemon stands still", 3, NULL, freeze_daemon, thaw_daemon, false},
	{"the worker stands still", 2, NULL, freeze_worker, thaw_worker, false},
	{"a scan", 2, NULL, scan, NULL, false},
	{"a full pass", 1, NULL, reset, NULL, false},
	{"target full", 2, target_fills_cleanly, fill_target, empty_target,
	 false},
	{"target unmounted", 3, NULL, unmount_target, mount_target, false},
	{"target without power", 2, target_loses_power, cut_target,
	 recover_target, false},
	{"state without power", 2, state_loses_power, cut_state, recover_state,
	 false},
	{"both without power", 2, both_lose_power, cut_both, recover_both,
	 false},
	{"target fails", 12, has_failing_disk, fail_target, replace_cable,
	 false},
	{"the clock steps", 12, has_clock, step_clock, NULL, false},
	{"state full", 2, NULL, fill_state, empty_state, false},
	{"reload", 2, NULL, reload, NULL, false},
	{"root unmounted", 2, root_can_go, unmount_root, mount_root, true},
};

const size_t t_n_faults = sizeof t_faults / sizeof t_faults[0];
