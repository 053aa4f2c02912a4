/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/seen.h"

#include "engine/deliver/select.h"

#include <stdlib.h>
#include <string.h>

/* The rows of one entry, kept until its names' directories may be read. */
struct found_row {
	struct found_row *next;
	struct jb_entry row;
};

struct row_list {
	struct jb_sight *sight;
	struct found_row *first;
};

void jb_sight_init(struct jb_sight *s, struct jb_catalog_view *view,
		   const struct jb_patterns *patterns, unsigned levels,
		   struct jb_draft *draft)
{
	*s = (struct jb_sight){.view = view,
			       .patterns = patterns,
			       .levels = levels != 0 ? levels : JB_SIGHT_LEVELS,
			       .draft = draft};
}

void jb_sight_fini(struct jb_sight *s)
{
	jb_hash_table_fini(&s->entries);
	jb_hash_table_fini(&s->dirs);
	jb_arena_fini(&s->arena);
	free(s->path);
	s->path = NULL;
	s->path_size = 0;
}

static void *no_memory(struct jb_sight *s)
{
	struct jb_draft *d = s->draft;

	if (!jb_draft_failed(d))
		d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "plan");
	return NULL;
}

static bool same_key(const void *item, const void *key)
{
	return ((const struct jb_seen_dir *)item)->key ==
	       *(const uint64_t *)key;
}

static bool same_id(const void *item, const void *key)
{
	return jb_id_equal(((const struct jb_seen *)item)->id,
			   *(const struct jb_id *)key);
}

/* ---- directories */

/* DIR/NAME into the scratch buffer; its length. */
static size_t join(struct jb_sight *s, const struct jb_seen_dir *dir,
		   const char *name, size_t len)
{
	size_t need = dir->path_len + len + 2, at = 0;
	char *bigger;

	if (need > s->path_size) {
		bigger = realloc(s->path, need * 2);
		if (bigger == NULL) {
			no_memory(s);
			return 0;
		}
		s->path = bigger;
		s->path_size = need * 2;
	}
	if (dir->path_len > 0) {
		memcpy(s->path, dir->path, dir->path_len);
		at = dir->path_len;
		s->path[at++] = '/';
	}
	memcpy(s->path + at, name, len);
	s->path[at + len] = '\0';
	return at + len;
}

/* Would @name in the directory lie beyond the limit? */
static bool is_beyond(const struct jb_sight *s, const struct jb_seen_dir *dir,
		      size_t len)
{
	return dir->too_deep || dir->depth >= s->levels ||
	       dir->path_len + len >= JB_SIGHT_PATH_SIZE;
}

static void place_dir(struct jb_sight *s, struct jb_seen_dir *dir,
		      const struct jb_entry *row)
{
	struct jb_seen_dir *parent = dir->parent;

	dir->depth = parent->depth + 1;
	dir->attached = parent->attached && row->det == 0;
	dir->too_deep = is_beyond(s, parent, row->name_len);
	dir->selected = false;
	if (dir->too_deep)
		return;
	dir->path_len = join(s, parent, row->name, row->name_len);
	dir->path = jb_arena_copy(&s->arena, s->path, dir->path_len);
	dir->selected =
		dir->attached && parent->selected &&
		jb_select_takes(s->patterns, s->path, dir->path_len, true);
}

static struct jb_seen_dir *add_dir(struct jb_sight *s,
				   const struct jb_entry *row,
				   struct jb_seen_dir *parent)
{
	struct jb_seen_dir *dir = jb_arena_alloc(&s->arena, sizeof *dir);

	if (dir == NULL)
		return no_memory(s);
	dir->key = row->dirkey;
	dir->id = row->id;
	dir->parent = parent;
	dir->path = "";
	dir->attached = dir->selected = true;
	if (parent != NULL)
		place_dir(s, dir, row);
	if (dir->path == NULL ||
	    !jb_hash_table_add(&s->dirs, jb_hash_number(dir->key), dir))
		return no_memory(s);
	return dir;
}

/* Its row, in front of those below it. */
static bool read_dir(struct jb_sight *s, uint64_t key, struct found_row **rows)
{
	struct jb_draft *d = s->draft;
	struct found_row *f = malloc(sizeof *f);
	int rv;

	if (f == NULL) {
		no_memory(s);
		return false;
	}
	f->next = *rows;
	*rows = f;
	rv = s->view->ops->dir(s->view, key, &f->row, &d->err);
	if (rv == 0)
		rv = jb_error_set(&d->err, JB_ECORRUPT, 0,
				  "catalog: a name in directory %llu, which is "
				  "not there: run `verify`",
				  (unsigned long long)key);
	if (rv < 0)
		d->rv = rv;
	return rv > 0;
}

static struct jb_seen_dir *find_dir(const struct jb_sight *s, uint64_t key)
{
	return jb_hash_table_find(&s->dirs, jb_hash_number(key), same_key,
				  &key);
}

/* Up to one that is known, and down again: however deep it is. */
struct jb_seen_dir *jb_sight_dir(struct jb_sight *s, uint64_t key)
{
	struct jb_seen_dir *dir = find_dir(s, key);
	struct found_row *rows = NULL, *f;

	while (dir == NULL && !jb_draft_failed(s->draft) &&
	       read_dir(s, key, &rows)) {
		key = rows->row.parent;
		if (key == 0)
			break;
		dir = find_dir(s, key);
	}
	while ((f = rows) != NULL) {
		if (!jb_draft_failed(s->draft))
			dir = add_dir(s, &f->row, dir);
		rows = f->next;
		free(f);
	}
	return jb_draft_failed(s->draft) ? NULL : dir;
}

/* ---- entries */

static struct jb_seen *add_entry(struct jb_sight *s, struct jb_id id)
{
	struct jb_seen *e = jb_arena_alloc(&s->arena, sizeof *e);

	if (e == NULL)
		return no_memory(s);
	e->id = id;
	if (!jb_hash_table_add(&s->entries, jb_hash_id(id), e))
		return no_memory(s);
	return e;
}

/* Is the name in a selected directory taken too, and can it have a place? */
static void select_name(struct jb_sight *s, struct jb_seen *e,
			struct jb_seen_name *n, bool is_dir)
{
	bool beyond = is_beyond(s, n->dir, n->len);
	size_t len = join(s, n->dir, n->name, n->len);

	if (jb_draft_failed(s->draft))
		return;
	n->wanted = jb_select_takes(s->patterns, s->path, len, is_dir);
	if (n->wanted && beyond)
		e->barred = JB_REASON_TOO_DEEP;
	else if (jb_select_reserves(s->patterns, s->path, len, is_dir))
		e->barred = JB_REASON_RESERVED;
	else
		return;
	n->wanted = false;
	n->barred = true;
}

/* One more name of the entry. */
static void add_name(struct jb_sight *s, struct jb_seen *e,
		     const struct jb_entry *row)
{
	struct jb_seen_name *n;
	struct jb_seen_dir *dir;

	dir = jb_sight_dir(s, row->parent);
	n = jb_arena_alloc(&s->arena, sizeof *n);
	if (dir == NULL || n == NULL) {
		no_memory(s);
		return;
	}
	n->dir = dir;
	n->name = jb_arena_copy(&s->arena, row->name, row->name_len);
	if (n->name == NULL) {
		no_memory(s);
		return;
	}
	n->len = row->name_len;
	n->attached = dir->attached && row->det == 0;
	if (n->attached && dir->selected)
		select_name(s, e, n, jb_entry_is_dir(row));
	n->next = e->names;
	e->names = n;
	e->detached = e->detached || !n->attached;
	e->away = e->n_wanted == 0 && e->detached;
	if (!n->wanted)
		return;
	if (e->n_wanted == 0 || dir->depth < e->depth)
		e->depth = dir->depth;
	e->n_wanted++;
	e->away = false;
}

static void add_row(struct jb_sight *s, struct jb_seen *e,
		    const struct jb_entry *row)
{
	e->exists = true;
	e->facts = row->facts;
	e->flags = row->flags;
	e->dirkey = row->dirkey;
	e->cseq = row->cseq;
	e->cctime = row->cctime;
	if (row->parent != 0)
		add_name(s, e, row);
}

static int on_row(void *arg, const struct jb_entry *row)
{
	struct row_list *list = arg;
	struct found_row *f;

	f = jb_arena_alloc(&list->sight->arena, sizeof *f);
	if (f == NULL) {
		no_memory(list->sight);
		return JB_ENOMEM;
	}
	f->row = *row;
	f->next = list->first;
	list->first = f;
	return 0;
}

struct jb_seen *jb_sight_entry(struct jb_sight *s, struct jb_id id)
{
	struct row_list list = {s, NULL};
	struct jb_draft *d = s->draft;
	struct jb_seen *e;
	int rv;

	e = jb_hash_table_find(&s->entries, jb_hash_id(id), same_id, &id);
	if (e != NULL || jb_draft_failed(d))
		return e;
	e = add_entry(s, id);
	if (e == NULL)
		return NULL;
	rv = s->view->ops->names(s->view, id, on_row, &list, &d->err);
	if (rv < 0)
		d->rv = rv;
	for (struct found_row *f = list.first; f != NULL && !jb_draft_failed(d);
	     f = f->next)
		add_row(s, e, &f->row);
	return jb_draft_failed(d) ? NULL : e;
}

struct jb_seen *jb_sight_known(const struct jb_sight *s, struct jb_id id)
{
	return jb_hash_table_find(&s->entries, jb_hash_id(id), same_id, &id);
}

struct jb_seen *jb_sight_row(struct jb_sight *s, const struct jb_entry *row)
{
	struct jb_seen *e;

	e = jb_hash_table_find(&s->entries, jb_hash_id(row->id), same_id,
			       &row->id);
	if (e != NULL || jb_draft_failed(s->draft))
		return e;
	/* What can have one name alone needn't be asked for its others. */
	if (!jb_entry_is_dir(row) && row->facts.nlink > 1)
		return jb_sight_entry(s, row->id);
	e = add_entry(s, row->id);
	if (e != NULL)
		add_row(s, e, row);
	return jb_draft_failed(s->draft) ? NULL : e;
}

struct jb_seen *jb_sight_at(struct jb_sight *s, struct jb_id dir,
			    const char *name, size_t len)
{
	struct jb_draft *d = s->draft;
	struct jb_seen *e = jb_sight_entry(s, dir);
	struct jb_entry row;
	int rv;

	if (e == NULL || e->dirkey == 0)
		return NULL;
	rv = s->view->ops->at(s->view, e->dirkey, name, len, &row, &d->err);
	if (rv < 0)
		d->rv = rv;
	return rv > 0 ? jb_sight_entry(s, row.id) : NULL;
}

static int on_detached(void *arg, const struct jb_entry *row)
{
	struct jb_sight *s = arg;
	struct jb_seen_detached *x = jb_arena_alloc(&s->arena, sizeof *x);

	if (x == NULL) {
		no_memory(s);
		return JB_ENOMEM;
	}
	x->id = row->id;
	x->parent = row->parent;
	x->next = s->detached;
	s->detached = x;
	return 0;
}

void jb_sight_reset(struct jb_sight *s)
{
	struct jb_draft *d = s->draft;
	struct jb_entry row;
	int rv;

	jb_sight_fini(s);
	s->top = NULL;
	s->detached = NULL;
	if (jb_draft_failed(d))
		return;
	rv = s->view->ops->top(s->view, &row, &d->err);
	if (rv == 0)
		rv = jb_error_set(&d->err, JB_ENOENT, 0,
				  "the catalog has no root yet");
	if (rv < 0) {
		d->rv = rv;
		return;
	}
	s->top = add_entry(s, row.id);
	if (s->top != NULL) {
		add_row(s, s->top, &row);
		add_dir(s, &row, NULL);
		jb_draft_set_top(d, row.id);
	}
	rv = s->view->ops->detached(s->view, on_detached, s, &d->err);
	if (rv < 0)
		d->rv = rv;
}
