/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan leaves for a later one: entries (pending) and removals (owed).
 * Nothing is given up; what fails again and again is tried less often. */
#include "engine/deliver/pending.h"

#define FIRST_WAIT_US INT64_C(1000000)
#define MOST_DOUBLED  10
#define A_DAY_US      (INT64_C(86400) * 1000000)

/* How long to wait after the try number @attempts that ended so: 1 s, doubled
 * each time up to a quarter of an hour; 0 for what costs nothing to try. */
static int64_t wait_us(enum jb_reason why, uint32_t attempts)
{
	int64_t wait = FIRST_WAIT_US;

	if (why == JB_REASON_HELD || why == JB_REASON_RESERVED ||
	    why == JB_REASON_TOO_DEEP)
		return JB_PENDING_MOST_WAIT_US; /* for a person */
	if (why == JB_REASON_PARTIAL)
		return A_DAY_US; /* what a file system can't, it can't */
	if (!jb_reason_counts(why) || attempts == 0)
		return 0;
	wait <<= (attempts < MOST_DOUBLED ? attempts : MOST_DOUBLED) - 1;
	return wait < JB_PENDING_MOST_WAIT_US ? wait : JB_PENDING_MOST_WAIT_US;
}

static bool same_id(const void *item, const void *key)
{
	return jb_id_equal(((const struct jb_pending *)item)->row.id,
			   *(const struct jb_id *)key);
}

static struct jb_pending *add_pending(struct jb_draft *d,
				      const struct jb_pending_row *row)
{
	struct jb_pending *p = jb_draft_alloc(d, sizeof *p);

	if (p == NULL)
		return NULL;
	p->row = *row;
	if (!jb_hash_table_add(&d->pendings, jb_hash_id(row->id), p)) {
		d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "plan");
		return NULL;
	}
	p->next = d->all_pendings;
	d->all_pendings = p;
	return p;
}

/* Also one that is not alive: known not to be there. */
static struct jb_pending *find_pending(struct jb_draft *d, struct jb_id id)
{
	struct jb_pending *p =
		jb_hash_table_find(&d->pendings, jb_hash_id(id), same_id, &id);
	struct jb_pending_row row = {.id = id};
	int rv = 0;

	if (p != NULL || jb_draft_failed(d))
		return p;
	if (d->some_pending) {
		rv = jb_replica_pending(d->replica, id, &row, &d->err);
		if (rv < 0)
			d->rv = rv;
	}
	p = add_pending(d, &row);
	if (p != NULL)
		p->alive = p->stored = rv > 0;
	return p;
}

struct jb_pending *jb_draft_pending(struct jb_draft *d, struct jb_id id)
{
	struct jb_pending *p;

	if (!d->some_pending && d->all_pendings == NULL)
		return NULL;
	p = find_pending(d, id);
	return p != NULL && p->alive ? p : NULL;
}

static void mark(struct jb_draft *d, struct jb_pending *p)
{
	if (p->dirty)
		return;
	p->dirty = true;
	p->next_dirty = d->dirty_pendings;
	d->dirty_pendings = p;
}

/* What this plan holds has one number: the cursor, or more, where an earlier
 * plan has held something up to there. So what was shown with a number never
 * grows, whatever the cursor does: it stands still in a full pass, and begins
 * anew with another journal. */
static int64_t number_hold(struct jb_draft *d)
{
	if (d->holds_more)
		return d->held_seq;
	d->holds_more = true;
	d->held_seq = d->seq > d->held_seq ? d->seq : d->held_seq + 1;
	return d->held_seq;
}

void jb_draft_hold(struct jb_draft *d, struct jb_id id, int64_t cseq)
{
	const struct jb_pending *was = jb_draft_pending(d, id);
	bool same = was != NULL && was->row.reason == JB_REASON_HELD &&
		    was->row.cseq == cseq;
	int64_t seq = same ? was->row.seq : number_hold(d);
	struct jb_pending *p;

	jb_draft_pend(d, id, JB_REASON_HELD);
	p = jb_draft_pending(d, id);
	if (p == NULL)
		return;
	p->row.seq = seq;
	p->row.cseq = cseq;
}

void jb_draft_pend(struct jb_draft *d, struct jb_id id, enum jb_reason why)
{
	struct jb_pending *p = find_pending(d, id);
	bool again;

	if (p == NULL)
		return;
	/* Once per plan it counts, however often the plan stumbles on it. */
	again = p->alive && !p->retry && p->dirty;
	if (!p->alive) {
		p->row.attempts = 0;
		p->row.since_us = d->now_us;
		p->row.seq = p->row.cseq = 0;
	}
	if (!again && jb_reason_counts(why))
		p->row.attempts++;
	p->row.reason = why;
	p->row.next_us = d->now_us + wait_us(why, p->row.attempts);
	p->alive = true;
	p->retry = false;
	mark(d, p);
}

void jb_draft_unpend(struct jb_draft *d, struct jb_pending *p)
{
	if (!p->alive)
		return;
	p->alive = false;
	mark(d, p);
}

static int on_due(void *arg, const struct jb_pending_row *row)
{
	struct jb_draft *d = arg;
	struct jb_pending *p;

	if (jb_hash_table_find(&d->pendings, jb_hash_id(row->id), same_id,
			       &row->id) != NULL)
		return 0;
	p = add_pending(d, row);
	if (p == NULL)
		return d->rv;
	p->alive = p->stored = true;
	return 0;
}

static int on_owed_due(void *arg, const struct jb_owed_row *row)
{
	/* Only collected: its node is read when this reading has ended. */
	struct jb_draft *d = arg;
	struct jb_due_rid *due = jb_draft_alloc(d, sizeof *due);

	if (due == NULL)
		return d->rv;
	due->rid = row->rid;
	due->next = d->due_rids;
	d->due_rids = due;
	d->n_due_rids++;
	return 0;
}

void jb_draft_load_due(struct jb_draft *d)
{
	if (!jb_draft_failed(d) && d->some_pending)
		d->rv = jb_replica_due(d->replica, d->now_us, on_due, d,
				       &d->err);
	if (!jb_draft_failed(d) && d->some_owed)
		d->rv = jb_replica_owed_due(d->replica, d->now_us, on_owed_due,
					    d, &d->err);
}

/* ---- owed */

static void mark_owed(struct jb_draft *d, struct jb_node *n)
{
	if (n->owed_dirty)
		return;
	n->owed_dirty = true;
	n->next_owed = d->dirty_owed;
	d->dirty_owed = n;
}

void jb_draft_owe(struct jb_draft *d, struct jb_node *n, enum jb_reason why)
{
	bool again = n->owed_dirty && n->owed.reason != JB_REASON_NONE;

	if (n->owed.reason == why && why == JB_REASON_HELD)
		return; /* `release` approves what was shown with this seq */
	if (n->owed.reason == JB_REASON_NONE)
		n->owed = (struct jb_owed_row){.rid = n->rid, .seq = d->seq};
	if (why == JB_REASON_HELD)
		n->owed.seq = number_hold(d);
	if (!again && jb_reason_counts(why))
		n->owed.attempts++;
	n->owed.reason = why;
	n->owed.next_us = d->now_us + wait_us(why, n->owed.attempts);
	mark_owed(d, n);
}

void jb_draft_unowe(struct jb_draft *d, struct jb_node *n)
{
	if (n->owed.reason == JB_REASON_NONE)
		return;
	n->owed = (struct jb_owed_row){.rid = n->rid};
	mark_owed(d, n);
}
