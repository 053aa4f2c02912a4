/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local_copy.h - the data of one file, moved from one open
 * descriptor to another in the cheapest way that works. */
#ifndef JB_TRANSPORTS_LOCAL_COPY_H
#define JB_TRANSPORTS_LOCAL_COPY_H

#include "transports/local_room.h"
#include "transports/transport.h"

#include <stdatomic.h>

#define JB_COPY_BUFFER (256 * 1024)
/* From this size on a new version may be a clone of the old one, in which only
 * the blocks that differ are written. */
#define JB_COPY_BLOCKS_MIN (1024 * 1024)

/* What is known not to work: of source and target file system, and within the
 * target. Shared by threads; learned from the first failure. */
struct jb_copy_pair {
	atomic_bool no_clone, no_range, no_sendfile;
	atomic_bool no_own_clone;
	atomic_bool no_allocate;
};

struct jb_copy {
	int from, to;
	int old; /* the version that is replaced; -1: none, or a small one */
	int64_t size;	/* of @from, and how much is copied */
	uint64_t need;	/* bytes that it will take at the target */
	bool is_sparse; /* @from has holes */
	bool want_hash;
	struct jb_copy_pair *pair;  /* borrowed */
	struct jb_local_room *room; /* borrowed */
	char *buffer;		    /* borrowed, 2 * JB_COPY_BUFFER */
	const atomic_bool *stopped; /* borrowed */

	/* results */
	int64_t written; /* bytes of data that went to the target */
	struct jb_hash hash;
	bool at_source; /* reading failed, not writing */
	bool is_short;	/* @from ended before @size */
};

/* Fill the empty @to. 0 or a negative errno; -ECANCELED when stopped, -ENOSPC
 * before the work where that can be told. */
int jb_copy_data(struct jb_copy *c);

/* @from has grown to @size since: copy that as well. */
int jb_copy_more(struct jb_copy *c, int64_t size);

/* Read both again: is it still what was copied? 1, 0, or a negative errno. */
int jb_copy_prove(struct jb_copy *c);

/* Are there reflinks between these two files? */
bool jb_copy_can_clone(int to, int from);

/* XXH3 of all of @fd, which is read from its beginning. */
int jb_copy_hash(int fd, char *buffer, const atomic_bool *stopped,
		 struct jb_hash *ret);

#endif
