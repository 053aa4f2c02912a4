/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_world_internal.h - a world's inside, for
 * planner_world.c (its states), planner_step.c (what can happen),
 * planner_random.c (what does happen, by chance) and planner_edit.c (the same
 * by hand).
 *
 * A step is the next state in the making. Lifecycle: begin -> one thing that
 * happens -> push if that was possible (`ok`); its rows are then the world's.
 * It owns nothing. */
#ifndef JB_PROPERTY_PLANNER_WORLD_INTERNAL_H
#define JB_PROPERTY_PLANNER_WORLD_INTERNAL_H

#include "property/planner_world.h"

/* ---- states */

/* Any name of the entry; NULL: it has none. */
const struct w_name *state_name_of(const struct w_state *s, unsigned no);

/* Is a directory @no, or below it? */
bool state_is_under(const struct w_state *s, unsigned no, unsigned dir);

/* Another time. */
int64_t world_tick(struct world *w);

/* Somebody new; not yet in any state. */
struct w_entry world_new_entry(struct world *w, char type);

/* A copy of @s is the live tree from now on; the world owns it. */
struct w_state *world_add_state(struct world *w, const struct w_state *s);

/* One more row, that goes with the live tree. */
void world_add_row(struct world *w, const struct w_row *row);

/* ---- steps */

struct step {
	struct world *w; /* borrowed */
	struct w_state s;
	struct w_row rows[2 * W_NAMES];
	unsigned n_rows;
	bool ok; /* it did happen */
};

void step_begin(struct step *t, struct world *w);
/* @what is said of it when the world is verbose. */
void step_push(struct step *t, const char *what);

/* NULL: nobody is there. */
struct w_name *step_find(struct step *t, struct w_place p);

void step_make(struct step *t, struct w_place p, char type);
/* With all that is below. */
void step_drop(struct step *t, struct w_place p);
void step_move(struct step *t, struct w_place a, struct w_place b);
/* @quiet: size and time stay, in a world where contents may repeat. */
void step_write(struct step *t, unsigned no, struct w_place p, bool quiet);
void step_chmod(struct step *t, struct w_place p);
/* Another mtime, the same content. */
void step_touch(struct step *t, struct w_place p);
/* Two or three entries take each other's places. */
void step_rotate(struct step *t, const struct w_place *p, unsigned n);
void step_link(struct step *t, struct w_place from, struct w_place to);
/* mv a/b c; mv a c/a */
void step_invert(struct step *t, struct w_place p);
/* A restored source: all identities are new. A new epoch: all seqs are. */
void step_restore(struct step *t, bool epoch);
/* Missing from its place, until the recorder knows more: no row. */
void step_detach(struct step *t, struct w_place p);
/* The @i'th name of the state: it was renamed, or is back where it was, or was
 * deleted. */
void step_attach(struct step *t, unsigned i, struct w_place to);

#endif
