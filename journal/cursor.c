/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/cursor.h"

#include "journal/store.h"

#include <stdio.h>
#include <unistd.h>

static const char SQL_READ[] =
	"SELECT (SELECT value FROM meta WHERE key = 'cursor'),"
	" (SELECT value FROM meta WHERE key = 'epoch'),"
	" ifnull((SELECT value FROM meta WHERE key = 'full'), 1)";

int jb_cursor_read(const char *dir, const char *policy, struct jb_cursor *ret,
		   struct jb_error *err)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	char path[4096];
	int rc, rv = JB_OK;

	snprintf(path, sizeof path, "%s/policy-%s.db", dir, policy);
	if (access(path, F_OK) != 0)
		return 0;
	rc = sqlite3_open_v2(path, &db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL,
				  NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, SQL_READ, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = (struct jb_cursor){
			.seq = sqlite3_column_int64(st, 0),
			.epoch = (uint64_t)sqlite3_column_int64(st, 1),
			.is_full = sqlite3_column_int(st, 2) != 0,
		};
	else
		rv = jb_store_error(db, rc, err, "%s", path);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return rv == JB_OK ? 1 : rv;
}
