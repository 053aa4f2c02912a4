/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/replica.h - policy-<name>.db: what a target was last made to
 * hold, and what is still to be done there.
 *
 * Lifecycle: open -> (read, begin, write, commit)* -> close. Belongs to the
 * thread that opened it, the only writer: one worker, one file. Written only
 * between begin and commit; what is committed survives a power cut.
 *
 * Tables (docs/journal-format.md has the columns):
 *   node     one row per entry that we made at the target
 *   name     one row per name it has there
 *   pending  entries of the source whose plan is not empty yet
 *   listing  new directories of which not all names have been planned
 *   owed     nodes to be removed and still there
 *   intent   what the running plan may be doing
 *   deleted  deletions and overwrites of the last hours, for the guard
 *
 * Functions that look something up return 1 (found), 0 (not there) or a
 * negative JB_E*. */
#ifndef JB_DELIVER_REPLICA_H
#define JB_DELIVER_REPLICA_H

#include "engine/deliver/reason.h"
#include "journal/entry.h"
#include "journal/store.h"
#include "transports/transport.h"

#include <stddef.h>

struct jb_arena;

/* The replica's own numbers of its nodes: never given twice. A new epoch or a
 * restored source changes a node's `src` and no name at all. */
#define JB_RID_TOP   1 /* the top of the target */
#define JB_RID_OWN   2 /* JB_STAGE_DIR: what is being made and what is parked */
#define JB_RID_FIRST 10

struct jb_node_row {
	struct jb_id src; /* the source's identity; ino 0: an old version that
			   * waits for removal */
	uint32_t type;	  /* S_IFMT */
	uint32_t epoch;	  /* number of the journal's epoch that cseq is of */
	int64_t cseq;	  /* the catalog's, known when it was copied */
	int64_t ctime;	  /* the source's when copied; no chmod touches it */
	int64_t size, mtime; /* the source's when copied */
	uint64_t meta;	     /* jb_meta_of() what was last applied; 0: none */
	struct jb_stamp at;  /* the target's, as we left it */
	uint64_t hash;	     /* jb_content_hash(); 0: not known */
};

struct jb_name_row {
	uint64_t dir, rid;
	uint8_t len;
	char name[JB_NAME_MAX + 1];
};

#define JB_SEQ_RELEASED INT64_C(-1)

struct jb_pending_row {
	struct jb_id id;
	enum jb_reason reason;
	uint32_t attempts;
	int64_t since_us, next_us;
	int64_t seq;  /* when it was held: as in jb_owed_row; or RELEASED */
	int64_t cseq; /* and which content: the catalog's */
};

struct jb_listing_row {
	struct jb_id id;
	uint8_t len;
	char after[JB_NAME_MAX + 1]; /* the last name that was planned */
};

struct jb_owed_row {
	uint64_t rid;
	enum jb_reason reason;
	uint32_t attempts;
	bool approved; /* released by a person */
	int64_t seq;   /* the cursor when it was put there; when it was held
			* more than that of all that was held before */
	int64_t next_us;
};

/* Bits of intent.flags. */
enum jb_intent_flag {
	JB_INTENT_GOES = 1,  /* a deletion that the guard has counted */
	JB_INTENT_ATTRS = 2, /* may get the mtime that the row says */
};

struct jb_intent_row {
	uint64_t rid;
	uint64_t dir; /* 0: no place */
	uint8_t len;
	char name[JB_NAME_MAX + 1];
	unsigned flags;
	int64_t mtime;
};

enum jb_counted { JB_COUNTED_DELETED = 0, JB_COUNTED_REPLACED = 1 };

struct jb_replica;

/* Open DIR/policy-<name>.db, created when it is not there; NULL for @dir: in
 * memory. JB_ECORRUPT: damaged or not ours; JB_ENEWER. */
int jb_replica_open(const char *dir, const char *policy,
		    struct jb_replica **ret, struct jb_error *err);
/* The same to look at, by anybody: nothing is created, migrated or written.
 * JB_ENOENT: there is none; JB_ENEWER: of another version. */
int jb_replica_open_to_read(const char *dir, const char *policy,
			    struct jb_replica **ret, struct jb_error *err);
void jb_replica_close(struct jb_replica *r);

/* Its store, for reports. */
struct jb_store *jb_replica_store(struct jb_replica *r);

/* Values of table meta: what the policy remembers of itself. */
#define JB_KEY_EPOCH	    "epoch"    /* of the journal that it follows */
#define JB_KEY_EPOCH_NO	    "epoch_no" /* how many it has followed */
#define JB_KEY_SESSION	    "session"  /* the daemon's, at the cursor */
#define JB_KEY_CURSOR	    "cursor"
#define JB_KEY_FULL	    "full"     /* 1: a full pass is owed */
#define JB_KEY_CONFIG	    "config"   /* a hash of what chooses the entries */
#define JB_KEY_PRESERVE	    "preserve" /* JB_PRESERVE_* that was set */
#define JB_KEY_PAUSED	    "paused"
#define JB_KEY_ADOPT	    "adopt" /* what equals the source is taken over */
#define JB_KEY_HELD	    "held"  /* 1: deletions wait for 'release' */
#define JB_KEY_REPLACE_HELD "replace_held" /* 1: so do overwrites */
#define JB_KEY_HELD_SEQ	    "held_seq"	   /* the last one that was given */
#define JB_KEY_LAST_US	    "last_us"	   /* when its last plan ended */
#define JB_KEY_NEXT_RID	    "next_rid"
#define JB_KEY_NODES	    "nodes" /* how many there are */
#define JB_KEY_BORN	    "born"
#define JB_KEY_FSID	    "target_fsid"
#define JB_KEY_UUID	    "target_uuid"
#define JB_KEY_NEW_UUID	    "target_new_uuid" /* of a marker on its way */
#define JB_KEY_NEW_ADOPT    "target_new_adopt"
int jb_replica_get(struct jb_replica *r, const char *key, int64_t otherwise,
		   int64_t *ret, struct jb_error *err);
int jb_replica_set(struct jb_replica *r, const char *key, int64_t value,
		   struct jb_error *err);

/* Many reads are coming: without this each one locks and unlocks the file. Ends
 * with the next begin or rollback. */
int jb_replica_begin_read(struct jb_replica *r, struct jb_error *err);
int jb_replica_begin(struct jb_replica *r, struct jb_error *err);
int jb_replica_commit(struct jb_replica *r, struct jb_error *err);
void jb_replica_rollback(struct jb_replica *r);

/* ---- nodes and names */

int jb_replica_node(struct jb_replica *r, uint64_t rid, struct jb_node_row *ret,
		    struct jb_error *err);
int jb_replica_by_src(struct jb_replica *r, struct jb_id src, uint64_t *rid,
		      struct jb_error *err);
/* Is there a node of this object at the target? Only during adoption, which
 * has an index for that: begun and ended outside of transactions. */
int jb_replica_by_target(struct jb_replica *r, uint64_t ino, int64_t birth,
			 struct jb_error *err);
int jb_replica_begin_adoption(struct jb_replica *r, struct jb_error *err);
int jb_replica_end_adoption(struct jb_replica *r, struct jb_error *err);
int jb_replica_at(struct jb_replica *r, uint64_t dir, const char *name,
		  size_t len, uint64_t *rid, struct jb_error *err);

/* Rows by callback, until it returns something else than 0, which is
 * returned. The callback may read the replica, but not by the same call. */
typedef int jb_name_fn(void *arg, const struct jb_name_row *name);
int jb_replica_names_of(struct jb_replica *r, uint64_t rid, jb_name_fn *fn,
			void *arg, struct jb_error *err);

/* Its path at the target, in @arena; NULL: it is parked, or at no place. */
int jb_replica_path(struct jb_replica *r, uint64_t rid, struct jb_arena *arena,
		    char **ret, struct jb_error *err);
/* In the order of their bytes, behind @after, at most @max. */
int jb_replica_names_in(struct jb_replica *r, uint64_t dir, const char *after,
			size_t after_len, size_t max, jb_name_fn *fn, void *arg,
			struct jb_error *err);

/* All behind @after, as removals. */
enum jb_removal { JB_REMOVAL_NEW, JB_REMOVAL_OWED, JB_REMOVAL_APPROVED };
typedef int jb_removal_fn(void *arg, const struct jb_name_row *name,
			  enum jb_removal is);
int jb_replica_removals_in(struct jb_replica *r, uint64_t dir,
			   const char *after, size_t after_len,
			   jb_removal_fn *fn, void *arg, struct jb_error *err);

/* All of them, with their nodes. */
typedef int jb_copy_fn(void *arg, const struct jb_name_row *name,
		       const struct jb_node_row *row);
int jb_replica_copies_in(struct jb_replica *r, uint64_t dir, jb_copy_fn *fn,
			 void *arg, struct jb_error *err);

/* Our number of the journal's @epoch: the one it has, or will have with the
 * next plan. JB_OK or an error. */
int jb_replica_epoch(struct jb_replica *r, uint64_t epoch, uint32_t *ret,
		     struct jb_error *err);

int jb_replica_put_node(struct jb_replica *r, uint64_t rid,
			const struct jb_node_row *row, struct jb_error *err);
int jb_replica_drop_node(struct jb_replica *r, uint64_t rid,
			 struct jb_error *err);
int jb_replica_put_name(struct jb_replica *r, uint64_t dir, const char *name,
			size_t len, uint64_t rid, struct jb_error *err);
int jb_replica_drop_name(struct jb_replica *r, uint64_t dir, const char *name,
			 size_t len, struct jb_error *err);

/* ---- what is still to be done */

typedef int jb_pending_fn(void *arg, const struct jb_pending_row *row);
/* What is due is read as much at once. */
#define JB_DUE_AT_ONCE 20000
/* Those that are due at @now_us. */
int jb_replica_due(struct jb_replica *r, int64_t now_us, jb_pending_fn *fn,
		   void *arg, struct jb_error *err);
int jb_replica_pending(struct jb_replica *r, struct jb_id id,
		       struct jb_pending_row *ret, struct jb_error *err);
int jb_replica_put_pending(struct jb_replica *r,
			   const struct jb_pending_row *row,
			   struct jb_error *err);
int jb_replica_drop_pending(struct jb_replica *r, struct jb_id id,
			    struct jb_error *err);

/* Is anything pending, is any removal owed? */
int jb_replica_any(struct jb_replica *r, bool *pending, bool *owed,
		   struct jb_error *err);

/* One after another: the first one behind @after. */
int jb_replica_next_listing(struct jb_replica *r, struct jb_id after,
			    struct jb_listing_row *ret, struct jb_error *err);
int jb_replica_put_listing(struct jb_replica *r,
			   const struct jb_listing_row *row,
			   struct jb_error *err);
int jb_replica_drop_listing(struct jb_replica *r, struct jb_id id,
			    struct jb_error *err);

typedef int jb_owed_fn(void *arg, const struct jb_owed_row *row);
/* Those that are due at @now_us, what is below a directory before it; held ones
 * when they are approved. */
int jb_replica_owed_due(struct jb_replica *r, int64_t now_us, jb_owed_fn *fn,
			void *arg, struct jb_error *err);
int jb_replica_owed(struct jb_replica *r, uint64_t rid, struct jb_owed_row *ret,
		    struct jb_error *err);
int jb_replica_put_owed(struct jb_replica *r, const struct jb_owed_row *row,
			struct jb_error *err);
int jb_replica_drop_owed(struct jb_replica *r, uint64_t rid,
			 struct jb_error *err);
/* How many removals are held, how many overwrites, which are pending, and the
 * latest seq of both. */
int jb_replica_held(struct jb_replica *r, int64_t *removals,
		    int64_t *overwrites, int64_t *seq, struct jb_error *err);
/* `release`: what was held up to @seq may be removed and overwritten. */
int jb_replica_approve(struct jb_replica *r, int64_t seq, struct jb_error *err);

/* ---- the running plan */

typedef int jb_intent_fn(void *arg, const struct jb_intent_row *row);
int jb_replica_intents(struct jb_replica *r, jb_intent_fn *fn, void *arg,
		       struct jb_error *err);
int jb_replica_put_intent(struct jb_replica *r, const struct jb_intent_row *row,
			  struct jb_error *err);
int jb_replica_drop_intents(struct jb_replica *r, struct jb_error *err);

/* ---- the guard's window */

/* How many were counted since @since_us, and the replica's size when the first
 * of these was. */
int jb_replica_counted(struct jb_replica *r, enum jb_counted what,
		       int64_t since_us, int64_t *count, int64_t *size,
		       struct jb_error *err);
/* Count @count at @time_us; the same time again replaces the number. */
int jb_replica_count(struct jb_replica *r, enum jb_counted what,
		     int64_t time_us, int64_t count, int64_t size,
		     struct jb_error *err);
/* The time of the latest row, 0 without one. */
int jb_replica_last_counted(struct jb_replica *r, enum jb_counted what,
			    int64_t *time_us, struct jb_error *err);
int jb_replica_forget_counted(struct jb_replica *r, int64_t before_us,
			      struct jb_error *err);

/* How many rows there are: "node", "name", "pending", "owed", "listing". */
int jb_replica_count_rows(struct jb_replica *r, const char *table, int64_t *ret,
			  struct jb_error *err);

#endif
