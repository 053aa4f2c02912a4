/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a clean stop leaves for the next start: see journal/rest.h.
 *
 * At the end: looks that are left over or deferred, how far the scans are, and
 * the mark, in one transaction. At the beginning all of it is taken away
 * again, in the same transaction that learns the roots, before the first event
 * is read. Who is detached is in the catalog, and waits anew. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>

/* ---- the end */

static int add_look(struct jb_recorder *r, uint64_t dir, const char *name,
		    uint8_t len, unsigned flags, struct jb_error *err)
{
	const struct jb_rest_look look = {
		.dir = dir, .name = name, .len = len, .flags = flags};

	return jb_rest_add_look(r->store, &look, err);
}

static int write_looks(struct jb_recorder *r, struct jb_error *err)
{
	int rv = JB_OK;

	for (size_t i = 0; i < r->carry.n && rv == JB_OK; i++) {
		const struct jb_todo_item *item = &r->carry.items[i];

		rv = add_look(r, item->dir, item->name, item->len, item->flags,
			      err);
	}
	for (size_t i = 0; i < r->n_deferred && rv == JB_OK; i++) {
		const struct jb_deferred *d = &r->deferred[i];

		rv = add_look(r, d->dir, d->name, d->len, JB_DIRTY_EVENT, err);
	}
	for (size_t i = 0; i < r->n_stale && rv == JB_OK; i++)
		rv = add_look(r, r->stale[i], NULL, 0,
			      JB_DIRTY_EVENT | JB_DIRTY_LOSSY, err);
	return rv;
}

static int write_beyond(struct jb_recorder *r, struct jb_error *err)
{
	int rv = JB_OK;

	for (size_t i = 0; i < r->n_beyond; i++)
		for (unsigned k = 0; k < r->settings.n_roots; k++) {
			const struct jb_root *root = r->roots[k].root;
			const struct jb_rest_beyond b = {
				.root = root->id,
				.ino = r->beyond[i].ino,
				.handle = r->beyond[i].handle.bytes,
				.len = r->beyond[i].handle.len};

			if (rv == JB_OK && root->fs == r->beyond[i].fs)
				rv = jb_rest_add_beyond(r->store, &b, err);
		}
	return rv;
}

/* How far its scan is: a walk that has ended has nothing left but to wait for
 * its barrier. */
static int64_t progress_of(struct jb_recorder *r,
			   const struct jb_record_root *root)
{
	if (root->owed)
		return 0;
	return root->running ? (int64_t)r->events.scan_progress(r->events.arg,
								root->root)
			     : INT64_MAX;
}

static int write_root(struct jb_recorder *r, struct jb_record_root *root,
		      struct jb_error *err)
{
	int rv = JB_OK;

	if (jb_gaps_is_open(root)) {
		root->gap.progress = progress_of(r, root);
		rv = jb_gap_update(r->store, &root->gap, err);
	}
	if (rv == JB_OK && !root->lost)
		rv = jb_known_root_set_kept(r->store, root->root->id,
					    (int64_t)root->root->kept_as, err);
	return rv;
}

int jb_recorder_rest_leave(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_store_begin(r->store, err);

	if (rv == JB_OK)
		rv = jb_gaps_note(r, err); /* what was said since */
	if (rv == JB_OK)
		rv = write_looks(r, err);
	if (rv == JB_OK)
		rv = write_beyond(r, err);
	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++)
		rv = write_root(r, &r->roots[i], err);
	if (rv == JB_OK)
		rv = jb_rest_write(r->store, &r->rest, err);
	if (rv == JB_OK)
		return jb_store_commit(r->store, err);
	jb_store_rollback(r->store);
	return rv;
}

/* ---- the beginning */

static int take_look(void *arg, const struct jb_rest_look *look)
{
	struct jb_recorder *r = arg;
	struct jb_todo_item item = {.kind = look->len > 0 ? JB_TODO_NAME
							  : JB_TODO_LIST,
				    .dir = look->dir,
				    .len = look->len,
				    .flags = look->flags};

	if (look->len > 0) {
		item.name = strndup(look->name, look->len);
		if (item.name == NULL)
			return jb_error_set(&r->error, JB_ENOMEM, 0, "place");
	}
	return jb_todo_push(&r->carry, item, &r->error);
}

static int take_beyond(void *arg, const struct jb_rest_beyond *b)
{
	struct jb_recorder *r = arg;
	struct jb_record_root *root = jb_record_root_of(r, b->root);
	struct jb_dirty_beyond *v;

	if (root == NULL)
		return JB_OK; /* no longer configured */
	if (b->len > sizeof v->handle.bytes)
		return jb_error_set(&r->error, JB_ECORRUPT, 0,
				    "renames: a handle of %u bytes", b->len);
	v = reallocarray(r->beyond, r->n_beyond + 1, sizeof *v);
	if (v == NULL)
		return jb_error_set(&r->error, JB_ENOMEM, 0, "renames");
	r->beyond = v;
	r->cap_beyond = r->n_beyond + 1;
	v += r->n_beyond++;
	*v = (struct jb_dirty_beyond){.ino = b->ino, .fs = root->root->fs};
	v->handle.len = b->len;
	memcpy(v->handle.bytes, b->handle, b->len);
	return JB_OK;
}

/* No event tells of a mount that has gone meanwhile. */
static int look_at_mounts(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_entries list = {0};
	int rv = jb_catalog_mounts(r->catalog, 0, &list, err);

	for (size_t i = 0; i < list.n && rv == JB_OK; i++)
		rv = jb_push_name(r, list.v[i].parent, list.v[i].name,
				  list.v[i].name_len, 0,
				  JB_DIRTY_EVENT | JB_DIRTY_LOSSY, &r->carry,
				  err);
	jb_entries_fini(&list);
	return rv;
}

int jb_recorder_rest_take(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_rest_each_look(r->store, take_look, r, err);

	if (rv == JB_OK)
		rv = jb_rest_each_beyond(r->store, take_beyond, r, err);
	if (rv != JB_OK && r->error.code != JB_OK)
		*err = r->error;
	if (rv == JB_OK)
		rv = look_at_mounts(r, err);
	return rv == JB_OK ? jb_rest_clear(r->store, err) : rv;
}

bool jb_recorder_rest_keeps(const struct jb_recorder *r,
			    const struct jb_root *root, int64_t kept)
{
	return r->settings.missed == NULL && root->queue_kept &&
	       root->kept_as != 0 && kept == (int64_t)root->kept_as;
}

const char *jb_recorder_rest_missed(const struct jb_recorder *r,
				    const struct jb_root *root)
{
	if (root->fresh)
		return JB_GAP_FIRST_SCAN;
	if (r->settings.missed != NULL)
		return r->settings.missed;
	/* No backend but fanotify can be handed over. */
	return root->kept_as != 0 ? JB_GAP_CONFIGURED : JB_GAP_STOPPED;
}
