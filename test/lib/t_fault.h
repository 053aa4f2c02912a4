/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_fault.h - what goes wrong while the product works.
 *
 * Each fault strikes in the midst of operations and is healed by hand as an
 * administrator (or the service manager) would: what was killed is started,
 * what was full is emptied, what lost its power is mounted again. All that
 * the product does after that it must do by itself. */
#ifndef JB_LIB_T_FAULT_H
#define JB_LIB_T_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct t_product;

struct t_fault {
	const char *name;
	unsigned weight;
	bool (*fits)(const struct t_product *p); /* NULL: always */
	void (*strike)(struct t_product *p);
	void (*heal)(struct t_product *p); /* NULL: nothing to do */
	bool quiet; /* only when nobody works in the tree */
};

extern const struct t_fault t_faults[];
extern const size_t t_n_faults;

#endif
