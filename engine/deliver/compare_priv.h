/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/compare_priv.h - a walk's inside, for compare.c (which
 * directories, and what differs) and compare_read.c (what is in them). */
#ifndef JB_DELIVER_COMPARE_PRIV_H
#define JB_DELIVER_COMPARE_PRIV_H

#include "engine/deliver/compare.h"
#include "engine/deliver/found.h"
#include "engine/deliver/listed.h"

#include <pthread.h>
#include <stdatomic.h>

#define JB_COMPARE_ONCE	   256 /* directories */
#define JB_COMPARE_LISTERS 4

/* A directory that waits for its turn; one allocation with its path. */
struct jb_compare_dir {
	struct jb_compare_dir *next;
	uint64_t key;
	struct jb_id id;
	uint64_t rid;	/* its copy, which has the same path as long as */
	unsigned plans; /* no plan has been carried out since; 0: unknown */
	bool is_away;	/* or below one that is: it has no path now */
	size_t len;
	char path[];
};

/* One that is being compared. */
struct jb_compare_turn {
	struct jb_compare_dir *dir; /* owned */
	struct jb_listed listed;
	char *there; /* in the arena: its path at the target, NULL: none */
	bool is_new; /* it has no copy */
};

/* Lists directories at the target, one after another that nobody has taken. */
struct jb_compare_lister {
	struct jb_compare *compare;
	pthread_t thread;
	bool is_thread;
	struct jb_arena arena;
	int rv;
	struct jb_error err;
};

struct jb_compare {
	struct jb_replica *replica;	    /* borrowed */
	struct jb_catalog_view *view;	    /* borrowed */
	struct jb_target *target;	    /* borrowed */
	const struct jb_patterns *patterns; /* borrowed */
	unsigned preserve;		    /* JB_PRESERVE_* */
	uint32_t epoch;			    /* its number in the replica */
	struct jb_compare_dir *dirs;	    /* owned; a stack */
	unsigned plans;
	uint64_t compared, n_dirs;

	struct jb_compare_turn turns[JB_COMPARE_ONCE];
	size_t n_turns, at;
	struct jb_arena arena; /* of these */
	struct jb_compare_lister listers[JB_COMPARE_LISTERS];
	unsigned n_listers;
	atomic_size_t next_listed;
	char *path; /* owned; of a name in the directory at hand */
	size_t path_size, dir_len;

	struct jb_found found;
	bool no_memory;
};

/* The lists of all turns: of the target by threads, of catalog and replica by
 * the caller's meanwhile. */
int jb_compare_read(struct jb_compare *c, struct jb_error *err);

#endif
