/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a copy is, by the names from it to the top. */
#include "engine/deliver/arena.h"
#include "engine/deliver/replica.h"

#include <string.h>

/* Upwards from a node. */
struct way {
	struct jb_arena *arena;
	uint64_t rid;
	char *path; /* in the arena */
	struct jb_error *err;
};

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "path of a copy");
}

static int on_way(void *arg, const struct jb_name_row *row)
{
	struct way *w = arg;
	size_t below = strlen(w->path), len = row->len;
	char *path = jb_arena_alloc(w->arena, len + below + 2);

	if (path == NULL)
		return no_memory(w->err);
	memcpy(path, row->name, len);
	if (below > 0)
		path[len++] = '/';
	memcpy(path + len, w->path, below + 1);
	w->path = path;
	w->rid = row->dir;
	return 1;
}

int jb_replica_path(struct jb_replica *r, uint64_t rid, struct jb_arena *arena,
		    char **ret, struct jb_error *err)
{
	struct way w = {arena, rid, jb_arena_copy(arena, "", 0), err};
	int rv = w.path != NULL ? 1 : no_memory(err);

	while (rv > 0 && w.rid != JB_RID_TOP && w.rid != JB_RID_OWN)
		rv = jb_replica_names_of(r, w.rid, on_way, &w, err);
	*ret = rv > 0 && w.rid == JB_RID_TOP ? w.path : NULL;
	return rv < 0 ? rv : JB_OK;
}
