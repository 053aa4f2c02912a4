/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The changes of a draft, written into the replica. Inside a transaction; the
 * draft goes on as the new committed state. */
#include "engine/deliver/draft.h"

#include <stdlib.h>
#include <string.h>

/* Written in the order of their keys, so that what a first copy brings fills
 * the pages of the file. */
static int by_rid(const void *va, const void *vb)
{
	const struct jb_node *a = *(struct jb_node *const *)va;
	const struct jb_node *b = *(struct jb_node *const *)vb;

	return (a->rid > b->rid) - (a->rid < b->rid);
}

static int by_place(const void *va, const void *vb)
{
	const struct jb_slot *a = *(struct jb_slot *const *)va;
	const struct jb_slot *b = *(struct jb_slot *const *)vb;
	int order = (a->dir->rid > b->dir->rid) - (a->dir->rid < b->dir->rid);

	if (order == 0)
		order = memcmp(a->name, b->name,
			       a->len < b->len ? a->len : b->len);
	return order != 0 ? order : a->len - b->len;
}

static void *new_list(struct jb_draft *d, size_t n)
{
	void *list = malloc((n + 1) * sizeof(void *));

	if (list == NULL)
		d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "plan");
	return list;
}

static void write_slot(struct jb_draft *d, struct jb_slot *s)
{
	uint64_t rid = s->holder != NULL ? s->holder->rid : 0;

	s->dirty = false;
	if (rid == s->stored)
		return;
	if (rid != 0)
		d->rv = jb_replica_put_name(d->replica, s->dir->rid, s->name,
					    s->len, rid, &d->err);
	else
		d->rv = jb_replica_drop_name(d->replica, s->dir->rid, s->name,
					     s->len, &d->err);
	s->stored = rid;
}

static void write_slots(struct jb_draft *d)
{
	struct jb_slot **list;
	size_t n = 0;

	for (struct jb_slot *s = d->dirty_slots; s != NULL; s = s->next_dirty)
		n++;
	list = d->rv == JB_OK ? new_list(d, n) : NULL;
	if (list == NULL)
		return;
	n = 0;
	for (struct jb_slot *s = d->dirty_slots; s != NULL; s = s->next_dirty)
		list[n++] = s;
	d->dirty_slots = NULL;
	qsort(list, n, sizeof(struct jb_slot *), by_place);
	for (size_t i = 0; i < n && d->rv == JB_OK; i++)
		write_slot(d, list[i]);
	free(list);
}

static void write_node(struct jb_draft *d, struct jb_node *n)
{
	n->dirty = false;
	if (n->alive)
		d->rv = jb_replica_put_node(d->replica, n->rid, &n->row,
					    &d->err);
	else if (n->stored)
		d->rv = jb_replica_drop_node(d->replica, n->rid, &d->err);
	n->stored = n->alive;
}

static void write_nodes(struct jb_draft *d)
{
	struct jb_node **list;
	size_t n = 0;

	for (struct jb_node *x = d->dirty_nodes; x != NULL; x = x->next_dirty)
		n++;
	list = d->rv == JB_OK ? new_list(d, n) : NULL;
	if (list == NULL)
		return;
	n = 0;
	for (struct jb_node *x = d->dirty_nodes; x != NULL; x = x->next_dirty)
		list[n++] = x;
	d->dirty_nodes = NULL;
	qsort(list, n, sizeof(struct jb_node *), by_rid);
	for (size_t i = 0; i < n && d->rv == JB_OK; i++)
		write_node(d, list[i]);
	free(list);
}

static void write_pendings(struct jb_draft *d)
{
	struct jb_pending *p;

	while ((p = d->dirty_pendings) != NULL && d->rv == JB_OK) {
		d->dirty_pendings = p->next_dirty;
		p->dirty = false;
		if (p->alive)
			d->rv = jb_replica_put_pending(d->replica, &p->row,
						       &d->err);
		else if (p->stored)
			d->rv = jb_replica_drop_pending(d->replica, p->row.id,
							&d->err);
		p->stored = p->alive;
	}
}

static void write_owed(struct jb_draft *d)
{
	struct jb_node *n;

	while ((n = d->dirty_owed) != NULL && d->rv == JB_OK) {
		d->dirty_owed = n->next_owed;
		n->owed_dirty = false;
		if (n->owed.reason != JB_REASON_NONE)
			d->rv = jb_replica_put_owed(d->replica, &n->owed,
						    &d->err);
		else if (n->owed_stored)
			d->rv = jb_replica_drop_owed(d->replica, n->rid,
						     &d->err);
		n->owed_stored = n->owed.reason != JB_REASON_NONE;
	}
}

void jb_draft_write(struct jb_draft *d)
{
	write_slots(d);
	write_nodes(d);
	write_pendings(d);
	write_owed(d);
	if (d->rv == JB_OK)
		d->rv = jb_replica_set(d->replica, JB_KEY_NEXT_RID,
				       (int64_t)d->next_rid, &d->err);
	if (d->rv == JB_OK)
		d->rv = jb_replica_set(d->replica, JB_KEY_NODES, d->n_nodes,
				       &d->err);
	if (d->rv == JB_OK && d->holds_more)
		d->rv = jb_replica_set(d->replica, JB_KEY_HELD_SEQ, d->held_seq,
				       &d->err);
}

bool jb_draft_is_dirty(const struct jb_draft *d)
{
	return d->dirty_slots != NULL || d->dirty_nodes != NULL ||
	       d->dirty_pendings != NULL || d->dirty_owed != NULL;
}
