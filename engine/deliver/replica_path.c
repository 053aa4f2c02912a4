/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a copy is, by the names from it to the top. */
#include "engine/deliver/arena.h"
#include "engine/deliver/replica.h"

#include <string.h>

/* A name of the way up; the list begins at the top. */
struct step {
	struct step *next;
	size_t len;
	char *name;
};

/* Upwards from a node. */
struct way {
	struct jb_arena *arena;
	uint64_t rid;
	struct step *steps; /* in the arena */
	size_t len;	    /* of the path and a NUL */
	struct jb_error *err;
};

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "path of a copy");
}

static int on_way(void *arg, const struct jb_name_row *row)
{
	struct way *w = arg;
	struct step *s = jb_arena_alloc(w->arena, sizeof *s);

	if (s == NULL)
		return no_memory(w->err);
	s->name = jb_arena_copy(w->arena, row->name, row->len);
	if (s->name == NULL)
		return no_memory(w->err);
	s->len = row->len;
	s->next = w->steps;
	w->steps = s;
	w->len += row->len + 1;
	w->rid = row->dir;
	return 1;
}

static char *join(struct way *w)
{
	char *path = jb_arena_alloc(w->arena, w->len + 1), *at = path;

	for (const struct step *s = w->steps; at != NULL && s != NULL;
	     s = s->next) {
		memcpy(at, s->name, s->len);
		at += s->len;
		if (s->next != NULL)
			*at++ = '/';
	}
	return path;
}

int jb_replica_path(struct jb_replica *r, uint64_t rid, struct jb_arena *arena,
		    char **ret, struct jb_error *err)
{
	struct way w = {.arena = arena, .rid = rid, .err = err};
	int rv = 1;

	*ret = NULL;
	while (rv > 0 && w.rid != JB_RID_TOP && w.rid != JB_RID_OWN)
		rv = jb_replica_names_of(r, w.rid, on_way, &w, err);
	if (rv <= 0 || w.rid != JB_RID_TOP)
		return rv < 0 ? rv : JB_OK;
	*ret = join(&w);
	return *ret != NULL ? JB_OK : no_memory(err);
}
