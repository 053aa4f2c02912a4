/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_target.h - a target in memory that a planner works on.
 *
 * Every operation may be the last one before a crash, fail for its path, or be
 * followed by somebody else's doings at the target or the source; these happen
 * between operations, never inside one. What must never be is noted as
 * `broken`, with the reason.
 *
 * Lifecycle: init -> (a plan works on its base, somebody changes it)*. It owns
 * nothing but itself; a new init forgets all. Directories and other objects are
 * known by their numbers, 0 is none. */
#ifndef JB_PROPERTY_PLANNER_TARGET_H
#define JB_PROPERTY_PLANNER_TARGET_H

#include "property/planner_world.h"
#include "transports/transport.h"

#define SIM_OBJECTS 4096
#define SIM_NAMES   512
#define SIM_NAME    24

enum { SIM_TOP = 1, SIM_OWN = 2 };

struct sim_object {
	char type; /* 0: none */
	bool ours, trashed;
	bool old_copy; /* may be taken over */
	int64_t data, meta, mtime;
	unsigned src; /* of whom it is a copy: entry number */
};

struct sim_name {
	unsigned dir;
	char name[SIM_NAME];
	unsigned object;
};

struct sim_foreign {
	unsigned object, dir;
	char name[SIM_NAME];
};

struct sim {
	struct jb_target base;
	struct world *world;	   /* borrowed */
	const struct w_state *cat; /* the catalog of the running plan */
	const struct w_select *select;

	struct sim_object objects[SIM_OBJECTS];
	struct sim_name names[SIM_NAMES];
	unsigned n_objects, n_names;
	int64_t stamp;

	/* percent */
	double p_crash, p_fail, p_other, p_live;
	unsigned fail_in; /* the how many'th operation fails; 0: none */
	int64_t took_us;  /* says each copy of a file */
	bool full_names;  /* there is no room for a name anywhere */
	int room;	  /* objects that can still be made; < 0: any number */
	bool crashed;	  /* nothing may be done any more */
	bool is_busy;	  /* a plan runs */
	unsigned n_operations;
	uint64_t n_copies;

	/* removed for good, in order */
	unsigned removed[SIM_OBJECTS];
	struct sim_foreign removed_at[SIM_OBJECTS]; /* and its last place */
	bool removed_in_place[SIM_OBJECTS]; /* which it had at the beginning */
	unsigned removed_before[SIM_OBJECTS]; /* the plan's first new object */
	unsigned n_removed;

	/* where everything was when names began to change */
	struct sim_name begun[SIM_NAMES];
	unsigned n_begun;
	unsigned first_new; /* of the running plan */

	/* somebody else's entries, where they must stay */
	struct sim_foreign foreign[SIM_NAMES];
	unsigned n_foreign;
	bool had_foreign;

	/* places that must never be empty while names change */
	struct sim_foreign watched[SIM_NAMES];
	unsigned n_watched;

	/* is a copy of this needless? Set by the judge. */
	bool (*is_needless)(void *arg, unsigned no, int64_t data);
	void *needless_arg;

	bool verbose;
	char broken[256];
};

void sim_init(struct sim *s, struct world *w);

/* Names are about to change: remember where everything is. */
void sim_begin(struct sim *s);

/* Was this name there then? */
bool sim_has_begun_there(const struct sim *s, const struct sim_name *n);

/* Is anything below that is not ours? */
bool sim_holds_foreign(const struct sim *s, unsigned dir);

/* NULL: nothing is there. */
struct sim_name *sim_find(const struct sim *s, unsigned dir, const char *name);
/* Any name of the object; NULL: it has none. */
const struct sim_name *sim_name_of(const struct sim *s, unsigned object);
void sim_cut(struct sim *s, struct sim_name *n);
bool sim_is_empty(const struct sim *s, unsigned dir);

/* Somebody creates, changes or removes something. */
void sim_somebody(struct sim *s);

/* Somebody else's object is ours from now on. */
void sim_take_over(struct sim *s, unsigned no);

/* Everything that isn't ours goes away. */
void sim_clean(struct sim *s);

/* A new object, and its name. */
unsigned sim_create(struct sim *s, unsigned dir, const char *name, char type,
		    int64_t data, bool ours);

/* The path of a place, a byte per name; false: it is not below the top. */
bool sim_path(const struct sim *s, unsigned dir, const char *name,
	      char path[W_DEPTH + 1]);

/* The object of this name. */
unsigned sim_at(const struct sim *s, unsigned dir, const char *name);

/* Only the first reason is kept. */
__attribute__((format(printf, 2, 3))) void sim_break(struct sim *s,
						     const char *fmt, ...);

#endif
