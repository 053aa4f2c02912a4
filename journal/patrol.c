/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/patrol.h"

#include "journal/gap.h"

static const char SQL_READ[] =
	"SELECT began, at, ifnull(ended, 0), drift FROM patrol WHERE root = ?1";
static const char SQL_WRITE[] =
	"INSERT INTO patrol(root, began, at, ended)"
	" VALUES(?1, ?2, ?3, nullif(?4, 0)) ON CONFLICT(root) DO UPDATE"
	" SET began = ?2, at = ?3, ended = nullif(?4, 0)";
static const char SQL_DRIFT[] =
	"INSERT INTO patrol(root, began, at, drift) VALUES(?1, ?3, 0, ?2)"
	" ON CONFLICT(root) DO UPDATE SET drift = drift + ?2";
/* It happened after the round before began: that one found nothing there. */
static const char SQL_GAP[] =
	"INSERT INTO gap(root, reason, since, noticed, closed, found)"
	" SELECT ?1, '" JB_GAP_DRIFT "',"
	" min(began, ifnull(ended, began)), ?3, ?3, ?2 FROM patrol"
	" WHERE root = ?1";

int jb_patrol_row_read(struct jb_store *s, uint32_t root,
		       struct jb_patrol_row *ret, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(s, SQL_READ, &st, err);

	*ret = (struct jb_patrol_row){0};
	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, root);
	rv = jb_store_step(s, st, err);
	if (rv > 0)
		*ret = (struct jb_patrol_row){
			.began = sqlite3_column_int64(st, 0),
			.at = (uint64_t)sqlite3_column_int64(st, 1),
			.ended = sqlite3_column_int64(st, 2),
			.drift = sqlite3_column_int64(st, 3),
		};
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}

int jb_patrol_row_write(struct jb_store *s, uint32_t root,
			const struct jb_patrol_row *row, struct jb_error *err)
{
	const int64_t values[] = {root, row->began, (int64_t)row->at,
				  row->ended};

	return jb_store_run_once(s, SQL_WRITE, values, 4, err);
}

int jb_patrol_row_add_drift(struct jb_store *s, uint32_t root, int64_t found,
			    int64_t now, struct jb_error *err)
{
	const int64_t values[] = {root, found, now};
	int rv = jb_store_run_once(s, SQL_DRIFT, values, 3, err);

	return rv == JB_OK ? jb_store_run_once(s, SQL_GAP, values, 3, err) : rv;
}
