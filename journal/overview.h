/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/overview.h - what a journal says about itself: its extent, its roots
 * and its gaps. For `status` while no daemon runs, and `query --gaps`.
 *
 * Lifecycle: jb_overview_read -> read -> jb_overview_fini. One read
 * transaction, which is over when the call returns. */
#ifndef JB_JOURNAL_OVERVIEW_H
#define JB_JOURNAL_OVERVIEW_H

#include "jb/error.h"
#include "journal/store.h"

#include <stddef.h>
#include <stdint.h>

struct jb_overview_root {
	int64_t id;
	char *name;	     /* owned */
	char *path;	     /* owned; bytes */
	int64_t complete_us; /* all changes up to then are in; 0: none yet */
	uint32_t gaps_open;
};

struct jb_overview_gap {
	char *root;   /* owned; its name */
	char *reason; /* owned */
	int64_t since_us, noticed_us;
	int64_t closed_us; /* 0: open */
	int64_t found;	   /* changes that its scan brought */
};

struct jb_overview {
	uint64_t epoch;
	int64_t first_seq, last_seq;	/* 0: no change yet */
	int64_t size_bytes;		/* of the database, without its WAL */
	struct jb_overview_root *roots; /* owned */
	size_t n_roots;
	struct jb_overview_gap *gaps; /* owned; in the order of their start */
	size_t n_gaps;
};

/* On success the caller finishes *ov. */
int jb_overview_read(struct jb_store *store, struct jb_overview *ov,
		     struct jb_error *err);

/* The first change that is still there, 0: none; that alone. */
int jb_overview_first_seq(struct jb_store *store, int64_t *ret,
			  struct jb_error *err);

/* Accepts a zeroed one. */
void jb_overview_fini(struct jb_overview *ov);

#endif
