/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What would be done: what the journal has behind the cursor, what is pending
 * and owed, due or not, and what is held. A plan of a dry delivery tells it and
 * does nothing. */
#include "engine/deliver/delivery_priv.h"

#define MOST_LEFT_OVER "20000"

static const char SQL_OWED[] = "SELECT 0, 0, rid FROM owed"
			       " LIMIT " MOST_LEFT_OVER;
static const char SQL_PENDING[] = "SELECT ino, birth, 0 FROM pending"
				  " LIMIT " MOST_LEFT_OVER;

void jb_delivery_on_effect(struct jb_delivery *d, jb_effect_fn *fn, void *arg)
{
	d->on_effect = fn;
	d->effect_arg = arg;
}

static int add_rows(struct jb_delivery *d, const char *sql,
		    struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(d->replica);
	struct jb_policy_entry e = {.rid = 0};
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, sql, &st, err);

	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(store, st, err)) > 0) {
		e.id.ino = (uint64_t)sqlite3_column_int64(st, 0);
		e.id.birth = sqlite3_column_int64(st, 1);
		e.rid = (uint64_t)sqlite3_column_int64(st, 2);
		rv = jb_sink_look(&d->sink, &e);
		if (rv != JB_OK) {
			jb_error_set(err, rv, 0, "dry run");
			break;
		}
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_delivery_add_left_over(struct jb_delivery *d, struct jb_error *err)
{
	int rv;

	if (d->left_over_told)
		return JB_OK;
	d->left_over_told = true;
	rv = add_rows(d, SQL_OWED, err);
	return rv == JB_OK ? add_rows(d, SQL_PENDING, err) : rv;
}

static int check(struct jb_delivery *d, struct jb_error *err)
{
	int rv = jb_delivery_open_journal(d, err);

	if (rv == JB_OK && !d->journal.complete)
		return jb_error_set(err, JB_EBUSY, 0,
				    "the first scan of root '%s' is running",
				    d->root->name);
	if (rv == JB_OK)
		rv = jb_delivery_check_source(d, err);
	if (rv == JB_OK)
		rv = jb_delivery_check_cursor(d, err);
	if (rv == JB_OK && d->uuid[0] == '\0')
		return jb_error_set(err, JB_EHELD, 0,
				    "policy '%s': nothing was copied yet: "
				    "the first copy takes all",
				    d->policy->name);
	return rv;
}

int jb_delivery_dry_run(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_step step = {0};
	int rv = check(d, err);

	d->left_over_told = d->is_full; /* it looks at everything */
	if (rv != JB_OK)
		return rv;
	if (d->is_full)
		return jb_delivery_plan(d, 0, err);
	do
		rv = jb_delivery_follow(d, &step, err);
	while (rv == JB_OK && step.more && d->cursor < d->journal.last_seq);
	return rv == JB_OK && !d->left_over_told ? jb_delivery_plan(d, 0, err)
						 : rv;
}
