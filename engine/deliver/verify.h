/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/verify.h - is what is remembered true? Reads, repairs nothing.
 *
 * Lifecycle: {content, tell, arg} -> (database | root | policy)* -> fini. Each
 * call does all of its subject, on any one thread; it may run beside the
 * daemon, and then tells of what is changing at the moment too. */
#ifndef JB_DELIVER_VERIFY_H
#define JB_DELIVER_VERIFY_H

#include "engine/deliver/delivery.h"

/* A difference: @where is "root NAME" or "policy NAME". */
typedef void jb_verify_fn(void *arg, const char *where, const char *path,
			  const char *what);

/* The replica's numbers of copies. */
struct jb_verify_rids {
	uint64_t *v; /* owned */
	size_t n, cap;
};

struct jb_verify {
	bool content; /* compare content (XXH3) and xattrs of copies too */
	jb_verify_fn *tell;
	void *arg;
	int64_t checked, differ; /* results */

	/* Of the policy that was looked at last: copies whose content is wrong,
	 * jb_delivery_recopy(); whose attributes are,
	 * jb_delivery_reattribute().
	 */
	struct jb_verify_rids rotten, worn;
	bool owes_full; /* a full pass */
	int64_t unread; /* changes that it has not carried out; with
			 * `owes_full` not counted */
};

void jb_verify_fini(struct jb_verify *v);

/* The file itself: DIR/NAME.db. */
int jb_verify_database(struct jb_verify *v, const char *path,
		       struct jb_error *err);
/* The catalog of a root against the live tree. */
int jb_verify_root(struct jb_verify *v, const struct jb_config *config,
		   const struct jb_config_root *root, struct jb_error *err);
/* A policy's replica against its target. JB_EHELD: it is not there. */
int jb_verify_policy(struct jb_verify *v, const struct jb_config *config,
		     const char *policy, struct jb_error *err);

#endif
