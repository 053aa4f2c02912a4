/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/property/planner_world.h - a source that changes at random, the
 * catalogs that a journal would have had of it, and its change rows.
 *
 * A state is one version of the tree; the last one is the live tree, any of
 * them may be what the catalog says. Identities are (small inode number,
 * birth): inode numbers come back at once, births don't. An entry may be
 * detached for a while: in no place, but not deleted. */
#ifndef JB_PROPERTY_PLANNER_WORLD_H
#define JB_PROPERTY_PLANNER_WORLD_H

#include "journal/catalog_view.h"
#include "lib/t_random.h"

#include <stdbool.h>

#define W_ENTRIES 48
#define W_NAMES	  64
#define W_DEPTH	  16

enum { W_TOP = 1 }; /* entry number of the source's root */

/* Numbers that only grow stand for times and for contents. */
struct w_entry {
	unsigned
		no; /* which one; also its birth and, of a directory, its key */
	char type;  /* 'd', 'f', 'l' */
	int64_t data, sig, ctime, meta, cseq, cctime;
	int64_t epoch; /* of cseq */
};

struct w_name {
	unsigned dir; /* entry number */
	char name;
	unsigned no;
	bool det;
};

struct w_state {
	struct w_entry entries[W_ENTRIES];
	struct w_name names[W_NAMES];
	unsigned n_entries, n_names;
	int64_t epoch;
};

struct w_place {
	unsigned dir;
	char name;
};

struct w_row {
	unsigned no;
	unsigned n_places;
	struct w_place places[2];
	unsigned state; /* the first state that contains it */
};

struct world {
	struct t_random rng;
	struct w_state **states; /* owned */
	unsigned n_states, cap_states;
	struct w_row *rows; /* owned */
	unsigned n_rows, cap_rows;
	unsigned n_entries; /* ever made */
	int64_t clock, epoch;
	unsigned
		mood; /* what happens more often: N_MOODS in planner_random.c */
	bool may_repeat; /* contents with the same size and time may occur */
	bool may_detach;
	bool verbose;
};

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);

static inline unsigned world_below(struct world *w, unsigned n)
{
	return t_random_below(&w->rng, n);
}

/* True with probability @percent / 100. */
static inline bool world_may(struct world *w, double percent)
{
	return (double)(t_random_next(&w->rng) >> 11) <
	       percent * 90071992547409.92;
}

/* The live tree. */
struct w_state *world_live(const struct world *w);

/* Something else will happen more often from now on. */
void world_turn(struct world *w);

/* Something happens (or is tried in vain). */
void world_step(struct world *w);

/* Whoever is detached is back in the tree, or deleted. */
void world_settle(struct world *w);

/* By hand: the next state, a copy of the live tree to be changed by the
 * functions below. The rows that go with the changes are added at once. */
struct w_state *world_edit(struct world *w);
/* All return the entry number; a path has a byte per name. */
unsigned world_make(struct world *w, const char *path, char type);
unsigned world_write(struct world *w, const char *path);
unsigned world_chmod(struct world *w, const char *path);
unsigned world_rename(struct world *w, const char *from, const char *to);
unsigned world_swap(struct world *w, const char *a, const char *b);
unsigned world_link(struct world *w, const char *from, const char *to);
unsigned world_remove(struct world *w, const char *path);
/* No row: its place is not known for a while; then it is at @to. */
unsigned world_detach(struct world *w, const char *path);
unsigned world_attach(struct world *w, unsigned no, const char *to);
/* All identities are new. */
void world_restore(struct world *w);

struct jb_id world_id(unsigned no);
/* The entry number, 0: not one of this world. */
unsigned world_no(struct jb_id id);

const struct w_entry *state_entry(const struct w_state *s, unsigned no);
const struct w_name *state_name(const struct w_state *s, unsigned dir,
				char name);
/* The path of an attached name that lies in attached directories: its length in
 * names, or -1. @path has a byte per name, NUL at the end. */
int state_path(const struct w_state *s, const struct w_name *n,
	       char path[W_DEPTH + 1]);
/* The entry at a path with slashes, as the live tree has it; 0: nobody. */
unsigned state_find(const struct w_state *s, const char *path);

/* Which names a policy takes; the same twice: for the judge, and as patterns
 * for the planner. */
struct w_select {
	const char *include[2], *exclude[2]; /* paths, a byte per name */
	unsigned levels; /* what is deeper can't be copied; 0: nothing */
};
bool select_takes(const struct w_select *sel, const char *path, bool is_dir);
bool select_wants(const struct w_select *sel, const struct w_state *s,
		  const struct w_name *n);

/* A catalog's view of one state; end and close do nothing. */
struct w_view {
	struct jb_catalog_view base;
	const struct w_state *state; /* borrowed */
};
void view_init(struct w_view *v);

/* What the catalog says of an entry under one of its names. */
void world_row(const struct w_state *s, const struct w_name *n,
	       struct jb_entry *ret);

#endif
