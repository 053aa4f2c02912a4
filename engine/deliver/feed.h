/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/feed.h - the journal's changes, read page by page by a policy.
 *
 * Lifecycle: open -> (state, page, entries)* -> close. One thread at a time.
 * No read transaction outlives a call. A feed is of one journal: when the file
 * was set aside and begun anew, `state` says JB_ESTALE, and it is opened
 * again. */
#ifndef JB_DELIVER_FEED_H
#define JB_DELIVER_FEED_H

#include "jb/change.h"
#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>

struct jb_feed;

/* Where the journal stands. */
struct jb_feed_state {
	uint64_t epoch;
	int64_t first_seq, last_seq; /* 0: none */
	bool complete;		     /* the root's first scan has ended */
	struct jb_identity top;	     /* the root directory */
};

/* A page, valid until the next call. */
struct jb_feed_page {
	const struct jb_policy_change *changes; /* of the root */
	/* Their directory's identity, and the old one's (ino 0: none). */
	const struct jb_identity *dirs, *old_dirs;
	size_t n;
	int64_t last_seq; /* the last one read, of any root */
	bool more;
};

/* DIR/journal.db, changes of the [Root] called @root. JB_ENOENT: there is no
 * journal yet, or the root is not in it. */
int jb_feed_open(const char *dir, const char *root, struct jb_feed **ret,
		 struct jb_error *err);
void jb_feed_close(struct jb_feed *f);

int jb_feed_state(struct jb_feed *f, struct jb_feed_state *ret,
		  struct jb_error *err);
/* How many names the root has; reads an index from end to end. */
int jb_feed_count(struct jb_feed *f, int64_t *ret, struct jb_error *err);

/* The session (journal/session.h) that change @seq is of. */
int jb_feed_session(struct jb_feed *f, int64_t seq, int64_t *ret,
		    struct jb_error *err);

/* At most @max changes behind @after. JB_EGAP: some of them are gone. */
int jb_feed_page(struct jb_feed *f, int64_t after, size_t max,
		 struct jb_feed_page *ret, struct jb_error *err);

/* Entries of the catalog, at most @max, in an order that @from a zeroed one
 * begins and each call moves on; *n 0: the end. */
struct jb_feed_walk {
	uint64_t parent;
	unsigned char name[256];
	int len;
	bool children_only; /* of the root directory only */
};
int jb_feed_walk(struct jb_feed *f, struct jb_feed_walk *from, size_t max,
		 struct jb_policy_entry *ret, size_t *n, struct jb_error *err);

/* The path that an entry has now, without leading slash; the caller frees.
 * NULL: none. */
char *jb_feed_path(struct jb_feed *f, struct jb_identity id);

#endif
