/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/catalog_view.h - the catalog of one root, read by who plans.
 *
 * Lifecycle: open -> (begin -> reads -> end)* -> close. Between begin and end
 * all reads see the same moment; a snapshot holds the journal's WAL back, so it
 * is short and never held while waiting for a target, an output or a person.
 * Belongs to the thread that opened it. Other catalogs (a test's, in memory)
 * implement the same operations.
 *
 * Reads return 1 (found), 0 (not there) or a negative JB_E*. */
#ifndef JB_JOURNAL_CATALOG_VIEW_H
#define JB_JOURNAL_CATALOG_VIEW_H

#include "jb/error.h"
#include "journal/entry.h"

#include <stddef.h>

/* Return 0 to go on; anything else ends the reading and is returned. The
 * entry is borrowed. */
typedef int jb_catalog_row_fn(void *arg, const struct jb_entry *e);

struct jb_catalog_view;

struct jb_catalog_view_ops {
	int (*begin)(struct jb_catalog_view *v, struct jb_error *err);
	void (*end)(struct jb_catalog_view *v);

	/* The root directory's own row. */
	int (*top)(struct jb_catalog_view *v, struct jb_entry *ret,
		   struct jb_error *err);

	/* All names of an entry, detached ones (det <> 0) too. */
	int (*names)(struct jb_catalog_view *v, struct jb_id id,
		     jb_catalog_row_fn *fn, void *arg, struct jb_error *err);

	/* The attached name in a directory. */
	int (*at)(struct jb_catalog_view *v, uint64_t dirkey, const char *name,
		  size_t len, struct jb_entry *ret, struct jb_error *err);

	/* A directory's own row, by its key; it may be detached. */
	int (*dir)(struct jb_catalog_view *v, uint64_t dirkey,
		   struct jb_entry *ret, struct jb_error *err);

	/* Attached names in a directory in the order of their bytes, behind
	 * @after (may be empty), at most @max. JB_OK at the end. */
	int (*children)(struct jb_catalog_view *v, uint64_t dirkey,
			const char *after, size_t after_len, size_t max,
			jb_catalog_row_fn *fn, void *arg, struct jb_error *err);

	/* All detached names of the root, in no order; usually none. */
	int (*detached)(struct jb_catalog_view *v, jb_catalog_row_fn *fn,
			void *arg, struct jb_error *err);

	/* Accepts NULL. */
	void (*close)(struct jb_catalog_view *v);
};

struct jb_catalog_view {
	const struct jb_catalog_view_ops *ops;
};

/* The view of root @root in DIR/journal.db. JB_ENOENT: no journal, or no such
 * root in it. On success the caller owns *ret. */
int jb_catalog_view_open(const char *dir, const char *root,
			 struct jb_catalog_view **ret, struct jb_error *err);

#endif
