/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/rest.h - what a clean stop leaves for the next start.
 *
 * The mark says: all that was read from the kernel's queue is in the journal,
 * or among the looks beside it; what came later is still in the queue. It
 * names the queue's descriptor by a token, and is void with another one.
 *
 * The recorder writes it in the last transaction of its life, and removes it
 * in the first one of the next: whoever dies in between leaves none. */
#ifndef JB_JOURNAL_REST_H
#define JB_JOURNAL_REST_H

#include "journal/store.h"

struct jb_rest_mark {
	int64_t token;	  /* never 0; also in the descriptor's name */
	int64_t boot;	  /* of the boot id */
	int64_t clock_us; /* wall clock less time since boot */
};

/* A look that was still to be made. */
struct jb_rest_look {
	uint64_t dir;
	const char *name; /* borrowed; "": the whole directory */
	uint8_t len;
	unsigned flags; /* enum jb_dirty_flag */
};

/* A rename put the detached inode into a directory that nobody knew. */
struct jb_rest_beyond {
	uint32_t root;
	uint64_t ino;
	const uint8_t *handle; /* borrowed */
	uint8_t len;
};

/* 1 and *ret; 0: there is none. */
int jb_rest_read(struct jb_store *s, struct jb_rest_mark *ret,
		 struct jb_error *err);

/* Inside a transaction. */
int jb_rest_write(struct jb_store *s, const struct jb_rest_mark *mark,
		  struct jb_error *err);
int jb_rest_add_look(struct jb_store *s, const struct jb_rest_look *look,
		     struct jb_error *err);
int jb_rest_add_beyond(struct jb_store *s, const struct jb_rest_beyond *b,
		       struct jb_error *err);

/* All of them in the order in which they were added, until @fn returns
 * something else than JB_OK. */
typedef int jb_rest_look_fn(void *arg, const struct jb_rest_look *look);
int jb_rest_each_look(struct jb_store *s, jb_rest_look_fn *fn, void *arg,
		      struct jb_error *err);
typedef int jb_rest_beyond_fn(void *arg, const struct jb_rest_beyond *b);
int jb_rest_each_beyond(struct jb_store *s, jb_rest_beyond_fn *fn, void *arg,
			struct jb_error *err);

/* Inside a transaction: remove all that, and what roots were kept as. */
int jb_rest_clear(struct jb_store *s, struct jb_error *err);

#endif
