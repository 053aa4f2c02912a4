/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The changes of a draft, written into the replica. Inside a transaction; the
 * draft goes on as the new committed state. */
#include "engine/deliver/draft.h"

static void flush_slots(struct jb_draft *d)
{
	struct jb_slot *s;
	uint64_t rid;

	while ((s = d->dirty_slots) != NULL && d->rv == JB_OK) {
		d->dirty_slots = s->next_dirty;
		s->dirty = false;
		rid = s->holder != NULL ? s->holder->rid : 0;
		if (rid == s->stored)
			continue;
		if (rid != 0)
			d->rv = jb_replica_put_name(d->replica, s->dir->rid,
						    s->name, s->len, rid,
						    &d->err);
		else
			d->rv = jb_replica_drop_name(d->replica, s->dir->rid,
						     s->name, s->len, &d->err);
		s->stored = rid;
	}
}

static void flush_nodes(struct jb_draft *d)
{
	struct jb_node *n;

	while ((n = d->dirty_nodes) != NULL && d->rv == JB_OK) {
		d->dirty_nodes = n->next_dirty;
		n->dirty = false;
		if (n->alive)
			d->rv = jb_replica_put_node(d->replica, n->rid, &n->row,
						    &d->err);
		else if (n->stored)
			d->rv = jb_replica_drop_node(d->replica, n->rid,
						     &d->err);
		n->stored = n->alive;
	}
}

static void flush_pendings(struct jb_draft *d)
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

static void flush_owed(struct jb_draft *d)
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

void jb_draft_flush(struct jb_draft *d)
{
	flush_slots(d);
	flush_nodes(d);
	flush_pendings(d);
	flush_owed(d);
	if (d->rv == JB_OK)
		d->rv = jb_replica_set(d->replica, "next_rid",
				       (int64_t)d->next_rid, &d->err);
	if (d->rv == JB_OK)
		d->rv = jb_replica_set(d->replica, "nodes", d->n_nodes,
				       &d->err);
}

bool jb_draft_is_dirty(const struct jb_draft *d)
{
	return d->dirty_slots != NULL || d->dirty_nodes != NULL ||
	       d->dirty_pendings != NULL || d->dirty_owed != NULL;
}
