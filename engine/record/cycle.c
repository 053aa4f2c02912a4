/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory that seems to lie below itself: `mv a/b c; mv a c/a`, when the
 * look at c/a comes before the one at c. By the catalog, a lies above b, and b
 * holds a.
 *
 * An ancestor is stale. If all are attached, each is looked at; the one that is
 * not at its place is detached, and the look repeated. If one is detached
 * already, it will be found, or what lies between is found elsewhere (then the
 * look is repeated), or it is deleted (then what was found below it goes with
 * it): the look is deferred until then. Nothing ever has itself as an ancestor,
 * so every row has a path. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

static int detach_dir(struct jb_recorder *r, struct jb_visit *v,
		      const struct jb_dir *dir, struct jb_error *err)
{
	struct jb_entry e;
	int rv = jb_catalog_get(r->catalog, dir->parent, dir->name,
				dir->name_len, &e, err);

	if (rv > 0)
		rv = jb_detach(r, v->root, &e, JB_DIRTY_EVENT, err);
	return rv;
}

/* Is @dir still what stands at its own place? */
static int dir_in_place(struct jb_recorder *r, struct jb_visit *v,
			const struct jb_dir *dir, struct jb_error *err)
{
	struct jb_entry e = {.parent = dir->parent,
			     .name_len = dir->name_len,
			     .id = dir->id};

	memcpy(e.name, dir->name, (size_t)dir->name_len + 1);
	e.facts.mode = S_IFDIR;
	return jb_still_there(r, v, &e, err);
}

static int defer(struct jb_recorder *r, const struct jb_visit *v,
		 uint64_t waits_for, uint64_t found, const char *name,
		 size_t len, struct jb_error *err)
{
	struct jb_deferred *d;

	if (r->n_deferred == r->cap_deferred) {
		size_t cap = r->cap_deferred != 0 ? r->cap_deferred * 2 : 8;
		void *p = reallocarray(r->deferred, cap, sizeof *r->deferred);

		if (p == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "directories");
		r->deferred = p;
		r->cap_deferred = cap;
	}
	d = &r->deferred[r->n_deferred++];
	*d = (struct jb_deferred){.waits_for = waits_for,
				  .found = found,
				  .dir = v->dir,
				  .len = (uint8_t)len};
	memcpy(d->name, name, len);
	return JB_OK;
}

/* The first detached directory from the visited one up to @top; 0: none. */
static int find_detached(struct jb_recorder *r, uint64_t from, uint64_t top,
			 uint64_t *ret, struct jb_error *err)
{
	struct jb_dir dir;
	int rv = 1;

	*ret = 0;
	for (uint64_t up = from; up != top && *ret == 0; up = dir.parent) {
		rv = jb_catalog_dir(r->catalog, up, &dir, err);
		if (rv <= 0)
			return rv;
		if (dir.det != 0)
			*ret = up;
	}
	return rv;
}

/* All are attached: the one that is not at its place, or else @src. */
static int detach_stale(struct jb_recorder *r, struct jb_visit *v,
			struct jb_entry *src, struct jb_error *err)
{
	struct jb_dir dir;
	int rv;

	for (uint64_t up = v->dir; up != src->dirkey; up = dir.parent) {
		rv = jb_catalog_dir(r->catalog, up, &dir, err);
		if (rv > 0)
			rv = dir_in_place(r, v, &dir, err);
		if (rv < 0)
			return rv;
		if (rv == 0)
			return detach_dir(r, v, &dir, err);
	}
	return src->det == 0 ? jb_detach(r, v->root, src, JB_DIRTY_EVENT, err)
			     : JB_OK;
}

int jb_cycle_cut(struct jb_recorder *r, struct jb_visit *v,
		 struct jb_entry *src, const char *name, size_t len,
		 const struct jb_look_flags *flags, bool *cut,
		 struct jb_error *err)
{
	uint64_t detached;
	int rv;

	*cut = false;
	rv = jb_catalog_under(r->catalog, v->dir, src->dirkey, err);
	if (rv <= 0)
		return rv;
	*cut = true;
	rv = find_detached(r, v->dir, src->dirkey, &detached, err);
	if (rv < 0)
		return rv;
	if (detached == 0) {
		rv = detach_stale(r, v, src, err);
		if (rv >= 0)
			rv = jb_push_name(r, v->dir, name, len, v->origin,
					  flags->dirty, &r->carry, err);
		return rv;
	}
	if (src->det == 0)
		rv = jb_detach(r, v->root, src, flags->dirty, err);
	return rv < 0 ? rv : defer(r, v, detached, src->dirkey, name, len, err);
}

/* Has the directory that is waited for been found, or has another that lay
 * below it moved away, and taken the place of the deferred look with it? */
static int is_over(struct jb_recorder *r, const struct jb_deferred *d,
		   uint64_t key, struct jb_error *err)
{
	int rv = 0;

	if (d->waits_for != key)
		rv = jb_catalog_under(r->catalog, d->dir, d->waits_for, err);
	return rv < 0 ? rv : rv == 0;
}

int jb_cycle_resume(struct jb_recorder *r, uint64_t key, uint64_t origin,
		    struct jb_error *err)
{
	int rv = JB_OK;

	for (size_t i = 0; i < r->n_deferred && rv >= 0;) {
		struct jb_deferred d = r->deferred[i];

		rv = is_over(r, &d, key, err);
		if (rv <= 0) {
			i++;
			continue;
		}
		r->deferred[i] = r->deferred[--r->n_deferred];
		rv = jb_push_name(r, d.dir, d.name, d.len, origin,
				  JB_DIRTY_EVENT, &r->todo, err);
	}
	return rv < 0 ? rv : JB_OK;
}

void jb_cycle_forget(struct jb_recorder *r, uint64_t key)
{
	for (size_t i = 0; i < r->n_deferred;)
		if (r->deferred[i].waits_for == key ||
		    r->deferred[i].found == key || r->deferred[i].dir == key)
			r->deferred[i] = r->deferred[--r->n_deferred];
		else
			i++;
}

bool jb_cycle_defers(const struct jb_recorder *r, uint64_t key)
{
	for (size_t i = 0; i < r->n_deferred; i++)
		if (r->deferred[i].found == key)
			return true;
	return false;
}
