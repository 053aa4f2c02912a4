/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy remembers of itself, in table meta of its database: which
 * target, which configuration, whether it is paused or owes a full pass. */
#include "engine/deliver/delivery_priv.h"

#include "engine/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static const char SQL_GET_TEXT[] = "SELECT value FROM meta WHERE key = ?1";
static const char SQL_SET_TEXT[] =
	"INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)";

static int get_uuid(struct jb_delivery *d, const char *key,
		    char ret[JB_UUID_SIZE], struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(d->replica);
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, SQL_GET_TEXT, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	rv = jb_store_step(store, st, err);
	if (rv > 0)
		snprintf(ret, JB_UUID_SIZE, "%s",
			 (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

static int set_uuid(struct jb_delivery *d, const char *key, const char *uuid,
		    struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(d->replica);
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, SQL_SET_TEXT, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, uuid, -1, SQLITE_STATIC);
	rv = jb_store_run(store, st, err);
	sqlite3_finalize(st);
	return rv;
}

static void add_section(XXH3_state_t *state, const struct jb_config_section *s)
{
	/* What changes what the copy should be; the rest may change freely. */
	static const char *const keys[] = {"Plugin", "Root",	"Target",
					   "Under",  "Include", "Exclude",
					   "Path",   "Preserve"};

	for (size_t i = 0; i < s->n_keys; i++)
		for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
			if (strcmp(s->keys[i].key, keys[k]) == 0) {
				XXH3_64bits_update(state, s->keys[i].key,
						   strlen(s->keys[i].key) + 1);
				XXH3_64bits_update(state, s->keys[i].value,
						   strlen(s->keys[i].value) +
							   1);
			}
}

static uint64_t hash_config(const struct jb_delivery *d)
{
	XXH3_state_t *state = XXH3_createState();
	uint64_t hash;

	if (state == NULL)
		return 0;
	XXH3_64bits_reset(state);
	XXH3_64bits_update(state, d->root->path, strlen(d->root->path) + 1);
	add_section(state, d->policy);
	add_section(state, d->section);
	hash = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return hash;
}

int jb_delivery_number(struct jb_delivery *d, const char *sql, int64_t *ret,
		       struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(d->replica);
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, sql, &st, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(store, st, err);
	*ret = rv > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

int jb_delivery_note(struct jb_delivery *d, const char *key, int64_t value,
		     struct jb_error *err)
{
	int rv;

	if (d->dry)
		return JB_OK;
	rv = jb_replica_begin(d->replica, err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, key, value, err);
	if (rv == JB_OK)
		return jb_replica_commit(d->replica, err);
	jb_replica_rollback(d->replica);
	return rv;
}

/* What Preserve= did not have before was set nowhere. */
static int check_preserve(struct jb_delivery *d, struct jb_error *err)
{
	int64_t now = d->options.preserve, known = 0;
	int rv = jb_replica_get(d->replica, JB_KEY_PRESERVE, 0, &known, err);

	if (rv == JB_OK && (now & ~known) != 0)
		rv = jb_delivery_mark_due(d, "UPDATE node SET meta = NULL",
					  err);
	return rv == JB_OK ? jb_delivery_note(d, JB_KEY_PRESERVE, now, err)
			   : rv;
}

/* Another configuration: everything is looked at anew. */
static int check_config(struct jb_delivery *d, struct jb_error *err)
{
	int64_t hash = (int64_t)hash_config(d), known = 0;
	int rv;

	rv = jb_replica_get(d->replica, JB_KEY_CONFIG, 0, &known, err);
	if (rv != JB_OK || known == hash)
		return rv;
	d->is_full = true;
	if (d->dry)
		return JB_OK;
	rv = jb_delivery_note(d, JB_KEY_FULL, 1, err);
	if (rv == JB_OK)
		rv = check_preserve(d, err);
	if (rv == JB_OK)
		rv = jb_delivery_retry_partial(d, err);
	if (rv == JB_OK)
		rv = jb_delivery_note(d, JB_KEY_CONFIG, hash, err);
	return rv;
}

/* A plan that did not end may have changed names in the directories that its
 * intents name: their times are set again. */
static int revisit_dirs(struct jb_delivery *d, struct jb_error *err)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO pending(ino, birth, reason, attempts,"
		" since, next) SELECT ino, ifnull(ctime - birth, 0), 1, 0, 0, "
		"0 FROM node"
		" WHERE ino IS NOT NULL AND rid IN (SELECT prid FROM intent);"
		"UPDATE node SET meta = NULL"
		" WHERE rid IN (SELECT prid FROM intent)";
	int rv;

	if (d->dry)
		return JB_OK;
	rv = jb_replica_begin(d->replica, err);
	if (rv == JB_OK)
		rv = jb_store_exec(jb_replica_store(d->replica), sql, err);
	if (rv == JB_OK)
		return jb_replica_commit(d->replica, err);
	jb_replica_rollback(d->replica);
	return rv;
}

int jb_delivery_load(struct jb_delivery *d, struct jb_error *err)
{
	int64_t full = 0, paused = 0, adopt = 0, fsid = 0, new_adopt = 0;
	struct jb_replica *r = d->replica;
	int rv;

	rv = jb_replica_get(r, JB_KEY_CURSOR, 0, &d->cursor, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_FULL, 1, &full, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_PAUSED, 0, &paused, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_ADOPT, 0, &adopt, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_FSID, 0, &fsid, err);
	if (rv == JB_OK)
		rv = get_uuid(d, JB_KEY_UUID, d->uuid, err);
	if (rv == JB_OK)
		rv = get_uuid(d, JB_KEY_NEW_UUID, d->new_uuid, err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_NEW_ADOPT, 0, &new_adopt, err);
	d->stored = d->cursor;
	d->is_full = full != 0;
	d->paused = paused != 0;
	d->adopt = (unsigned)adopt;
	d->new_adopt = (unsigned)new_adopt;
	d->fsid = (uint64_t)fsid;
	if (rv == JB_OK)
		rv = jb_delivery_count_lacking(d, err);
	if (rv == JB_OK)
		rv = revisit_dirs(d, err);
	return rv == JB_OK ? check_config(d, err) : rv;
}

int jb_delivery_intend_target(struct jb_delivery *d, const char *uuid,
			      unsigned adopt, struct jb_error *err)
{
	int rv = jb_replica_begin(d->replica, err);

	if (rv != JB_OK)
		return rv;
	rv = set_uuid(d, JB_KEY_NEW_UUID, uuid, err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_NEW_ADOPT, adopt, err);
	if (rv == JB_OK)
		rv = jb_replica_commit(d->replica, err);
	if (rv != JB_OK) {
		jb_replica_rollback(d->replica);
		return rv;
	}
	snprintf(d->new_uuid, sizeof d->new_uuid, "%s", uuid);
	d->new_adopt = adopt;
	return JB_OK;
}

int jb_delivery_note_target(struct jb_delivery *d, const char *uuid,
			    uint64_t fsid, unsigned adopt, struct jb_error *err)
{
	int rv = jb_replica_begin(d->replica, err);

	if (rv != JB_OK)
		return rv;
	rv = set_uuid(d, JB_KEY_UUID, uuid, err);
	if (rv == JB_OK)
		rv = set_uuid(d, JB_KEY_NEW_UUID, "", err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_FSID, (int64_t)fsid,
				    err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_FULL, 1, err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_ADOPT, adopt, err);
	if (rv == JB_OK)
		rv = jb_replica_commit(d->replica, err);
	if (rv != JB_OK) {
		jb_replica_rollback(d->replica);
		return rv;
	}
	snprintf(d->uuid, sizeof d->uuid, "%s", uuid);
	d->new_uuid[0] = '\0';
	d->fsid = fsid;
	d->adopt = adopt;
	d->is_full = true;
	d->pass = (struct jb_pass){.is_running = false};
	return JB_OK;
}

/* The row as it is to be, and its entry is pending for @why. */
static int do_again(struct jb_delivery *d, uint64_t rid,
		    const struct jb_node_row *row, enum jb_reason why,
		    struct jb_error *err)
{
	const struct jb_pending_row pending = {
		.id = row->src,
		.reason = why,
		.since_us = jb_clock_us(CLOCK_REALTIME),
	};
	int rv = jb_replica_begin(d->replica, err);

	if (rv == JB_OK)
		rv = jb_replica_put_node(d->replica, rid, row, err);
	if (rv == JB_OK)
		rv = jb_replica_put_pending(d->replica, &pending, err);
	if (rv == JB_OK)
		return jb_replica_commit(d->replica, err);
	jb_replica_rollback(d->replica);
	return rv;
}

static int find_copy(struct jb_delivery *d, uint64_t rid,
		     struct jb_node_row *ret, struct jb_error *err)
{
	int rv = jb_replica_node(d->replica, rid, ret, err);

	if (rv < 0)
		return rv;
	if (rv > 0 && ret->src.ino != 0)
		return JB_OK;
	return jb_error_set(err, JB_ENOENT, 0,
			    "policy '%s': no copy has number %llu",
			    d->policy->name, (unsigned long long)rid);
}

int jb_delivery_recopy(struct jb_delivery *d, uint64_t rid,
		       struct jb_error *err)
{
	struct jb_node_row row;
	int rv = find_copy(d, rid, &row, err);

	if (rv != JB_OK)
		return rv;
	if (!S_ISREG(row.type))
		return jb_error_set(err, JB_ENOENT, 0,
				    "policy '%s': no copy of a file has number "
				    "%llu",
				    d->policy->name, (unsigned long long)rid);
	/* No content of the source fits this row any more. */
	row.epoch = 0;
	row.cseq = row.size = -1;
	row.ctime = 0;
	row.meta = row.hash = 0;
	return do_again(d, rid, &row, JB_REASON_ROTTEN, err);
}

int jb_delivery_reattribute(struct jb_delivery *d, uint64_t rid,
			    struct jb_error *err)
{
	struct jb_node_row row;
	int rv = find_copy(d, rid, &row, err);

	if (rv != JB_OK)
		return rv;
	row.meta = 0;
	return do_again(d, rid, &row, JB_REASON_WORN, err);
}
