/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_handover.h - a daemon that hands its queue over to the next one,
 * through a service manager, and the verdict on what both have recorded.
 *
 * Lifecycle: open (or begin, and a daemon and a round of the test's own) ->
 * (change things, stop, start, reload -> check)* -> close, which also ends the
 * daemon. Root "r" is T_HANDOVER_ROOT. */
#ifndef JB_LIB_T_HANDOVER_H
#define JB_LIB_T_HANDOVER_H

#include "lib/t_ops.h"
#include "lib/t_round.h"

#define T_HANDOVER_ROOT	   T_SPACE "/fs/in"
#define T_HANDOVER_OUTSIDE T_SPACE "/fs/out"

struct t_handover {
	struct t_world *w; /* borrowed */
	struct t_manager manager;
	struct t_round round;
	struct t_ops ops; /* of open_busy */
	bool is_busy;
	int64_t gaps; /* when it was opened */
};

/* A service manager, nothing else. */
void t_handover_begin(struct t_handover *h, struct t_world *w);

/* A daemon that it serves, on the root (which may hold something already);
 * busy: with three threads of random operations, which have made the tree. */
void t_handover_open(struct t_handover *h, struct t_world *w);
void t_handover_open_busy(struct t_handover *h, struct t_world *w);

/* How many gaps the journal has, and whether one is for this reason. */
int64_t t_handover_count_gaps(struct t_handover *h);
bool t_handover_has_gap(struct t_handover *h, const char *reason);

/* No event was missed, and nothing was in doubt: fails the test, with the gaps,
 * if there are more than when it was opened. */
void t_handover_check_no_gap(struct t_handover *h);

/* How often a storm is to be repeated. */
unsigned t_handover_rounds(void);

void t_handover_close(struct t_handover *h);

#endif
