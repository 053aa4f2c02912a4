/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One batch: take the dirty set whole; look at all its places and at what was
 * left over, parents first; then at the other names of its inodes; settle who
 * is detached; commit; tell the loop and the scans.
 *
 * Failure: a transaction that can't be committed is rolled back, what the set
 * held is lost, so every root owes a scan; the thread goes on after a while. A
 * damaged database ends the thread: the daemon sets it aside. */
#include "engine/record/recorder_priv.h"

#include "engine/base/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RETRY_AFTER_S 1
#define BEYOND_MAX    65536u

struct jb_mark *jb_recorder_mark(struct jb_recorder *r)
{
	if (r->mark == NULL)
		r->mark = jb_mark_new();
	if (r->mark == NULL)
		abort(); /* 80 bytes; nothing can be right without it */
	return r->mark;
}

uint64_t jb_recorder_oldest_left(const struct jb_recorder *r)
{
	return jb_todo_oldest(&r->carry);
}

/* ---- one batch */

static int push_places(struct jb_recorder *r, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	int rv = JB_OK;

	for (uint32_t i = 0; i < set->n_dirs && rv == JB_OK; i++) {
		const struct jb_dirty_dir *d = &set->dirs[i];
		struct jb_todo_item item = {.dir = d->key, .origin = set->no};

		rv = jb_catalog_depth(r->catalog, d->key, &item.depth, err);
		if (rv == JB_OK && (d->count > 0 || d->flags & JB_DIRTY_SELF)) {
			item.kind = JB_TODO_SET_DIR;
			item.index = i;
			rv = jb_todo_push(&r->todo, item, err);
		}
		if (rv == JB_OK && d->flags & JB_DIRTY_LIST) {
			item.kind = JB_TODO_LIST;
			item.flags = d->flags & (unsigned)~JB_DIRTY_SELF;
			rv = jb_todo_push(&r->todo, item, err);
		}
	}
	return rv;
}

static int take_carry(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_todo_item item;
	int rv = JB_OK;

	while (rv == JB_OK && jb_todo_pop(&r->carry, &item)) {
		/* Where it lies may have changed since. */
		rv = jb_catalog_depth(r->catalog, item.dir, &item.depth, err);
		if (rv == JB_OK)
			rv = jb_todo_push(&r->todo, item, err);
	}
	return rv;
}

static struct jb_look_flags flags_of(const struct jb_recorder *r,
				     const struct jb_visit *v, unsigned dirty)
{
	(void)r;
	return (struct jb_look_flags){
		.dirty = dirty,
		.lossy = dirty & JB_DIRTY_LOSSY || jb_gap_is_open(v->root) ||
			 v->root->root->source->needs_fd,
	};
}

static int compare_places(const void *a, const void *b, void *arg)
{
	const struct jb_dirty *set = arg;
	const struct jb_dirty_place *x = &set->places[*(const uint32_t *)a];
	const struct jb_dirty_place *y = &set->places[*(const uint32_t *)b];
	size_t n = x->len < y->len ? x->len : y->len;
	int cmp = memcmp(set->names + x->name, set->names + y->name, n);

	return cmp != 0 ? cmp : x->len - y->len;
}

/* The directory itself was told of: its attributes. */
static int look_at_self(struct jb_recorder *r, struct jb_visit *v,
			unsigned dirty, struct jb_error *err)
{
	struct jb_look_flags flags = flags_of(r, v, dirty | JB_DIRTY_ATTRIB);
	struct jb_look found;
	struct jb_entry e;
	struct jb_dir dir;
	int rv = jb_catalog_dir(r->catalog, v->dir, &dir, err);

	if (rv <= 0 || dir.det != 0 || jb_look_fd(v->fd, &found, NULL) != JB_OK)
		return rv < 0 ? rv : JB_OK;
	rv = jb_catalog_get(r->catalog, dir.parent, dir.name, dir.name_len, &e,
			    err);
	if (rv <= 0 || !jb_look_same(&found, &e))
		return rv < 0 ? rv : JB_OK;
	return jb_facts_compare(r, v->root, &e, &found, &flags, false, v->clock,
				err);
}

/* The dirty names of one directory, in the order of the catalog. */
static int look_at_names(struct jb_recorder *r, struct jb_visit *v,
			 const struct jb_dirty_dir *d, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	char name[JB_NAME_MAX + 1];
	uint32_t *order, n = 0;
	int rv = JB_OK;

	order = reallocarray(NULL, d->count, sizeof *order);
	if (order == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "places");
	for (uint32_t i = d->first; i != 0; i = set->places[i - 1].next)
		order[n++] = i - 1;
	qsort_r(order, n, sizeof *order, compare_places,
		(void *)(uintptr_t)set);
	for (uint32_t i = 0; i < n && rv == JB_OK; i++) {
		const struct jb_dirty_place *p = &set->places[order[i]];
		struct jb_look_flags flags = flags_of(r, v, p->flags);

		memcpy(name, set->names + p->name, p->len);
		name[p->len] = '\0';
		rv = jb_place_look(r, v, name, p->len, &flags, err);
	}
	free(order);
	return rv;
}

static int do_set_dir(struct jb_recorder *r, const struct jb_todo_item *item,
		      struct jb_error *err)
{
	const struct jb_dirty_dir *d = &r->set->dirs[item->index];
	struct jb_visit v;
	int rv = jb_visit_open(r, item->dir, item->origin, &v, err);

	if (rv <= 0)
		return rv;
	rv = JB_OK;
	if (d->flags & JB_DIRTY_SELF)
		rv = look_at_self(r, &v, d->flags & JB_DIRTY_EVENT, err);
	if (rv == JB_OK && d->count > 0)
		rv = look_at_names(r, &v, d, err);
	if (rv == JB_OK)
		return jb_visit_close(r, &v, err);
	jb_visit_close(r, &v, NULL);
	return rv;
}

static int do_name(struct jb_recorder *r, struct jb_todo_item *item,
		   struct jb_error *err)
{
	struct jb_visit v;
	struct jb_look_flags flags;
	int rv = jb_visit_open(r, item->dir, item->origin, &v, err);

	if (rv > 0) {
		flags = flags_of(r, &v, item->flags);
		rv = jb_place_look(r, &v, item->name, item->len, &flags, err);
		if (rv == JB_OK)
			rv = jb_visit_close(r, &v, err);
		else
			jb_visit_close(r, &v, NULL);
	}
	jb_todo_item_fini(item);
	return rv;
}

static int work_off(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_todo_item item;
	int rv = JB_OK;

	while (rv == JB_OK && jb_todo_pop(&r->todo, &item)) {
		switch (item.kind) {
		case JB_TODO_SET_DIR:
			rv = do_set_dir(r, &item, err);
			break;
		case JB_TODO_NAME:
			rv = do_name(r, &item, err);
			break;
		case JB_TODO_LIST:
			rv = jb_list_directory(r, &item, err);
			break;
		}
	}
	return rv;
}

/* ---- inodes whose names the events did not tell */

/* Was it looked at by the only name that it has? */
static bool seen_whole(const struct jb_dirty_inode *s)
{
	return s->flags & JB_INO_SEEN;
}

static int push_names_of(struct jb_recorder *r, const struct jb_dirty_inode *s,
			 struct jb_error *err)
{
	int rv = jb_catalog_by_ino(r->catalog, 0, s->ino, &r->rows, err);

	for (size_t i = 0; rv == JB_OK && i < r->rows.n; i++) {
		const struct jb_entry *e = &r->rows.v[i];
		struct jb_record_root *root = jb_record_root_of(r, e->root);

		if (e->det == 0 && root != NULL && root->root->fs == s->fs &&
		    e->parent != 0)
			rv = jb_push_name(r, e->parent, e->name, e->name_len,
					  r->set->no, JB_DIRTY_EVENT, &r->todo,
					  err);
	}
	return rv;
}

/* By inode, after the looks at named places: most were seen there. */
static int push_inodes(struct jb_recorder *r, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;
	int rv = JB_OK;

	for (uint32_t i = 0; i < set->size_inos && rv == JB_OK; i++) {
		const struct jb_dirty_inode *s = &set->inos[i];

		if (s->ino != 0 && !seen_whole(s) &&
		    s->flags & (JB_INO_CONTENT | JB_INO_LOOK))
			rv = push_names_of(r, s, err);
	}
	return rv;
}

/* Keep of these only who matters: inodes that are detached now. */
static int merge_beyond(struct jb_recorder *r, struct jb_error *err)
{
	const struct jb_dirty *set = r->set;

	if (set->n_beyond == 0)
		return JB_OK;
	if (r->n_beyond + set->n_beyond > r->cap_beyond) {
		size_t cap = r->n_beyond + set->n_beyond;
		void *v = reallocarray(r->beyond, cap, sizeof *r->beyond);

		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "renames");
		r->beyond = v;
		r->cap_beyond = cap;
	}
	memcpy(r->beyond + r->n_beyond, set->beyond,
	       set->n_beyond * sizeof *set->beyond);
	r->n_beyond += set->n_beyond;
	return JB_OK;
}

static void filter_beyond(struct jb_recorder *r)
{
	size_t kept = 0;

	if (r->carry.n > 0 && r->n_beyond < BEYOND_MAX)
		return;
	for (size_t i = 0; i < r->n_beyond; i++) {
		bool waits = false;

		for (unsigned k = 0; k < r->settings.n_roots && !waits; k++)
			waits = r->roots[k].root->fs == r->beyond[i].fs &&
				jb_detached_may_hold(&r->roots[k].detached,
						     r->beyond[i].ino);
		if (waits)
			r->beyond[kept++] = r->beyond[i];
	}
	r->n_beyond = kept;
}

/* From the root down, by the catalog. A path that it does not know has been,
 * or will be, told by its own events. */
static int push_path(struct jb_recorder *r, uint64_t dir, const char *path,
		     struct jb_error *err)
{
	struct jb_entry e;
	const char *end;
	int rv;

	while ((end = strchr(path, '/')) != NULL) {
		rv = jb_catalog_get(r->catalog, dir, path,
				    (size_t)(end - path), &e, err);
		if (rv <= 0)
			return rv;
		dir = e.dirkey;
		path = end + 1;
	}
	return jb_push_name(r, dir, path, strlen(path), r->set->no,
			    JB_DIRTY_EVENT | JB_DIRTY_LOSSY, &r->todo, err);
}

static int push_paths(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_wanted_path *p, *next;
	int rv = JB_OK;

	pthread_mutex_lock(&r->mutex);
	p = r->paths;
	r->paths = NULL;
	pthread_mutex_unlock(&r->mutex);
	for (; p != NULL; p = next) {
		next = p->next;
		if (rv == JB_OK)
			rv = push_path(r, r->roots[p->root].root->dirkey,
				       p->path, err);
		free(p);
	}
	return rv;
}

static int look_at_all(struct jb_recorder *r, struct jb_error *err)
{
	int rv = take_carry(r, err);

	if (rv == JB_OK)
		rv = push_places(r, err);
	if (rv == JB_OK)
		rv = push_paths(r, err);
	if (rv == JB_OK)
		rv = work_off(r, err);
	if (rv == JB_OK)
		rv = push_inodes(r, err);
	if (rv == JB_OK)
		rv = work_off(r, err);
	return rv;
}

static int record_batch(struct jb_recorder *r, struct jb_error *err)
{
	struct timespec now;
	int rv;

	clock_gettime(CLOCK_REALTIME, &now);
	r->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	r->budget = JB_LIST_BUDGET;
	r->wrote = false;
	jb_changes_begin(r->changes, r->now_us);
	rv = jb_store_begin(r->store, err);
	if (rv == JB_OK)
		rv = jb_gaps_note(r, err);
	if (rv == JB_OK)
		rv = merge_beyond(r, err);
	if (rv == JB_OK)
		rv = look_at_all(r, err);
	if (rv == JB_OK)
		rv = jb_settle(r, err);
	if (rv == JB_OK)
		rv = jb_gaps_settle(r, err);
	if (rv == JB_OK)
		rv = jb_store_commit(r->store, err);
	return rv;
}

/* ---- after the commit */

static int send_messages(struct jb_recorder *r, struct jb_error *err)
{
	int rv = JB_OK;

	filter_beyond(r);
	if (r->n_gone > 0)
		rv = jb_intake_remove_dirs(r->intake, r->gone_dirs, r->n_gone,
					   err);
	r->n_gone = 0;
	if (rv == JB_OK && r->mark != NULL)
		rv = jb_intake_ask(r->intake, r->mark, err);
	jb_mark_unref(r->mark);
	r->mark = NULL;
	if (r->set->credits > 0)
		r->events.credits(r->events.arg, r->set->credits);
	jb_gaps_start_scans(r);
	return rv;
}

static void publish(struct jb_recorder *r)
{
	int64_t names = -1;

	if (r->set != NULL) /* not before the first batch: it takes a while */
		jb_catalog_count(r->catalog, &names, NULL);
	pthread_mutex_lock(&r->mutex);
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		r->status[i].complete_ns = r->roots[i].complete;
		r->status[i].gap_open = r->roots[i].gap.id != 0;
		r->status[i].scanning = r->roots[i].running;
		r->status[i].detached = r->roots[i].detached.count;
	}
	r->last_seq = jb_changes_last(r->changes);
	r->names = names;
	pthread_mutex_unlock(&r->mutex);
}

static bool any_gap(const struct jb_recorder *r)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++)
		if (jb_gap_is_open(&r->roots[i]) && !r->roots[i].lost)
			return true;
	return false;
}

static bool is_detached(struct jb_recorder *r, int64_t from, int64_t upto)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		if (r->roots[i].lost || r->roots[i].detached.count == 0)
			continue;
		if (jb_catalog_detached(r->catalog, r->roots[i].root->id,
					from - 1, upto, 1, &r->below,
					NULL) != JB_OK ||
		    r->below.n > 0)
			return true;
	}
	return false;
}

static bool flush_done(struct jb_recorder *r, struct jb_flush *f)
{
	if (!f->captured) {
		if (!jb_mark_passed(f->mark, r->set,
				    jb_recorder_oldest_left(r)) ||
		    any_gap(r))
			return false;
		f->captured = true;
		f->upto = r->next_det - 1;
	}
	if (is_detached(r, 1, f->upto))
		return false;
	for (size_t i = 0; i < f->n_renewed; i++)
		if (is_detached(r, f->renewed[i], f->renewed[i]))
			return false;
	return true;
}

static void free_flush(struct jb_flush *f)
{
	jb_mark_unref(f->mark);
	free(f->renewed);
	free(f);
}

static void settle_flushes(struct jb_recorder *r)
{
	struct jb_flush **p = &r->flushes, *f;

	while ((f = *p) != NULL) {
		if (!flush_done(r, f)) {
			p = &f->next;
			continue;
		}
		*p = f->next;
		r->events.flushed(r->events.arg, f->user,
				  jb_changes_last(r->changes));
		free_flush(f);
	}
}

static void take_new_flushes(struct jb_recorder *r)
{
	struct jb_flush *f, *next;

	pthread_mutex_lock(&r->mutex);
	f = r->new_flushes;
	r->new_flushes = NULL;
	pthread_mutex_unlock(&r->mutex);
	for (; f != NULL; f = next) {
		next = f->next;
		f->next = r->flushes;
		r->flushes = f;
	}
}

/* When is the next set wanted, though it may be empty? */
static enum jb_want what_next(const struct jb_recorder *r)
{
	bool new_flushes;

	pthread_mutex_lock(&((struct jb_recorder *)(uintptr_t)r)->mutex);
	new_flushes = r->new_flushes != NULL;
	pthread_mutex_unlock(&((struct jb_recorder *)(uintptr_t)r)->mutex);
	if (r->carry.n > 0)
		return JB_WANT_MORE;
	if (new_flushes || r->flushes != NULL)
		return JB_WANT_NOW;
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		const struct jb_record_root *root = &r->roots[i];

		if (root->scan_mark != NULL ||
		    (root->detached.n_groups > 0 && !jb_gap_is_open(root)))
			return JB_WANT_NOW;
	}
	return r->time != NULL ? JB_WANT_SOON : JB_WANT_EVENTS;
}

/* ---- life */

static int load_root(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_error *err)
{
	struct jb_known_root known;
	int64_t after = 0;
	int rv;

	root->gap = (struct jb_gap){0};
	rv = jb_known_root_find(r->store, root->root->config->name, &known,
				err);
	if (rv > 0)
		rv = jb_gap_find_open(r->store, root->root->id, &root->gap,
				      err);
	root->complete = known.complete;
	jb_detached_fini(&root->detached);
	jb_detached_init(&root->detached);
	do {
		if (rv >= 0)
			rv = jb_catalog_detached(r->catalog, root->root->id,
						 after, INT64_MAX, 512,
						 &r->below, err);
		for (size_t i = 0; rv >= 0 && i < r->below.n; i++) {
			after = r->below.v[i].det;
			jb_detached_note(&root->detached,
					 r->below.v[i].id.ino);
		}
	} while (rv >= 0 && r->below.n == 512);
	if (rv >= 0 && root->detached.count > 0)
		rv = jb_detached_group_add(&root->detached, 0, after, err);
	return rv < 0 ? rv : JB_OK;
}

/* Everything in memory anew from what is committed. */
static int load(struct jb_recorder *r, struct jb_error *err)
{
	int64_t max = 0;
	int rv = jb_catalog_max_det(r->catalog, &max, err);

	if (max >= r->next_det)
		r->next_det = max + 1;
	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++)
		rv = load_root(r, &r->roots[i], err);
	return rv;
}

static void drop_memory(struct jb_recorder *r)
{
	jb_todo_fini(&r->todo);
	jb_todo_fini(&r->carry);
	jb_mark_unref(r->mark);
	jb_mark_unref(r->time);
	r->mark = r->time = NULL;
	for (size_t i = 0; i < r->n_new; i++)
		if (r->new_dirs[i].fd >= 0)
			close(r->new_dirs[i].fd);
	r->n_new = r->n_gone = r->n_beyond = r->n_deferred = 0;
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		jb_mark_unref(r->roots[i].scan_mark);
		r->roots[i].scan_mark = NULL;
	}
}

/* The batch is lost: back to what is committed, and everything is scanned. */
static int recover(struct jb_recorder *r, const struct jb_error *why,
		   struct jb_error *err)
{
	struct timespec pause = {.tv_sec = RETRY_AFTER_S};
	int rv;

	jb_log_error("journal: %s: what was seen meanwhile is found by a scan",
		     why->text);
	jb_store_rollback(r->store);
	jb_catalog_reset(r->catalog);
	if (r->set->credits > 0)
		r->events.credits(r->events.arg, r->set->credits);
	drop_memory(r);
	nanosleep(&pause, NULL);
	rv = jb_changes_reset(r->changes, err);
	if (rv == JB_OK)
		rv = load(r, err);
	for (unsigned i = 0; i < r->settings.n_roots; i++)
		jb_recorder_owe_scan(r, r->roots[i].root,
				     "the journal could not be written");
	return rv;
}

static void *run(void *arg)
{
	struct jb_recorder *r = arg;
	struct jb_error err = {0}, why;
	enum jb_want want = JB_WANT_NOW;
	int rv = JB_OK;

	while (rv == JB_OK &&
	       (r->set = jb_intake_take(r->intake, want)) != NULL) {
		take_new_flushes(r);
		rv = record_batch(r, &why);
		if (rv == JB_OK)
			rv = send_messages(r, &why);
		if (rv == JB_OK) {
			settle_flushes(r);
			want = what_next(r);
		} else if (rv != JB_ECORRUPT) {
			rv = recover(r, &why, &err);
			want = JB_WANT_NOW;
		} else {
			jb_store_rollback(r->store);
			err = why;
		}
		publish(r);
		jb_dirty_clear(r->set);
	}
	r->events.ended(r->events.arg, rv == JB_OK ? NULL : &err);
	return NULL;
}

static int add_root_rows(struct jb_recorder *r, struct jb_root *root,
			 struct jb_known_root *known, struct jb_error *err)
{
	struct jb_entry e = {.root = known->id, .id = root->identity};
	struct jb_look look;
	size_t len = strlen(root->config->name);
	int rv;

	if (len > JB_NAME_MAX)
		return jb_error_set(err, JB_ECONFIG, 0, "root '%s': name too long",
				    root->config->name);
	rv = jb_look_fd(root->fd, &look, err);
	if (rv != JB_OK)
		return rv;
	memcpy(e.name, root->config->name, len);
	e.name_len = (uint8_t)len;
	e.facts = look.facts;
	e.cctime = look.facts.ctime;
	rv = jb_catalog_add_dir(r->catalog, &e, root->handle.bytes,
				root->handle.len, err);
	if (rv == JB_OK)
		rv = jb_catalog_insert(r->catalog, &e, err);
	known->dirkey = e.dirkey;
	return rv == JB_OK ? jb_known_root_set_dirkey(r->store, known, err)
			   : rv;
}

static int know_root(struct jb_recorder *r, struct jb_root *root,
		     struct jb_error *err)
{
	struct jb_known_root known = {0};
	struct jb_gap gap;
	struct timespec now;
	struct jb_dir dir;
	int64_t now_us;
	int rv;

	clock_gettime(CLOCK_REALTIME, &now);
	now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	rv = jb_known_root_find(r->store, root->config->name, &known, err);
	if (rv > 0) {
		root->id = known.id;
		root->dirkey = known.dirkey;
		rv = jb_catalog_dir(r->catalog, known.dirkey, &dir, err);
		if (rv > 0 && !jb_id_equal(dir.id, root->identity))
			return jb_error_set(
				err, JB_ESTALE, 0,
				"root '%s': %s is not the directory that the "
				"journal knows: give it another name, or put "
				"the old one back",
				root->config->name, root->config->path);
		return rv < 0 ? rv : JB_OK;
	}
	if (rv == 0)
		rv = jb_known_root_add(r->store, root->config->name,
				       root->config->path, root->fsid, &known,
				       err);
	if (rv == JB_OK)
		rv = add_root_rows(r, root, &known, err);
	root->id = known.id;
	root->dirkey = known.dirkey;
	root->fresh = true;
	if (rv == JB_OK)
		rv = jb_gap_open(r->store, known.id, JB_GAP_FIRST_SCAN, 0,
				 now_us, &gap, err);
	return rv;
}

static int know_roots(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_store_begin(r->store, err);

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++)
		rv = know_root(r, &r->settings.roots[i], err);
	if (rv == JB_OK)
		return jb_store_commit(r->store, err);
	jb_store_rollback(r->store);
	return rv;
}

int jb_recorder_open(struct jb_store *store,
		     const struct jb_recorder_settings *settings,
		     const struct jb_recorder_events *events,
		     struct jb_recorder **ret, struct jb_error *err)
{
	struct jb_recorder *r = calloc(1, sizeof *r);
	unsigned n = settings->n_roots;
	int rv;

	if (r == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "recorder");
	r->store = store;
	r->settings = *settings;
	r->events = *events;
	r->next_det = 1;
	pthread_mutex_init(&r->mutex, NULL);
	r->roots = calloc(n, sizeof *r->roots);
	r->status = calloc(n, sizeof *r->status);
	r->scan_ended = calloc(n, sizeof *r->scan_ended);
	r->owed_reason = calloc(n, sizeof *r->owed_reason);
	r->scan_progress = calloc(n, sizeof *r->scan_progress);
	r->root_lost = calloc(n, sizeof *r->root_lost);
	r->root_back = calloc(n, sizeof *r->root_back);
	rv = r->roots == NULL || r->status == NULL || r->scan_ended == NULL ||
			     r->owed_reason == NULL ||
			     r->scan_progress == NULL || r->root_lost == NULL ||
			     r->root_back == NULL
		     ? jb_error_set(err, JB_ENOMEM, 0, "recorder")
		     : jb_catalog_open(store, &r->catalog, err);
	if (rv == JB_OK)
		rv = jb_changes_open(store, r->catalog, &r->changes, err);
	if (rv == JB_OK)
		rv = know_roots(r, err);
	for (unsigned i = 0; i < n && rv == JB_OK; i++)
		r->roots[i].root = &settings->roots[i];
	if (rv == JB_OK)
		rv = load(r, err);
	if (rv != JB_OK) {
		jb_recorder_close(r);
		return rv;
	}
	for (unsigned i = 0; i < n; i++)
		if (!settings->clean)
			r->owed_reason[i] = settings->roots[i].fresh
						    ? JB_GAP_FIRST_SCAN
						    : "the daemon was not "
						      "running";
	*ret = r;
	return JB_OK;
}

static int map_dir(void *arg, const struct jb_dir *dir)
{
	struct jb_recorder *r = arg;
	struct jb_record_root *root = jb_record_root_of(r, dir->root);
	struct jb_source *s;

	if (root == NULL)
		return JB_OK; /* no longer configured */
	s = root->root->source;
	if (s->needs_fd)
		return JB_OK; /* its scan opens them */
	return s->ops->add_dir(
		s, root->root,
		(struct jb_handle_ref){dir->handle, dir->handle_len}, dir->key,
		-1, &r->error);
}

int jb_recorder_fill_map(struct jb_recorder *r, struct jb_error *err)
{
	int rv = jb_catalog_each_dir(r->catalog, map_dir, r, err);

	if (rv != JB_OK && err != NULL && err->code == JB_OK)
		*err = r->error;
	return rv;
}

int jb_recorder_start(struct jb_recorder *r, struct jb_intake *intake,
		      struct jb_error *err)
{
	int rc;

	r->intake = intake;
	publish(r);
	rc = pthread_create(&r->thread, NULL, run, r);
	if (rc != 0)
		return jb_error_errno(err, rc, "recorder thread");
	r->started = true;
	return JB_OK;
}

void jb_recorder_join(struct jb_recorder *r)
{
	if (r->started)
		pthread_join(r->thread, NULL);
	r->started = false;
}

void jb_recorder_close(struct jb_recorder *r)
{
	struct jb_flush *f;

	if (r == NULL)
		return;
	while (r->paths != NULL) {
		struct jb_wanted_path *p = r->paths;

		r->paths = p->next;
		free(p);
	}
	take_new_flushes(r);
	while ((f = r->flushes) != NULL) {
		r->flushes = f->next;
		free_flush(f);
	}
	if (r->roots != NULL) {
		drop_memory(r);
		for (unsigned i = 0; i < r->settings.n_roots; i++)
			jb_detached_fini(&r->roots[i].detached);
	}
	jb_changes_close(r->changes);
	jb_catalog_close(r->catalog);
	jb_entries_fini(&r->rows);
	jb_entries_fini(&r->page);
	jb_entries_fini(&r->below);
	free(r->new_dirs);
	free(r->gone_dirs);
	free(r->beyond);
	free(r->deferred);
	free(r->roots);
	free(r->status);
	free(r->scan_ended);
	free(r->owed_reason);
	free(r->scan_progress);
	free(r->root_lost);
	free(r->root_back);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}

/* ---- from other threads */

static unsigned index_of(const struct jb_recorder *r, const struct jb_root *root)
{
	(void)r;
	return root->index;
}

int jb_recorder_flush(struct jb_recorder *r, struct jb_mark *mark, void *flush,
		      struct jb_error *err)
{
	struct jb_flush *f = calloc(1, sizeof *f);

	if (f == NULL) {
		jb_mark_unref(mark);
		return jb_error_set(err, JB_ENOMEM, 0, "flush");
	}
	f->mark = mark;
	f->user = flush;
	pthread_mutex_lock(&r->mutex);
	f->next = r->new_flushes;
	r->new_flushes = f;
	pthread_mutex_unlock(&r->mutex);
	return JB_OK;
}

void jb_recorder_scan_ended(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->scan_ended[index_of(r, root)] = true;
	r->scan_progress[index_of(r, root)] = 0;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_scan_progress(struct jb_recorder *r,
			       const struct jb_root *root, uint64_t progress)
{
	pthread_mutex_lock(&r->mutex);
	r->scan_progress[index_of(r, root)] = progress;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_owe_scan(struct jb_recorder *r, const struct jb_root *root,
			  const char *reason)
{
	pthread_mutex_lock(&r->mutex);
	r->owed_reason[index_of(r, root)] = reason;
	pthread_mutex_unlock(&r->mutex);
}

int jb_recorder_look_at_path(struct jb_recorder *r, const struct jb_root *root,
			     const char *path, struct jb_error *err)
{
	size_t len = strlen(path) + 1;
	struct jb_wanted_path *p = malloc(sizeof *p + len);

	if (p == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "path");
	p->root = root->index;
	memcpy(p->path, path, len);
	pthread_mutex_lock(&r->mutex);
	p->next = r->paths;
	r->paths = p;
	pthread_mutex_unlock(&r->mutex);
	return JB_OK;
}

void jb_recorder_lose_root(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->root_lost[index_of(r, root)] = true;
	r->root_back[index_of(r, root)] = false;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_root_back(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->root_back[index_of(r, root)] = true;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_status(struct jb_recorder *r, const struct jb_root *root,
			struct jb_recorder_status *ret)
{
	pthread_mutex_lock(&r->mutex);
	*ret = r->status[index_of(r, root)];
	pthread_mutex_unlock(&r->mutex);
}

int64_t jb_recorder_last_seq(struct jb_recorder *r)
{
	int64_t seq;

	pthread_mutex_lock(&r->mutex);
	seq = r->last_seq;
	pthread_mutex_unlock(&r->mutex);
	return seq;
}

int64_t jb_recorder_names(struct jb_recorder *r)
{
	int64_t names;

	pthread_mutex_lock(&r->mutex);
	names = r->names;
	pthread_mutex_unlock(&r->mutex);
	return names;
}
