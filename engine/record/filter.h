/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/filter.h - a Bloom filter of the inodes in the catalog.
 *
 * Whoever is found at a place that has no row may be known from elsewhere; the
 * filter answers 'certainly not' without asking the catalog, which is most of
 * the answers while a first scan or a storm of new files runs. It is of use
 * only while it holds every inode of the catalog: so it begins with an empty
 * one, and stops answering when it is full. Recorder thread. */
#ifndef JB_RECORD_FILTER_H
#define JB_RECORD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

struct jb_filter {
	uint64_t *bits; /* owned; NULL: it knows nothing, everything may be */
	uint64_t n;	/* inodes in it */
};

/* The catalog is empty. Without memory it just knows nothing. */
void jb_filter_begin(struct jb_filter *f);
void jb_filter_end(struct jb_filter *f);

void jb_filter_add(struct jb_filter *f, uint64_t ino);
/* false: certainly not in the catalog. */
bool jb_filter_may_hold(const struct jb_filter *f, uint64_t ino);

#endif
