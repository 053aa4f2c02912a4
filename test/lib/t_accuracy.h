/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_accuracy.h - the published figure: of the names that were touched,
 * how many have a journalled history that ends in the true state.
 *
 * A name is touched when a row names it or when two walks differ in it: also
 * when the journal missed it altogether. Its history ends truly when the rows,
 * played over the listing of before, leave those objects at it that are there,
 * with the size and time that they have. */
#ifndef JB_LIB_T_ACCURACY_H
#define JB_LIB_T_ACCURACY_H

#include "lib/t_replay.h"

struct t_accuracy {
	uint64_t names, right;
};

/* Add the names of @span, whose last listing is a walk; fails nothing. */
void t_accuracy_add(struct t_judge *j, const struct t_span *span,
		    struct t_accuracy *a);

#endif
