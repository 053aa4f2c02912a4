/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever fails while a tree is changed and mirrored: when all is mended and
 * quiet, catalog and copy are the tree, the journal tells how it came about,
 * and what belongs to others is as it was. JB_TEST_SEED repeats a run,
 * test/property/run makes a failure short. */
#include "lib/t_product.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <setjmp.h>
#include <cmocka.h>

static struct t_totals totals;

static unsigned rounds(unsigned usual)
{
	const char *given = getenv("JB_TEST_ROUNDS");

	return given != NULL ? (unsigned)atoi(given) : usual;
}

static void run_variant(struct t_world *w, const struct t_variant *v,
			unsigned usual)
{
	unsigned i, n = rounds(usual);
	struct t_product p;

	t_product_open(&p, w, v, &totals);
	for (i = 0; i < n; i++)
		t_product_round(&p);
	t_product_close(&p);
}

/* All faults that every file system can have. */
static void mixed(struct t_world *w)
{
	static const struct t_variant same[] = {
		[T_ext4] = {.target = T_ext4},
		[T_xfs] = {.target = T_xfs},
		[T_btrfs] = {.target = T_btrfs},
		[T_tmpfs] = {.target = T_ext4},
	};

	run_variant(w, &same[w->fs.fs], 8);
}

/* The kernel drops events all the time. */
static void small_queue(struct t_world *w)
{
	static const struct t_variant v = {.target = T_xfs,
					   .journal = "QueueLimit=64"};

	run_variant(w, &v, 8);
}

/* Files with several names, trees that leave the root and come back. */
static void linked(struct t_world *w)
{
	static const struct t_variant v = {.target = T_ext4, .links = true};

	run_variant(w, &v, 8);
}

/* The target's disk fails to write. */
static void failing_disk(struct t_world *w)
{
	static const struct t_variant v = {.target = T_ext4, .eio = true};

	run_variant(w, &v, 6);
}

/* The clock steps back and forth by hours. */
static void stepping_clock(struct t_world *w)
{
	static const struct t_variant v = {.target = T_ext4, .clock = true};

	run_variant(w, &v, 6);
}

/* A service manager holds the queue while the program is restarted. */
static void served(struct t_world *w)
{
	static const struct t_variant v = {.target = T_ext4, .served = true};

	run_variant(w, &v, 8);
}

/* The journal has less room than its changes take: they collapse into gaps. */
static void little_room(struct t_world *w)
{
	static const struct t_variant v = {.target = T_ext4,
					   .links = true,
					   .journal = "MaxJournalSize=16M"};

	run_variant(w, &v, 6);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Kill it somewhere: also in the midst of finding its way back. Every other
 * time wait until it has, and take the time. */
static void kill_once(struct t_product *p, unsigned i)
{
	double began;

	poll(NULL, 0, (int)t_random_below(&p->random, 60));
	t_daemon_kill(&p->w->daemon);
	began = now_ms();
	t_daemon_start(&p->w->daemon);
	if (i % 2 == 0)
		return;
	t_daemon_flush(&p->w->daemon);
	json_array_append_new(totals.recovery_ms,
			      json_integer((json_int_t)(now_ms() - began)));
}

/* kill -9 at random moments under load, again and again. */
static void killed(struct t_world *w)
{
	static const struct t_variant v = {.target = T_ext4};
	const char *given = getenv("JB_TEST_KILLS");
	unsigned n = given != NULL ? (unsigned)atoi(given) : 12, i = 0;
	struct t_product p;

	t_product_open(&p, w, &v, &totals);
	p.random.state = w->seed;
	while (i < n) {
		t_ops_start(&p.ops, 4000);
		for (; i < n && t_ops_running(&p.ops); i++)
			kill_once(&p, i);
		t_ops_join(&p.ops);
		totals.rounds++;
		t_product_judge(&p);
	}
	totals.operations += p.ops.done;
	totals.kills += n;
	t_product_close(&p);
}

static const struct t_case cases[] = {
	T_CASE(mixed, ext4, fanotify),
	T_CASE(mixed, xfs, fanotify),
	T_CASE(mixed, btrfs, fanotify),
	T_CASE(mixed, tmpfs, fanotify),
	T_CASE(mixed, ext4, inotify),
	T_CASE(small_queue, ext4, fanotify),
	T_CASE(linked, ext4, fanotify),
	T_CASE(failing_disk, ext4, fanotify),
	T_CASE(stepping_clock, ext4, fanotify),
	T_CASE(served, ext4, fanotify),
	T_CASE(little_room, ext4, fanotify),
	T_CASE(killed, ext4, fanotify),
	T_CASE(killed, xfs, inotify),
};

/* One line of JSON for whoever sums up (test/property/run). */
static void report(void)
{
	const char *path = getenv("JB_TEST_REPORT");
	json_t *faults, *all;
	size_t i;

	if (path == NULL)
		return;
	faults = json_object();
	for (i = 0; i < t_n_faults; i++)
		json_object_set_new(faults, t_faults[i].name,
				    json_integer(totals.by_fault[i]));
	all = json_pack("{s:O, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
			"recovery ms", totals.recovery_ms, "kills",
			(json_int_t)totals.kills, "rounds",
			(json_int_t)totals.rounds, "operations",
			(json_int_t)totals.operations, "names touched",
			(json_int_t)totals.accuracy.names, "names right",
			(json_int_t)totals.accuracy.right, "bytes changed",
			(json_int_t)totals.changed_bytes, "bytes copied",
			(json_int_t)totals.copied_bytes, "bytes copied again",
			(json_int_t)totals.extra_bytes, "faults", faults);
	json_dump_file(all, path, 0);
	json_decref(all);
}

int main(int argc, char **argv)
{
	int rv;

	totals.recovery_ms = json_array();
	rv = t_case_run("faults", cases, sizeof cases / sizeof cases[0], argc,
			argv);

	report();
	json_decref(totals.recovery_ms);
	return rv;
}
