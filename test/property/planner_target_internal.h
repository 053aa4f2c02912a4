/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_target_internal.h - a simulated target's inside, for
 * planner_target.c (what it holds), planner_target_ops.c (how an operation
 * begins and ends, and those on names) and planner_target_make.c (what it takes
 * from the source). All of them work on their caller's struct sim. */
#ifndef JB_PROPERTY_PLANNER_TARGET_INTERNAL_H
#define JB_PROPERTY_PLANNER_TARGET_INTERNAL_H

#include "property/planner_target.h"

extern const struct jb_target_ops sim_ops;

static inline struct sim *sim_of(struct jb_target *t)
{
	return (struct sim *)t;
}

/* ---- what it holds */

unsigned sim_count_names(const struct sim *s, unsigned object);

/* Is a directory @top, or below it? */
bool sim_is_inside(const struct sim *s, unsigned dir, unsigned top);

/* The directory at a path; 0: there is none, or @link: a symlink is on the way
 * to it. */
unsigned sim_walk(const struct sim *s, const char *path, bool *link);
/* The same for whoever need not tell these apart. */
unsigned sim_resolve(const struct sim *s, const char *path);

void sim_add_name(struct sim *s, unsigned dir, const char *name,
		  unsigned object);

/* ---- what every operation does */

/* First: other than DONE, nothing is to be done, and @err says why. */
enum jb_outcome sim_start(struct sim *s, struct jb_error *err);

/* Last, when it has been done, with what is said of it: now others act. */
__attribute__((format(printf, 2, 3))) void sim_done(struct sim *s,
						    const char *fmt, ...);

enum jb_outcome sim_lack_room(struct jb_error *err);

/* Broken unless the operation may work at @p. */
void sim_check_ours(struct sim *s, struct jb_place p);

/* The object at a place, if it is the expected one; else 0. */
unsigned sim_expect(struct sim *s, struct jb_place p, const struct jb_stamp *e,
		    struct jb_error *err);

/* What a look tells of an object. */
void sim_describe(const struct sim *s, unsigned no, struct jb_object *ret);

/* ---- operations: of struct jb_target_ops */

enum jb_outcome sim_make(struct jb_target *t, struct jb_work *work, size_t n,
			 struct jb_error *err);
enum jb_outcome sim_attrs(struct jb_target *t, struct jb_work *work, size_t n,
			  struct jb_error *err);
/* Contents are numbers: they are their own hashes. */
enum jb_outcome sim_hash(struct jb_target *t, struct jb_place p,
			 const struct jb_stamp *expect, struct jb_hash *ret,
			 struct jb_error *err);
enum jb_outcome sim_hash_source(struct jb_target *t, struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_hash *ret, struct jb_error *err);

#endif
