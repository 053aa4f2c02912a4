/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/replica_priv.h - what replica.c and replica_due.c share. */
#ifndef JB_DELIVER_REPLICA_PRIV_H
#define JB_DELIVER_REPLICA_PRIV_H

#include "engine/deliver/replica.h"

#define JB_NODE_COLUMNS                                                        \
	"ino, birth, type, epoch, cseq, ctime, size, mtime, meta, tino,"       \
	" tbirth, tsize, tmtime, hash"

#define JB_PENDING_COLUMNS                                                     \
	"ino, birth, reason, attempts, since, next, seq, cseq"

#define JB_TEXT(x)	    #x
#define JB_TEXT_OF(x)	    JB_TEXT(x)
#define JB_DUE_AT_ONCE_TEXT JB_TEXT_OF(JB_DUE_AT_ONCE)

/* X(statement, SQL) */
#define JB_REPLICA_STATEMENTS(X)                                               \
	X(GET_META, "SELECT value FROM meta WHERE key = ?1")                   \
	X(SET_META, "INSERT INTO meta(key, value) VALUES(?1, ?2)"              \
		    " ON CONFLICT(key) DO UPDATE SET value = ?2")              \
	X(NODE, "SELECT " JB_NODE_COLUMNS " FROM node WHERE rid = ?1")         \
	X(BY_SRC, "SELECT rid, birth, ctime FROM node WHERE ino = ?1")         \
	X(AT, "SELECT rid FROM name WHERE prid = ?1 AND name = ?2")            \
	X(NAMES_OF, "SELECT prid, name, rid FROM name WHERE rid = ?1")         \
	X(NAMES_IN, "SELECT prid, name, rid FROM name WHERE prid = ?1"         \
		    " AND name > ?2 ORDER BY name LIMIT ?3")                   \
	X(REMOVALS_IN,                                                         \
	  "SELECT prid, name, name.rid, CASE WHEN owed.rid IS NULL THEN 0"     \
	  " ELSE 1 + approved END FROM name LEFT JOIN owed"                    \
	  " ON owed.rid = name.rid WHERE prid = ?1 AND name > ?2"              \
	  " ORDER BY name")                                                    \
	X(COPIES_IN, "SELECT prid, name, rid, " JB_NODE_COLUMNS                \
		     " FROM name JOIN node USING(rid) WHERE prid = ?1"         \
		     " ORDER BY name")                                         \
	X(PUT_NODE, "INSERT OR REPLACE INTO node(rid, " JB_NODE_COLUMNS ")"    \
		    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"    \
		    " ?12, ?13, ?14, ?15)")                                    \
	X(DROP_NODE, "DELETE FROM node WHERE rid = ?1")                        \
	X(PUT_NAME, "INSERT INTO name(prid, name, rid) VALUES(?1, ?2, ?3)"     \
		    " ON CONFLICT DO UPDATE SET rid = ?3")                     \
	X(DROP_NAME, "DELETE FROM name WHERE prid = ?1 AND name = ?2")         \
	X(DUE, "SELECT " JB_PENDING_COLUMNS " FROM pending WHERE next <= ?1"   \
	       " ORDER BY next LIMIT " JB_DUE_AT_ONCE_TEXT)                    \
	X(PENDING, "SELECT " JB_PENDING_COLUMNS                                \
		   " FROM pending WHERE ino = ?1 AND birth = ?2")              \
	X(PUT_PENDING,                                                         \
	  "INSERT OR REPLACE INTO pending(" JB_PENDING_COLUMNS ")"             \
	  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                           \
	X(DROP_PENDING, "DELETE FROM pending WHERE ino = ?1 AND birth = ?2")   \
	X(NEXT_LISTING, "SELECT ino, birth, after FROM listing"                \
			" WHERE (ino, birth) > (?1, ?2)"                       \
			" ORDER BY ino, birth LIMIT 1")                        \
	X(PUT_LISTING, "INSERT OR REPLACE INTO listing(ino, birth, after)"     \
		       " VALUES(?1, ?2, ?3)")                                  \
	X(DROP_LISTING, "DELETE FROM listing WHERE ino = ?1 AND birth = ?2")   \
	X(OWED_DUE, "SELECT rid, reason, attempts, approved, seq, next"        \
		    " FROM owed WHERE next <= ?1"                              \
		    " ORDER BY next, rid DESC LIMIT " JB_DUE_AT_ONCE_TEXT)     \
	X(OWED, "SELECT rid, reason, attempts, approved, seq, next"            \
		" FROM owed WHERE rid = ?1")                                   \
	X(PUT_OWED, "INSERT OR REPLACE INTO owed(rid, reason, attempts,"       \
		    " approved, seq, next) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")    \
	X(DROP_OWED, "DELETE FROM owed WHERE rid = ?1")                        \
	X(APPROVE, "UPDATE owed SET approved = 1, next = 0"                    \
		   " WHERE next IS NULL AND seq <= ?1")                        \
	X(ANY, "SELECT EXISTS(SELECT 1 FROM pending),"                         \
	       " EXISTS(SELECT 1 FROM owed)")                                  \
	X(HELD,                                                                \
	  "SELECT ifnull(sum(removal), 0), ifnull(sum(1 - removal), 0),"       \
	  " ifnull(max(seq), 0) FROM (SELECT 1 AS removal, seq FROM owed"      \
	  " WHERE next IS NULL UNION ALL SELECT 0, seq FROM pending"           \
	  " WHERE reason = ?1)")                                               \
	X(RELEASE, "UPDATE pending SET reason = ?2, next = 0, seq = -1"        \
		   " WHERE reason = ?1 AND seq <= ?3")                         \
	X(INTENTS, "SELECT rid, prid, name, flags, mtime FROM intent")         \
	X(PUT_INTENT, "INSERT INTO intent(rid, prid, name, flags, mtime)"      \
		      " VALUES(?1, ?2, ?3, ?4, ?5)")                           \
	X(DROP_INTENTS, "DELETE FROM intent")                                  \
	X(COUNTED, "SELECT ifnull(sum(count), 0), (SELECT size FROM deleted"   \
		   " WHERE what = ?1 AND time > ?2 ORDER BY time LIMIT 1)"     \
		   " FROM deleted WHERE what = ?1 AND time > ?2")              \
	X(COUNT, "INSERT INTO deleted(what, time, count, size)"                \
		 " VALUES(?1, ?2, ?3, ?4)"                                     \
		 " ON CONFLICT DO UPDATE SET count = ?3")                      \
	X(LAST_COUNTED, "SELECT ifnull(max(time), 0) FROM deleted"             \
			" WHERE what = ?1")                                    \
	X(FORGET_COUNTED, "DELETE FROM deleted WHERE time <= ?1")

enum replica_statement {
#define X(name, sql) ST_##name,
	JB_REPLICA_STATEMENTS(X)
#undef X
		N_STATEMENTS
};

struct jb_replica {
	struct jb_store store;
	int64_t born;			/* ns; birth times at the target are
					 * stored as distances from it */
	sqlite3_stmt *st[N_STATEMENTS]; /* owned */
	sqlite3_stmt *by_target;	/* owned; NULL: no adoption */
};

/* Run a statement that has been bound; read the one row that a statement may
 * have (1, 0 or an error; the caller resets it after a row). */
int jb_replica_run(struct jb_replica *r, enum replica_statement st,
		   struct jb_error *err);
int jb_replica_step(struct jb_replica *r, enum replica_statement st,
		    struct jb_error *err);

#endif
