/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk takes some directories at a time: threads list them at the target
 * while the caller's reads what the databases say of them. How many it takes
 * is measured by the names that directories had so far. */
#include "engine/deliver/compare_priv.h"

#include "engine/deliver/select.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_ONCE 4000

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "full pass");
}

/* ---- what was found */

static void tell_entry(void *arg, const struct jb_listed_entry *e)
{
	struct jb_compare *c = arg;

	if (c->turns[c->at].is_new)
		return; /* the plan of the directory lists it */
	if (!jb_found_add_entry(&c->found, e->content.id))
		c->no_memory = true;
}

static void tell_copy(void *arg, uint64_t rid)
{
	struct jb_compare *c = arg;

	if (!jb_found_add_copy(&c->found, rid))
		c->no_memory = true;
}

static void hand_out(struct jb_compare *c, size_t max,
		     struct jb_differences *ret)
{
	*ret = (struct jb_differences){.compared = c->compared};
	jb_found_hand_out(&c->found, max, &ret->ids, &ret->n_ids, &ret->rids,
			  &ret->n_rids);
	ret->end = jb_found_count(&c->found) == 0 && c->dirs == NULL;
}

/* ---- names of the directory at hand */

static bool make_room(struct jb_compare *c, size_t size)
{
	char *bigger;

	if (size <= c->path_size)
		return true;
	bigger = realloc(c->path, 2 * size);
	if (bigger == NULL) {
		c->no_memory = true;
		return false;
	}
	c->path = bigger;
	c->path_size = 2 * size;
	return true;
}

static bool set_dir(struct jb_compare *c, const struct jb_compare_dir *d)
{
	if (!make_room(c, d->len + 1))
		return false;
	memcpy(c->path, d->path, d->len + 1);
	c->dir_len = d->len;
	return true;
}

/* The path of a name in it; its length, 0 without memory. */
static size_t set_name(struct jb_compare *c, const struct jb_listed_name *name)
{
	size_t at = c->dir_len;

	if (!make_room(c, at + name->len + 2u))
		return 0;
	if (at > 0)
		c->path[at++] = '/';
	memcpy(c->path + at, name->bytes, name->len);
	at += name->len;
	c->path[at] = '\0';
	return at;
}

static bool takes(void *arg, const struct jb_listed_entry *e)
{
	struct jb_compare *c = arg;
	size_t len = set_name(c, &e->name);

	if (c->turns[c->at].dir->is_away)
		return true; /* the planner will wait for it */
	/* The plan says what is the matter with it. */
	if (jb_select_reserves(c->patterns, c->path, len, e->content.is_dir))
		tell_entry(c, e);
	return len > 0 &&
	       jb_select_takes(c->patterns, c->path, len, e->content.is_dir);
}

static void push(void *arg, const struct jb_listed_entry *e, uint64_t rid)
{
	struct jb_compare *c = arg;
	size_t len = set_name(c, &e->name);
	struct jb_compare_dir *d = len > 0 ? malloc(sizeof *d + len + 1) : NULL;

	if (d == NULL) {
		c->no_memory = true;
		return;
	}
	d->key = e->dirkey;
	d->id = e->content.id;
	d->rid = c->turns[c->at].dir->rid != 0 ? rid : 0;
	d->plans = c->plans;
	d->is_away = c->turns[c->at].dir->is_away;
	d->len = len;
	memcpy(d->path, c->path, len + 1);
	d->next = c->dirs;
	c->dirs = d;
}

/* ---- where the copy of a directory is */

/* 0: there is no copy. Only below one with the directory's own path are the
 * paths of its copies known by what the catalog says. */
static int find_copy(struct jb_compare *c, struct jb_compare_turn *t,
		     struct jb_error *err)
{
	struct jb_compare_dir *d = t->dir;
	int rv;

	t->listed.key = d->key;
	t->there = d->path;
	if (d->len == 0)
		d->rid = JB_RID_TOP;
	else if (d->plans != c->plans)
		d->rid = 0;
	t->listed.rid = d->rid;
	if (d->rid != 0)
		return 1;
	rv = jb_replica_by_src(c->replica, d->id, &t->listed.rid, err);
	if (rv <= 0)
		return rv;
	rv = jb_replica_path(c->replica, t->listed.rid, &c->arena, &t->there,
			     err);
	if (t->there != NULL && strcmp(t->there, d->path) == 0)
		d->rid = t->listed.rid;
	return rv < 0 ? rv : 1;
}

/* ---- some directories */

static size_t how_many(const struct jb_compare *c)
{
	uint64_t mean = c->n_dirs > 0 ? c->compared / c->n_dirs : 0;
	uint64_t n = NAMES_ONCE / (mean + 1);

	return n < 1 ? 1 : n < JB_COMPARE_ONCE ? (size_t)n : JB_COMPARE_ONCE;
}

/* One that has no copy is walked for what was moved into it: below a directory
 * that has one nothing would be looked at. */
static int take_turns(struct jb_compare *c, struct jb_error *err)
{
	size_t max = how_many(c);
	struct jb_compare_turn *t;
	int rv = JB_OK;

	while (rv >= 0 && c->dirs != NULL && c->n_turns < max) {
		t = &c->turns[c->n_turns];
		*t = (struct jb_compare_turn){.dir = c->dirs};
		c->dirs = t->dir->next;
		c->n_turns++;
		rv = find_copy(c, t, err);
		t->is_new = rv == 0;
		if (t->is_new)
			t->there = NULL;
	}
	return rv < 0 ? rv : JB_OK;
}

static void end_turns(struct jb_compare *c)
{
	for (size_t i = 0; i < c->n_turns; i++)
		free(c->turns[i].dir);
	c->n_turns = 0;
	jb_arena_fini(&c->arena);
	for (size_t i = 0; i < c->n_listers; i++)
		jb_arena_fini(&c->listers[i].arena);
}

static int compare_lists(struct jb_compare *c, struct jb_error *err)
{
	const struct jb_listed_found found = {
		.arg = c,
		.takes = takes,
		.entry = tell_entry,
		.copy = tell_copy,
		.dir = push,
	};
	struct jb_compare_turn *t;
	int rv = JB_OK;

	for (c->at = 0; c->at < c->n_turns && rv == JB_OK; c->at++) {
		t = &c->turns[c->at];
		if (!set_dir(c, t->dir))
			break;
		c->compared += t->listed.n_entries;
		c->n_dirs++;
		rv = jb_listed_compare(&t->listed, c->epoch, c->preserve,
				       &found, err);
	}
	return c->no_memory ? no_memory(err) : rv;
}

int jb_compare_next(struct jb_compare *c, size_t max, size_t names,
		    struct jb_differences *ret, struct jb_error *err)
{
	uint64_t begin = c->compared;
	int rv = jb_replica_begin_read(c->replica, err);

	while (rv == JB_OK && c->dirs != NULL &&
	       jb_found_count(&c->found) < max && c->compared - begin < names) {
		rv = take_turns(c, err);
		if (rv == JB_OK)
			rv = jb_compare_read(c, err);
		if (rv == JB_OK)
			rv = compare_lists(c, err);
		end_turns(c);
	}
	jb_replica_rollback(c->replica);
	hand_out(c, max, ret);
	return rv;
}

void jb_compare_planned(struct jb_compare *c)
{
	c->plans++;
}

/* ---- life */

static struct jb_compare_dir *push_first(struct jb_compare *c,
					 const struct jb_entry *e)
{
	/* The top has no path, and no copy but the target's top. */
	struct jb_compare_dir *d = calloc(1, sizeof *d + e->name_len + 1u);

	if (d == NULL) {
		c->no_memory = true;
		return NULL;
	}
	d->key = e->dirkey;
	d->id = e->id;
	d->next = c->dirs;
	c->dirs = d;
	return d;
}

/* What is detached is in no directory's list, and may be back in its place
 * without a word of the journal's: the planner has to know that it is owed. */
static int on_detached(void *arg, const struct jb_entry *row)
{
	struct jb_compare *c = arg;
	const struct jb_listed_entry e = {.content.id = row->id};
	struct jb_compare_dir *d;

	tell_entry(c, &e);
	if (!jb_entry_is_dir(row))
		return 0;
	d = push_first(c, row);
	if (d != NULL) {
		d->is_away = true;
		d->len = row->name_len;
		memcpy(d->path, row->name, row->name_len);
	}
	return 0;
}

static int push_top(struct jb_compare *c, struct jb_error *err)
{
	struct jb_entry top;
	int rv = c->view->ops->begin(c->view, err);

	if (rv != JB_OK)
		return rv;
	rv = c->view->ops->detached(c->view, on_detached, c, err);
	if (rv >= 0)
		rv = c->view->ops->top(c->view, &top, err);
	c->view->ops->end(c->view);
	if (rv == 0)
		return jb_error_set(err, JB_ENOENT, 0,
				    "the catalog has no root yet");
	if (rv < 0)
		return rv;
	push_first(c, &top);
	return c->no_memory ? no_memory(err) : JB_OK;
}

int jb_compare_new(struct jb_replica *replica, struct jb_catalog_view *view,
		   struct jb_target *target,
		   const struct jb_compare_options *options,
		   struct jb_compare **ret, struct jb_error *err)
{
	struct jb_compare *c = calloc(1, sizeof *c);
	int rv;

	if (c == NULL)
		return no_memory(err);
	c->replica = replica;
	c->view = view;
	c->target = target;
	c->patterns = options->patterns;
	c->preserve = options->preserve;
	c->n_listers = options->threads < JB_COMPARE_LISTERS
			       ? options->threads + 1
			       : JB_COMPARE_LISTERS;
	for (unsigned i = 0; i < c->n_listers; i++)
		c->listers[i].compare = c;
	rv = jb_replica_epoch(replica, options->epoch, &c->epoch, err);
	if (rv == JB_OK)
		rv = push_top(c, err);
	if (rv != JB_OK) {
		jb_compare_free(c);
		return rv;
	}
	*ret = c;
	return JB_OK;
}

void jb_compare_free(struct jb_compare *c)
{
	struct jb_compare_dir *d;

	if (c == NULL)
		return;
	while ((d = c->dirs) != NULL) {
		c->dirs = d->next;
		free(d);
	}
	end_turns(c);
	free(c->path);
	jb_found_fini(&c->found);
	free(c);
}
