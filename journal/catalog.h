/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/catalog.h - the live tree as the journal last saw it.
 *
 * One row per name (struct jb_entry) and one per directory (struct jb_dir).
 * The writing side: belongs to the recorder thread, inside a transaction of its
 * store. Lifecycle: open -> (get, put, move, remove)* -> close.
 *
 * Functions that look something up return 1 (found), 0 (not there) or a
 * negative JB_E*. */
#ifndef JB_JOURNAL_CATALOG_H
#define JB_JOURNAL_CATALOG_H

#include "jb/error.h"
#include "journal/entry.h"
#include "journal/store.h"

#include <stddef.h>
#include <stdint.h>

#define JB_HANDLE_MAX 132 /* type (4 bytes) and MAX_HANDLE_SZ */

/* A directory: where its entry row is, which one it is, its handle. */
struct jb_dir {
	uint64_t key;
	uint32_t root;
	uint64_t parent; /* 0: the root itself */
	int64_t det;
	struct jb_id id;
	uint8_t name_len, handle_len;
	char name[JB_NAME_MAX + 1];
	uint8_t handle[JB_HANDLE_MAX];
};

/* A growing list of entries, reused from look to look. */
struct jb_entries {
	struct jb_entry *v; /* owned */
	size_t n, cap;
};

struct jb_catalog;

int jb_catalog_open(struct jb_store *store, struct jb_catalog **ret,
		    struct jb_error *err);
void jb_catalog_close(struct jb_catalog *c);

/* Forget what is cached: after a rolled back transaction. */
void jb_catalog_reset(struct jb_catalog *c);

/* ---- names */

/* The attached row at a place. */
int jb_catalog_get(struct jb_catalog *c, uint64_t parent, const char *name,
		   size_t len, struct jb_entry *ret, struct jb_error *err);

/* The rows, detached ones too, of an inode number in @root (0: any root). Not
 * more than @max rows are read (0: all of them). @ret is overwritten. JB_OK or
 * an error. */
int jb_catalog_by_ino(struct jb_catalog *c, uint32_t root, uint64_t ino,
		      size_t max, struct jb_entries *ret, struct jb_error *err);

/* Attached names in a directory, in the order of their bytes. @after (may be
 * empty): only those behind it. At most @max; 0 left: the end. */
int jb_catalog_children(struct jb_catalog *c, uint64_t parent,
			const char *after, size_t after_len, size_t max,
			struct jb_entries *ret, struct jb_error *err);

/* Detached rows of @root with det <= @upto, at most @max. */
int jb_catalog_detached(struct jb_catalog *c, uint32_t root, int64_t after,
			int64_t upto, size_t max, struct jb_entries *ret,
			struct jb_error *err);

/* Attached rows where a mount begins, in @root (0: any root). */
int jb_catalog_mounts(struct jb_catalog *c, uint32_t root,
		      struct jb_entries *ret, struct jb_error *err);

/* Is there any row? 1 or 0. */
int jb_catalog_has_names(struct jb_catalog *c, struct jb_error *err);

int jb_catalog_insert(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err);

/* Store facts, flags, cseq and cctime of the row at (parent, name, det). */
int jb_catalog_update(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err);

/* Give all rows of the same identity in the same root the facts of @e. */
int jb_catalog_spread(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err);

/* Move the row @e to (parent, name, det), its directory row with it; @e
 * follows. */
int jb_catalog_move(struct jb_catalog *c, struct jb_entry *e, uint64_t parent,
		    const char *name, size_t len, int64_t det,
		    struct jb_error *err);

/* Remove one row (and its directory row). What is below stays. */
int jb_catalog_remove(struct jb_catalog *c, const struct jb_entry *e,
		      struct jb_error *err);

/* What a removed tree held. */
struct jb_cleared {
	int64_t entries, bytes;
	uint64_t *dirs; /* owned by the caller; directories not yet cleared */
	size_t n, cap;
};

/* Remove all names in a directory, detached ones too; add them up in @ret and
 * the directories among them to ret->dirs, whose rows stay. */
int jb_catalog_clear_dir(struct jb_catalog *c, uint64_t key,
			 struct jb_cleared *ret, struct jb_error *err);

/* Remove a directory's row alone. */
int jb_catalog_remove_dir(struct jb_catalog *c, uint64_t key,
			  struct jb_error *err);

/* ---- directories */

/* Give a new directory its key (e->dirkey) and store its row. */
int jb_catalog_add_dir(struct jb_catalog *c, struct jb_entry *e,
		       const uint8_t *handle, size_t handle_len,
		       struct jb_error *err);

/* The directory's row, copied. */
int jb_catalog_dir(struct jb_catalog *c, uint64_t key, struct jb_dir *ret,
		   struct jb_error *err);

/* Call @fn for each directory in the order of the keys, until it returns
 * something else than JB_OK. */
typedef int jb_catalog_dir_fn(void *arg, const struct jb_dir *dir);
int jb_catalog_each_dir(struct jb_catalog *c, jb_catalog_dir_fn *fn, void *arg,
			struct jb_error *err);

/* How deep a directory lies (a root: 0), going by rows that may be detached. */
int jb_catalog_depth(struct jb_catalog *c, uint64_t key, unsigned *ret,
		     struct jb_error *err);

/* The path of a directory relative to its root ("" for the root itself),
 * borrowed until the next call. Longer than PATH_MAX is possible. */
int jb_catalog_path(struct jb_catalog *c, uint64_t key, const char **ret,
		    size_t *len, struct jb_error *err);

/* Does @key lie below (or is it) the directory @top? 1 or 0. */
int jb_catalog_under(struct jb_catalog *c, uint64_t key, uint64_t top,
		     struct jb_error *err);

/* How often directories have moved: who caches paths compares it. */
uint64_t jb_catalog_moves(const struct jb_catalog *c);

/* Names, detached ones too. Counted by the first call, which reads an index
 * from end to end, then kept. */
int jb_catalog_count(struct jb_catalog *c, int64_t *ret, struct jb_error *err);

/* Highest det in use: new ones begin above. */
int jb_catalog_max_det(struct jb_catalog *c, int64_t *ret,
		       struct jb_error *err);

/* Read columns in the order of JB_ENTRY_COLUMNS; for readers too. */
#define JB_ENTRY_COLUMNS                                                       \
	"parent, name, det, root, dirkey, ino, birth, mode, uid, gid, nlink,"  \
	" rdev, size, mtime, ctime, flags, cseq, cctime"
void jb_entry_read(sqlite3_stmt *st, struct jb_entry *ret);

void jb_entries_fini(struct jb_entries *list);

#endif
