/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/replica.h"

#include "engine/deliver/replica_priv.h"
#include "engine/deliver/replica_schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000
#define TYPE_SHIFT	12 /* of S_IFMT: a small number */

static const char SQL_PRAGMAS[] =
	"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
	"PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY";

static const char *const statements[N_STATEMENTS] = {
#define X(name, sql) [ST_##name] = sql,
	JB_REPLICA_STATEMENTS(X)
#undef X
};

static const char SQL_ADOPTION[] =
	"CREATE INDEX IF NOT EXISTS node_target ON node(tino)";
static const char SQL_END_ADOPTION[] = "DROP INDEX IF EXISTS node_target";
static const char SQL_BY_TARGET[] =
	"SELECT 1 FROM node WHERE tino = ?1 AND tbirth = ?2";

/* ---- open and close */

static int open_file(struct jb_replica *r, int flags, struct jb_error *err)
{
	struct jb_store *s = &r->store;
	int rc = sqlite3_open_v2(s->path, &s->db,
				 SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE |
					 flags,
				 NULL);

	if (rc != SQLITE_OK)
		return jb_store_error(s->db, rc, err, "%s", s->path);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	return JB_OK;
}

static int open_to_write(struct jb_replica *r, struct jb_error *err)
{
	struct jb_store *s = &r->store;
	int rv;

	if (strcmp(s->path, ":memory:") != 0)
		jb_store_make_file(s->path);
	rv = open_file(r, SQLITE_OPEN_CREATE, err);
	/* Before the first table, or it has no effect. */
	if (rv == JB_OK)
		rv = jb_store_exec(s, "PRAGMA page_size = 8192", err);
	/* Whose file is it? Before anything in it is changed. */
	if (rv == JB_OK)
		rv = jb_migrate(s->db, &jb_replica_schema, s->path, err);
	if (rv == JB_OK)
		rv = jb_store_exec(s, SQL_PRAGMAS, err);
	if (rv == JB_OK)
		rv = jb_store_limit_wal(s, jb_store_wal_bytes(s->path), err);
	/* Left by a process that ended while it adopted. */
	if (rv == JB_OK)
		rv = jb_store_exec(s, SQL_END_ADOPTION, err);
	return rv;
}

static int open_to_read(struct jb_replica *r, struct jb_error *err)
{
	struct jb_store *s = &r->store;
	int rv = open_file(r, 0, err);

	if (rv == JB_OK)
		rv = jb_migrate_check(s->db, &jb_replica_schema, s->path, err);
	if (rv == JB_OK)
		rv = jb_store_exec(s, "PRAGMA query_only = ON", err);
	return rv;
}

static int open_replica(const char *dir, const char *policy,
			int (*open_it)(struct jb_replica *, struct jb_error *),
			struct jb_replica **ret, struct jb_error *err)
{
	struct jb_replica *r = calloc(1, sizeof *r);
	int rv;

	if (r == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'", policy);
	if (dir == NULL)
		r->store.path = strdup(":memory:");
	else if (asprintf(&r->store.path, "%s/policy-%s.db", dir, policy) < 0)
		r->store.path = NULL;
	if (r->store.path == NULL)
		rv = jb_error_set(err, JB_ENOMEM, 0, "policy '%s'", policy);
	else
		rv = open_it(r, err);
	for (int i = 0; i < N_STATEMENTS && rv == JB_OK; i++)
		rv = jb_store_prepare(&r->store, statements[i], &r->st[i], err);
	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_BORN, 0, &r->born, err);
	if (rv != JB_OK) {
		jb_replica_close(r);
		return rv;
	}
	*ret = r;
	return JB_OK;
}

int jb_replica_open(const char *dir, const char *policy,
		    struct jb_replica **ret, struct jb_error *err)
{
	return open_replica(dir, policy, open_to_write, ret, err);
}

int jb_replica_open_to_read(const char *dir, const char *policy,
			    struct jb_replica **ret, struct jb_error *err)
{
	return open_replica(dir, policy, open_to_read, ret, err);
}

void jb_replica_close(struct jb_replica *r)
{
	if (r == NULL)
		return;
	for (int i = 0; i < N_STATEMENTS; i++)
		sqlite3_finalize(r->st[i]);
	sqlite3_finalize(r->by_target);
	sqlite3_close(r->store.db);
	free(r->store.path);
	free(r);
}

struct jb_store *jb_replica_store(struct jb_replica *r)
{
	return &r->store;
}

int jb_replica_begin_read(struct jb_replica *r, struct jb_error *err)
{
	if (!sqlite3_get_autocommit(r->store.db))
		return JB_OK;
	return jb_store_exec(&r->store, "BEGIN", err);
}

int jb_replica_begin(struct jb_replica *r, struct jb_error *err)
{
	jb_store_rollback(&r->store); /* of the reads */
	return jb_store_begin(&r->store, err);
}

int jb_replica_commit(struct jb_replica *r, struct jb_error *err)
{
	return jb_store_commit(&r->store, err);
}

void jb_replica_rollback(struct jb_replica *r)
{
	jb_store_rollback(&r->store);
}

int jb_replica_run(struct jb_replica *r, enum replica_statement st,
		   struct jb_error *err)
{
	return jb_store_run(&r->store, r->st[st], err);
}

int jb_replica_step(struct jb_replica *r, enum replica_statement st,
		    struct jb_error *err)
{
	return jb_store_step(&r->store, r->st[st], err);
}

int jb_replica_get(struct jb_replica *r, const char *key, int64_t otherwise,
		   int64_t *ret, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_GET_META];
	int rv;

	sqlite3_bind_text(st, 1, key, -1, SQLITE_STATIC);
	rv = jb_replica_step(r, ST_GET_META, err);
	if (rv < 0)
		return rv;
	*ret = rv > 0 ? sqlite3_column_int64(st, 0) : otherwise;
	sqlite3_reset(st);
	return JB_OK;
}

int jb_replica_set(struct jb_replica *r, const char *key, int64_t value,
		   struct jb_error *err)
{
	sqlite3_bind_text(r->st[ST_SET_META], 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(r->st[ST_SET_META], 2, value);
	return jb_replica_run(r, ST_SET_META, err);
}

int jb_replica_epoch(struct jb_replica *r, uint64_t epoch, uint32_t *ret,
		     struct jb_error *err)
{
	int64_t known = 0, number = 0;
	int rv = jb_replica_get(r, JB_KEY_EPOCH, 0, &known, err);

	if (rv == JB_OK)
		rv = jb_replica_get(r, JB_KEY_EPOCH_NO, 0, &number, err);
	*ret = (uint32_t)number + ((uint64_t)known != epoch);
	return rv;
}

/* ---- nodes */

static int64_t column_or(sqlite3_stmt *st, int i, int64_t otherwise)
{
	return sqlite3_column_type(st, i) == SQLITE_NULL
		       ? otherwise
		       : sqlite3_column_int64(st, i);
}

static void bind_unless(sqlite3_stmt *st, int i, int64_t value, int64_t usual)
{
	if (value == usual)
		sqlite3_bind_null(st, i);
	else
		sqlite3_bind_int64(st, i, value);
}

/* Times as distances may wrap around: back and forth by the same rule. */
static int64_t minus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t plus(int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* JB_NODE_COLUMNS from column @i on. */
static void read_node(const struct jb_replica *r, sqlite3_stmt *st, int i,
		      struct jb_node_row *ret)
{
	ret->ctime = sqlite3_column_int64(st, i + 5);
	ret->src.ino = (uint64_t)sqlite3_column_int64(st, i);
	ret->src.birth = 0;
	if (sqlite3_column_type(st, i + 1) != SQLITE_NULL)
		ret->src.birth =
			minus(ret->ctime, sqlite3_column_int64(st, i + 1));
	ret->type = (uint32_t)sqlite3_column_int(st, i + 2) << TYPE_SHIFT;
	ret->epoch = (uint32_t)sqlite3_column_int64(st, i + 3);
	ret->cseq = sqlite3_column_int64(st, i + 4);
	ret->size = sqlite3_column_int64(st, i + 6);
	ret->mtime = minus(ret->ctime, sqlite3_column_int64(st, i + 7));
	ret->meta = (uint64_t)sqlite3_column_int64(st, i + 8);
	ret->at.ino = (uint64_t)sqlite3_column_int64(st, i + 9);
	ret->at.birth = plus(r->born, sqlite3_column_int64(st, i + 10));
	ret->at.size = column_or(st, i + 11, ret->size);
	ret->at.mtime = column_or(st, i + 12, ret->mtime);
	ret->hash = (uint64_t)sqlite3_column_int64(st, i + 13);
}

int jb_replica_node(struct jb_replica *r, uint64_t rid, struct jb_node_row *ret,
		    struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_NODE];
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)rid);
	rv = jb_replica_step(r, ST_NODE, err);
	if (rv > 0) {
		read_node(r, st, 0, ret);
		sqlite3_reset(st);
	}
	return rv;
}

int jb_replica_by_src(struct jb_replica *r, struct jb_id src, uint64_t *rid,
		      struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_BY_SRC];
	int64_t birth;
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)src.ino);
	while ((rv = jb_replica_step(r, ST_BY_SRC, err)) > 0) {
		birth = sqlite3_column_type(st, 1) == SQLITE_NULL
				? 0
				: minus(sqlite3_column_int64(st, 2),
					sqlite3_column_int64(st, 1));
		if (birth == src.birth) {
			*rid = (uint64_t)sqlite3_column_int64(st, 0);
			sqlite3_reset(st);
			return 1;
		}
	}
	return rv;
}

int jb_replica_by_target(struct jb_replica *r, uint64_t ino, int64_t birth,
			 struct jb_error *err)
{
	int rv;

	sqlite3_bind_int64(r->by_target, 1, (int64_t)ino);
	sqlite3_bind_int64(r->by_target, 2, minus(birth, r->born));
	rv = jb_store_step(&r->store, r->by_target, err);
	sqlite3_reset(r->by_target);
	return rv;
}

int jb_replica_begin_adoption(struct jb_replica *r, struct jb_error *err)
{
	int rv;

	if (r->by_target != NULL)
		return JB_OK;
	rv = jb_store_exec(&r->store, SQL_ADOPTION, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(&r->store, SQL_BY_TARGET, &r->by_target,
				      err);
	return rv;
}

int jb_replica_end_adoption(struct jb_replica *r, struct jb_error *err)
{
	sqlite3_finalize(r->by_target);
	r->by_target = NULL;
	return jb_store_exec(&r->store, SQL_END_ADOPTION, err);
}

int jb_replica_put_node(struct jb_replica *r, uint64_t rid,
			const struct jb_node_row *row, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_PUT_NODE];

	sqlite3_bind_int64(st, 1, (int64_t)rid);
	bind_unless(st, 2, (int64_t)row->src.ino, 0);
	bind_unless(st, 3, minus(row->ctime, row->src.birth), row->ctime);
	sqlite3_bind_int64(st, 4, row->type >> TYPE_SHIFT);
	sqlite3_bind_int64(st, 5, row->epoch);
	sqlite3_bind_int64(st, 6, row->cseq);
	sqlite3_bind_int64(st, 7, row->ctime);
	sqlite3_bind_int64(st, 8, row->size);
	sqlite3_bind_int64(st, 9, minus(row->ctime, row->mtime));
	bind_unless(st, 10, (int64_t)row->meta, 0);
	sqlite3_bind_int64(st, 11, (int64_t)row->at.ino);
	sqlite3_bind_int64(st, 12, minus(row->at.birth, r->born));
	bind_unless(st, 13, row->at.size, row->size);
	bind_unless(st, 14, row->at.mtime, row->mtime);
	bind_unless(st, 15, (int64_t)row->hash, 0);
	return jb_replica_run(r, ST_PUT_NODE, err);
}

int jb_replica_drop_node(struct jb_replica *r, uint64_t rid,
			 struct jb_error *err)
{
	sqlite3_bind_int64(r->st[ST_DROP_NODE], 1, (int64_t)rid);
	return jb_replica_run(r, ST_DROP_NODE, err);
}

/* ---- names */

static void bind_name(sqlite3_stmt *st, uint64_t dir, const char *name,
		      size_t len)
{
	sqlite3_bind_int64(st, 1, (int64_t)dir);
	sqlite3_bind_blob(st, 2, len > 0 ? name : "", (int)len, SQLITE_STATIC);
}

int jb_replica_at(struct jb_replica *r, uint64_t dir, const char *name,
		  size_t len, uint64_t *rid, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_AT];
	int rv;

	bind_name(st, dir, name, len);
	rv = jb_replica_step(r, ST_AT, err);
	if (rv > 0) {
		*rid = (uint64_t)sqlite3_column_int64(st, 0);
		sqlite3_reset(st);
	}
	return rv;
}

static int read_name(struct jb_replica *r, sqlite3_stmt *st,
		     struct jb_name_row *ret, struct jb_error *err)
{
	int len = sqlite3_column_bytes(st, 1);

	if (len > JB_NAME_MAX)
		return jb_error_set(err, JB_ECORRUPT, 0,
				    "%s: a name of %d bytes", r->store.path,
				    len);
	ret->dir = (uint64_t)sqlite3_column_int64(st, 0);
	ret->rid = (uint64_t)sqlite3_column_int64(st, 2);
	memcpy(ret->name, sqlite3_column_blob(st, 1), (size_t)len);
	ret->name[len] = '\0';
	ret->len = (uint8_t)len;
	return 0;
}

static int each_name(struct jb_replica *r, enum replica_statement which,
		     jb_name_fn *fn, void *arg, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[which];
	struct jb_name_row row;
	int rv;

	while ((rv = jb_replica_step(r, which, err)) > 0) {
		rv = read_name(r, st, &row, err);
		if (rv == 0)
			rv = fn(arg, &row);
		if (rv != 0) {
			sqlite3_reset(st);
			return rv;
		}
	}
	return rv;
}

int jb_replica_copies_in(struct jb_replica *r, uint64_t dir, jb_copy_fn *fn,
			 void *arg, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_COPIES_IN];
	struct jb_name_row name;
	struct jb_node_row row;
	int rv;

	sqlite3_bind_int64(st, 1, (int64_t)dir);
	while ((rv = jb_replica_step(r, ST_COPIES_IN, err)) > 0) {
		read_node(r, st, 3, &row);
		rv = read_name(r, st, &name, err);
		if (rv == 0)
			rv = fn(arg, &name, &row);
		if (rv != 0) {
			sqlite3_reset(st);
			return rv;
		}
	}
	return rv;
}

int jb_replica_names_of(struct jb_replica *r, uint64_t rid, jb_name_fn *fn,
			void *arg, struct jb_error *err)
{
	sqlite3_bind_int64(r->st[ST_NAMES_OF], 1, (int64_t)rid);
	return each_name(r, ST_NAMES_OF, fn, arg, err);
}

int jb_replica_names_in(struct jb_replica *r, uint64_t dir, const char *after,
			size_t after_len, size_t max, jb_name_fn *fn, void *arg,
			struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_NAMES_IN];

	bind_name(st, dir, after, after_len);
	sqlite3_bind_int64(st, 3, (int64_t)max);
	return each_name(r, ST_NAMES_IN, fn, arg, err);
}

int jb_replica_removals_in(struct jb_replica *r, uint64_t dir,
			   const char *after, size_t after_len,
			   jb_removal_fn *fn, void *arg, struct jb_error *err)
{
	sqlite3_stmt *st = r->st[ST_REMOVALS_IN];
	struct jb_name_row row;
	enum jb_removal is;
	int rv;

	bind_name(st, dir, after, after_len);
	while ((rv = jb_replica_step(r, ST_REMOVALS_IN, err)) > 0) {
		is = (enum jb_removal)sqlite3_column_int(st, 3);
		rv = read_name(r, st, &row, err);
		if (rv == 0)
			rv = fn(arg, &row, is);
		if (rv != 0) {
			sqlite3_reset(st);
			return rv;
		}
	}
	return rv;
}

int jb_replica_put_name(struct jb_replica *r, uint64_t dir, const char *name,
			size_t len, uint64_t rid, struct jb_error *err)
{
	bind_name(r->st[ST_PUT_NAME], dir, name, len);
	sqlite3_bind_int64(r->st[ST_PUT_NAME], 3, (int64_t)rid);
	return jb_replica_run(r, ST_PUT_NAME, err);
}

int jb_replica_drop_name(struct jb_replica *r, uint64_t dir, const char *name,
			 size_t len, struct jb_error *err)
{
	bind_name(r->st[ST_DROP_NAME], dir, name, len);
	return jb_replica_run(r, ST_DROP_NAME, err);
}
