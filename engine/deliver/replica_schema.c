/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/replica_schema.h"

/* Times at the file systems are ns since 1970, our own (since, next, time) us.
 * What is usually equal is stored as NULL or 0, since there is a row per entry
 * of the source: mtime and birth as their distance to ctime, size and mtime at
 * the target only where they are not the source's. */
static const char SQL_VERSION_1[] =
	/* JB_KEY_* of replica.h; born: ns, when it was begun */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"INSERT INTO meta VALUES('born',"
	" CAST(strftime('%s', 'now') AS INTEGER) * 1000000000);"

	/* What we made. ino, birth: of the source, NULL: an old version.
	 * type: S_IFMT >> 12. mtime and birth: ctime minus it. t*: at the
	 * target; tbirth: minus born. hash: jb_content_hash(). */
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

	/* seq, cseq: of what is held and what was released: up to where, and
	 * which content. */
	"CREATE TABLE pending("
	" ino INTEGER NOT NULL, birth INTEGER NOT NULL,"
	" reason INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" since INTEGER NOT NULL, next INTEGER NOT NULL,"
	" seq INTEGER NOT NULL DEFAULT 0, cseq INTEGER NOT NULL DEFAULT 0,"
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
	"CREATE INDEX owed_next ON owed(next, rid DESC)"
	" WHERE next IS NOT NULL;"

	/* The running plan; empty when none is. */
	"CREATE TABLE intent("
	" rid INTEGER NOT NULL, prid INTEGER, name BLOB,"
	" flags INTEGER NOT NULL, mtime INTEGER);"

	/* what: jb_counted. size: how many nodes there were then. */
	"CREATE TABLE deleted("
	" what INTEGER NOT NULL, time INTEGER NOT NULL,"
	" count INTEGER NOT NULL, size INTEGER NOT NULL,"
	" PRIMARY KEY(what, time)) WITHOUT ROWID;";

static const char *const steps[] = {SQL_VERSION_1};

const struct jb_schema jb_replica_schema = {
	.what = "a policy's database",
	.application_id = 0x4a425231, /* "JBR1" */
	.version = sizeof steps / sizeof steps[0],
	.steps = steps,
};
