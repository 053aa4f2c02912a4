/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening the directory in which names are looked at. */
#include "engine/record/recorder_priv.h"

#include "engine/base/log.h"
#include "journal/gap.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct jb_record_root *jb_record_root_of(struct jb_recorder *r, uint32_t id)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++)
		if (r->roots[i].root->id == id)
			return &r->roots[i];
	return NULL;
}

/* The directory is not where, or no longer what, the catalog believes: its own
 * place says what became of it. */
static int look_at_own_place(struct jb_recorder *r, const struct jb_dir *dir,
			     uint64_t origin, struct jb_error *err)
{
	if (dir->det != 0 || dir->parent == 0)
		return JB_OK;
	return jb_push_name(r, dir->parent, dir->name, dir->name_len, origin,
			    JB_DIRTY_EVENT | JB_DIRTY_LOSSY, &r->todo, err);
}

static int open_dir(struct jb_recorder *r, const struct jb_root *root,
		    const struct jb_dir *dir)
{
	const char *path;
	size_t len;

	if (root->by_handle && dir->parent != 0)
		return jb_root_open_handle(
			root,
			(struct jb_handle_ref){dir->handle, dir->handle_len},
			NULL);
	if (jb_catalog_path(r->catalog, dir->key, &path, &len, NULL) != JB_OK)
		return -1;
	return jb_root_open_path(root, path, len, dir->id);
}

static int copy_path(struct jb_recorder *r, struct jb_visit *v,
		     struct jb_error *err)
{
	const char *path;
	int rv;

	if (v->root->root->config->patterns == NULL)
		return JB_OK;
	rv = jb_catalog_path(r->catalog, v->dir, &path, &v->path_len, err);
	if (rv != JB_OK)
		return rv;
	v->path = strndup(path, v->path_len);
	return v->path != NULL ? JB_OK
			       : jb_error_set(err, JB_ENOMEM, 0, "path");
}

/* Not because it has gone: what it holds is not known, until a scan has seen
 * it. Nothing that is missing elsewhere becomes a deletion meanwhile. */
int jb_visit_owe(struct jb_recorder *r, struct jb_record_root *root,
		 uint64_t dir, const char *name, int error,
		 struct jb_error *err)
{
	const char *path = "";
	size_t len = 0;

	if (!root->owed) { /* one line for all that the next scan makes up */
		jb_catalog_path(r->catalog, dir, &path, &len, NULL);
		jb_log_warning("root '%s': a directory can't be opened: %s: "
			       "%.*s%s%s",
			       root->root->config->name, strerrordesc_np(error),
			       (int)len, path,
			       len > 0 && *name != '\0' ? "/" : "", name);
	}
	return jb_gaps_owe(r, root, JB_GAP_UNOPENED, err);
}

int jb_visit_open(struct jb_recorder *r, uint64_t key, uint64_t origin,
		  struct jb_visit *v, struct jb_error *err)
{
	struct jb_dir dir;
	int rv;

	memset(v, 0, sizeof *v);
	v->fd = -1;
	rv = jb_catalog_dir(r->catalog, key, &dir, err);
	if (rv <= 0)
		return rv; /* unknown: it has gone, its places with it */
	v->root = jb_record_root_of(r, dir.root);
	if (v->root == NULL || v->root->lost)
		return 0;
	v->dir = key;
	v->origin = origin;
	v->clock = jb_look_clock();
	errno = 0;
	v->fd = open_dir(r, v->root->root, &dir);
	if (v->fd < 0) {
		if (jb_root_is_trouble(errno))
			return jb_visit_owe(r, v->root, key, "", errno, err);
		if (!v->root->root->by_handle && errno != EACCES)
			rv = jb_stale_note(r, key, err);
		return rv < 0 ? rv : look_at_own_place(r, &dir, origin, err);
	}
	rv = copy_path(r, v, err);
	if (rv != JB_OK)
		jb_visit_drop(v);
	return rv == JB_OK ? 1 : rv;
}

/* A directory's own times change with its names: compared when these are done.
 */
int jb_visit_close(struct jb_recorder *r, struct jb_visit *v,
		   struct jb_error *err)
{
	int rv = jb_facts_refresh_dir(r, v, err);

	jb_visit_drop(v);
	return rv;
}

void jb_visit_drop(struct jb_visit *v)
{
	close(v->fd);
	free(v->path);
	v->fd = -1;
	v->path = NULL;
}
