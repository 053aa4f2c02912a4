/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/session.h"

#include <sys/random.h>

/* One that wrote nothing is forgotten with the next. */
static const char SQL_BEGIN[] =
	"INSERT OR REPLACE INTO session(seq, id)"
	" VALUES((SELECT ifnull(max(seq), 0) + 1 FROM change), ?1)";
static const char SQL_AT[] = "SELECT id FROM session WHERE seq <= ?1"
			     " ORDER BY seq DESC LIMIT 1";

static int64_t draw_id(void)
{
	int64_t id = 0;

	while (id <= 0 && getrandom(&id, sizeof id, 0) == sizeof id)
		id &= INT64_MAX;
	return id > 0 ? id : 1;
}

int jb_session_begin(struct jb_store *store, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, SQL_BEGIN, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, draw_id());
	rv = jb_store_run(store, st, err);
	sqlite3_finalize(st);
	return rv;
}

int jb_session_at(struct jb_store *store, int64_t seq, int64_t *ret,
		  struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv = jb_store_prepare(store, SQL_AT, &st, err);

	if (rv != JB_OK)
		return rv;
	sqlite3_bind_int64(st, 1, seq);
	rv = jb_store_step(store, st, err);
	*ret = rv > 0 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rv < 0 ? rv : JB_OK;
}
