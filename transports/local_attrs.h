/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local_attrs.h - owner, mode, extended attributes, ACLs and times
 * of one open object, taken over from another. */
#ifndef JB_TRANSPORTS_LOCAL_ATTRS_H
#define JB_TRANSPORTS_LOCAL_ATTRS_H

#include "transports/transport.h"

#include <sys/types.h>

/* Descriptors may be O_PATH: then they go by way of /proc/self/fd. */
struct jb_attrs_end {
	int fd;
	bool is_path;
};

struct jb_attrs {
	unsigned preserve;	  /* JB_PRESERVE_* */
	mode_t umask;		  /* for modes that are not preserved */
	struct jb_attrs_end from; /* fd -1: no extended attributes */
	struct jb_attrs_end to;
	const struct jb_object *source; /* what @from is */
	const struct jb_object *target; /* what @to is now */
	bool fresh;			/* @to was just made by us */

	/* results */
	bool partial;	/* something can't be kept at this target */
	char what[300]; /* the attribute that failed, or was not kept */
	bool at_source; /* reading failed, not writing */
};

/* Returns 0 or a negative errno, and then `what` and `at_source` say where. */
int jb_attrs_apply(struct jb_attrs *a);

/* Has `to` the extended attributes and ACLs of `from`, as far as `preserve`
 * says? Writes nothing. 1, 0 or a negative errno. */
int jb_attrs_same_xattrs(const struct jb_attrs *a);

#endif
