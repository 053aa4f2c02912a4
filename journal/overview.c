/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/overview.h"

#include <stdlib.h>
#include <string.h>

static const char SQL_EXTENT[] =
	"SELECT coalesce((SELECT min(seq) FROM change), 0),"
	" coalesce((SELECT max(seq) FROM change), 0),"
	" (SELECT page_count FROM pragma_page_count) *"
	" (SELECT page_size FROM pragma_page_size)";
static const char SQL_FIRST[] =
	"SELECT coalesce((SELECT min(seq) FROM change), 0)";
static const char SQL_ROOTS[] =
	"SELECT id, name, path, complete,"
	" (SELECT count(*) FROM gap WHERE gap.root = root.id"
	"  AND closed IS NULL) FROM root ORDER BY id";
static const char SQL_GAPS[] =
	"SELECT r.name, g.reason, g.since, g.noticed, coalesce(g.closed, 0),"
	" g.found FROM gap g JOIN root r ON r.id = g.root ORDER BY g.id";

typedef int on_row_fn(struct jb_overview *ov, sqlite3_stmt *st);

static char *copy_column(sqlite3_stmt *st, int i)
{
	const char *data = sqlite3_column_blob(st, i);

	return strndup(data != NULL ? data : "",
		       (size_t)sqlite3_column_bytes(st, i));
}

static int on_extent(struct jb_overview *ov, sqlite3_stmt *st)
{
	ov->first_seq = sqlite3_column_int64(st, 0);
	ov->last_seq = sqlite3_column_int64(st, 1);
	ov->size_bytes = sqlite3_column_int64(st, 2);
	return JB_OK;
}

static int on_root(struct jb_overview *ov, sqlite3_stmt *st)
{
	struct jb_overview_root *grown, *r;

	grown = reallocarray(ov->roots, ov->n_roots + 1, sizeof *grown);
	if (grown == NULL)
		return JB_ENOMEM;
	ov->roots = grown;
	r = &grown[ov->n_roots++];
	r->id = sqlite3_column_int64(st, 0);
	r->name = copy_column(st, 1);
	r->path = copy_column(st, 2);
	r->complete_us = sqlite3_column_int64(st, 3) / 1000;
	r->gaps_open = (uint32_t)sqlite3_column_int(st, 4);
	return r->name != NULL && r->path != NULL ? JB_OK : JB_ENOMEM;
}

static int on_gap(struct jb_overview *ov, sqlite3_stmt *st)
{
	struct jb_overview_gap *grown, *g;

	grown = reallocarray(ov->gaps, ov->n_gaps + 1, sizeof *grown);
	if (grown == NULL)
		return JB_ENOMEM;
	ov->gaps = grown;
	g = &grown[ov->n_gaps++];
	g->root = copy_column(st, 0);
	g->reason = copy_column(st, 1);
	g->since_us = sqlite3_column_int64(st, 2);
	g->noticed_us = sqlite3_column_int64(st, 3);
	g->closed_us = sqlite3_column_int64(st, 4);
	g->found = sqlite3_column_int64(st, 5);
	return g->root != NULL && g->reason != NULL ? JB_OK : JB_ENOMEM;
}

static int read_rows(struct jb_store *store, const char *sql, on_row_fn *on_row,
		     struct jb_overview *ov, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(store, sql, &st, err);
	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(store, st, err)) > 0) {
		rv = on_row(ov, st);
		if (rv == JB_OK)
			continue;
		jb_error_set(err, rv, 0, "%s: out of memory", store->path);
		break;
	}
	sqlite3_finalize(st);
	return rv;
}

int jb_overview_read(struct jb_store *store, struct jb_overview *ov,
		     struct jb_error *err)
{
	struct jb_overview read = {0};
	int64_t epoch = 0;
	int rv;

	rv = jb_store_exec(store, "BEGIN", err);
	if (rv != JB_OK)
		return rv;
	rv = jb_store_get_meta(store, "epoch", 0, &epoch, err);
	read.epoch = (uint64_t)epoch;
	if (rv == JB_OK)
		rv = read_rows(store, SQL_EXTENT, on_extent, &read, err);
	if (rv == JB_OK)
		rv = read_rows(store, SQL_ROOTS, on_root, &read, err);
	if (rv == JB_OK)
		rv = read_rows(store, SQL_GAPS, on_gap, &read, err);
	jb_store_exec(store, "COMMIT", NULL);
	if (rv != JB_OK) {
		jb_overview_fini(&read);
		return rv;
	}
	*ov = read;
	return JB_OK;
}

int jb_overview_first_seq(struct jb_store *store, int64_t *ret,
			  struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, SQL_FIRST, &st, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_store_step(store, st, err);
	if (rv > 0)
		*ret = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

void jb_overview_fini(struct jb_overview *ov)
{
	for (size_t i = 0; i < ov->n_roots; i++) {
		free(ov->roots[i].name);
		free(ov->roots[i].path);
	}
	for (size_t i = 0; i < ov->n_gaps; i++) {
		free(ov->gaps[i].root);
		free(ov->gaps[i].reason);
	}
	free(ov->roots);
	free(ov->gaps);
	*ov = (struct jb_overview){0};
}
