/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/draft.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A name row that was read, kept until the callback may read on. */
struct found_name {
	struct found_name *next;
	uint64_t dir, rid;
	uint8_t len;
	char name[];
};

struct name_list {
	struct jb_draft *draft;
	struct found_name *first;
};

struct src_item {
	struct jb_id id;
	struct jb_node *node; /* NULL: the database has none */
};

void *jb_draft_alloc(struct jb_draft *d, size_t size)
{
	void *ret = jb_arena_alloc(&d->arena, size);

	if (ret == NULL && d->rv == JB_OK)
		d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "plan");
	return ret;
}

static void add_item(struct jb_draft *d, struct jb_hash_table *t, uint64_t hash,
		     void *item)
{
	if (!jb_hash_table_add(t, hash, item) && d->rv == JB_OK)
		d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "plan");
}

static bool same_rid(const void *item, const void *key)
{
	return ((const struct jb_node *)item)->rid == *(const uint64_t *)key;
}

static bool same_src(const void *item, const void *key)
{
	return jb_id_equal(((const struct src_item *)item)->id,
			   *(const struct jb_id *)key);
}

/* ---- nodes */

static struct jb_node *add_node(struct jb_draft *d, uint64_t rid)
{
	struct jb_node *n = jb_draft_alloc(d, sizeof *n);

	if (n == NULL)
		return NULL;
	n->rid = rid;
	add_item(d, &d->nodes, jb_hash_number(rid), n);
	return jb_draft_failed(d) ? NULL : n;
}

static struct src_item *find_src(struct jb_draft *d, struct jb_id id)
{
	return jb_hash_table_find(&d->srcs, jb_hash_id(id), same_src, &id);
}

static void set_src(struct jb_draft *d, struct jb_id id, struct jb_node *n)
{
	struct src_item *s = find_src(d, id);

	if (s == NULL) {
		s = jb_draft_alloc(d, sizeof *s);
		if (s == NULL)
			return;
		s->id = id;
		add_item(d, &d->srcs, jb_hash_id(id), s);
	}
	s->node = n;
}

static int on_name(void *arg, const struct jb_name_row *row)
{
	struct name_list *list = arg;
	struct found_name *f;

	f = jb_draft_alloc(list->draft, sizeof *f + row->len + 1u);
	if (f == NULL)
		return JB_ENOMEM;
	f->dir = row->dir;
	f->rid = row->rid;
	f->len = row->len;
	memcpy(f->name, row->name, row->len + 1u);
	f->next = list->first;
	list->first = f;
	return 0;
}

struct slot_key {
	const struct jb_node *dir;
	const char *name;
	size_t len;
};

static bool same_slot(const void *item, const void *key)
{
	const struct jb_slot *s = item;
	const struct slot_key *k = key;

	return s->dir == k->dir && s->len == k->len &&
	       memcmp(s->name, k->name, k->len) == 0;
}

static struct jb_slot *find_slot(struct jb_draft *d, const struct slot_key *k,
				 uint64_t hash)
{
	return jb_hash_table_find(&d->slots, hash, same_slot, k);
}

static struct jb_slot *add_slot(struct jb_draft *d, struct jb_node *dir,
				const char *name, size_t len, uint64_t hash)
{
	struct jb_slot *s = jb_draft_alloc(d, sizeof *s);

	if (s == NULL)
		return NULL;
	s->dir = dir;
	s->name = jb_arena_copy(&d->arena, name, len);
	s->len = (uint8_t)len;
	if (s->name == NULL)
		d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "plan");
	add_item(d, &d->slots, hash, s);
	s->next_slot = dir->slots;
	dir->slots = s;
	return jb_draft_failed(d) ? NULL : s;
}

static void hold(struct jb_slot *s, struct jb_node *n)
{
	s->holder = n;
	s->next_place = n->places;
	n->places = s;
}

/* The places that the database says this node has. */
static void load_places(struct jb_draft *d, struct jb_node *n)
{
	struct name_list list = {d, NULL};
	struct slot_key key;
	struct jb_node *dir;
	struct jb_slot *s;
	uint64_t hash;

	d->rv = jb_replica_names_of(d->replica, n->rid, on_name, &list,
				    &d->err);
	for (struct found_name *f = list.first;
	     f != NULL && !jb_draft_failed(d); f = f->next) {
		dir = jb_draft_node(d, f->dir);
		if (dir == NULL) {
			if (!jb_draft_failed(d))
				d->rv = jb_error_set(
					&d->err, JB_ECORRUPT, 0,
					"replica: a name in no directory");
			return;
		}
		key = (struct slot_key){dir, f->name, f->len};
		hash = jb_hash_name(dir->rid, f->name, f->len);
		if (find_slot(d, &key, hash) != NULL)
			continue; /* being loaded, or changed since */
		s = add_slot(d, dir, f->name, f->len, hash);
		if (s == NULL)
			return;
		s->stored = n->rid;
		hold(s, n);
	}
}

static void load_owed(struct jb_draft *d, struct jb_node *n)
{
	int rv;

	if (!d->some_owed)
		return;
	rv = jb_replica_owed(d->replica, n->rid, &n->owed, &d->err);
	if (rv < 0)
		d->rv = rv;
	n->owed_stored = rv > 0;
}

struct jb_node *jb_draft_known(const struct jb_draft *d, uint64_t rid)
{
	return jb_hash_table_find(&d->nodes, jb_hash_number(rid), same_rid,
				  &rid);
}

struct jb_node *jb_draft_node(struct jb_draft *d, uint64_t rid)
{
	struct jb_node *n = jb_draft_known(d, rid);
	struct jb_node_row row;
	int rv;

	if (n != NULL)
		return n->alive ? n : NULL;
	if (jb_draft_failed(d))
		return NULL;
	rv = jb_replica_node(d->replica, rid, &row, &d->err);
	if (rv < 0)
		d->rv = rv;
	if (rv <= 0)
		return NULL;
	n = add_node(d, rid);
	if (n == NULL)
		return NULL;
	n->row = row;
	n->alive = n->stored = true;
	if (jb_node_has_src(n) && find_src(d, row.src) == NULL)
		set_src(d, row.src, n);
	load_places(d, n);
	load_owed(d, n);
	return jb_draft_failed(d) ? NULL : n;
}

struct jb_node *jb_draft_by_src(struct jb_draft *d, struct jb_id src)
{
	struct src_item *s = find_src(d, src);
	uint64_t rid = 0;
	struct jb_node *n;
	int rv;

	if (s != NULL)
		return s->node;
	if (jb_draft_failed(d) || src.ino == 0)
		return NULL;
	rv = jb_replica_by_src(d->replica, src, &rid, &d->err);
	if (rv < 0)
		d->rv = rv;
	/* One that is loaded already has another identity by now. */
	n = rv > 0 && jb_draft_known(d, rid) == NULL ? jb_draft_node(d, rid)
						     : NULL;
	if (n == NULL && !jb_draft_failed(d))
		set_src(d, src, NULL);
	return n;
}

void jb_draft_set_top(struct jb_draft *d, struct jb_id src)
{
	if (jb_id_equal(d->top->row.src, src))
		return;
	if (jb_node_has_src(d->top))
		set_src(d, d->top->row.src, NULL);
	d->top->row.src = src;
	set_src(d, src, d->top);
}

struct jb_node *jb_draft_new_node(struct jb_draft *d)
{
	struct jb_node *n = add_node(d, d->next_rid);

	if (n != NULL) {
		d->next_rid++;
		n->all_slots = true;
	}
	return n;
}

static void mark_node(struct jb_draft *d, struct jb_node *n)
{
	if (n->dirty)
		return;
	n->dirty = true;
	n->next_dirty = d->dirty_nodes;
	d->dirty_nodes = n;
}

static void drop_src(struct jb_draft *d, struct jb_node *n)
{
	struct src_item *s;

	if (!n->alive || !jb_node_has_src(n))
		return;
	s = find_src(d, n->row.src);
	if (s != NULL && s->node == n)
		s->node = NULL;
}

void jb_draft_put(struct jb_draft *d, struct jb_node *n,
		  const struct jb_node_row *row)
{
	if (!n->alive)
		d->n_nodes++;
	drop_src(d, n);
	n->row = *row;
	n->alive = true;
	if (jb_node_has_src(n))
		set_src(d, n->row.src, n);
	mark_node(d, n);
}

void jb_draft_forget(struct jb_draft *d, struct jb_node *n)
{
	struct jb_node *x;

	if (!n->alive || n == d->top || n == d->own)
		return;
	while (n->places != NULL)
		jb_draft_cut(d, n->places);
	if (jb_node_is_dir(n))
		jb_draft_load_slots(d, n);
	for (struct jb_slot *s = n->slots; s != NULL; s = s->next_slot) {
		x = s->holder;
		if (x == NULL)
			continue;
		jb_draft_cut(d, s);
		if (x->places == NULL)
			jb_draft_forget(d, x);
	}
	drop_src(d, n);
	jb_draft_unowe(d, n);
	n->alive = false;
	d->n_nodes--;
	mark_node(d, n);
}

/* ---- places */

/* What the database says of a place that is seen for the first time. Loading
 * the holder loads its places, this one too. */
static void load_holder(struct jb_draft *d, struct jb_slot *s, uint64_t rid)
{
	struct jb_node *n;

	s->stored = rid;
	n = jb_draft_node(d, rid);
	if (n != NULL && s->holder == NULL)
		hold(s, n);
	else if (n == NULL && !jb_draft_failed(d))
		d->rv = jb_error_set(&d->err, JB_ECORRUPT, 0,
				     "replica: a name without its entry");
}

struct jb_slot *jb_draft_slot(struct jb_draft *d, struct jb_node *dir,
			      const char *name, size_t len)
{
	struct slot_key key = {dir, name, len};
	uint64_t hash = jb_hash_name(dir->rid, name, len), rid = 0;
	struct jb_slot *s = find_slot(d, &key, hash);
	int rv;

	if (s != NULL)
		return s;
	if (jb_draft_failed(d))
		return NULL;
	s = add_slot(d, dir, name, len, hash);
	if (s == NULL || dir->all_slots)
		return s;
	rv = jb_replica_at(d->replica, dir->rid, name, len, &rid, &d->err);
	if (rv < 0)
		d->rv = rv;
	else if (rv > 0)
		load_holder(d, s, rid);
	return jb_draft_failed(d) ? NULL : s;
}

void jb_draft_load_slots(struct jb_draft *d, struct jb_node *n)
{
	struct name_list list = {d, NULL};
	struct slot_key key;
	struct jb_slot *s;
	uint64_t hash;

	if (n->all_slots || jb_draft_failed(d))
		return;
	d->rv = jb_replica_names_in(d->replica, n->rid, "", 0, SIZE_MAX >> 1,
				    on_name, &list, &d->err);
	n->all_slots = true; /* so that the rows are not asked for again */
	for (struct found_name *f = list.first;
	     f != NULL && !jb_draft_failed(d); f = f->next) {
		key = (struct slot_key){n, f->name, f->len};
		hash = jb_hash_name(n->rid, f->name, f->len);
		if (find_slot(d, &key, hash) != NULL)
			continue; /* known, and maybe changed since */
		s = add_slot(d, n, f->name, f->len, hash);
		if (s != NULL)
			load_holder(d, s, f->rid);
	}
}

static void mark_slot(struct jb_draft *d, struct jb_slot *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->next_dirty = d->dirty_slots;
	d->dirty_slots = s;
}

void jb_draft_cut(struct jb_draft *d, struct jb_slot *s)
{
	struct jb_slot **at;

	if (s->holder == NULL)
		return;
	for (at = &s->holder->places; *at != s; at = &(*at)->next_place)
		;
	*at = s->next_place;
	s->holder = NULL;
	s->next_place = NULL;
	mark_slot(d, s);
}

void jb_draft_add(struct jb_draft *d, struct jb_slot *s, struct jb_node *n)
{
	jb_draft_cut(d, s);
	hold(s, n);
	mark_slot(d, s);
}

/* ---- init and fini. Pending and owed: pending.c; written: draft_write.c */

static struct jb_node *add_fixed(struct jb_draft *d, uint64_t rid)
{
	struct jb_node *n;
	int rv;

	n = add_node(d, rid);
	if (n == NULL)
		return NULL;
	/* A row of the top remembers its attributes alone. */
	rv = jb_replica_node(d->replica, rid, &n->row, &d->err);
	if (rv < 0)
		d->rv = rv;
	n->stored = rv > 0;
	n->row.src = (struct jb_id){0, 0};
	n->row.type = S_IFDIR;
	n->alive = true;
	return n;
}

static void load_state(struct jb_draft *d)
{
	int64_t n = 0;

	d->rv = jb_replica_begin_read(d->replica, &d->err);
	if (d->rv == JB_OK)
		d->rv = jb_replica_any(d->replica, &d->some_pending,
				       &d->some_owed, &d->err);
	if (d->rv == JB_OK)
		d->rv = jb_replica_get(d->replica, JB_KEY_NODES, 0, &d->n_nodes,
				       &d->err);
	if (d->rv == JB_OK)
		d->rv = jb_replica_get(d->replica, JB_KEY_NEXT_RID,
				       JB_RID_FIRST, &n, &d->err);
	d->next_rid = (uint64_t)n;
	if (d->rv == JB_OK)
		d->rv = jb_replica_get(d->replica, JB_KEY_CURSOR, 0, &d->seq,
				       &d->err);
	if (d->rv == JB_OK)
		d->rv = jb_replica_get(d->replica, JB_KEY_HELD_SEQ, 0,
				       &d->held_seq, &d->err);
}

int jb_draft_init(struct jb_draft *d, struct jb_replica *replica,
		  int64_t now_us, struct jb_error *err)
{
	*d = (struct jb_draft){.replica = replica, .now_us = now_us};
	load_state(d);
	if (d->rv == JB_OK)
		d->top = add_fixed(d, JB_RID_TOP);
	if (d->rv == JB_OK)
		d->own = add_fixed(d, JB_RID_OWN);
	if (d->rv != JB_OK) {
		if (err != NULL)
			*err = d->err;
		jb_draft_fini(d);
		return d->err.code;
	}
	return JB_OK;
}

void jb_draft_fini(struct jb_draft *d)
{
	jb_replica_rollback(d->replica); /* of the reads, at most */
	jb_hash_table_fini(&d->nodes);
	jb_hash_table_fini(&d->srcs);
	jb_hash_table_fini(&d->slots);
	jb_hash_table_fini(&d->pendings);
	jb_arena_fini(&d->arena);
	free(d->path);
	d->path = NULL;
}
