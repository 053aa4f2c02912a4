/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/schema.h"

#include "journal/store.h"

#include <stdio.h>

/* Times are nanoseconds since 1970, but for batch.time and the gap's: these
 * are microseconds. Names and paths are BLOBs: they are bytes, not text. */
static const char SQL_VERSION_1[] =
	/* Facts about this file: epoch, clean, boot. */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"

	/* One row per [Root NAME] ever watched. `complete`: every change made
	 * up to this time is in the journal. */
	"CREATE TABLE root("
	" id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" path BLOB NOT NULL, fsid BLOB NOT NULL, dirkey INTEGER NOT NULL,"
	" complete INTEGER NOT NULL DEFAULT 0);"

	/* The live tree as it was last seen: one row per name. The root's own
	 * row has parent 0. det: 0, or the row is detached (see
	 * engine/record/detached.h). */
	"CREATE TABLE entry("
	" parent INTEGER NOT NULL, name BLOB NOT NULL, det INTEGER NOT NULL,"
	" root INTEGER NOT NULL, dirkey INTEGER NOT NULL,"
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL,"
	" mode INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
	" nlink INTEGER NOT NULL, rdev INTEGER NOT NULL,"
	" size INTEGER NOT NULL, mtime INTEGER NOT NULL,"
	" ctime INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" cseq INTEGER NOT NULL, cctime INTEGER,"
	" PRIMARY KEY(parent, name, det)) WITHOUT ROWID;"
	"CREATE INDEX entry_ino ON entry(ino);"
	"CREATE INDEX entry_det ON entry(root, det) WHERE det <> 0;"
	"CREATE INDEX entry_mount ON entry(root) WHERE flags & 4;"

	/* One row per directory of the catalog: where its entry row is, its
	 * identity and its file handle (type, then the kernel's bytes). */
	"CREATE TABLE dir("
	" dirkey INTEGER PRIMARY KEY, root INTEGER NOT NULL,"
	" parent INTEGER NOT NULL, name BLOB NOT NULL, det INTEGER NOT NULL,"
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL,"
	" handle BLOB NOT NULL);"

	/* A directory as a change saw it: where it was, and which one. */
	"CREATE TABLE place("
	" id INTEGER PRIMARY KEY, root INTEGER NOT NULL, path BLOB NOT NULL,"
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL,"
	" UNIQUE(root, path, ino, birth));"

	/* When the changes from `seq` on were recorded, until the next row. */
	"CREATE TABLE batch(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL);"

	/* Where the clock had been set back: from one of these batches to the
	 * next, times do not fall. So a time is found by halving, and an index
	 * on time is not needed. */
	"CREATE TABLE clock(seq INTEGER PRIMARY KEY);"
	"CREATE TRIGGER batch_clock AFTER INSERT ON batch"
	" WHEN NEW.time < (SELECT time FROM batch WHERE seq < NEW.seq"
	"  ORDER BY seq DESC LIMIT 1)"
	" BEGIN INSERT INTO clock(seq) VALUES(NEW.seq); END;"

	/* What happened. kind, source and what: see journal/change.h. */
	"CREATE TABLE change("
	" seq INTEGER PRIMARY KEY,"
	" kind INTEGER NOT NULL, source INTEGER NOT NULL,"
	" what INTEGER NOT NULL, place INTEGER NOT NULL, name BLOB NOT NULL,"
	" old_place INTEGER, old_name BLOB,"
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL,"
	" mode INTEGER NOT NULL, size INTEGER NOT NULL,"
	" mtime INTEGER NOT NULL, entries INTEGER, bytes INTEGER);"
	"CREATE INDEX change_place ON change(place, name);"
	"CREATE INDEX change_old ON change(old_place, old_name)"
	" WHERE old_place IS NOT NULL;"

	/* Times in which changes may have been missed. closed NULL: open.
	 * progress: where its scan resumes. */
	"CREATE TABLE gap("
	" id INTEGER PRIMARY KEY AUTOINCREMENT, root INTEGER NOT NULL,"
	" reason TEXT NOT NULL, since INTEGER NOT NULL,"
	" noticed INTEGER NOT NULL, closed INTEGER,"
	" found INTEGER NOT NULL DEFAULT 0,"
	" progress INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX gap_open ON gap(root) WHERE closed IS NULL;";

/* migrations[n] leads from version n to n + 1. */
static const char *const migrations[JB_SCHEMA_VERSION] = {SQL_VERSION_1};

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

/* Whose file is it, and how old? */
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
	if (app != JB_APPLICATION_ID && (app != 0 || tables != 0))
		return jb_error_set(err, JB_ECORRUPT, 0,
				    "%s: not a journal of this program", path);
	if (*version > JB_SCHEMA_VERSION)
		return jb_error_set(err, JB_ENEWER, 0,
				    "%s: has schema %d, this version knows up "
				    "to %d: upgrade the program",
				    path, *version, JB_SCHEMA_VERSION);
	return JB_OK;
}

static int run_migration(sqlite3 *db, int from, const char *path,
			 struct jb_error *err)
{
	char mark[96];
	int rc;

	snprintf(mark, sizeof mark,
		 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		 JB_APPLICATION_ID, from + 1);
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, migrations[from], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, mark, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return JB_OK;
	jb_store_error(db, rc, err, "%s: migration to schema %d", path,
		       from + 1);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err != NULL ? err->code : JB_EDB;
}

int jb_schema_migrate(sqlite3 *db, const char *path, struct jb_error *err)
{
	int version = 0, rv;

	rv = read_version(db, path, &version, err);
	while (rv == JB_OK && version < JB_SCHEMA_VERSION)
		rv = run_migration(db, version++, path, err);
	return rv;
}

int jb_schema_check(sqlite3 *db, const char *path, struct jb_error *err)
{
	int version = 0, rv;

	rv = read_version(db, path, &version, err);
	if (rv == JB_OK && version == 0)
		return jb_error_set(err, JB_ENOENT, 0, "%s: empty journal",
				    path);
	if (rv == JB_OK && version < JB_SCHEMA_VERSION)
		return jb_error_set(err, JB_ENEWER, 0,
				    "%s: has the older schema %d: start the "
				    "daemon once to migrate it",
				    path, version);
	return rv;
}
