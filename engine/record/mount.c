/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where another file system begins below a root: for us there stands an empty
 * directory. What it covers stays in the catalog, for it is hidden, not
 * deleted. */
#include "engine/record/recorder_priv.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool jb_place_is_mount(const struct jb_visit *v, const struct jb_look *found)
{
	return found->mount_id != v->root->root->mount_id ||
	       found->dev != v->root->root->dev;
}

/* See what a mount covers: through a private clone of our own mount, which has
 * nothing mounted on it. Returns a descriptor of the visited directory there,
 * -1 where that is not permitted. */
static int open_covered(const struct jb_visit *v)
{
	return (int)syscall(SYS_open_tree, v->fd, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
				    AT_EMPTY_PATH);
}

/* Where the covered directory can't be seen: some directory stands there. */
static int take_unseen(struct jb_recorder *r, struct jb_visit *v,
		       const char *name, size_t len,
		       const struct jb_look *found,
		       const struct jb_look_flags *flags, struct jb_error *err)
{
	struct jb_entry e = {.parent = v->dir,
			     .name_len = (uint8_t)len,
			     .root = v->root->root->id,
			     .facts = found->facts,
			     .flags = JB_ENTRY_MOUNT};
	int rv;

	memcpy(e.name, name, len);
	e.name[len] = '\0';
	e.facts.mode = S_IFDIR | 0755;
	rv = jb_facts_created(r, v->root, &e, NULL, flags, err);
	return rv == JB_OK ? jb_catalog_insert(r->catalog, &e, err) : rv;
}

int jb_place_take_mount(struct jb_recorder *r, struct jb_visit *v,
			const char *name, size_t len, struct jb_look *found,
			struct jb_entry *have,
			const struct jb_look_flags *flags, struct jb_error *err)
{
	struct jb_visit below = *v;
	struct jb_look covered;
	int rv = 0;

	if (have != NULL && !(have->flags & JB_ENTRY_MOUNT)) {
		have->flags |= JB_ENTRY_MOUNT;
		r->wrote = true;
		rv = jb_catalog_update(r->catalog, have, err);
		if (rv != JB_OK)
			return rv;
	}
	below.fd = open_covered(v);
	if (below.fd >= 0)
		rv = jb_look_at(below.fd, name, &covered, err);
	if (rv > 0 && have != NULL && jb_look_same(&covered, have))
		rv = jb_facts_compare(r, v->root, have, &covered, flags, false,
				      v->clock, err);
	else if (rv > 0 && have == NULL)
		rv = jb_place_take_new(r, &below, name, len, &covered, flags,
				       JB_ENTRY_MOUNT, err);
	else if (rv == 0 && have == NULL)
		rv = take_unseen(r, v, name, len, found, flags, err);
	if (below.fd >= 0)
		close(below.fd);
	return rv < 0 ? rv : JB_OK;
}

int jb_place_uncover(struct jb_recorder *r, struct jb_visit *v,
		     struct jb_entry *have, const struct jb_look *found,
		     struct jb_error *err)
{
	int rv;

	r->wrote = true;
	if (have->id.ino == 0) {
		/* Its own identity was never seen: not a deletion. */
		r->structure++;
		return jb_catalog_remove(r->catalog, have, err);
	}
	if (!jb_look_same(found, have))
		return JB_OK;
	have->flags &= ~(uint32_t)JB_ENTRY_MOUNT;
	rv = jb_catalog_update(r->catalog, have, err);
	/* It may be as new as this batch, but it has rows. */
	if (rv == JB_OK && have->dirkey != 0)
		rv = jb_list_map_new(r, err);
	if (rv == JB_OK && have->dirkey != 0)
		rv = jb_place_list_later(r, v, have, 0, 0, err);
	return rv;
}
