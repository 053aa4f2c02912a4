/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All the looks of one batch: what was left over, what the dirty set holds,
 * and the other names of its inodes; parents first. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

#define BEYOND_MAX 65536u

/* What is committed is in the map: if the rest of the batch is lost, a scan
 * takes these directories for known ones, and nothing else would tell the loop
 * of them. */
int jb_batch_breathe(struct jb_recorder *r, struct jb_error *err)
{
	int rv;

	if (!jb_upkeep_must_breathe(&r->upkeep))
		return JB_OK;
	rv = jb_list_map_new(r, err);
	return rv == JB_OK ? jb_upkeep_breathe(&r->upkeep, err) : rv;
}

static int push_places(struct jb_recorder *r, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	int rv = JB_OK;

	for (uint32_t i = 0; i < set->n_dirs && rv == JB_OK; i++) {
		const struct jb_dirty_dir *d = &set->dirs[i];
		struct jb_todo_item item = {.dir = d->key, .origin = set->no};

		rv = jb_catalog_depth(r->catalog, d->key, &item.depth, err);
		if (rv == JB_OK && (d->count > 0 || d->flags & JB_DIRTY_SELF)) {
			item.kind = JB_TODO_SET_DIR;
			item.index = i;
			rv = jb_todo_push(&r->todo, item, err);
		}
		if (rv == JB_OK && d->flags & JB_DIRTY_LIST) {
			item.kind = JB_TODO_LIST;
			item.flags = d->flags & (unsigned)~JB_DIRTY_SELF;
			rv = jb_todo_push(&r->todo, item, err);
		}
	}
	return rv;
}

static int take_carry(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_todo_item item;
	int rv = JB_OK;

	while (rv == JB_OK && jb_todo_pop(&r->carry, &item)) {
		/* Where it lies may have changed since. */
		rv = jb_catalog_depth(r->catalog, item.dir, &item.depth, err);
		if (rv == JB_OK)
			rv = jb_todo_push(&r->todo, item, err);
	}
	return rv;
}

static struct jb_look_flags flags_of(const struct jb_visit *v, unsigned dirty)
{
	return (struct jb_look_flags){
		.dirty = dirty,
		.lossy = dirty & JB_DIRTY_LOSSY || jb_gaps_is_open(v->root) ||
			 v->root->root->source->needs_fd,
	};
}

static int compare_places(const void *a, const void *b, void *arg)
{
	const struct jb_dirty *set = arg;
	const struct jb_dirty_place *x = &set->places[*(const uint32_t *)a];
	const struct jb_dirty_place *y = &set->places[*(const uint32_t *)b];
	size_t n = x->len < y->len ? x->len : y->len;
	int cmp = memcmp(set->names + x->name, set->names + y->name, n);

	return cmp != 0 ? cmp : x->len - y->len;
}

/* The directory itself was told of: its attributes. */
static int look_at_self(struct jb_recorder *r, struct jb_visit *v,
			unsigned dirty, struct jb_error *err)
{
	struct jb_look_flags flags = flags_of(v, dirty | JB_DIRTY_ATTRIB);
	struct jb_look found;
	struct jb_entry e;
	struct jb_dir dir;
	int rv = jb_catalog_dir(r->catalog, v->dir, &dir, err);

	if (rv <= 0 || dir.det != 0 || jb_look_fd(v->fd, &found, NULL) != JB_OK)
		return rv < 0 ? rv : JB_OK;
	rv = jb_catalog_get(r->catalog, dir.parent, dir.name, dir.name_len, &e,
			    err);
	if (rv <= 0 || !jb_look_same(&found, &e))
		return rv < 0 ? rv : JB_OK;
	return jb_facts_compare(r, v->root, &e, &found, &flags, false, v->clock,
				err);
}

/* Somebody moved away from here, and was seen where he went, by the only name
 * that he has: he is not here. Nobody else has been told of. If there is no
 * row either, a look would find nothing; who came later has an event of his
 * own. */
static int has_left(struct jb_recorder *r, const struct jb_visit *v,
		    const struct jb_dirty_place *p, struct jb_error *err)
{
	struct jb_entry have;
	int rv;

	if (p->ino == JB_DIRTY_SEVERAL || p->flags & JB_DIRTY_LOSSY ||
	    !(p->flags & JB_DIRTY_FROM) || jb_gaps_is_open(v->root) ||
	    !(jb_dirty_ino(r->set, v->root->root->fs, p->ino) & JB_INO_SEEN))
		return 0;
	rv = jb_catalog_get(r->catalog, v->dir, r->set->names + p->name, p->len,
			    &have, err);
	return rv < 0 ? rv : rv == 0;
}

static int look_at_place(struct jb_recorder *r, struct jb_visit *v,
			 const struct jb_dirty_place *p, struct jb_error *err)
{
	struct jb_look_flags flags = flags_of(v, p->flags);
	char name[JB_NAME_MAX + 1];
	int rv = has_left(r, v, p, err);

	if (rv != 0)
		return rv < 0 ? rv : JB_OK;
	memcpy(name, r->set->names + p->name, p->len);
	name[p->len] = '\0';
	return jb_place_look(r, v, name, p->len, &flags, err);
}

/* The dirty names of one directory, in the order of the catalog; those that
 * somebody left come last. */
static int look_at_names(struct jb_recorder *r, struct jb_visit *v,
			 const struct jb_dirty_dir *d, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	uint32_t *order, n = 0;
	int rv = JB_OK;

	order = reallocarray(NULL, d->count, sizeof *order);
	if (order == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "places");
	for (uint32_t i = d->first; i != 0; i = set->places[i - 1].next)
		order[n++] = i - 1;
	qsort_r(order, n, sizeof *order, compare_places,
		(void *)(uintptr_t)set);
	for (unsigned pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < n && rv == JB_OK; i++) {
			const struct jb_dirty_place *p = &set->places[order[i]];

			if (!(p->flags & JB_DIRTY_FROM) == (pass == 0))
				rv = look_at_place(r, v, p, err);
			if (rv == JB_OK)
				rv = jb_batch_breathe(r, err);
		}
	free(order);
	return rv;
}

static int do_set_dir(struct jb_recorder *r, const struct jb_todo_item *item,
		      struct jb_error *err)
{
	const struct jb_dirty_dir *d = &r->set->dirs[item->index];
	struct jb_visit v;
	int rv = jb_visit_open(r, item->dir, item->origin, &v, err);

	if (rv <= 0)
		return rv;
	rv = JB_OK;
	if (d->flags & JB_DIRTY_SELF)
		rv = look_at_self(r, &v, d->flags & JB_DIRTY_EVENT, err);
	if (rv == JB_OK && d->count > 0)
		rv = look_at_names(r, &v, d, err);
	if (rv == JB_OK)
		return jb_visit_close(r, &v, err);
	jb_visit_drop(&v);
	return rv;
}

static int do_name(struct jb_recorder *r, struct jb_todo_item *item,
		   struct jb_error *err)
{
	struct jb_visit v;
	struct jb_look_flags flags;
	int rv = jb_visit_open(r, item->dir, item->origin, &v, err);

	if (rv > 0) {
		flags = flags_of(&v, item->flags);
		rv = jb_place_look(r, &v, item->name, item->len, &flags, err);
		if (rv == JB_OK)
			rv = jb_visit_close(r, &v, err);
		else
			jb_visit_drop(&v);
	}
	jb_todo_item_fini(item);
	return rv;
}

static int do_times(struct jb_recorder *r, const struct jb_todo_item *item,
		    struct jb_error *err)
{
	struct jb_visit v;
	int rv = jb_visit_open(r, item->dir, item->origin, &v, err);

	return rv > 0 ? jb_visit_close(r, &v, err) : rv;
}

static int work_off(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_todo_item item;
	int rv = JB_OK;

	while (rv == JB_OK && jb_todo_pop(&r->todo, &item)) {
		switch (item.kind) {
		case JB_TODO_SET_DIR:
			rv = do_set_dir(r, &item, err);
			break;
		case JB_TODO_NAME:
			rv = do_name(r, &item, err);
			break;
		case JB_TODO_LIST:
			rv = jb_list_directory(r, &item, err);
			break;
		case JB_TODO_TIMES:
			rv = do_times(r, &item, err);
			break;
		}
		if (rv == JB_OK)
			rv = jb_batch_breathe(r, err);
	}
	return rv;
}

/* ---- inodes whose names the events did not tell */

/* Was it looked at by the only name that it has? */
static bool seen_whole(const struct jb_dirty_inode *s)
{
	return s->flags & JB_INO_SEEN;
}

static int push_names_of(struct jb_recorder *r, const struct jb_dirty_inode *s,
			 struct jb_error *err)
{
	int rv = JB_OK;

	if (!jb_filter_may_hold(&r->known, s->ino))
		return JB_OK;
	rv = jb_catalog_by_ino(r->catalog, 0, s->ino, 0, &r->rows, err);

	for (size_t i = 0; rv == JB_OK && i < r->rows.n; i++) {
		const struct jb_entry *e = &r->rows.v[i];
		struct jb_record_root *root = jb_record_root_of(r, e->root);

		if (e->det == 0 && root != NULL && root->root->fs == s->fs &&
		    e->parent != 0)
			rv = jb_push_name(r, e->parent, e->name, e->name_len,
					  r->set->no, JB_DIRTY_EVENT, &r->todo,
					  err);
	}
	return rv;
}

/* By inode, after the looks at named places: most were seen there. */
static int push_inodes(struct jb_recorder *r, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	int rv = JB_OK;

	for (uint32_t i = 0; i < set->size_inos && rv == JB_OK; i++) {
		const struct jb_dirty_inode *s = &set->inos[i];

		if (s->ino != 0 && !seen_whole(s) &&
		    s->flags & (JB_INO_CONTENT | JB_INO_LOOK))
			rv = push_names_of(r, s, err);
	}
	return rv;
}

/* Keep of these only who matters: inodes that are detached now. */
int jb_batch_merge_beyond(struct jb_recorder *r, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;

	if (set->n_beyond == 0)
		return JB_OK;
	if (r->n_beyond + set->n_beyond > r->cap_beyond) {
		size_t cap = r->n_beyond + set->n_beyond;
		void *v = reallocarray(r->beyond, cap, sizeof *r->beyond);

		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "renames");
		r->beyond = v;
		r->cap_beyond = cap;
	}
	memcpy(r->beyond + r->n_beyond, set->beyond,
	       set->n_beyond * sizeof *set->beyond);
	r->n_beyond += set->n_beyond;
	return JB_OK;
}

void jb_batch_filter_beyond(struct jb_recorder *r)
{
	size_t kept = 0;

	if (r->carry.n > 0 && r->n_beyond < BEYOND_MAX)
		return;
	for (size_t i = 0; i < r->n_beyond; i++) {
		bool waits = false;

		for (unsigned k = 0; k < r->settings.n_roots && !waits; k++)
			waits = r->roots[k].root->fs == r->beyond[i].fs &&
				jb_detached_may_hold(&r->roots[k].detached,
						     r->beyond[i].ino);
		if (waits)
			r->beyond[kept++] = r->beyond[i];
	}
	r->n_beyond = kept;
}

/* From the root down, by the catalog. A path that it does not know has been,
 * or will be, told by its own events. */
static int push_path(struct jb_recorder *r, uint64_t dir, const char *path,
		     struct jb_error *err)
{
	struct jb_entry e;
	const char *end;
	int rv;

	while ((end = strchr(path, '/')) != NULL) {
		rv = jb_catalog_get(r->catalog, dir, path, (size_t)(end - path),
				    &e, err);
		if (rv <= 0)
			return rv;
		dir = e.dirkey;
		path = end + 1;
	}
	return jb_push_name(r, dir, path, strlen(path), r->set->no,
			    JB_DIRTY_EVENT | JB_DIRTY_LOSSY, &r->todo, err);
}

static int push_paths(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_wanted_path *p, *next;
	int rv = JB_OK;

	pthread_mutex_lock(&r->mutex);
	p = r->paths;
	r->paths = NULL;
	pthread_mutex_unlock(&r->mutex);
	for (; p != NULL; p = next) {
		next = p->next;
		if (rv == JB_OK)
			rv = push_path(r, r->roots[p->root].root->dirkey,
				       p->path, err);
		free(p);
	}
	return rv;
}

int jb_batch_look(struct jb_recorder *r, struct jb_error *err)
{
	int rv = take_carry(r, err);

	if (rv == JB_OK)
		rv = push_places(r, err);
	if (rv == JB_OK)
		rv = push_paths(r, err);
	if (rv == JB_OK)
		rv = work_off(r, err);
	if (rv == JB_OK)
		rv = push_inodes(r, err);
	if (rv == JB_OK)
		rv = work_off(r, err);
	return rv == JB_OK ? jb_stale_retry(r, err) : rv;
}
