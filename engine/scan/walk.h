/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/scan/walk.h - one directory of a scan: the live names against the
 * catalog's. Belongs to one thread of a scan. */
#ifndef JB_SCAN_WALK_H
#define JB_SCAN_WALK_H

#include "engine/tree/look.h"
#include "engine/tree/root.h"
#include "engine/tree/names.h"
#include "journal/catalog.h"

/* Places that differ, as jb_intake_mark_places takes them. */
struct jb_walk_places {
	uint8_t bytes[16384];
	size_t size;
};

typedef int jb_walk_full_fn(void *arg, struct jb_walk_places *places,
			    struct jb_error *err);

/* A name that differs from its row (NULL: it has none); @live: what is there
 * (NULL: nothing). */
typedef int jb_walk_found_fn(void *arg, uint64_t dir, const char *name,
			     size_t len, const struct jb_entry *row,
			     const struct jb_look *live, struct jb_error *err);

struct jb_walk {
	const struct jb_root *root; /* borrowed */
	struct jb_catalog *catalog; /* borrowed; a reader's */
	int64_t complete;	    /* ns; of the root */
	struct jb_names names;
	struct jb_entries rows;
	struct jb_walk_places places;
	char *path;	 /* owned; of the directory, with room for a name; */
	size_t path_len; /* NULL: there are no patterns */
	jb_walk_full_fn *full;	 /* empties `places` */
	jb_walk_found_fn *found; /* gets what differs instead; may be NULL */
	void *arg;
};

/* Open a directory of the catalog; -1: it is not there. */
int jb_walk_open(struct jb_walk *w, const struct jb_dir *dir);

/* Compare the directory open as @fd (-1: gone) and mark what differs. */
int jb_walk_compare(struct jb_walk *w, const struct jb_dir *dir, int fd,
		    struct jb_error *err);

/* Mark one place. */
int jb_walk_mark(struct jb_walk *w, uint64_t dir, const char *name, size_t len,
		 struct jb_error *err);

/* Hand over what is marked. */
int jb_walk_flush(struct jb_walk *w, struct jb_error *err);

void jb_walk_fini(struct jb_walk *w);

#endif
