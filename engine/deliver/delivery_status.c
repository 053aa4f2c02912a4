/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of a delivery: how far it is, what it does just now, and what
 * the target does not have yet. */
#include "engine/deliver/delivery.h"

#include "engine/deliver/delivery_priv.h"

bool jb_delivery_reached(const struct jb_delivery *d, int64_t seq)
{
	return d->journal.complete && !d->is_full && !d->more && !d->again &&
	       d->cursor >= seq;
}

/* What the database alone tells. */
static int read_replica(struct jb_replica *r, struct jb_delivery_status *ret,
			struct jb_error *err)
{
	int rv = jb_planner_holding(r, &ret->holding, err);

	if (rv == JB_OK)
		rv = jb_replica_count_rows(r, "pending", &ret->pending, err);
	if (rv == JB_OK)
		rv = jb_replica_count_rows(r, "owed", &ret->owed, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_NODES, 0, &ret->entries, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_LAST_US, 0, &ret->last_us, err);
	ret->unsynced = ret->pending + ret->owed - ret->holding.deletions;
	return rv;
}

int jb_delivery_status(struct jb_delivery *d, struct jb_delivery_status *ret,
		       struct jb_error *err)
{
	*ret = (struct jb_delivery_status){
		.paused = d->paused,
		.is_full = d->is_full,
		.cursor = d->cursor,
		.last_seq = d->journal.last_seq,
		.lacking = d->lacking,
	};
	return read_replica(d->replica, ret, err);
}

/* A worker stores its cursor seldom while only other roots change. */
static void skip_others(const struct jb_config *config, const char *root,
			int64_t *cursor)
{
	struct jb_feed_page page = {.last_seq = *cursor};
	struct jb_feed *f;
	int rv;

	if (jb_feed_open(config->state_dir, root, &f, NULL) != JB_OK)
		return;
	do
		rv = jb_feed_page(f, page.last_seq, JB_PASS_PAGE, &page, NULL);
	while (rv == JB_OK && page.n == 0 && page.more);
	if (rv == JB_OK)
		*cursor = page.n > 0 ? page.changes[0].seq - 1 : page.last_seq;
	jb_feed_close(f);
}

int jb_delivery_status_read(const struct jb_config *config, const char *policy,
			    struct jb_delivery_status *ret,
			    struct jb_error *err)
{
	const struct jb_config_section *p = jb_config_policy(config, policy);
	const char *root = p != NULL ? jb_config_text(p, "Root") : NULL;
	int64_t paused = 0, full = 1;
	struct jb_replica *r;
	int rv = jb_replica_open_to_read(config->state_dir, policy, &r, err);

	*ret = (struct jb_delivery_status){0};
	if (rv != JB_OK)
		return rv;
	rv = read_replica(r, ret, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_CURSOR, 0, &ret->cursor, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_PAUSED, 0, &paused, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_FULL, 1, &full, err);
	ret->paused = paused != 0;
	ret->is_full = full != 0;
	jb_replica_close(r);
	if (rv == JB_OK && root != NULL)
		skip_others(config, root, &ret->cursor);
	return rv;
}

struct counting {
	size_t n;
	jb_unsynced_item_fn *fn;
	void *arg;
};

static int on_item(void *arg, const struct jb_unsynced_item *item)
{
	struct counting *c = arg;

	c->n++;
	return c->fn(c->arg, item);
}

int jb_delivery_unsynced(struct jb_delivery *d, size_t max,
			 jb_unsynced_item_fn *fn, void *arg,
			 struct jb_error *err)
{
	struct counting c = {.fn = fn, .arg = arg};
	int rv =
		jb_unsynced_pending(d->feed, d->replica, max, on_item, &c, err);

	if (rv == JB_OK)
		rv = jb_unsynced_owed(d->replica, false, max - c.n, on_item, &c,
				      err);
	return rv;
}

void jb_delivery_progress(const struct jb_delivery *d, struct jb_progress *ret)
{
	*ret = (struct jb_progress){
		.phase = (enum jb_delivery_phase)atomic_load(&d->phase),
		.done = atomic_load(&d->done),
		.total = atomic_load(&d->total),
		.copied = atomic_load(&d->copied),
		.bytes = atomic_load(&d->bytes),
		.renamed = atomic_load(&d->renamed),
		.removed = atomic_load(&d->removed),
		.failed = atomic_load(&d->failed),
		.torn = atomic_load(&d->torn),
		.began_us = atomic_load(&d->began_us),
	};
}

void jb_delivery_stop(struct jb_delivery *d)
{
	atomic_store(&d->stopped, true);
	d->target->ops->stop(d->target);
}
