/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_ops_internal.h - what a thread of t_ops is, and how it finds its
 * way; t_ops_do.c has the operations themselves. */
#ifndef JB_LIB_T_OPS_INTERNAL_H
#define JB_LIB_T_OPS_INTERNAL_H

#include "lib/t_ops.h"

#define T_HELD 4

struct t_worker {
	struct t_ops *ops;
	struct t_random random;
	unsigned n, number;
	char note[2048];  /* what the operation did, for who reads it */
	int held[T_HELD]; /* owned: open for writing for a while, or -1 */
	uint64_t done;
	pthread_t thread;
};

/* A name in a directory that some thread may be moving right now. */
struct t_place {
	int dir; /* owned */
	const char *name;
};

const char *t_ops_name(struct t_worker *w);
void t_ops_pick(struct t_worker *w, int base, struct t_place *p);
void t_ops_drop(struct t_place *p);

/* What the operation does ("rename"), where, and where to (or NULL). The first
 * one counts. */
void t_ops_say(struct t_worker *w, const char *what, const struct t_place *p,
	       const struct t_place *to);

/* Book-keeping, after the fact: @fd (or, where that is -1, @p) is new, was
 * written, has or had two names, is about to cross the border. */
void t_ops_note_born(struct t_worker *w, const struct t_place *p, int fd);
void t_ops_note_written(struct t_worker *w, int fd);
/* The object open as @fd gets another name. */
void t_ops_note_linked(struct t_worker *w, int fd);
void t_ops_note_moved(struct t_worker *w, const struct t_place *from,
		      const struct t_place *to);
void t_ops_note_crossing(struct t_worker *w, const struct t_place *p);

/* One random operation. True: it did something. */
bool t_ops_do(struct t_worker *w);

/* Remove @name with all below it, as far as it stays. */
void t_ops_remove_tree(int dir, const char *name);

#endif
