/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/unsynced.h"

#include "engine/deliver/feed.h"
#include "engine/deliver/reason.h"
#include "engine/deliver/replica.h"
#include "journal/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE 1000

static const char SQL_PENDING[] =
	"SELECT ino, birth, reason, since, next FROM pending ORDER BY since";
/* A removal's path is the copy's own; of several names the first. */
static const char SQL_OWED[] =
	"WITH RECURSIVE up(rid, top, path, depth) AS ("
	" SELECT prid, rid, CAST(name AS BLOB), 1 FROM name"
	" WHERE rid IN (SELECT rid FROM owed)"
	" UNION ALL SELECT n.prid, up.top,"
	" CAST(n.name || x'2f' || up.path AS BLOB), depth + 1"
	" FROM up JOIN name n ON n.rid = up.rid)"
	" SELECT o.reason, o.next, (SELECT path FROM up WHERE up.top = o.rid"
	" ORDER BY depth DESC LIMIT 1) FROM owed o ORDER BY o.rid";

struct list {
	struct jb_feed *feed;	    /* owned */
	struct jb_replica *replica; /* owned; NULL: there is none yet */
	jb_unsynced_item_fn *fn;
	void *arg;
};

static int open_replica(struct list *l, const struct jb_config *config,
			const char *policy, struct jb_error *err)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/policy-%s.db", config->state_dir,
		 policy);
	if (access(path, F_OK) != 0)
		return JB_OK;
	return jb_replica_open(config->state_dir, policy, &l->replica, err);
}

static int list_pending(struct list *l, struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(l->replica);
	struct jb_unsynced_item item;
	struct jb_identity id;
	sqlite3_stmt *st;
	char *path;
	int rv = jb_store_prepare(store, SQL_PENDING, &st, err);

	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(store, st, err)) > 0) {
		id.ino = (uint64_t)sqlite3_column_int64(st, 0);
		id.birth = sqlite3_column_int64(st, 1);
		path = jb_feed_path(l->feed, id);
		item = (struct jb_unsynced_item){
			.path = path,
			.reason = jb_reason_text(sqlite3_column_int(st, 2)),
			.since_us = sqlite3_column_int64(st, 3),
			.next_us = sqlite3_column_int64(st, 4),
		};
		rv = l->fn(l->arg, &item);
		free(path);
		if (rv != 0)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

static int list_owed(struct list *l, struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(l->replica);
	struct jb_unsynced_item item;
	sqlite3_stmt *st;
	char *path;
	int rv = jb_store_prepare(store, SQL_OWED, &st, err);

	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(store, st, err)) > 0) {
		path = sqlite3_column_type(st, 2) == SQLITE_NULL
			       ? NULL
			       : strndup(sqlite3_column_blob(st, 2),
					 (size_t)sqlite3_column_bytes(st, 2));
		item = (struct jb_unsynced_item){
			.path = path,
			.reason = jb_reason_text(sqlite3_column_int(st, 0)),
			.next_us = sqlite3_column_int64(st, 1),
		};
		rv = l->fn(l->arg, &item);
		free(path);
		if (rv != 0)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

static int list_changes(struct list *l, int64_t after, struct jb_error *err)
{
	struct jb_unsynced_item item = {.reason = "not carried out yet"};
	struct jb_feed_page page = {.more = true, .last_seq = after};
	int rv = JB_OK;

	while (rv == JB_OK && page.more) {
		rv = jb_feed_page(l->feed, page.last_seq, PAGE, &page, err);
		for (size_t i = 0; rv == JB_OK && i < page.n; i++) {
			item.path = page.changes[i].path;
			item.since_us = page.changes[i].time_us;
			rv = l->fn(l->arg, &item);
		}
	}
	return rv;
}

static int read_place(struct list *l, struct jb_unsynced *ret,
		      struct jb_error *err)
{
	struct jb_feed_state state;
	int64_t full = 1, epoch = 0;
	int rv = jb_feed_state(l->feed, &state, err);

	*ret = (struct jb_unsynced){.is_full = true};
	if (rv != JB_OK || l->replica == NULL)
		return rv;
	rv = jb_replica_get(l->replica, JB_KEY_FULL, 1, &full, err);
	if (rv == JB_OK)
		rv = jb_replica_get(l->replica, JB_KEY_EPOCH, 0, &epoch, err);
	if (rv == JB_OK)
		rv = jb_replica_get(l->replica, JB_KEY_CURSOR, 0, &ret->cursor,
				    err);
	ret->is_full = full != 0 || (uint64_t)epoch != state.epoch;
	return rv;
}

int jb_unsynced_list(const struct jb_config *config,
		     const struct jb_config_section *policy,
		     jb_unsynced_item_fn *fn, void *arg,
		     struct jb_unsynced *ret, struct jb_error *err)
{
	struct list l = {.fn = fn, .arg = arg};
	const char *root = jb_config_text(policy, "Root");
	int rv;

	if (root == NULL || jb_config_text(policy, "Target") == NULL)
		return jb_error_set(err, JB_ENOTSUP, 0,
				    "policy '%s' has no target of its own",
				    policy->name);
	rv = jb_feed_open(config->state_dir, root, &l.feed, err);
	if (rv == JB_OK)
		rv = open_replica(&l, config, policy->name, err);
	if (rv == JB_OK)
		rv = read_place(&l, ret, err);
	if (rv == JB_OK && l.replica != NULL)
		rv = list_pending(&l, err);
	if (rv == JB_OK && l.replica != NULL)
		rv = list_owed(&l, err);
	/* What a full pass owes is more than the changes. */
	if (rv == JB_OK && !ret->is_full)
		rv = list_changes(&l, ret->cursor, err);
	jb_replica_close(l.replica);
	jb_feed_close(l.feed);
	return rv;
}
