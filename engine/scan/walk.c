/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/scan/walk.h"

#include "engine/base/pattern.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_ROWS 1000

int jb_walk_open(struct jb_walk *w, const struct jb_dir *dir)
{
	const char *path;
	size_t len;

	if (w->root->by_handle && dir->parent != 0)
		return jb_root_open_handle(
			w->root,
			(struct jb_handle_ref){dir->handle, dir->handle_len},
			NULL);
	if (jb_catalog_path(w->catalog, dir->key, &path, &len, NULL) != JB_OK)
		return -1;
	return jb_root_open_path(w->root, path, len, dir->id);
}

int jb_walk_flush(struct jb_walk *w, struct jb_error *err)
{
	int rv = w->places.size > 0 ? w->full(w->arg, &w->places, err) : JB_OK;

	w->places.size = 0;
	return rv;
}

int jb_walk_mark(struct jb_walk *w, uint64_t dir, const char *name, size_t len,
		 struct jb_error *err)
{
	struct jb_walk_places *p = &w->places;
	int rv = JB_OK;

	if (p->size + sizeof dir + 1 + len > sizeof p->bytes)
		rv = jb_walk_flush(w, err);
	memcpy(p->bytes + p->size, &dir, sizeof dir);
	p->size += sizeof dir;
	p->bytes[p->size++] = (uint8_t)len;
	memcpy(p->bytes + p->size, name, len);
	p->size += len;
	return rv;
}

static bool differs(const struct jb_walk *w, const struct jb_look *found,
		    const struct jb_entry *row)
{
	if (found->mount_id != w->root->mount_id || found->dev != w->root->dev)
		return !(row->flags & JB_ENTRY_MOUNT);
	if (row->flags & JB_ENTRY_MOUNT || !jb_look_same(found, row))
		return true;
	/* More than the times: statx(2) locks nothing, so a look may have had
	 * the new ctime with the old owner or link count. */
	if (found->facts.mtime != row->facts.mtime ||
	    found->facts.ctime != row->facts.ctime ||
	    found->facts.mode != row->facts.mode ||
	    found->facts.uid != row->facts.uid ||
	    found->facts.gid != row->facts.gid ||
	    (found->facts.nlink != row->facts.nlink &&
	     !S_ISDIR(found->facts.mode)) ||
	    (found->facts.size != row->facts.size &&
	     S_ISREG(found->facts.mode)))
		return true;
	return row->flags & JB_ENTRY_RACY &&
	       jb_look_is_racy(row->facts.mtime, w->complete);
}

/* Patterns that were not there when the row was made leave it out. */
static bool is_left_out(struct jb_walk *w, const char *name, bool is_dir)
{
	const struct jb_patterns *patterns = w->root->config->patterns;
	size_t len = strlen(name);

	if (w->path == NULL)
		return false;
	memcpy(w->path + w->path_len, name, len + 1);
	return !jb_patterns_takes_name(patterns, w->path, w->path_len + len,
				       is_dir);
}

/* What patterns of names go by: the directory's path, and room for a name. A
 * patrol needs none: patterns change at a start, and a scan follows. */
static int set_path(struct jb_walk *w, const struct jb_dir *dir,
		    struct jb_error *err)
{
	const char *path;
	size_t len;
	char *buffer;
	int rv;

	if (w->found != NULL || w->root->config->patterns == NULL)
		return JB_OK;
	rv = jb_catalog_path(w->catalog, dir->key, &path, &len, err);
	if (rv != JB_OK) { /* it has gone */
		free(w->path);
		w->path = NULL;
		return JB_OK;
	}
	buffer = realloc(w->path, len + JB_NAME_MAX + 2);
	if (buffer == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "path");
	w->path = buffer;
	memcpy(w->path, path, len);
	if (len > 0)
		w->path[len++] = '/';
	w->path_len = len;
	return JB_OK;
}

static int compare_name(struct jb_walk *w, uint64_t dir, int fd,
			const char *name, const struct jb_entry *row,
			struct jb_error *err)
{
	struct jb_look found;
	int rv = 0;

	if (name != NULL && (row != NULL || w->found != NULL))
		rv = jb_look_at(fd, name, &found, err);
	if (rv < 0)
		return JB_OK; /* the recorder will meet it, and say so */
	if (rv > 0 && row != NULL && !differs(w, &found, row) &&
	    !is_left_out(w, name, S_ISDIR(found.facts.mode)))
		return JB_OK;
	if (name == NULL)
		name = row->name;
	if (w->found != NULL)
		return w->found(w->arg, dir, name, strlen(name), row,
				rv > 0 ? &found : NULL, err);
	return jb_walk_mark(w, dir, name, strlen(name), err);
}

int jb_walk_compare(struct jb_walk *w, const struct jb_dir *dir, int fd,
		    struct jb_error *err)
{
	char after[JB_NAME_MAX + 1] = "";
	size_t after_len = 0, pos = 0, at;
	int rv;

	if (fd < 0 && w->found != NULL)
		return JB_OK; /* it goes, or its name differs above */
	if (fd < 0)	      /* its own place says what became of it */
		return dir->parent == 0
			       ? JB_OK
			       : jb_walk_mark(w, dir->parent, dir->name,
					      dir->name_len, err);
	rv = set_path(w, dir, err);
	if (rv != JB_OK)
		return rv;
	jb_names_reset(&w->names);
	rv = jb_names_read(fd, &w->names, err);
	do {
		if (rv == JB_OK)
			rv = jb_catalog_children(w->catalog, dir->key, after,
						 after_len, PAGE_ROWS, &w->rows,
						 err);
		at = 0;
		while (rv == JB_OK &&
		       (at < w->rows.n ||
			(w->rows.n < PAGE_ROWS && pos < w->names.n))) {
			const struct jb_entry *row =
				at < w->rows.n ? &w->rows.v[at] : NULL;
			const char *name =
				pos < w->names.n ? jb_names_get(&w->names, pos)
						 : NULL;
			int cmp = name == NULL	? 1
				  : row == NULL ? -1
						: strcmp(name, row->name);

			if (cmp >= 0) {
				after_len = row->name_len;
				memcpy(after, row->name, after_len + 1);
				at++;
			}
			if (cmp <= 0)
				pos++;
			rv = compare_name(w, dir->key, fd,
					  cmp <= 0 ? name : NULL,
					  cmp >= 0 ? row : NULL, err);
		}
	} while (rv == JB_OK && w->rows.n == PAGE_ROWS);
	return rv;
}

void jb_walk_fini(struct jb_walk *w)
{
	free(w->path);
	w->path = NULL;
	jb_names_fini(&w->names);
	jb_entries_fini(&w->rows);
}
