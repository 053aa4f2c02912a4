/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/catalog_priv.h - what catalog.c and dirs.c share. */
#ifndef JB_JOURNAL_CATALOG_PRIV_H
#define JB_JOURNAL_CATALOG_PRIV_H

#include "journal/catalog.h"

enum statement {
	ST_GET,
	ST_BY_INO,
	ST_CHILDREN,
	ST_DETACHED,
	ST_INSERT,
	ST_UPDATE,
	ST_SPREAD,
	ST_MOVE,
	ST_REMOVE,
	ST_BELOW,
	ST_CLEAR,
	ST_MAX_DET,
	ST_MOUNTS,
	ST_ANY,
	ST_DIR_GET,
	ST_DIR_INSERT,
	ST_DIR_MOVE,
	ST_DIR_REMOVE,
	N_STATEMENTS
};

#define JB_SQL_DIR_COLUMNS "dirkey, root, parent, name, det, ino, birth, handle"
#define JB_SQL_DIR_GET                                                         \
	"SELECT " JB_SQL_DIR_COLUMNS " FROM dir WHERE dirkey = ?1"
#define JB_SQL_DIR_INSERT                                                      \
	"INSERT INTO dir(" JB_SQL_DIR_COLUMNS                                  \
	") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
#define JB_SQL_DIR_MOVE                                                        \
	"UPDATE dir SET parent = ?2, name = ?3, det = ?4 WHERE dirkey = ?1"
#define JB_SQL_DIR_REMOVE "DELETE FROM dir WHERE dirkey = ?1"

/* Directory rows seen last, found by the low bits of their key. */
#define JB_DIR_CACHE 8192

/* A directory's path, in the last bytes of a buffer. */
struct jb_catalog_path {
	char *bytes; /* owned */
	size_t size, used;
	uint64_t key;	/* 0: of none */
	uint64_t above; /* the directory that it is in; 0: not known */
	uint64_t moves; /* it is as of then */
};

/* The directory above the one whose depth was asked for last. */
struct jb_catalog_above {
	uint64_t key, moves; /* moves: as of then, and 1 */
	unsigned depth;
};

struct jb_catalog {
	struct jb_store *store;		/* borrowed */
	sqlite3_stmt *st[N_STATEMENTS]; /* owned */
	uint64_t next_key;
	uint64_t moves;
	int64_t names;				/* -1: not counted */
	struct cached_dir *cache[JB_DIR_CACHE]; /* owned */
	struct jb_catalog_path path, last;	/* of jb_catalog_path */
	struct jb_catalog_above above;		/* of jb_catalog_depth */
};

int jb_catalog_load_keys(struct jb_catalog *c, struct jb_error *err);
int jb_catalog_move_dir(struct jb_catalog *c, const struct jb_entry *e,
			struct jb_error *err);

#endif
