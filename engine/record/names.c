/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other names of what a look found at a place that has no row of it. Was it
 * there before, so that it was renamed? Or does it have one more name?
 *
 * A file may have tens of thousands of names (stores of packages and mails,
 * pools of backups), and each of them comes by here. So a look reads and visits
 * a bounded number of them. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of one file that a look goes after; and where nothing says that one of
 * them has gone. */
#define LINKS_CHECKED 64
#define LINKS_LIKELY  4

int jb_still_there(struct jb_recorder *r, const struct jb_visit *v,
		   const struct jb_entry *e, struct jb_error *err)
{
	struct jb_look found;
	struct jb_visit there;
	int rv;

	if (e->parent == v->dir) {
		rv = jb_look_at(v->fd, e->name, &found, err);
		return rv > 0 ? jb_look_same(&found, e) : rv;
	}
	rv = jb_visit_open(r, e->parent, v->origin, &there, err);
	if (rv <= 0)
		return rv;
	rv = jb_look_at(there.fd, e->name, &found, err);
	jb_visit_drop(&there);
	return rv > 0 ? jb_look_same(&found, e) : rv;
}

/* Into r->rows: all rows of the inode that may matter here. */
static int read_rows(struct jb_recorder *r, const struct jb_visit *v,
		     uint64_t ino, struct jb_error *err)
{
	bool all = jb_detached_may_hold(&v->root->detached, ino);

	return jb_catalog_by_ino(r->catalog, v->root->root->id, ino,
				 all ? 0 : LINKS_CHECKED, &r->rows, err);
}

/* How many of these names are worth a look? As long as the file has more links
 * than rows, this one need not have been one of them. */
static size_t count_checks(const struct jb_recorder *r,
			   const struct jb_look *found)
{
	size_t n = 0;

	for (size_t i = 0; i < r->rows.n; i++)
		n += jb_look_same(found, &r->rows.v[i]);
	return n < found->facts.nlink ? LINKS_LIKELY : LINKS_CHECKED;
}

int jb_names_find_source(struct jb_recorder *r, struct jb_visit *v,
			 const char *name, size_t len,
			 const struct jb_look *found,
			 const struct jb_look_flags *flags,
			 struct jb_entry *src, struct jb_error *err)
{
	const struct jb_entry *e, *best = NULL;
	size_t checks;
	int rv;

	if (!jb_filter_may_hold(&r->known, found->id.ino))
		return 0;
	rv = read_rows(r, v, found->id.ino, err);
	if (rv != JB_OK)
		return rv;
	for (size_t i = 0; i < r->rows.n; i++) {
		e = &r->rows.v[i];
		if (e->det == 0 || !jb_look_same(found, e))
			continue;
		if (best == NULL ||
		    (e->parent == v->dir && e->name_len == len &&
		     memcmp(e->name, name, len) == 0))
			best = e; /* back at its very place goes first */
	}
	if (best != NULL) {
		*src = *best;
		return 1;
	}
	checks = count_checks(r, found);
	for (size_t i = 0; i < r->rows.n && checks > 0; i++) {
		struct jb_entry row = r->rows.v[i];

		if (!jb_look_same(found, &row))
			continue;
		checks--;
		rv = 0;
		if (!S_ISDIR(found->facts.mode) && found->facts.nlink > 1)
			rv = jb_still_there(r, v, &row, err);
		if (rv < 0)
			return rv;
		if (rv == 0) {
			*src = row;
			rv = jb_push_name(r, row.parent, row.name, row.name_len,
					  v->origin, flags->dirty, &r->todo,
					  err);
			return rv == JB_OK ? 1 : rv;
		}
	}
	return 0;
}

int jb_names_find_link(struct jb_recorder *r, const struct jb_visit *v,
		       const struct jb_look *found,
		       const struct jb_look_flags *flags, struct jb_entry *ret,
		       struct jb_error *err)
{
	int rv;

	if (S_ISDIR(found->facts.mode) || found->facts.nlink < 2 ||
	    !jb_filter_may_hold(&r->known, found->id.ino))
		return 0;
	rv = jb_catalog_by_ino(r->catalog, v->root->root->id, found->id.ino,
			       LINKS_LIKELY, &r->rows, err);
	for (size_t i = 0; rv == JB_OK && i < r->rows.n; i++) {
		*ret = r->rows.v[i];
		if (ret->det == 0 && jb_look_same(found, ret))
			return !jb_facts_content_changed(r, v->root, ret, found,
							 flags);
	}
	return rv;
}
