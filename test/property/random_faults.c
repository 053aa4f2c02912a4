/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever fails while a tree is changed and mirrored: when all is mended and
 * quiet, catalog and copy are the tree, the journal tells how it came about,
 * and what belongs to others is as it was. JB_TEST_SEED repeats a run,
 * test/property/run makes a failure short. */
#include "lib/t_product.h"

#include <stdlib.h>

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
	all = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "rounds",
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
	int rv = t_case_run("faults", cases, sizeof cases / sizeof cases[0],
			    argc, argv);

	report();
	return rv;
}
