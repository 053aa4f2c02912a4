/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/unsynced.h"

#include "engine/deliver/arena.h"
#include "engine/deliver/feed.h"
#include "engine/deliver/reason.h"
#include "engine/deliver/replica.h"
#include "journal/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 1000
#define MOST INT64_MAX

static const char SQL_PENDING[] =
	"SELECT ino, birth, reason, since, next FROM pending ORDER BY since"
	" LIMIT ?1";
static const char SQL_OWED[] =
	"SELECT rid, reason, next FROM owed WHERE next IS NOT NULL OR ?2"
	" ORDER BY rid LIMIT ?1";

/* ---- what is pending and owed */

/* Where the copy is; NULL: at no place. The caller frees. */
static char *find_copy(struct jb_replica *r, uint64_t rid)
{
	struct jb_arena arena = {0};
	char *path = NULL, *ret = NULL;

	if (jb_replica_path(r, rid, &arena, &path, NULL) == JB_OK &&
	    path != NULL)
		ret = strdup(path);
	jb_arena_fini(&arena);
	return ret;
}

/* Of what the source no longer has. */
static char *find_copy_of(struct jb_replica *r, struct jb_identity id)
{
	uint64_t rid = 0;

	if (jb_replica_by_src(r, (struct jb_id){id.ino, id.birth}, &rid,
			      NULL) <= 0)
		return NULL;
	return find_copy(r, rid);
}

static int tell_pending(struct jb_feed *feed, struct jb_replica *replica,
			sqlite3_stmt *st, jb_unsynced_item_fn *fn, void *arg)
{
	struct jb_unsynced_item item = {
		.id = {(uint64_t)sqlite3_column_int64(st, 0),
		       sqlite3_column_int64(st, 1)},
		.reason = jb_reason_text(sqlite3_column_int(st, 2)),
		.since_us = sqlite3_column_int64(st, 3),
		.next_us = sqlite3_column_int64(st, 4),
	};
	char *path = feed != NULL ? jb_feed_path(feed, item.id) : NULL;
	int rv;

	item.is_gone = feed != NULL && path == NULL;
	if (item.is_gone)
		path = find_copy_of(replica, item.id);
	item.path = path;
	rv = fn(arg, &item);
	free(path);
	return rv;
}

int jb_unsynced_pending(struct jb_feed *feed, struct jb_replica *replica,
			size_t max, jb_unsynced_item_fn *fn, void *arg,
			struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(replica);
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, SQL_PENDING, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, (int64_t)max);
	while ((rv = jb_store_step(store, st, err)) > 0) {
		rv = tell_pending(feed, replica, st, fn, arg);
		if (rv != 0)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_unsynced_owed(struct jb_replica *replica, bool held, size_t max,
		     jb_unsynced_item_fn *fn, void *arg, struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(replica);
	struct jb_unsynced_item item = {.is_gone = true};
	sqlite3_stmt *st;
	char *path;
	int rv = jb_store_prepare(store, SQL_OWED, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, (int64_t)max);
	sqlite3_bind_int(st, 2, held);
	while ((rv = jb_store_step(store, st, err)) > 0) {
		path = find_copy(replica,
				 (uint64_t)sqlite3_column_int64(st, 0));
		item.path = path;
		item.reason = jb_reason_text(sqlite3_column_int(st, 1));
		item.next_us = sqlite3_column_int64(st, 2);
		rv = fn(arg, &item);
		free(path);
		if (rv != 0)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

/* ---- all, beside a worker */

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
	return jb_replica_open_to_read(config->state_dir, policy, &l->replica,
				       err);
}

static int list_changes(struct list *l, int64_t after, struct jb_error *err)
{
	struct jb_unsynced_item item = {.reason = "not carried out yet"};
	struct jb_feed_page page = {.more = true, .last_seq = after};
	int rv = JB_OK;

	while (rv == JB_OK && page.more) {
		rv = jb_feed_page(l->feed, page.last_seq, PAGE, &page, err);
		for (size_t i = 0; rv == JB_OK && i < page.n; i++) {
			if (i > 0 && strcmp(page.changes[i].path,
					    page.changes[i - 1].path) == 0)
				continue; /* written on and on: once */
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
		rv = jb_unsynced_pending(l.feed, l.replica, MOST, fn, arg, err);
	if (rv == JB_OK && l.replica != NULL)
		rv = jb_unsynced_owed(l.replica, true, MOST, fn, arg, err);
	/* What a full pass owes is more than the changes. */
	if (rv == JB_OK && !ret->is_full)
		rv = list_changes(&l, ret->cursor, err);
	jb_replica_close(l.replica);
	jb_feed_close(l.feed);
	return rv;
}
