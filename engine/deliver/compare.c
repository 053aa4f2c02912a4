/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk takes some directories at a time: threads list them at the target
 * while the caller's reads what the databases say of them. How many it takes
 * is measured by the names that directories had so far. */
#include "engine/deliver/compare.h"

#include "engine/deliver/found.h"
#include "engine/deliver/listed.h"
#include "engine/deliver/select.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT   1000 /* rows of the catalog in one */
#define AT_ONCE	   256	/* directories */
#define NAMES_ONCE 4000
#define LISTERS	   4

/* A directory that waits for its turn; one allocation with its path. */
struct dir {
	struct dir *next;
	uint64_t key;
	struct jb_id id;
	uint64_t rid;	/* its copy, which has the same path as long as */
	unsigned plans; /* no plan has been carried out since; 0: unknown */
	bool is_away;	/* or below one that is: it has no path now */
	size_t len;
	char path[];
};

/* One that is being compared. */
struct turn {
	struct dir *dir; /* owned */
	struct jb_listed listed;
	char *there; /* in the arena: its path at the target, NULL: none */
	bool is_new; /* it has no copy */
};

/* Lists directories at the target, one after another that nobody has taken. */
struct lister {
	struct jb_compare *compare;
	pthread_t thread;
	bool is_thread;
	struct jb_arena arena;
	int rv;
	struct jb_error err;
};

struct jb_compare {
	struct jb_replica *replica;	    /* borrowed */
	struct jb_catalog_view *view;	    /* borrowed */
	struct jb_target *target;	    /* borrowed */
	const struct jb_patterns *patterns; /* borrowed */
	unsigned preserve;		    /* JB_PRESERVE_* */
	uint32_t epoch;			    /* its number in the replica */
	struct dir *dirs;		    /* owned; a stack */
	unsigned plans;
	uint64_t compared, n_dirs;

	struct turn turns[AT_ONCE];
	size_t n_turns, at;
	struct jb_arena arena; /* of these */
	struct lister listers[LISTERS];
	unsigned n_listers;
	atomic_size_t next_listed;
	char *path; /* owned; of a name in the directory at hand */
	size_t path_size, dir_len;

	struct jb_found found;
	bool no_memory;
};

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

static bool set_dir(struct jb_compare *c, const struct dir *d)
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
	struct dir *d = len > 0 ? malloc(sizeof *d + len + 1) : NULL;

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
static int find_copy(struct jb_compare *c, struct turn *t, struct jb_error *err)
{
	struct dir *d = t->dir;
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

	return n < 1 ? 1 : n < AT_ONCE ? (size_t)n : AT_ONCE;
}

/* One that has no copy is walked for what was moved into it: below a directory
 * that has one nothing would be looked at. */
static int take_turns(struct jb_compare *c, struct jb_error *err)
{
	size_t max = how_many(c);
	struct turn *t;
	int rv = JB_OK;

	while (rv >= 0 && c->dirs != NULL && c->n_turns < max) {
		t = &c->turns[c->n_turns];
		*t = (struct turn){.dir = c->dirs};
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

static void *list_target(void *arg)
{
	struct lister *l = arg;
	struct jb_compare *c = l->compare;
	struct turn *t;
	size_t i;

	l->rv = JB_OK;
	while (l->rv == JB_OK &&
	       (i = atomic_fetch_add(&c->next_listed, 1)) < c->n_turns) {
		t = &c->turns[i];
		if (t->there != NULL)
			l->rv = jb_listed_read_target(&t->listed, &l->arena,
						      c->target, t->there,
						      &l->err);
	}
	return NULL;
}

/* No snapshot is held for long. */
static int read_catalog(struct jb_compare *c, struct jb_error *err)
{
	size_t left = SNAPSHOT, n, i = 0;
	int rv = c->view->ops->begin(c->view, err);

	if (rv != JB_OK)
		return rv;
	while (i < c->n_turns) {
		rv = jb_listed_read_catalog(&c->turns[i].listed, &c->arena,
					    c->view, left, &n, err);
		if (rv != JB_OK)
			break;
		if (n < left) {
			left -= n;
			i++;
			continue;
		}
		c->view->ops->end(c->view);
		left = SNAPSHOT;
		rv = c->view->ops->begin(c->view, err);
		if (rv != JB_OK)
			return rv;
	}
	c->view->ops->end(c->view);
	return rv;
}

static int read_replica(struct jb_compare *c, struct jb_error *err)
{
	int rv = JB_OK;

	for (size_t i = 0; i < c->n_turns && rv == JB_OK; i++)
		if (!c->turns[i].is_new)
			rv = jb_listed_read_replica(&c->turns[i].listed,
						    &c->arena, c->replica, err);
	return rv;
}

static void start_listing(struct jb_compare *c)
{
	struct lister *l;

	atomic_store(&c->next_listed, 0);
	for (unsigned i = 1; i < c->n_listers; i++) {
		l = &c->listers[i];
		l->rv = JB_OK;
		l->is_thread =
			i < c->n_turns + 1 &&
			pthread_create(&l->thread, NULL, list_target, l) == 0;
	}
}

/* What is left is listed here, by the first lister. */
static int end_listing(struct jb_compare *c, struct jb_error *err)
{
	struct lister *l;
	int rv = JB_OK;

	list_target(&c->listers[0]);
	for (unsigned i = 0; i < c->n_listers; i++) {
		l = &c->listers[i];
		if (l->is_thread)
			pthread_join(l->thread, NULL);
		if (l->rv != JB_OK && rv == JB_OK) {
			rv = l->rv;
			if (err != NULL)
				*err = l->err;
		}
	}
	return rv;
}

static int read_lists(struct jb_compare *c, struct jb_error *err)
{
	int rv, listed;

	start_listing(c);
	rv = read_catalog(c, err);
	if (rv == JB_OK)
		rv = read_replica(c, err);
	listed = end_listing(c, rv == JB_OK ? err : NULL);
	return rv == JB_OK ? listed : rv;
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
	struct turn *t;
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
			rv = read_lists(c, err);
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

static struct dir *push_first(struct jb_compare *c, const struct jb_entry *e)
{
	/* The top has no path, and no copy but the target's top. */
	struct dir *d = calloc(1, sizeof *d + e->name_len + 1u);

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
	struct dir *d;

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
	c->n_listers =
		options->threads < LISTERS ? options->threads + 1 : LISTERS;
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
	struct dir *d;

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
