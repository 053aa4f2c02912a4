/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_idset.h - a set of identities. Not for several threads at once. */
#ifndef JB_LIB_T_IDSET_H
#define JB_LIB_T_IDSET_H

#include "lib/t_judge.h"

#include <stdbool.h>
#include <stddef.h>

struct t_idset {
	struct t_id *slots; /* owned; ino 0: free */
	size_t capacity, n;
};

/* True: it is new in the set. */
bool t_idset_add(struct t_idset *s, struct t_id id);
bool t_idset_has(const struct t_idset *s, struct t_id id);

/* Append all to @table(ino, birth) of the judge. */
void t_idset_tell(const struct t_idset *s, struct t_judge *j,
		  const char *table);

void t_idset_fini(struct t_idset *s);

#endif
