/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/replica_schema.h"

#include "journal/store.h"

#include <stdio.h>

/* Times at the file systems are ns since 1970, our own (since, next, time) us.
 * What is usually equal is stored as NULL or 0, since there is a row per entry
 * of the source: mtime and birth as their distance to ctime, size and mtime at
 * the target only where they are not the source's. */
static const char SQL_VERSION_1[] =
	/* epoch, cursor, next_rid, held, ... */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"

	/* What we made. ino, birth: of the source, NULL: an old version.
	 * mtime and birth: ctime minus it. t*: at the target. */
	"CREATE TABLE node("
	" rid INTEGER PRIMARY KEY, ino INTEGER, birth INTEGER,"
	" type INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	" cseq INTEGER NOT NULL, ctime INTEGER NOT NULL,"
	" size INTEGER NOT NULL, mtime INTEGER NOT NULL, meta INTEGER,"
	" tino INTEGER NOT NULL, tbirth INTEGER NOT NULL, tsize INTEGER,"
	" tmtime INTEGER, hash INTEGER);"
	"CREATE INDEX node_src ON node(ino) WHERE ino IS NOT NULL;"

	"CREATE TABLE name("
	" prid INTEGER NOT NULL, name BLOB NOT NULL, rid INTEGER NOT NULL,"
	" PRIMARY KEY(prid, name)) WITHOUT ROWID;"
	"CREATE INDEX name_rid ON name(rid);"

	"CREATE TABLE pending("
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL,"
	" reason INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" since INTEGER NOT NULL, next INTEGER NOT NULL,"
	" PRIMARY KEY(ino, birth)) WITHOUT ROWID;"
	"CREATE INDEX pending_next ON pending(next);"

	/* Names up to `after` have been planned. */
	"CREATE TABLE listing("
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL, after BLOB NOT NULL,"
	" PRIMARY KEY(ino, birth)) WITHOUT ROWID;"

	/* next NULL: held, until it is approved. */
	"CREATE TABLE owed("
	" rid INTEGER PRIMARY KEY, reason INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL, approved INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, next INTEGER);"
	"CREATE INDEX owed_next ON owed(next) WHERE next IS NOT NULL;"

	/* The running plan; empty when none is. */
	"CREATE TABLE intent("
	" rid INTEGER NOT NULL, prid INTEGER, name BLOB,"
	" flags INTEGER NOT NULL, mtime INTEGER);"

	/* what: jb_counted. size: how many nodes there were then. */
	"CREATE TABLE deleted("
	" what INTEGER NOT NULL, time INTEGER NOT NULL,"
	" count INTEGER NOT NULL, size INTEGER NOT NULL,"
	" PRIMARY KEY(what, time)) WITHOUT ROWID;";

/* migrations[n] leads from version n to n + 1. */
static const char *const migrations[JB_REPLICA_VERSION] = {SQL_VERSION_1};

static int read_pragma(sqlite3 *db, const char *sql, int *ret)
{
	sqlite3_stmt *st;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int read_version(sqlite3 *db, const char *path, int *version,
			struct jb_error *err)
{
	int app = 0, tables = 0, rc;

	rc = read_pragma(db, "PRAGMA user_version", version);
	if (rc == SQLITE_OK)
		rc = read_pragma(db, "PRAGMA application_id", &app);
	if (rc == SQLITE_OK)
		rc = read_pragma(db, "SELECT count(*) FROM sqlite_schema",
				 &tables);
	if (rc != SQLITE_OK)
		return jb_store_error(db, rc, err, "%s", path);
	if (app != JB_REPLICA_APPLICATION_ID && (app != 0 || tables != 0))
		return jb_error_set(err, JB_ECORRUPT, 0,
				    "%s: not a policy's database", path);
	if (*version > JB_REPLICA_VERSION)
		return jb_error_set(err, JB_ENEWER, 0,
				    "%s: has schema %d, this version knows up "
				    "to %d: upgrade the program",
				    path, *version, JB_REPLICA_VERSION);
	return JB_OK;
}

static int run_migration(sqlite3 *db, int from, const char *path,
			 struct jb_error *err)
{
	char mark[96];
	int rc, rv;

	snprintf(mark, sizeof mark,
		 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		 JB_REPLICA_APPLICATION_ID, from + 1);
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, migrations[from], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, mark, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return JB_OK;
	rv = jb_store_error(db, rc, err, "%s: migration to schema %d", path,
			    from + 1);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rv;
}

int jb_replica_migrate(sqlite3 *db, const char *path, struct jb_error *err)
{
	int version = 0, rv;

	rv = read_version(db, path, &version, err);
	while (rv == JB_OK && version < JB_REPLICA_VERSION)
		rv = run_migration(db, version++, path, err);
	return rv;
}
