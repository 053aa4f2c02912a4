/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One look at one place: the heart of the recorder.
 *
 * Same object as the row: compare facts. Another or none: the row is detached,
 * which says no more than 'not here'. Then whoever is found: detached
 * elsewhere or missing from its old place, it was renamed; still there, it is
 * one more hard link; unknown, it is created. */
#include "engine/record/recorder_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* 1, 0 or an error. */
static int is_own(struct jb_recorder *r, const struct jb_visit *v,
		  const char *name, size_t len, const struct jb_look *found,
		  struct jb_error *err)
{
	const struct jb_own *own = r->settings.own;
	const char *dir;
	size_t dir_len;
	int rv;

	if (!S_ISDIR(found->facts.mode))
		return 0;
	if (jb_own_is_dir(own, found))
		return 1;
	if (!jb_own_has_name(own, name, len))
		return 0;
	rv = jb_catalog_path(r->catalog, v->dir, &dir, &dir_len, err);
	if (rv != JB_OK)
		return rv;
	return jb_own_is_place(own, v->root->root->config->path, dir, dir_len,
			       name, len);
}

static bool is_excluded(const struct jb_visit *v, const char *name, size_t len,
			bool is_dir, struct jb_error *err, int *rv)
{
	const struct jb_patterns *patterns = v->root->root->config->patterns;
	bool takes;
	char *path;
	size_t n;

	if (patterns == NULL)
		return false;
	n = v->path_len + (v->path_len > 0) + len;
	path = malloc(n + 1);
	if (path == NULL) {
		*rv = jb_error_set(err, JB_ENOMEM, 0, "path");
		return true;
	}
	memcpy(path, v->path, v->path_len);
	if (v->path_len > 0)
		path[v->path_len] = '/';
	memcpy(path + n - len, name, len);
	path[n] = '\0';
	takes = jb_patterns_takes_name(patterns, path, n, is_dir);
	free(path);
	return !takes;
}

/* All the names of this inode are seen with it: no need to go after them. */
static void note_seen(struct jb_recorder *r, const struct jb_visit *v,
		      const struct jb_look *found)
{
	if (S_ISDIR(found->facts.mode) || found->facts.nlink == 1)
		jb_dirty_note_ino(r->set, v->root->root->fs, found->id.ino,
				  JB_INO_SEEN);
}

/* May this look stand for one that is made now? If there is no row at the place
 * and none of its inode, nobody has looked at either before. */
static bool is_news(const struct jb_recorder *r,
		    const struct jb_look_flags *flags)
{
	return flags->ahead != NULL && flags->ahead->id.ino != 0 &&
	       flags->have_known && flags->have == NULL &&
	       !jb_filter_may_hold(&r->known, flags->ahead->id.ino);
}

/* 1: there is something that concerns us. */
static int look(struct jb_recorder *r, const struct jb_visit *v,
		const char *name, size_t len, const struct jb_look_flags *flags,
		struct jb_look *found, struct jb_error *err)
{
	int rv = 1;

	if (is_news(r, flags))
		*found = *flags->ahead;
	else
		rv = jb_look_at(v->fd, name, found, err);
	if (rv <= 0)
		return rv;
	rv = is_own(r, v, name, len, found, err);
	if (rv != 0)
		return rv < 0 ? rv : 0;
	if (is_excluded(v, name, len, S_ISDIR(found->facts.mode), err, &rv))
		return rv < 0 ? rv : 0;
	note_seen(r, v, found);
	return 1;
}

int jb_push_name(struct jb_recorder *r, uint64_t dir, const char *name,
		 size_t len, uint64_t origin, unsigned flags,
		 struct jb_todo *to, struct jb_error *err)
{
	struct jb_todo_item item = {.kind = JB_TODO_NAME,
				    .origin = origin,
				    .dir = dir,
				    .flags = flags,
				    .len = (uint8_t)len};
	int rv = jb_catalog_depth(r->catalog, dir, &item.depth, err);

	if (rv != JB_OK)
		return rv;
	item.name = strndup(name, len);
	if (item.name == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "place");
	return jb_todo_push(to, item, err);
}

/* ---- what it means */

static enum jb_change_source source_of(const struct jb_look_flags *flags)
{
	return flags->dirty & JB_DIRTY_EVENT ? JB_SOURCE_EVENT : JB_SOURCE_SCAN;
}

static int write_rename(struct jb_recorder *r, struct jb_visit *v,
			const struct jb_entry *src, const char *name,
			size_t len, const struct jb_look *found,
			const struct jb_look_flags *flags, struct jb_error *err)
{
	struct jb_change c = {.kind = JB_KIND_RENAMED,
			      .source = source_of(flags),
			      .what = JB_WHAT_PLACE,
			      .dir = v->dir,
			      .name = name,
			      .name_len = len,
			      .old_dir = src->parent,
			      .old_name = src->name,
			      .old_name_len = src->name_len,
			      .id = src->id,
			      .facts = found->facts,
			      .entries = -1};

	jb_drift_note(v->root, flags->dirty);
	return jb_write_change(r, v->root, &c, NULL, err);
}

int jb_place_list_later(struct jb_recorder *r, const struct jb_visit *v,
			const struct jb_entry *e, unsigned dirty,
			uint64_t needs, struct jb_error *err)
{
	struct jb_todo_item item = {.kind = JB_TODO_LIST,
				    .origin = v->origin,
				    .dir = e->dirkey,
				    .flags = dirty | JB_DIRTY_LOSSY,
				    .needs = needs,
				    .ctime = e->facts.ctime};
	int rv = jb_catalog_depth(r->catalog, e->dirkey, &item.depth, err);

	return rv == JB_OK ? jb_todo_push(&r->todo, item, err) : rv;
}

static int take_rename(struct jb_recorder *r, struct jb_visit *v,
		       struct jb_entry *src, const char *name, size_t len,
		       const struct jb_look *found,
		       const struct jb_look_flags *flags, struct jb_error *err)
{
	const struct jb_patterns *patterns = v->root->root->config->patterns;
	bool moved = src->parent != v->dir || src->name_len != len ||
		     memcmp(src->name, name, len) != 0;
	bool was_detached = src->det != 0;
	int rv = JB_OK;

	if (moved)
		rv = write_rename(r, v, src, name, len, found, flags, err);
	if (rv == JB_OK)
		rv = jb_catalog_move(r->catalog, src, v->dir, name, len, 0,
				     err);
	if (rv != JB_OK)
		return rv;
	r->structure++;
	r->wrote = true;
	if (was_detached)
		v->root->detached.count--;
	if (was_detached && !moved)
		v->back = true;
	if (moved && src->dirkey != 0)
		jb_facts_name_dir(r, src->dirkey);
	src->flags &= ~(uint32_t)JB_ENTRY_SCANNED;
	if (moved && src->dirkey != 0 && patterns != NULL &&
	    jb_patterns_depend_on_path(patterns))
		rv = jb_place_list_later(r, v, src,
					 flags->dirty | JB_DIRTY_SELF, 0, err);
	if (rv == JB_OK)
		rv = jb_facts_compare(r, v->root, src, found, flags, true,
				      v->clock, err);
	if (rv == JB_OK && src->dirkey != 0)
		rv = jb_cycle_resume(r, src->dirkey, v->origin, err);
	if (rv == JB_OK)
		rv = jb_unread_check(r, v, src, err);
	return rv;
}

/* A directory that could not be had: has it gone, or is that trouble? */
static int miss(struct jb_recorder *r, const struct jb_visit *v,
		const char *name, struct jb_error *err)
{
	if (!jb_root_is_trouble(errno))
		return 0;
	return jb_visit_owe(r, v->root, v->dir, name, errno, err);
}

/* Take the handle of the directory itself, not of whatever has its name a
 * moment later. 0: it has gone meanwhile. */
static int pin_directory(struct jb_recorder *r, struct jb_visit *v,
			 const char *name, struct jb_look *found,
			 struct jb_map_dir *ret, struct jb_error *err)
{
	struct jb_look now;
	int fd, rv = 1;

	fd = openat(v->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return miss(r, v, name, err);
	ret->handle.len = 0;
	if (jb_look_fd(fd, &now, NULL) != JB_OK)
		rv = miss(r, v, name, err);
	else if (!jb_id_equal(now.id, found->id))
		rv = 0;
	else if (v->root->root->handle.len > 0 &&
		 jb_handle_get(fd, "", &ret->handle, NULL) != JB_OK)
		rv = miss(r, v, name, err);
	if (rv == 1 && v->root->root->source->needs_fd)
		ret->fd = fd;
	else
		close(fd);
	return rv;
}

/* Into the map, its descriptor with it; but nobody looks into another
 * subvolume. */
static int push_new_dir(struct jb_recorder *r, struct jb_map_dir *dir,
			struct jb_error *err)
{
	const struct jb_handle_ref handle = {dir->handle.bytes,
					     dir->handle.len};

	if (!jb_root_has_handle(dir->root, handle)) {
		if (dir->fd >= 0)
			close(dir->fd);
		return JB_OK;
	}
	if (r->n_new == r->cap_new) {
		size_t cap = r->cap_new != 0 ? r->cap_new * 2 : 64;
		void *v = reallocarray(r->new_dirs, cap, sizeof *r->new_dirs);

		if (v == NULL) {
			if (dir->fd >= 0)
				close(dir->fd);
			return jb_error_set(err, JB_ENOMEM, 0, "directories");
		}
		r->new_dirs = v;
		r->cap_new = cap;
	}
	r->new_dirs[r->n_new++] = *dir;
	r->created_dirs++;
	return JB_OK;
}

/* Then its names need not be told; of 65,000 that would take a while for each
 * new one. */
static bool has_facts(const struct jb_entry *e, const struct jb_look *found)
{
	return memcmp(&e->facts, &found->facts, sizeof e->facts) == 0;
}

int jb_place_take_new(struct jb_recorder *r, struct jb_visit *v,
		      const char *name, size_t len, struct jb_look *found,
		      const struct jb_look_flags *flags, uint32_t flag,
		      struct jb_error *err)
{
	struct jb_entry e = {.parent = v->dir,
			     .name_len = (uint8_t)len,
			     .root = v->root->root->id,
			     .id = found->id,
			     .facts = found->facts,
			     .flags = flag,
			     .cctime = found->facts.ctime};
	struct jb_map_dir dir = {.root = v->root->root, .fd = -1};
	struct jb_entry link;
	bool known;
	int rv;

	memcpy(e.name, name, len);
	e.name[len] = '\0';
	if (S_ISDIR(e.facts.mode)) {
		rv = pin_directory(r, v, name, found, &dir, err);
		if (rv <= 0)
			return rv; /* its next event says more */
		rv = jb_catalog_add_dir(r->catalog, &e, dir.handle.bytes,
					dir.handle.len, err);
		dir.key = e.dirkey;
		jb_facts_name_dir(r, e.dirkey);
		if (rv == JB_OK)
			rv = push_new_dir(r, &dir, err);
		else if (dir.fd >= 0)
			close(dir.fd);
		if (rv != JB_OK)
			return rv;
	}
	if (S_ISREG(e.facts.mode) && jb_look_is_young(e.facts.mtime, v->clock))
		e.flags |= JB_ENTRY_RACY;
	rv = jb_names_find_link(r, v, found, flags, &link, err);
	known = rv > 0;
	if (rv >= 0)
		rv = jb_facts_created(r, v->root, &e, known ? &link : NULL,
				      flags, err);
	if (rv == JB_OK)
		rv = jb_catalog_insert(r->catalog, &e, err);
	jb_filter_add(&r->known, e.id.ino);
	if (rv == JB_OK && !S_ISDIR(e.facts.mode) && e.facts.nlink > 1 &&
	    !(known && has_facts(&link, found)))
		rv = jb_catalog_spread(r->catalog, &e, err);
	if (rv == JB_OK && S_ISDIR(e.facts.mode) && flag == 0)
		rv = jb_place_list_later(r, v, &e, flags->dirty & JB_DIRTY_WHO,
					 r->created_dirs, err);
	if (rv == JB_OK && flag == 0)
		rv = jb_unread_check(r, v, &e, err);
	return rv;
}

static int take_newcomer(struct jb_recorder *r, struct jb_visit *v,
			 const char *name, size_t len, struct jb_look *found,
			 const struct jb_look_flags *flags,
			 struct jb_error *err)
{
	struct jb_entry src;
	bool cut = false;
	int rv;

	rv = jb_names_find_source(r, v, name, len, found, flags, &src, err);
	if (rv == 0)
		return jb_place_take_new(r, v, name, len, found, flags, 0, err);
	if (rv > 0 && S_ISDIR(found->facts.mode))
		rv = jb_cycle_cut(r, v, &src, name, len, flags, &cut, err);
	if (rv < 0)
		return rv;
	return cut ? JB_OK
		   : take_rename(r, v, &src, name, len, found, flags, err);
}

/* ---- the look */

int jb_place_look(struct jb_recorder *r, struct jb_visit *v, const char *name,
		  size_t len, const struct jb_look_flags *flags,
		  struct jb_error *err)
{
	struct jb_entry have;
	struct jb_look found;
	bool has, there;
	int rv;

	rv = look(r, v, name, len, flags, &found, err);
	if (rv < 0)
		return rv;
	there = rv > 0;
	if (flags->have_known) {
		has = flags->have != NULL;
		if (has)
			have = *flags->have;
	} else {
		rv = jb_catalog_get(r->catalog, v->dir, name, len, &have, err);
		if (rv < 0)
			return rv;
		has = rv > 0;
	}
	if (!has &&
	    (flags->dirty & (JB_DIRTY_FROM | JB_DIRTY_BORN)) == JB_DIRTY_FROM)
		r->set->moved_unseen = true;
	if (there && jb_place_is_mount(v, &found))
		return jb_place_take_mount(r, v, name, len, &found,
					   has ? &have : NULL, flags, err);
	if (has && there && have.flags & JB_ENTRY_MOUNT) {
		rv = jb_place_uncover(r, v, &have, &found, err);
		if (rv < 0)
			return rv;
		has = have.id.ino != 0;
	}
	if (has && there && jb_look_same(&found, &have)) {
		rv = jb_facts_compare(r, v->root, &have, &found, flags, false,
				      v->clock, err);
		return rv == JB_OK ? jb_unread_check(r, v, &have, err) : rv;
	}
	if (has) {
		rv = jb_detach(r, v->root, &have, flags->dirty, err);
		if (rv < 0)
			return rv;
	}
	return there ? take_newcomer(r, v, name, len, &found, flags, err)
		     : JB_OK;
}
