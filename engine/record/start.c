/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recorder's beginning and end: roots the catalog knows, what is committed
 * about gaps and detached entries, the map for the loop. */
#include "engine/record/recorder_priv.h"

#include "engine/base/clock.h"

#include <stdlib.h>
#include <unistd.h>

static int load_root(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_error *err)
{
	struct jb_patrol_row patrol = {0};
	struct jb_known_root known = {0};
	int64_t after = 0;
	int rv;

	root->gap = (struct jb_gap){0};
	rv = jb_known_root_find(r->store, root->root->config->name, &known,
				err);
	if (rv > 0)
		rv = jb_gap_find_open(r->store, root->root->id, &root->gap,
				      err);
	root->complete = known.complete;
	root->found = 0;
	if (rv >= 0)
		rv = jb_patrol_row_read(r->store, root->root->id, &patrol, err);
	root->drift = patrol.drift;
	jb_detached_fini(&root->detached);
	jb_detached_init(&root->detached);
	do {
		if (rv >= 0)
			rv = jb_catalog_detached(r->catalog, root->root->id,
						 after, INT64_MAX, 512,
						 &r->below, err);
		for (size_t i = 0; rv >= 0 && i < r->below.n; i++) {
			after = r->below.v[i].det;
			jb_detached_note(&root->detached, r->below.v[i].id.ino);
		}
	} while (rv >= 0 && r->below.n == 512);
	if (rv >= 0 && root->detached.count > 0)
		rv = jb_detached_group_add(&root->detached, 0, after, err);
	return rv < 0 ? rv : JB_OK;
}

/* Everything in memory anew from what is committed. */
int jb_recorder_load(struct jb_recorder *r, struct jb_error *err)
{
	int64_t max = 0;
	int rv = jb_catalog_max_det(r->catalog, &max, err);

	if (max >= r->next_det)
		r->next_det = max + 1;
	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++)
		rv = load_root(r, &r->roots[i], err);
	return rv;
}

void jb_recorder_drop_memory(struct jb_recorder *r)
{
	jb_todo_fini(&r->todo);
	jb_todo_fini(&r->carry);
	jb_mark_unref(r->mark);
	jb_mark_unref(r->time);
	r->mark = r->time = NULL;
	for (size_t i = 0; i < r->n_new; i++)
		if (r->new_dirs[i].fd >= 0)
			close(r->new_dirs[i].fd);
	r->n_new = r->n_gone = r->n_beyond = r->n_deferred = 0;
	r->n_stale = 0;
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		jb_mark_unref(r->roots[i].scan_mark);
		r->roots[i].scan_mark = NULL;
	}
}

static int add_root_rows(struct jb_recorder *r, struct jb_root *root,
			 struct jb_known_root *known, struct jb_error *err)
{
	struct jb_entry e = {.root = known->id, .id = root->identity};
	struct jb_look look;
	size_t len = strlen(root->config->name);
	int rv;

	if (len > JB_NAME_MAX)
		return jb_error_set(err, JB_ECONFIG, 0,
				    "root '%s': name too long",
				    root->config->name);
	rv = jb_look_fd(root->fd, &look, err);
	if (rv != JB_OK)
		return rv;
	jb_filter_add(&r->known, root->identity.ino);
	memcpy(e.name, root->config->name, len);
	e.name_len = (uint8_t)len;
	e.facts = look.facts;
	e.cctime = look.facts.ctime;
	rv = jb_catalog_add_dir(r->catalog, &e, root->handle.bytes,
				root->handle.len, err);
	if (rv == JB_OK)
		rv = jb_catalog_insert(r->catalog, &e, err);
	known->dirkey = e.dirkey;
	return rv == JB_OK ? jb_known_root_set_dirkey(r->store, known, err)
			   : rv;
}

static int know_root(struct jb_recorder *r, struct jb_root *root,
		     struct jb_error *err)
{
	struct jb_known_root known = {0};
	struct jb_gap gap;
	struct jb_dir dir;
	int64_t now_us;
	int rv;

	now_us = jb_clock_us(CLOCK_REALTIME);
	rv = jb_known_root_find(r->store, root->config->name, &known, err);
	if (rv > 0) {
		root->id = known.id;
		root->dirkey = known.dirkey;
		r->roots[root->index].kept =
			jb_recorder_rest_keeps(r, root, known.kept);
		rv = jb_catalog_dir(r->catalog, known.dirkey, &dir, err);
		if (rv > 0 && !jb_id_equal(dir.id, root->identity))
			return jb_error_set(
				err, JB_ESTALE, 0,
				"root '%s': %s is not the directory that the "
				"journal knows: give it another name, or put "
				"the old one back",
				root->config->name, root->config->path);
		return rv < 0 ? rv : JB_OK;
	}
	if (rv == 0)
		rv = jb_known_root_add(r->store, root->config->name,
				       root->config->path, root->fsid, &known,
				       err);
	if (rv == JB_OK)
		rv = add_root_rows(r, root, &known, err);
	root->id = known.id;
	root->dirkey = known.dirkey;
	root->fresh = true;
	if (rv == JB_OK)
		rv = jb_gap_open(r->store, known.id, JB_GAP_FIRST_SCAN, 0,
				 now_us, &gap, err);
	return rv;
}

/* A catalog without names: from now on the filter knows all of them. */
static int begin_filter(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_catalog_has_names(r->catalog, err);

	if (rv == 0)
		jb_filter_begin(&r->known);
	return rv < 0 ? rv : JB_OK;
}

static int know_roots(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_store_begin(r->store, err);

	if (rv == JB_OK)
		rv = begin_filter(r, err);

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++)
		rv = know_root(r, &r->settings.roots[i], err);
	if (rv == JB_OK)
		rv = jb_recorder_rest_take(r, err);
	if (rv == JB_OK)
		return jb_store_commit(r->store, err);
	jb_store_rollback(r->store);
	return rv;
}

/* A scan that was going on at a clean stop goes on; one that makes up for what
 * was missed begins anew. */
static void owe_scan(struct jb_recorder *r, struct jb_record_root *root)
{
	if (root->kept)
		root->owed = root->gap.id != 0;
	else
		r->mail[root->root->index].owed_reason =
			jb_recorder_rest_missed(r, root->root);
}

int jb_recorder_open(struct jb_store *store,
		     const struct jb_recorder_settings *settings,
		     const struct jb_recorder_events *events,
		     struct jb_recorder **ret, struct jb_error *err)
{
	struct jb_recorder *r = calloc(1, sizeof *r);
	unsigned n = settings->n_roots;
	int rv;

	if (r == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "recorder");
	r->store = store;
	r->settings = *settings;
	r->events = *events;
	r->next_det = 1;
	pthread_mutex_init(&r->mutex, NULL);
	r->roots = calloc(n, sizeof *r->roots);
	r->mail = calloc(n, sizeof *r->mail);
	rv = r->roots == NULL || r->mail == NULL
		     ? jb_error_set(err, JB_ENOMEM, 0, "recorder")
		     : jb_catalog_open(store, &r->catalog, err);
	if (rv == JB_OK)
		rv = jb_changes_open(store, r->catalog, &r->changes, err);
	if (rv == JB_OK)
		rv = jb_upkeep_open(&r->upkeep, store, r->changes,
				    settings->max_bytes, err);
	for (unsigned i = 0; i < n && rv == JB_OK; i++)
		r->roots[i].root = &settings->roots[i];
	if (rv == JB_OK)
		rv = know_roots(r, err);
	if (rv == JB_OK)
		rv = jb_recorder_load(r, err);
	if (rv != JB_OK) {
		jb_recorder_close(r);
		return rv;
	}
	for (unsigned i = 0; i < n; i++)
		owe_scan(r, &r->roots[i]);
	*ret = r;
	return JB_OK;
}

static int map_dir(void *arg, const struct jb_dir *dir)
{
	struct jb_recorder *r = arg;
	struct jb_record_root *root = jb_record_root_of(r, dir->root);
	struct jb_source *s;

	if (root == NULL)
		return JB_OK; /* no longer configured */
	s = root->root->source;
	if (s->needs_fd)
		return JB_OK; /* its scan opens them */
	return s->ops->add_dir(s, root->root,
			       (struct jb_handle_ref){dir->handle,
						      dir->handle_len},
			       dir->key, -1, &r->error);
}

int jb_recorder_fill_map(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_catalog_each_dir(r->catalog, map_dir, r, err);

	if (rv != JB_OK && err != NULL && err->code == JB_OK)
		*err = r->error;
	return rv;
}

void jb_recorder_close(struct jb_recorder *r)
{
	if (r == NULL)
		return;
	while (r->paths != NULL) {
		struct jb_wanted_path *p = r->paths;

		r->paths = p->next;
		free(p);
	}
	jb_flushes_drop(r);
	jb_mark_unref(r->spare_mark);
	if (r->roots != NULL) {
		jb_recorder_drop_memory(r);
		for (unsigned i = 0; i < r->settings.n_roots; i++)
			jb_detached_fini(&r->roots[i].detached);
	}
	jb_upkeep_close(&r->upkeep);
	jb_ahead_stop(r->ahead);
	jb_changes_close(r->changes);
	jb_catalog_close(r->catalog);
	jb_entries_fini(&r->rows);
	jb_entries_fini(&r->page);
	jb_entries_fini(&r->below);
	free(r->new_dirs);
	free(r->gone_dirs);
	free(r->beyond);
	free(r->deferred);
	free(r->stale);
	jb_filter_end(&r->known);
	jb_keyset_fini(&r->named);
	jb_keyset_fini(&r->unread_told);
	free(r->roots);
	free(r->mail);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}
