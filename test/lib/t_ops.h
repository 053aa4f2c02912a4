/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_ops.h - random operations on a tree, by several threads.
 *
 * Few names per directory, so that the threads meet: they rename and remove
 * under one another's hands, and most kinds of failure are part of the test.
 * All work is by directory descriptors, as a careful program does it.
 *
 * Lifecycle: init -> (round -> tell)* -> fini. What the judge must know is
 * kept aside: which objects had several names, which were outside of the root,
 * which were written. Moves across the root's border stop all other
 * operations for a moment, so that this is exact. */
#ifndef JB_LIB_T_OPS_H
#define JB_LIB_T_OPS_H

#include "lib/t_idset.h"
#include "lib/t_random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct t_script;
struct t_worker;

struct t_ops_options {
	const char *root;
	const char *outside; /* a directory of the same file system, or NULL */
	unsigned threads;
	uint64_t seed;
	bool links;   /* hard links */
	bool shallow; /* no paths beyond PATH_MAX: rsync can't judge them */
	/* What only the object's own id can tell: writes through a name that
	 * is outside, or after O_TMPFILE got its name. inotify is blind here.
	 */
	bool nameless;
	/* Which operations are to be done, and who reads of them; or NULL. */
	struct t_script *script;
};

struct t_ops {
	struct t_ops_options o;
	int root, outside;	 /* owned descriptors */
	pthread_rwlock_t border; /* held for writing by who crosses it */
	pthread_mutex_t lock;	 /* of the sets */
	struct t_idset exempt, outsiders, born, written;
	unsigned rounds;
	uint64_t done; /* operations that did something */
	/* of the round that runs */
	struct t_worker *workers;   /* owned */
	atomic_uint begun, awaited; /* operations; wake who waits for these */
	unsigned running;	    /* threads */
	pthread_cond_t progress;    /* under lock */
};

void t_ops_init(struct t_ops *ops, const struct t_ops_options *o);

/* Each thread does @n operations; returns when all are done and every
 * descriptor is closed. */
void t_ops_round(struct t_ops *ops, unsigned n);

/* The same in two steps: the threads work between start and join. await()
 * returns when @n operations of the round were begun, or all are done. */
void t_ops_start(struct t_ops *ops, unsigned n);
void t_ops_await(struct t_ops *ops, unsigned n);
void t_ops_join(struct t_ops *ops);
bool t_ops_running(struct t_ops *ops);
/* Between rounds: keep nothing open in the tree, until resume(). */
void t_ops_let_go(struct t_ops *ops);
void t_ops_resume(struct t_ops *ops);

/* Tell the judge who is exempt and who was written since the last tell. */
void t_ops_tell(struct t_ops *ops, struct t_judge *j);

void t_ops_fini(struct t_ops *ops);

#endif
