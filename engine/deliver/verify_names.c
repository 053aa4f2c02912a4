/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of the replica is read in one snapshot, so its cursor, its names and what
 * it owes belong together. The catalog is read directory by directory: nothing
 * that it says is older than the cursor, and as long as the journal's end is
 * where the cursor is, nothing is newer. A difference is told only then. */
#include "engine/deliver/verify_priv.h"

#include "engine/deliver/listed.h"
#include "engine/deliver/select.h"

#include <stdlib.h>
#include <string.h>

#define SNAPSHOT 1000 /* rows of the catalog in one */

#define IDLE	 ", though nothing is left to do"
#define SURPLUS	 "the source no longer has it" IDLE
#define MISSING	 "has no copy" IDLE
#define ANOTHER	 "is the copy of another entry" IDLE
#define RESERVED "has no copy: the name is reserved at the target"

struct both {
	struct jb_verify *v;
	struct jb_delivery *d;
	int64_t cursor;
	bool over; /* the journal has moved on, or an error: no more */
	struct jb_verify_dirs dirs;
	int rv;
	struct jb_error *err;
};

/* A directory that is in both. */
struct both_dir {
	struct both *both;
	const char *path;
};

/* ---- what is excused */

static bool keep(struct both *b, int rv)
{
	if (rv >= 0)
		return rv > 0;
	b->rv = rv;
	b->over = true;
	return false;
}

static bool is_pending(struct both *b, struct jb_id id)
{
	struct jb_pending_row row;

	return id.ino != 0 &&
	       keep(b, jb_replica_pending(b->d->replica, id, &row, b->err));
}

static bool is_owed(struct both *b, uint64_t rid)
{
	struct jb_owed_row row;

	return keep(b, jb_replica_owed(b->d->replica, rid, &row, b->err));
}

static int on_name(void *arg, const struct jb_entry *e)
{
	*(bool *)arg = *(bool *)arg || e->det != 0;
	return 0;
}

/* Is a name of it detached? Then it may be back without a word. */
static bool is_detached(struct both *b, struct jb_id id)
{
	struct jb_catalog_view *view = b->d->view;
	bool any = false;

	if (id.ino == 0 || keep(b, view->ops->begin(view, b->err)) || b->over)
		return false;
	keep(b, view->ops->names(view, id, on_name, &any, b->err));
	view->ops->end(view);
	return any;
}

/* Has the policy read all that the catalog knows? */
static bool is_caught_up(struct both *b)
{
	struct jb_feed_state now;

	keep(b, jb_feed_state(b->d->feed, &now, b->err));
	b->over = b->over || !now.complete || now.last_seq != b->cursor ||
		  now.epoch != b->d->journal.epoch;
	return !b->over;
}

static void tell(const struct both_dir *dir, const struct jb_listed_name *name,
		 const char *what)
{
	struct both *b = dir->both;
	char *path;

	if (!is_caught_up(b))
		return;
	path = jb_verify_join(dir->path, name->bytes);
	if (path != NULL)
		jb_verify_tell(b->v, "policy", b->d->policy->name, path, what);
	free(path);
}

/* ---- one directory */

static void push_dir(struct both *b, uint64_t key, uint64_t rid,
		     const char *path)
{
	if (keep(b, jb_verify_push(&b->dirs, key, path, "", b->err)) || b->over)
		return;
	b->dirs.v[b->dirs.n - 1].rid = rid;
}

/* No name of the catalog's, or of an entry that is not selected. */
static void check_surplus(const struct both_dir *dir,
			  const struct jb_listed_copy *c)
{
	struct both *b = dir->both;

	if (!is_owed(b, c->rid) && !is_pending(b, c->row.src) &&
	    !is_detached(b, c->row.src) && !b->over)
		tell(dir, &c->name, SURPLUS);
}

/* @c: the copy at that place, NULL: there is none. */
static void check_wanted(const struct both_dir *dir,
			 const struct jb_listed_entry *e,
			 const struct jb_listed_copy *c)
{
	struct both *b = dir->both;
	char *path;

	if (c != NULL && jb_id_equal(c->row.src, e->content.id)) {
		path = e->content.is_dir
			       ? jb_verify_join(dir->path, e->name.bytes)
			       : NULL;
		if (path != NULL)
			push_dir(b, e->dirkey, c->rid, path);
		free(path);
	} else if (!is_pending(b, e->content.id) &&
		   !(c != NULL && is_owed(b, c->rid)) && !b->over) {
		tell(dir, &e->name, c != NULL ? ANOTHER : MISSING);
	}
}

static bool is_selected(const struct both_dir *dir,
			const struct jb_listed_entry *e)
{
	char *path = jb_verify_join(dir->path, e->name.bytes);
	bool takes = path != NULL &&
		     jb_select_takes(dir->both->d->patterns, path, strlen(path),
				     e->content.is_dir);

	free(path);
	return takes;
}

/* By its name at the top nobody would miss what can't have a copy. */
static void check_reserved(const struct both_dir *dir,
			   const struct jb_listed_entry *e)
{
	struct jb_delivery *d = dir->both->d;

	if (dir->path[0] == '\0' &&
	    jb_select_reserves(d->patterns, e->name.bytes, e->name.len,
			       e->content.is_dir) &&
	    !jb_delivery_is_own_dir(d, e->content.id))
		tell(dir, &e->name, RESERVED);
}

static void compare(const struct both_dir *dir, const struct jb_listed *l)
{
	const struct jb_listed_entry *e = l->entries;
	const struct jb_listed_copy *c = l->copies;
	bool wanted;
	int order;

	while ((e != NULL || c != NULL) && !dir->both->over) {
		order = e == NULL   ? 1
			: c == NULL ? -1
				    : jb_listed_order(&e->name, &c->name);
		wanted = order <= 0 && is_selected(dir, e);
		if (wanted)
			check_wanted(dir, e, order == 0 ? c : NULL);
		else if (order >= 0)
			check_surplus(dir, c);
		if (order <= 0 && !wanted)
			check_reserved(dir, e);
		if (order <= 0)
			e = e->next;
		if (order >= 0)
			c = c->next;
	}
}

static int read_catalog(struct both *b, struct jb_listed *l,
			struct jb_arena *arena)
{
	struct jb_catalog_view *view = b->d->view;
	size_t n = SNAPSHOT;
	int rv = JB_OK;

	while (n == SNAPSHOT && rv == JB_OK) {
		rv = view->ops->begin(view, b->err);
		if (rv != JB_OK)
			break;
		rv = jb_listed_read_catalog(l, arena, view, SNAPSHOT, &n,
					    b->err);
		view->ops->end(view);
	}
	return rv;
}

static void check_dir(struct both *b, const struct jb_verify_dir *d)
{
	const struct both_dir dir = {b, d->path};
	struct jb_listed l = {.key = d->key, .rid = d->rid};
	struct jb_arena arena = {NULL, NULL, 0, 0};
	size_t from = b->dirs.n;
	int rv = read_catalog(b, &l, &arena);

	if (rv == JB_OK)
		rv = jb_listed_read_replica(&l, &arena, b->d->replica, b->err);
	keep(b, rv);
	compare(&dir, &l);
	jb_verify_in_order(&b->dirs, from);
	jb_arena_fini(&arena);
}

static void check_tree(struct both *b, uint64_t top)
{
	struct jb_verify_dir dir;

	push_dir(b, top, JB_RID_TOP, "");
	while (!b->over && jb_verify_pop(&b->dirs, &dir)) {
		check_dir(b, &dir);
		jb_verify_drop(&dir);
	}
	jb_verify_dirs_fini(&b->dirs);
}

/* ---- all of it */

/* Whatever is opened here is closed with the delivery. */
int jb_verify_open_journal(struct jb_delivery *d, struct jb_error *err)
{
	const char *dir = d->config->state_dir, *root = d->root->name;
	int rv = jb_feed_open(dir, root, &d->feed, err);

	if (rv == JB_OK)
		rv = jb_catalog_view_open(dir, root, &d->view, err);
	if (rv == JB_OK)
		rv = jb_feed_state(d->feed, &d->journal, err);
	return rv == JB_ENOENT ? JB_OK : rv; /* no journal yet */
}

int jb_verify_unread(struct jb_delivery *d, int64_t *cursor, int64_t *ret,
		     struct jb_error *err)
{
	struct jb_feed_page page = {.more = true, .last_seq = *cursor};
	int rv = JB_OK;

	*ret = 0;
	while (rv == JB_OK && page.more) {
		rv = jb_feed_page(d->feed, page.last_seq, SNAPSHOT, &page, err);
		if (rv == JB_OK)
			*ret += (int64_t)page.n;
	}
	if (rv == JB_OK && *ret == 0)
		*cursor = page.last_seq;
	return rv;
}

/* Is there anything else that a later plan will come to? */
static bool has_nothing_left(struct both *b)
{
	struct jb_replica *r = b->d->replica;
	int64_t full = 0, epoch = 0, listings = 0, intents = 0, unread = 0;

	keep(b, jb_replica_get(r, JB_KEY_CURSOR, 0, &b->cursor, b->err));
	keep(b, jb_replica_get(r, JB_KEY_FULL, 0, &full, b->err));
	keep(b, jb_replica_get(r, JB_KEY_EPOCH, 0, &epoch, b->err));
	keep(b, jb_replica_count_rows(r, "listing", &listings, b->err));
	keep(b, jb_replica_count_rows(r, "intent", &intents, b->err));
	if (b->over || full != 0 || listings != 0 || intents != 0 ||
	    (uint64_t)epoch != b->d->journal.epoch)
		return false;
	keep(b, jb_verify_unread(b->d, &b->cursor, &unread, b->err));
	return unread == 0;
}

static void check_all(struct both *b)
{
	struct jb_catalog_view *view = b->d->view;
	struct jb_entry top;
	bool found;

	if (!has_nothing_left(b) || !is_caught_up(b))
		return;
	keep(b, view->ops->begin(view, b->err));
	found = !b->over && keep(b, view->ops->top(view, &top, b->err));
	view->ops->end(view);
	if (found)
		check_tree(b, top.dirkey);
}

int jb_verify_names(struct jb_verify *v, struct jb_delivery *d,
		    struct jb_error *err)
{
	struct both b = {.v = v, .d = d, .err = err};
	int rv;

	if (d->is_full || d->view == NULL || d->journal.epoch == 0 ||
	    !jb_plugin_follows_all(&d->plugin))
		return JB_OK;
	rv = jb_replica_begin_read(d->replica, err);
	if (rv != JB_OK)
		return rv;
	check_all(&b);
	jb_replica_rollback(d->replica);
	return b.rv;
}
