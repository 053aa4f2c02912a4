/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/feed.h"

#include "journal/catalog.h"
#include "journal/session.h"
#include "journal/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char SQL_ROOT[] = "SELECT id, dirkey FROM root WHERE name = ?1";
static const char SQL_STATE[] =
	"SELECT (SELECT value FROM meta WHERE key = 'epoch'),"
	" (SELECT min(seq) FROM change), (SELECT max(seq) FROM change),"
	" (SELECT complete FROM root WHERE id = ?1),"
	" (SELECT ino FROM dir WHERE dirkey = ?2),"
	" (SELECT birth FROM dir WHERE dirkey = ?2)";
static const char SQL_PAGE[] =
	"SELECT c.seq, b.time, c.kind, c.source, c.what, c.mode, p.path,"
	" c.name, q.path, c.old_name, c.ino, c.birth, c.size, c.mtime,"
	" c.entries, c.bytes, p.ino, p.birth, q.ino, q.birth, p.root"
	" FROM change c JOIN place p ON p.id = c.place"
	" LEFT JOIN place q ON q.id = c.old_place"
	" JOIN batch b ON b.seq ="
	" (SELECT max(seq) FROM batch WHERE seq <= c.seq)"
	" WHERE c.seq > ?1 ORDER BY c.seq LIMIT ?2";
static const char SQL_WALK[] =
	"SELECT parent, name, ino, birth FROM entry"
	" WHERE (parent, name) > (?1, ?2) AND det = 0 AND root = ?3"
	" AND parent <= ?4 ORDER BY parent, name LIMIT ?5";
static const char SQL_COUNT[] =
	"SELECT count(*) FROM entry WHERE root = ?1 AND det = 0";
static const char SQL_NAME_OF[] =
	"SELECT parent, name FROM entry"
	" WHERE ino = ?1 AND birth = ?2 AND root = ?3 AND det = 0 LIMIT 1";

struct jb_feed {
	struct jb_store *store;			     /* owned */
	struct jb_catalog *catalog;		     /* owned */
	sqlite3_stmt *state, *page, *walk, *name_of; /* owned */
	int64_t root;
	uint64_t top;
	dev_t dev; /* which file it is */
	ino_t ino;
	/* of the last page, owned */
	struct jb_policy_change *changes;
	struct jb_identity *dirs, *old_dirs;
	size_t n, cap;
};

/* ---- open and close */

static int find_root(struct jb_feed *f, const char *root, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(f->store, SQL_ROOT, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_text(st, 1, root, -1, SQLITE_STATIC);
	rv = jb_store_step(f->store, st, err);
	if (rv > 0) {
		f->root = sqlite3_column_int64(st, 0);
		f->top = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_finalize(st);
	if (rv == 0)
		return jb_error_set(err, JB_ENOENT, 0,
				    "root '%s' is not in the journal yet",
				    root);
	return rv < 0 ? rv : JB_OK;
}

static int prepare(struct jb_feed *f, struct jb_error *err)
{
	int rv = jb_store_prepare(f->store, SQL_STATE, &f->state, err);

	if (rv == JB_OK)
		rv = jb_store_prepare(f->store, SQL_PAGE, &f->page, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(f->store, SQL_WALK, &f->walk, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(f->store, SQL_NAME_OF, &f->name_of, err);
	if (rv == JB_OK)
		rv = jb_catalog_open(f->store, &f->catalog, err);
	return rv;
}

int jb_feed_open(const char *dir, const char *root, struct jb_feed **ret,
		 struct jb_error *err)
{
	struct jb_feed *f = calloc(1, sizeof *f);
	struct stat st;
	int rv;

	if (f == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "feed");
	rv = jb_store_open(dir, JB_STORE_READ, &f->store, err);
	if (rv == JB_OK && stat(f->store->path, &st) == 0) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	}
	if (rv == JB_OK)
		rv = find_root(f, root, err);
	if (rv == JB_OK)
		rv = prepare(f, err);
	if (rv != JB_OK) {
		jb_feed_close(f);
		return rv;
	}
	*ret = f;
	return JB_OK;
}

static void free_page(struct jb_feed *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free((char *)f->changes[i].path);
		free((char *)f->changes[i].old_path);
	}
	f->n = 0;
}

void jb_feed_close(struct jb_feed *f)
{
	if (f == NULL)
		return;
	free_page(f);
	free(f->changes);
	free(f->dirs);
	free(f->old_dirs);
	sqlite3_finalize(f->state);
	sqlite3_finalize(f->page);
	sqlite3_finalize(f->walk);
	sqlite3_finalize(f->name_of);
	jb_catalog_close(f->catalog);
	jb_store_close(f->store);
	free(f);
}

/* ---- where it stands */

int jb_feed_state(struct jb_feed *f, struct jb_feed_state *ret,
		  struct jb_error *err)
{
	sqlite3_stmt *st = f->state;
	struct stat now;
	int rv;

	if (stat(f->store->path, &now) != 0 || now.st_ino != f->ino ||
	    now.st_dev != f->dev)
		return jb_error_set(err, JB_ESTALE, 0,
				    "%s: has been begun anew", f->store->path);
	sqlite3_bind_int64(st, 1, f->root);
	sqlite3_bind_int64(st, 2, (int64_t)f->top);
	rv = jb_store_step(f->store, st, err);
	if (rv <= 0)
		return rv < 0 ? rv : jb_error_set(err, JB_EDB, 0, "no state");
	ret->epoch = (uint64_t)sqlite3_column_int64(st, 0);
	ret->first_seq = sqlite3_column_int64(st, 1);
	ret->last_seq = sqlite3_column_int64(st, 2);
	ret->complete = sqlite3_column_int64(st, 3) != 0;
	ret->top.ino = (uint64_t)sqlite3_column_int64(st, 4);
	ret->top.birth = sqlite3_column_int64(st, 5);
	sqlite3_reset(st);
	return JB_OK;
}

int jb_feed_count(struct jb_feed *f, int64_t *ret, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(f->store, SQL_COUNT, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, f->root);
	rv = jb_store_step(f->store, st, err);
	if (rv > 0)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

int jb_feed_session(struct jb_feed *f, int64_t seq, int64_t *ret,
		    struct jb_error *err)
{
	return jb_session_at(f->store, seq, ret, err);
}

/* ---- changes */

static char *join(sqlite3_stmt *st, int dir, int name)
{
	int d = sqlite3_column_bytes(st, dir);
	int n = sqlite3_column_bytes(st, name);
	char *path;

	if (sqlite3_column_type(st, name) == SQLITE_NULL)
		return NULL;
	path = malloc((size_t)d + (size_t)n + 2);
	if (path == NULL)
		return NULL;
	if (d > 0)
		memcpy(path, sqlite3_column_blob(st, dir), (size_t)d);
	if (d > 0)
		path[d++] = '/';
	if (n > 0)
		memcpy(path + d, sqlite3_column_blob(st, name), (size_t)n);
	path[d + n] = '\0';
	return path;
}

static int64_t number_or(sqlite3_stmt *st, int i, int64_t otherwise)
{
	return sqlite3_column_type(st, i) == SQLITE_NULL
		       ? otherwise
		       : sqlite3_column_int64(st, i);
}

static void read_change(struct jb_feed *f, sqlite3_stmt *st)
{
	struct jb_policy_change *c = &f->changes[f->n];

	*c = (struct jb_policy_change){
		.seq = sqlite3_column_int64(st, 0),
		.time_us = sqlite3_column_int64(st, 1),
		.kind = (enum jb_change_kind)sqlite3_column_int(st, 2),
		.found = sqlite3_column_int(st, 3) != 0,
		.what = (unsigned)sqlite3_column_int(st, 4),
		.mode = (uint32_t)sqlite3_column_int64(st, 5),
		.path = join(st, 6, 7),
		.old_path = join(st, 8, 9),
		.id = {(uint64_t)sqlite3_column_int64(st, 10),
		       sqlite3_column_int64(st, 11)},
		.size = sqlite3_column_int64(st, 12),
		.mtime = sqlite3_column_int64(st, 13),
		.entries = number_or(st, 14, -1),
		.bytes = number_or(st, 15, -1),
	};
	f->dirs[f->n] =
		(struct jb_identity){(uint64_t)sqlite3_column_int64(st, 16),
				     sqlite3_column_int64(st, 17)};
	f->old_dirs[f->n] =
		(struct jb_identity){(uint64_t)sqlite3_column_int64(st, 18),
				     sqlite3_column_int64(st, 19)};
	f->n++;
}

static int make_room(struct jb_feed *f, size_t max, struct jb_error *err)
{
	free_page(f);
	if (f->cap >= max)
		return JB_OK;
	free(f->changes);
	free(f->dirs);
	free(f->old_dirs);
	f->changes = calloc(max, sizeof *f->changes);
	f->dirs = calloc(max, sizeof *f->dirs);
	f->old_dirs = calloc(max, sizeof *f->old_dirs);
	f->cap = 0;
	if (f->changes == NULL || f->dirs == NULL || f->old_dirs == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "feed");
	f->cap = max;
	return JB_OK;
}

int jb_feed_page(struct jb_feed *f, int64_t after, size_t max,
		 struct jb_feed_page *ret, struct jb_error *err)
{
	sqlite3_stmt *st = f->page;
	size_t rows = 0;
	int rv = make_room(f, max, err);

	if (rv != JB_OK)
		return rv;
	*ret = (struct jb_feed_page){.last_seq = after};
	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, (int64_t)max);
	while ((rv = jb_store_step(f->store, st, err)) > 0) {
		if (rows++ == 0 && sqlite3_column_int64(st, 0) != after + 1) {
			sqlite3_reset(st);
			return jb_error_set(err, JB_EGAP, 0,
					    "%s: change %lld is no longer kept",
					    f->store->path,
					    (long long)after + 1);
		}
		ret->last_seq = sqlite3_column_int64(st, 0);
		if (sqlite3_column_int64(st, 20) != f->root)
			continue;
		read_change(f, st);
		if (f->changes[f->n - 1].path == NULL) {
			sqlite3_reset(st);
			return jb_error_set(err, JB_ENOMEM, 0, "feed");
		}
	}
	if (rv < 0)
		return rv;
	ret->changes = f->changes;
	ret->dirs = f->dirs;
	ret->old_dirs = f->old_dirs;
	ret->n = f->n;
	ret->more = rows == max;
	return JB_OK;
}

/* ---- entries */

int jb_feed_walk(struct jb_feed *f, struct jb_feed_walk *from, size_t max,
		 struct jb_policy_entry *ret, size_t *n, struct jb_error *err)
{
	sqlite3_stmt *st = f->walk;
	int rv;

	if (from->children_only && from->parent == 0)
		from->parent = f->top;
	sqlite3_bind_int64(st, 1, (int64_t)from->parent);
	sqlite3_bind_blob(st, 2, from->name, from->len, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 3, f->root);
	sqlite3_bind_int64(st, 4,
			   from->children_only ? (int64_t)f->top : INT64_MAX);
	sqlite3_bind_int64(st, 5, (int64_t)max);
	*n = 0;
	while ((rv = jb_store_step(f->store, st, err)) > 0) {
		from->parent = (uint64_t)sqlite3_column_int64(st, 0);
		from->len = sqlite3_column_bytes(st, 1);
		if (from->len > 255)
			from->len = 255;
		if (from->len > 0)
			memcpy(from->name, sqlite3_column_blob(st, 1),
			       (size_t)from->len);
		ret[(*n)++] = (struct jb_policy_entry){
			.id = {(uint64_t)sqlite3_column_int64(st, 2),
			       sqlite3_column_int64(st, 3)}};
	}
	return rv;
}

char *jb_feed_path(struct jb_feed *f, struct jb_identity id)
{
	sqlite3_stmt *st = f->name_of;
	const char *dir;
	char *path = NULL;
	size_t len;

	jb_catalog_reset(f->catalog); /* it caches; the journal moves on */
	sqlite3_bind_int64(st, 1, (int64_t)id.ino);
	sqlite3_bind_int64(st, 2, id.birth);
	sqlite3_bind_int64(st, 3, f->root);
	if (jb_store_step(f->store, st, NULL) <= 0)
		return NULL;
	if (sqlite3_column_int64(st, 0) == 0) /* the root's own row */
		path = strdup(".");
	else if (jb_catalog_path(f->catalog,
				 (uint64_t)sqlite3_column_int64(st, 0), &dir,
				 &len, NULL) == JB_OK &&
		 asprintf(&path, "%.*s%s%.*s", (int)len, dir,
			  len > 0 ? "/" : "", sqlite3_column_bytes(st, 1),
			  (const char *)sqlite3_column_blob(st, 1)) < 0)
		path = NULL;
	sqlite3_reset(st);
	return path;
}
