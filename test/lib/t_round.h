/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_round.h - the whole verdict over what happened since the last one.
 *
 * Lifecycle: init (the daemon runs, its trees are quiet) -> (change things ->
 * check)* -> fini. A check flushes and then holds the catalog against a walk,
 * and the journal's rows against both listings: each root by itself. */
#ifndef JB_LIB_T_ROUND_H
#define JB_LIB_T_ROUND_H

#include "lib/t_accuracy.h"
#include "lib/t_case.h"
#include "lib/t_judge.h"

struct t_ops;

struct t_round {
	struct t_world *w; /* borrowed */
	struct t_judge judge;
	int64_t start;		    /* seq at init */
	int64_t after;		    /* seq at the last check */
	struct t_accuracy accuracy; /* over all checks */
};

void t_round_init(struct t_round *r, struct t_world *w);

/* What was until now (all is checked) is no longer news: counts begin anew. */
void t_round_restart(struct t_round *r);

/* What the last walk saw in root number @root is about to cross its border: it
 * may be deleted and created again. */
void t_round_exempt(struct t_round *r, unsigned root);

/* Flush and judge. @ops (may be NULL) says who is exempt and was written. */
void t_round_check(struct t_round *r, struct t_ops *ops);

/* The same without the flush: for after a stop. */
void t_round_judge(struct t_round *r, struct t_ops *ops);

/* Flush, and hold the catalog against the tree, not the rows: where they are
 * promised less. Counts begin anew. */
void t_round_compare(struct t_round *r, struct t_ops *ops);

/* Rows of the last checked round WHERE ... */
__attribute__((format(printf, 2, 3))) int64_t
t_round_count(struct t_round *r, const char *where, ...);

void t_round_fini(struct t_round *r);

/* Fail, and show the rows, unless the last checked round has @n rows of @kinds
 * ("1,4") for @path. */
void t_round_expect(struct t_round *r, int n, const char *kinds,
		    const char *path);

/* One root "r" at @path: configure, start, wait, init. */
void t_round_open(struct t_round *r, struct t_world *w, const char *path);

/* The same for a directory @root in which shell line @made was run. */
void t_round_make(struct t_round *r, struct t_world *w, const char *root,
		  const char *made);

#endif
