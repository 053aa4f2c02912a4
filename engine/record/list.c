/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking at all names of a directory: those it has and those the catalog has.
 *
 * The directory's handle is in the map, and the loop has said so, before it is
 * read: so whatever changes after the reading raises an event that is known to
 * be ours. Large directories are done in parts, a budget per batch. */
#include "engine/record/recorder_priv.h"

#include "engine/tree/names.h"

#include <stdlib.h>
#include <unistd.h>

#define PAGE_ROWS  256
#define AHEAD_FROM 8 /* new directories: for fewer no thread is woken */

struct jb_listing {
	struct jb_names names;
	struct jb_look *looks; /* owned; of this batch, one a name, or NULL */
	size_t pos;	       /* next to be looked at */
	char after[JB_NAME_MAX + 1]; /* last name done, of either side */
	uint8_t after_len;
};

void jb_listing_free(struct jb_listing *l)
{
	if (l == NULL)
		return;
	jb_names_fini(&l->names);
	free(l->looks);
	free(l);
}

/* All directories met so far into the map, in one message. */
int jb_list_map_new(struct jb_recorder *r, struct jb_error *err)
{
	int rv;

	if (r->n_new == 0)
		return JB_OK;
	rv = jb_intake_add_dirs(r->intake, r->new_dirs, r->n_new, err);
	for (size_t i = 0; i < r->n_new; i++) {
		const struct jb_map_dir *d = &r->new_dirs[i];

		if (rv == JB_OK && r->ahead != NULL && r->n_new >= AHEAD_FROM)
			jb_ahead_want(r->ahead, d->key, d->root,
				      (struct jb_handle_ref){d->handle.bytes,
							     d->handle.len});
		if (d->fd >= 0)
			close(d->fd);
	}
	r->n_new = 0;
	r->mapped_dirs = r->created_dirs;
	return rv;
}

/* Inodes that a RENAME put here while nobody knew this directory: they may
 * have been here and have gone on before this listing, so they count as
 * moving. */
static int note_beyond(struct jb_recorder *r, uint64_t key,
		       struct jb_error *err)
{
	struct jb_record_root *root;
	struct jb_dir dir;
	int rv;

	if (r->n_beyond == 0)
		return JB_OK;
	rv = jb_catalog_dir(r->catalog, key, &dir, err);
	if (rv <= 0)
		return rv;
	root = jb_record_root_of(r, dir.root);
	for (size_t i = 0; root != NULL && i < r->n_beyond; i++) {
		const struct jb_dirty_beyond *b = &r->beyond[i];

		if (b->fs == root->root->fs &&
		    b->handle.len == dir.handle_len &&
		    memcmp(b->handle.bytes, dir.handle, dir.handle_len) == 0)
			jb_dirty_add_ino(r->set, b->fs, b->ino, JB_INO_MOVED);
	}
	return JB_OK;
}

static int load_page(struct jb_recorder *r, const struct jb_visit *v,
		     struct jb_listing *l, bool fresh, size_t *row,
		     uint64_t *structure, struct jb_error *err)
{
	*row = 0;
	if (fresh && *structure == r->structure) {
		r->page.n = 0; /* no row can lie behind what we put there */
		return JB_OK;
	}
	*structure = r->structure;
	return jb_catalog_children(r->catalog, v->dir, l->after, l->after_len,
				   PAGE_ROWS, &r->page, err);
}

/* Look at one name after the other, in their order, from both sides. @fresh:
 * the directory was met in this batch, so the catalog has no name in it. */
static int walk(struct jb_recorder *r, struct jb_visit *v, struct jb_listing *l,
		bool fresh, unsigned dirty, struct jb_error *err)
{
	struct jb_look_flags flags = {.dirty = dirty & JB_DIRTY_WHO,
				      .lossy = true,
				      .listed = true,
				      .have_known = true};
	struct jb_entry row;
	const char *name;
	uint64_t structure = r->structure;
	size_t at, len;
	int cmp, rv;

	rv = load_page(r, v, l, fresh, &at, &structure, err);
	while (rv == JB_OK && r->budget > 0) {
		if (structure != r->structure ||
		    (at == r->page.n && r->page.n == PAGE_ROWS))
			rv = load_page(r, v, l, false, &at, &structure, err);
		if (rv != JB_OK || (l->pos == l->names.n && at == r->page.n))
			break;
		name = l->pos < l->names.n ? jb_names_get(&l->names, l->pos)
					   : NULL;
		cmp = name == NULL	? 1
		      : at == r->page.n ? -1
					: strcmp(name, r->page.v[at].name);
		flags.have = NULL;
		flags.ahead =
			cmp < 0 && l->looks != NULL ? &l->looks[l->pos] : NULL;
		if (cmp >= 0) {
			row = r->page.v[at++];
			flags.have = &row;
			name = row.name;
			memcpy(l->after, row.name, (size_t)row.name_len + 1);
			l->after_len = row.name_len;
		}
		if (cmp <= 0)
			l->pos++;
		len = strlen(name);
		if (cmp < 0) { /* rows that come to lie here are done */
			memcpy(l->after, name, len + 1);
			l->after_len = (uint8_t)len;
		}
		r->budget--;
		rv = jb_place_look(r, v, name, len, &flags, err);
		if (rv == JB_OK)
			rv = jb_batch_breathe(r, err);
	}
	return rv;
}

/* A renamed tree whose patterns go by path: what is below is listed too. */
static int list_subdirs(struct jb_recorder *r, const struct jb_visit *v,
			const struct jb_todo_item *item, struct jb_error *err)
{
	char after[JB_NAME_MAX + 1] = "";
	size_t after_len = 0;
	int rv;

	do {
		rv = jb_catalog_children(r->catalog, v->dir, after, after_len,
					 PAGE_ROWS, &r->page, err);
		for (size_t i = 0; rv == JB_OK && i < r->page.n; i++) {
			const struct jb_entry *e = &r->page.v[i];
			struct jb_todo_item sub = {.kind = JB_TODO_LIST,
						   .origin = item->origin,
						   .depth = item->depth + 1,
						   .dir = e->dirkey,
						   .flags = item->flags};

			memcpy(after, e->name, (size_t)e->name_len + 1);
			after_len = e->name_len;
			if (e->dirkey != 0)
				rv = jb_todo_push(&r->todo, sub, err);
		}
	} while (rv == JB_OK && r->page.n == PAGE_ROWS);
	return rv;
}

/* What was made in a new directory before it was in the map raised no event
 * that we know: its own times tell. */
static bool is_unchanged(const struct jb_visit *v, int64_t ctime)
{
	struct jb_look now;

	return jb_look_fd(v->fd, &now, NULL) == JB_OK &&
	       now.facts.ctime == ctime;
}

/* Read the directory's names, or take what was read ahead. */
static int begin_listing(struct jb_recorder *r, struct jb_visit *v,
			 struct jb_todo_item *item, struct jb_error *err)
{
	struct jb_listing *l = item->listing = calloc(1, sizeof *l);
	struct jb_ahead_dir *dir = NULL;

	if (l == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "listing");
	if (r->ahead != NULL)
		dir = jb_ahead_take(r->ahead, item->dir);
	if (dir == NULL)
		return jb_names_read(v->fd, &l->names, err);
	v->clock = dir->clock;
	l->names = dir->names;
	l->looks = dir->looks;
	free(dir);
	return JB_OK;
}

int jb_list_directory(struct jb_recorder *r, struct jb_todo_item *item,
		      struct jb_error *err)
{
	struct jb_listing *l = item->listing;
	struct jb_visit v;
	bool fresh = item->needs > r->batch_dirs && l == NULL;
	int64_t ctime = item->ctime;
	int rv = JB_OK;

	if (r->budget == 0)
		return jb_todo_push(&r->carry, *item, err);
	if (item->needs > r->mapped_dirs)
		rv = jb_list_map_new(r, err);
	if (rv == JB_OK)
		rv = note_beyond(r, item->dir, err);
	if (rv == JB_OK)
		rv = jb_visit_open(r, item->dir, item->origin, &v, err);
	if (rv <= 0) {
		jb_todo_item_fini(item);
		return rv;
	}
	rv = JB_OK;
	if (l == NULL) {
		rv = begin_listing(r, &v, item, err);
		l = item->listing;
	}
	if (rv == JB_OK)
		rv = walk(r, &v, l, fresh, item->flags, err);
	if (rv == JB_OK && r->budget == 0) {
		free(l->looks); /* too old by then */
		l->looks = NULL;
		rv = jb_todo_push(&r->carry, *item, err);
		item->listing = NULL;
	} else if (rv == JB_OK && item->flags & JB_DIRTY_SELF) {
		rv = list_subdirs(r, &v, item, err);
	}
	jb_todo_item_fini(item);
	if (rv == JB_OK && !(fresh && is_unchanged(&v, ctime)))
		return jb_visit_close(r, &v, err);
	jb_visit_drop(&v);
	return rv;
}
