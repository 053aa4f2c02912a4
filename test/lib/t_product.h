/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_product.h - the whole product under random operations and faults.
 *
 * A source, a target and a state directory, each on a file system of its own;
 * a daemon that mirrors; threads that change the source; faults in between.
 * After each round all must be right, from outside: catalog = source, target =
 * source, the journal's rows lead from the last listing to this one, no byte
 * was copied that had not changed, nothing foreign was touched.
 *
 * Lifecycle: open -> round* -> close. Everything comes from the world's seed;
 * JB_TEST_STEPS leaves steps out (t_script.h). */
#ifndef JB_LIB_T_PRODUCT_H
#define JB_LIB_T_PRODUCT_H

#include "lib/t_eio.h"
#include "lib/t_fault.h"
#include "lib/t_manager.h"
#include "lib/t_mirror.h"
#include "lib/t_ops.h"
#include "lib/t_round.h"
#include "lib/t_script.h"

#define T_STATE_MB 64

struct t_variant {
	enum t_fs target;
	bool links;  /* files with several names, trees that come and go
		      * across the root's border: rows are promised less */
	bool eio;    /* the target's disk fails now and then */
	bool clock;  /* the program's clock steps */
	bool served; /* a service manager holds the kernel queue */
	const char *journal, *policy; /* more lines for the configuration */
};

/* What was done and found, over all rounds of a process. */
struct t_totals {
	uint64_t rounds, operations, faults, kills;
	struct t_accuracy accuracy;
	/* What a fault made the worker copy once more is extra. */
	int64_t copied_bytes, changed_bytes, extra_bytes;
	json_t *recovery_ms;   /* owned: from a kill to a flush that returned */
	unsigned by_fault[32]; /* as in t_faults */
};

struct t_product {
	struct t_world *w;	   /* borrowed */
	const struct t_variant *v; /* borrowed */
	struct t_mirror m;
	struct t_mount state, disk; /* the target's */
	struct t_eio eio;
	struct t_manager manager;
	struct t_ops ops;
	struct t_round round;
	struct t_script script;
	char *foreign;	 /* owned: what of others lies at the target */
	char clock[128]; /* the file that shifts the program's clock */
	int64_t clock_s;
	struct t_random random; /* of the round */
	bool may_copy_again;	/* in this round, by a fault */
	bool may_tell_less;
	int64_t copied_bytes;	 /* of the worker, when the round began */
	int64_t worker;		 /* its pid then */
	pid_t frozen;		 /* a worker that stands still, or 0 */
	struct t_totals *totals; /* borrowed */
};

void t_product_open(struct t_product *p, struct t_world *w,
		    const struct t_variant *v, struct t_totals *totals);
void t_product_round(struct t_product *p);
void t_product_close(struct t_product *p);

/* Wait until all is mirrored; judge everything. */
void t_product_judge(struct t_product *p);

/* Mount the target again. */
void t_product_attach_target(struct t_product *p);

/* Kill daemon and worker at once; nothing of them runs on. */
void t_product_kill_all(struct t_product *p);
void t_product_kill_worker(struct t_product *p);

#endif
