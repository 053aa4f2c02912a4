/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without file handles a directory is reached by the path that the catalog
 * believes in. When an ancestor was renamed, and the look at the ancestor is
 * still to come, that path leads nowhere. What was dirty in the directory must
 * not be forgotten: it is kept here, and listed as soon as nothing above it is
 * detached any more. Meanwhile it holds up no barrier: whether the ancestor is
 * found or deleted is decided by the ancestor's own. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>

int jb_stale_note(struct jb_recorder *r, uint64_t key, struct jb_error *err)
{
	for (size_t i = 0; i < r->n_stale; i++)
		if (r->stale[i] == key)
			return JB_OK;
	if (r->n_stale == r->cap_stale) {
		size_t cap = r->cap_stale != 0 ? r->cap_stale * 2 : 16;
		void *v = reallocarray(r->stale, cap, sizeof *r->stale);

		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "directories");
		r->stale = v;
		r->cap_stale = cap;
	}
	r->stale[r->n_stale++] = key;
	return JB_OK;
}

/* 1: attached all the way up; 0: not; JB_ENOENT: its row has gone. */
static int is_attached(struct jb_recorder *r, uint64_t key,
		       struct jb_error *err)
{
	struct jb_dir dir;
	int rv;

	do {
		rv = jb_catalog_dir(r->catalog, key, &dir, err);
		if (rv <= 0)
			return rv < 0 ? rv : JB_ENOENT;
		if (dir.det != 0)
			return 0;
		key = dir.parent;
	} while (key != 0);
	return 1;
}

int jb_stale_retry(struct jb_recorder *r, struct jb_error *err)
{
	size_t kept = 0, n = r->n_stale;
	int rv = JB_OK;

	for (size_t i = 0; i < n && rv == JB_OK; i++) {
		struct jb_todo_item item = {.kind = JB_TODO_LIST,
					    .origin = r->set->no,
					    .dir = r->stale[i],
					    .flags = JB_DIRTY_EVENT |
						     JB_DIRTY_LOSSY};

		rv = is_attached(r, item.dir, err);
		if (rv == 0)
			r->stale[kept++] = item.dir;
		else if (rv == 1)
			rv = jb_todo_push(&r->carry, item, err);
		if (rv == JB_ENOENT)
			rv = JB_OK; /* it went with its tree */
	}
	r->n_stale = kept;
	return rv < 0 ? rv : JB_OK;
}
