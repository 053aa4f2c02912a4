/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/schema.h"

/* Times are nanoseconds since 1970, but for batch.time and the gap's: these
 * are microseconds. Names and paths are BLOBs: they are bytes, not text. */
static const char SQL_VERSION_1[] =
	/* Facts about this file: its epoch, and what a stop in order left. */
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

static const char SQL_VERSION_2[] =
	/* What a clean stop leaves (see journal/rest.h): looks that were still
	 * to be made; name '': the whole directory. */
	"CREATE TABLE look("
	" id INTEGER PRIMARY KEY, dir INTEGER NOT NULL, name BLOB NOT NULL,"
	" flags INTEGER NOT NULL);"

	/* Detached inodes that went into a directory that nobody knew. */
	"CREATE TABLE beyond("
	" root INTEGER NOT NULL, ino INTEGER NOT NULL, handle BLOB NOT NULL);"

	/* As what the root's queue of events was kept; 0: it was not. */
	"ALTER TABLE root ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;";

static const char SQL_VERSION_3[] =
	/* Which start of the daemon wrote the changes from `seq` on, until the
	 * next row: see journal/session.h. */
	"CREATE TABLE session(seq INTEGER PRIMARY KEY, id INTEGER NOT NULL);"

	/* The slow scan of a root: directories up to key `at` are done. ended:
	 * when the last one was, NULL: never. drift: changes found by all. */
	"CREATE TABLE patrol("
	" root INTEGER PRIMARY KEY, began INTEGER NOT NULL,"
	" at INTEGER NOT NULL, ended INTEGER,"
	" drift INTEGER NOT NULL DEFAULT 0);";

static const char *const steps[] = {SQL_VERSION_1, SQL_VERSION_2,
				    SQL_VERSION_3};

const struct jb_schema jb_journal_schema = {
	.what = "a journal",
	.application_id = 0x4a424a31, /* "JBJ1" */
	.version = sizeof steps / sizeof steps[0],
	.steps = steps,
};
