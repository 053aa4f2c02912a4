/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From 'not here' to 'deleted': see engine/record/detached.h. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

#define PAGE_ROWS 512

/* fanotify tells of a link's end by the inode, inotify does not: the other
 * names have another link count now, and another ctime. */
static int look_at_other_links(struct jb_recorder *r,
			       const struct jb_entry *gone,
			       struct jb_error *err)
{
	int rv = jb_catalog_by_ino(r->catalog, gone->root, gone->id.ino, 0,
				   &r->below, err);

	for (size_t i = 0; rv == JB_OK && i < r->below.n; i++) {
		const struct jb_entry *e = &r->below.v[i];

		if (e->det == 0 && jb_id_equal(e->id, gone->id))
			rv = jb_push_name(r, e->parent, e->name, e->name_len,
					  r->set->no, JB_DIRTY_EVENT, &r->todo,
					  err);
	}
	return rv;
}

int jb_detach(struct jb_recorder *r, struct jb_record_root *root,
	      struct jb_entry *e, unsigned dirty, struct jb_error *err)
{
	int rv;

	e->flags &= ~(uint32_t)JB_ENTRY_SCANNED;
	if (!(dirty & JB_DIRTY_EVENT)) {
		e->flags |= JB_ENTRY_SCANNED;
		jb_drift_note(root, dirty);
	}
	rv = jb_catalog_move(r->catalog, e, e->parent, e->name, e->name_len,
			     r->next_det++, err);
	if (rv != JB_OK)
		return rv;
	jb_detached_note(&root->detached, e->id.ino);
	jb_facts_name_dir(r, e->parent); /* a row will follow, or v->back */
	root->assigned = true;
	r->structure++;
	r->wrote = true;
	if (root->root->source->needs_fd && !S_ISDIR(e->facts.mode) &&
	    e->facts.nlink > 1)
		rv = look_at_other_links(r, e, err);
	return rv;
}

/* A flush that waits for @was now waits for @now. */
static int follow_renewed(struct jb_recorder *r, int64_t was, int64_t now,
			  struct jb_error *err)
{
	for (struct jb_flush *f = r->flushes; f != NULL; f = f->next) {
		bool waits = f->captured && was <= f->upto;

		for (size_t i = 0; i < f->n_renewed && !waits; i++)
			waits = f->renewed[i] == was;
		if (!waits)
			continue;
		if (f->n_renewed == f->cap_renewed) {
			size_t cap =
				f->cap_renewed != 0 ? f->cap_renewed * 2 : 16;
			void *v = reallocarray(f->renewed, cap,
					       sizeof *f->renewed);

			if (v == NULL)
				return jb_error_set(err, JB_ENOMEM, 0, "flush");
			f->renewed = v;
			f->cap_renewed = cap;
		}
		f->renewed[f->n_renewed++] = now;
	}
	return JB_OK;
}

/* An event bore the inode of somebody who is detached. */
static int renew(struct jb_recorder *r, struct jb_record_root *root,
		 uint64_t ino, unsigned flags, struct jb_error *err)
{
	int rv = jb_catalog_by_ino(r->catalog, root->root->id, ino, 0, &r->rows,
				   err);

	for (size_t i = 0; rv == JB_OK && i < r->rows.n; i++) {
		struct jb_entry *e = &r->rows.v[i];
		int64_t det = e->det, was = e->det;

		if (det == 0)
			continue;
		if ((flags & (JB_INO_CONTENT | JB_INO_WRITTEN)) ==
		    JB_INO_CONTENT)
			e->flags |= JB_ENTRY_CONTENT;
		if (flags & JB_INO_MOVED) {
			det = r->next_det++;
			root->assigned = true;
		}
		rv = jb_catalog_move(r->catalog, e, e->parent, e->name,
				     e->name_len, det, err);
		if (rv == JB_OK && det != was)
			rv = follow_renewed(r, was, det, err);
		r->wrote = true;
	}
	return rv;
}

/* Without inodes in its events a source says only that something passed
 * through: then all wait anew. */
static int renew_all(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_error *err)
{
	root->assigned = false;
	return jb_detached_regroup(&root->detached, r->set->no, r->next_det - 1,
				   err);
}

static int renew_moving(struct jb_recorder *r, struct jb_record_root *root,
			struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	int rv = JB_OK;

	if (set->moved_unseen && root->root->source->needs_fd)
		return renew_all(r, root, err);
	for (uint32_t i = 0; i < set->size_inos && rv == JB_OK; i++) {
		const struct jb_dirty_inode *s = &set->inos[i];

		if (s->ino != 0 && s->fs == root->root->fs &&
		    s->flags & (JB_INO_MOVED | JB_INO_CONTENT) &&
		    jb_detached_may_hold(&root->detached, s->ino))
			rv = renew(r, root, s->ino, s->flags, err);
	}
	return rv;
}

static int ask_marks(struct jb_recorder *r, struct jb_record_root *root,
		     uint64_t oldest, struct jb_error *err)
{
	struct jb_detached *d = &root->detached;
	int rv = JB_OK;

	if (root->assigned)
		rv = jb_detached_group_add(d, r->set->no, r->next_det - 1, err);
	root->assigned = false;
	for (size_t i = 0; i < d->n_groups && rv == JB_OK; i++)
		/* Counted after the last look that these events caused. */
		if (d->groups[i].mark == NULL && oldest > d->groups[i].batch)
			d->groups[i].mark = jb_mark_ref(jb_recorder_mark(r));
	return rv;
}

/* ---- deleting */

/* @b: directories that lie above somebody who must wait. */
static int block_above(struct jb_recorder *r, uint64_t key, struct jb_keyset *b,
		       struct jb_error *err)
{
	struct jb_dir dir;
	int rv = 1;

	while (key != 0 && rv > 0) {
		rv = jb_keyset_add(b, key);
		if (rv < 0)
			return jb_error_set(err, JB_ENOMEM, 0, "detached");
		if (rv == 0)
			return JB_OK; /* so is all above it */
		rv = jb_catalog_dir(r->catalog, key, &dir, err);
		key = rv > 0 ? dir.parent : 0;
	}
	return rv < 0 ? rv : JB_OK;
}

/* A directory waits for what was detached below it. */
static int find_blocked(struct jb_recorder *r, struct jb_record_root *root,
			struct jb_keyset *b, struct jb_error *err)
{
	int64_t after = root->detached.passed;
	int rv;

	do {
		rv = jb_catalog_detached(r->catalog, root->root->id, after,
					 INT64_MAX, PAGE_ROWS, &r->below, err);
		for (size_t i = 0; rv == JB_OK && i < r->below.n; i++) {
			after = r->below.v[i].det;
			rv = block_above(r, r->below.v[i].parent, b, err);
		}
	} while (rv == JB_OK && r->below.n == PAGE_ROWS);
	return rv;
}

static int note_gone(struct jb_recorder *r, struct jb_record_root *root,
		     uint64_t key, struct jb_error *err)
{
	struct jb_map_dir *g;
	struct jb_dir dir;
	int rv = jb_catalog_dir(r->catalog, key, &dir, err);

	if (rv <= 0)
		return rv;
	jb_cycle_forget(r, key);
	if (r->n_gone == r->cap_gone) {
		size_t cap = r->cap_gone != 0 ? r->cap_gone * 2 : 64;
		void *v = reallocarray(r->gone_dirs, cap, sizeof *r->gone_dirs);

		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "directories");
		r->gone_dirs = v;
		r->cap_gone = cap;
	}
	g = &r->gone_dirs[r->n_gone++];
	*g = (struct jb_map_dir){.root = root->root, .key = key, .fd = -1};
	g->handle.len = dir.handle_len;
	memcpy(g->handle.bytes, dir.handle, dir.handle_len);
	return JB_OK;
}

/* Remove all rows below a directory, and count them. */
static int clear_tree(struct jb_recorder *r, struct jb_record_root *root,
		      uint64_t key, struct jb_cleared *sum,
		      struct jb_error *err)
{
	int rv = jb_catalog_clear_dir(r->catalog, key, sum, err);

	while (rv == JB_OK && sum->n > 0) {
		key = sum->dirs[--sum->n];
		rv = jb_catalog_clear_dir(r->catalog, key, sum, err);
		if (rv == JB_OK)
			rv = note_gone(r, root, key, err);
		if (rv == JB_OK)
			rv = jb_catalog_remove_dir(r->catalog, key, err);
	}
	return rv;
}

static int delete_entry(struct jb_recorder *r, struct jb_record_root *root,
			const struct jb_entry *e, struct jb_error *err)
{
	struct jb_cleared sum = {.entries = 1};
	struct jb_change c = {
		.kind = JB_KIND_DELETED,
		.what = JB_WHAT_PLACE,
		.source = e->flags & JB_ENTRY_SCANNED ? JB_SOURCE_SCAN
						      : JB_SOURCE_EVENT,
		.dir = e->parent,
		.name = e->name,
		.name_len = e->name_len,
		.id = e->id,
		.facts = e->facts,
		.entries = -1,
	};
	int rv = JB_OK;

	if (e->dirkey != 0) {
		rv = clear_tree(r, root, e->dirkey, &sum, err);
		free(sum.dirs);
		if (rv == JB_OK)
			rv = note_gone(r, root, e->dirkey, err);
		c.entries = sum.entries;
		c.bytes = sum.bytes;
	}
	if (rv == JB_OK)
		rv = jb_write_change(r, root, &c, NULL, err);
	if (rv == JB_OK)
		rv = jb_catalog_remove(r->catalog, e, err);
	r->structure++;
	root->detached.count--;
	return rv;
}

/* The deeper goes first, so that each still has its path. */
struct doomed {
	unsigned depth;
	struct jb_entry entry;
};

static int deeper_first(const void *a, const void *b)
{
	const struct doomed *x = a, *y = b;

	return (x->depth < y->depth) - (x->depth > y->depth);
}

static int collect_dir(struct jb_recorder *r, const struct jb_entry *e,
		       struct doomed **list, size_t *n, size_t *cap,
		       struct jb_error *err)
{
	if (*n == *cap) {
		size_t more = *cap != 0 ? *cap * 2 : 16;
		void *v = reallocarray(*list, more, sizeof **list);

		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "detached");
		*list = v;
		*cap = more;
	}
	(*list)[*n].entry = *e;
	return jb_catalog_depth(r->catalog, e->parent, &(*list)[(*n)++].depth,
				err);
}

/* Files page by page, then the directories that nobody blocks. */
static int delete_passed(struct jb_recorder *r, struct jb_record_root *root,
			 struct jb_error *err)
{
	struct jb_keyset b = {0};
	struct doomed *dirs = NULL;
	size_t n = 0, cap = 0, found;
	int64_t after = 0;
	int rv = find_blocked(r, root, &b, err);

	do {
		if (rv == JB_OK)
			rv = jb_catalog_detached(r->catalog, root->root->id,
						 after, root->detached.passed,
						 PAGE_ROWS, &r->below, err);
		found = r->below.n;
		for (size_t i = 0; i < found && rv == JB_OK; i++) {
			const struct jb_entry *e = &r->below.v[i];

			after = e->det;
			if (e->dirkey == 0)
				rv = delete_entry(r, root, e, err);
			else if (!jb_keyset_has(&b, e->dirkey) &&
				 !jb_cycle_defers(r, e->dirkey))
				rv = collect_dir(r, e, &dirs, &n, &cap, err);
			if (rv == JB_OK)
				rv = jb_batch_breathe(r, err);
		}
	} while (rv == JB_OK && found == PAGE_ROWS);
	if (n > 1)
		qsort(dirs, n, sizeof *dirs, deeper_first);
	for (size_t i = 0; i < n && rv == JB_OK; i++) {
		rv = delete_entry(r, root, &dirs[i].entry, err);
		if (rv == JB_OK)
			rv = jb_batch_breathe(r, err);
	}
	free(dirs);
	jb_keyset_fini(&b);
	return rv;
}

static int any_passed(struct jb_recorder *r, struct jb_record_root *root,
		      struct jb_error *err)
{
	int rv = jb_catalog_detached(r->catalog, root->root->id, 0,
				     root->detached.passed, 1, &r->below, err);

	return rv < 0 ? rv : r->below.n > 0;
}

static int settle_root(struct jb_recorder *r, struct jb_record_root *root,
		       uint64_t oldest, struct jb_error *err)
{
	struct jb_error why;
	int rv;

	if (root->detached.count == 0) {
		/* All were found: nobody waits for their marks. */
		jb_detached_reset(&root->detached);
		root->assigned = false;
		return JB_OK;
	}
	rv = renew_moving(r, root, err);
	if (rv == JB_OK)
		rv = ask_marks(r, root, oldest, err);
	if (rv != JB_OK)
		return rv;
	jb_detached_advance(&root->detached, r->set, oldest);
	if (jb_gaps_is_open(root) || root->detached.passed == 0)
		return JB_OK; /* a scan may find them yet */
	rv = any_passed(r, root, err);
	if (rv <= 0)
		return rv;
	if (jb_root_check(root->root, &why) != JB_OK)
		return jb_gaps_root_lost(r, root, &why, err);
	rv = delete_passed(r, root, err);
	if (root->detached.count == 0)
		jb_detached_reset(&root->detached);
	return rv;
}

int jb_settle(struct jb_recorder *r, struct jb_error *err)
{
	uint64_t oldest = jb_recorder_oldest_left(r);
	int rv = JB_OK;

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++)
		rv = settle_root(r, &r->roots[i], oldest, err);
	return rv;
}
