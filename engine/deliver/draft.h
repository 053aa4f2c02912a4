/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/draft.h - the replica as a plan has it in mind.
 *
 * Rows are read from the replica when they are first asked for; what the plan
 * changes stays in memory until it is written, inside a transaction. A draft
 * that is thrown away has changed nothing: that is what a crash does.
 *
 * Lifecycle: init -> (look up, change, write)* -> fini; one plan. Belongs to
 * the worker's thread. Pointers stay valid until fini.
 *
 * Errors (of the database, or no memory) stick: functions return NULL or do
 * nothing from then on, `failed` says so, and nothing more may be done at the
 * target. */
#ifndef JB_DELIVER_DRAFT_H
#define JB_DELIVER_DRAFT_H

#include "engine/deliver/arena.h"
#include "engine/deliver/replica.h"
#include "engine/deliver/hash_table.h"

struct jb_seen; /* engine/deliver/seen.h: an entry of the catalog */

/* An entry at the target, or one that the plan is about to make. */
struct jb_node {
	uint64_t rid;
	struct jb_node_row row;
	bool alive;  /* it is at the target; a new one: it has been made */
	bool stored; /* it has a row in the database */
	bool dirty;
	struct jb_slot *places; /* that it holds, by next_place */
	struct jb_slot *slots;	/* in it, by next_slot: known names, free or
				 * held */
	bool all_slots;		/* these are all */
	struct jb_node *next_dirty;

	/* removal that is owed */
	struct jb_owed_row owed; /* reason NONE: nothing */
	bool owed_stored, owed_dirty;
	struct jb_node *next_owed;

	/* what the plan means to do with it */
	unsigned closed; /* round in which it entered the closed set */
	unsigned looked; /* round in which its places were looked at */
	unsigned asked;	 /* round in which for_good was found out */
	bool for_good;	 /* engine/deliver/emptying.c */
	struct jb_emptying *emptying; /* of this round */
	bool is_seen; /* and as we left it, but for attributes: */
	uint32_t seen_mode, seen_uid, seen_gid;
	bool taken;		/* its own identity is still selected */
	struct jb_seen *keep;	/* the entry whose node it is to be */
	struct jb_node *newer;	/* the new version that replaces it */
	struct jb_slot *staged; /* new: where it is made */
	bool dropped;		/* it goes */
	bool held;		/* it would go, but the guard holds it */
	bool goes;		/* the guard has counted it */
	struct jb_slot *was;	/* its place when the names began to change */
	bool touched;		/* a directory: names in it were changed */
	struct jb_node *next_touched;
	bool meant; /* the running plan's intents name it */
	const struct jb_intent_row *intent; /* that may change its mtime */
};

/* A place at the target: a name in a directory of ours. */
struct jb_slot {
	struct jb_node *dir;
	const char *name; /* in the draft's arena */
	uint8_t len;
	struct jb_node *holder; /* NULL: no row, so free or somebody else's */
	uint64_t stored;	/* the holder's rid in the database, 0: none */
	bool dirty;
	struct jb_slot *next_place, *next_slot, *next_dirty;

	struct jb_node *want;  /* who is to be there after the plan */
	struct jb_node *start; /* holder when the names began to change */
	unsigned looked;
	enum jb_reason hidden; /* why it could not be looked at; NONE: it was */
	bool meant;	       /* the running plan's intents name it */
};

/* An entry whose plan isn't empty yet. */
struct jb_pending {
	struct jb_pending_row row;
	bool alive, stored, dirty;
	bool retry; /* looked at by this plan: gone unless it fails again */
	struct jb_pending *next_dirty, *next;
};

/* A removal that is due. */
struct jb_due_rid {
	uint64_t rid;
	struct jb_due_rid *next;
};

struct jb_draft {
	struct jb_replica *replica; /* borrowed */
	struct jb_arena arena;
	struct jb_hash_table nodes, srcs, slots, pendings;
	struct jb_node *top, *own;
	struct jb_node *dirty_nodes, *dirty_owed, *owed;
	struct jb_slot *dirty_slots;
	struct jb_pending *dirty_pendings, *all_pendings;
	struct jb_due_rid *due_rids;
	unsigned n_due_rids;
	uint64_t next_rid;
	int64_t now_us;
	int64_t seq;		      /* the cursor: owed rows say when */
	int64_t held_seq;	      /* the last that was given to a hold */
	bool holds_more;	      /* this plan has given it */
	bool some_pending, some_owed; /* the database has any */
	int64_t n_nodes;	      /* how many there are */
	char *path;		      /* owned; of jb_draft_path */
	size_t path_size;
	int rv; /* sticks */
	struct jb_error err;
};

int jb_draft_init(struct jb_draft *d, struct jb_replica *replica,
		  int64_t now_us, struct jb_error *err);
void jb_draft_fini(struct jb_draft *d);

static inline bool jb_draft_failed(const struct jb_draft *d)
{
	return d->rv != JB_OK;
}

/* Memory that lives as long as the draft; NULL and failed without. */
void *jb_draft_alloc(struct jb_draft *d, size_t size);

/* ---- nodes */

/* NULL: there is none (or failed). */
struct jb_node *jb_draft_node(struct jb_draft *d, uint64_t rid);
struct jb_node *jb_draft_by_src(struct jb_draft *d, struct jb_id src);
/* NULL: not read yet. */
struct jb_node *jb_draft_known(const struct jb_draft *d, uint64_t rid);

/* The top of the target is the copy of this directory. */
void jb_draft_set_top(struct jb_draft *d, struct jb_id src);

/* A node that isn't at the target yet, with a number of its own. */
struct jb_node *jb_draft_new_node(struct jb_draft *d);

/* It is at the target, and so is its row. */
void jb_draft_put(struct jb_draft *d, struct jb_node *n,
		  const struct jb_node_row *row);

/* It is no longer at the target; with it everything below. */
void jb_draft_forget(struct jb_draft *d, struct jb_node *n);

/* It was looked at, and is as we left it but perhaps for its attributes. */
static inline void jb_node_note_seen(struct jb_node *n,
				     const struct jb_object *o)
{
	n->is_seen = true;
	n->seen_mode = o->mode;
	n->seen_uid = o->uid;
	n->seen_gid = o->gid;
}

static inline bool jb_node_is_dir(const struct jb_node *n)
{
	return (n->row.type & 0170000) == 0040000;
}

static inline bool jb_node_has_src(const struct jb_node *n)
{
	return n->row.src.ino != 0;
}

/* ---- places */

/* The place (dir, name), held or not; NULL only when failed. */
struct jb_slot *jb_draft_slot(struct jb_draft *d, struct jb_node *dir,
			      const char *name, size_t len);

/* Make sure that n->slots are all names in directory @n. */
void jb_draft_load_slots(struct jb_draft *d, struct jb_node *n);

/* The node is at the place now; whoever was there is not. */
void jb_draft_add(struct jb_draft *d, struct jb_slot *s, struct jb_node *n);

/* The place is free now. */
void jb_draft_cut(struct jb_draft *d, struct jb_slot *s);

/* Does directory @dir lie in (or is it) @top? */
bool jb_draft_inside(const struct jb_node *dir, const struct jb_node *top);

/* The path of a directory relative to the top, by the rows as they are; of one
 * that is being made, where it is made. NULL: it has no place. Borrowed until
 * the next call. */
const char *jb_draft_path(struct jb_draft *d, const struct jb_node *dir);

/* ---- pending and owed */

/* Alive, or NULL. */
struct jb_pending *jb_draft_pending(struct jb_draft *d, struct jb_id id);
void jb_draft_pend(struct jb_draft *d, struct jb_id id, enum jb_reason why);
/* The same for an overwrite that is held, with the content @cseq: its number
 * stays as it was, unless it was held with another content. */
void jb_draft_hold(struct jb_draft *d, struct jb_id id, int64_t cseq);
void jb_draft_unpend(struct jb_draft *d, struct jb_pending *p);
/* Read what is due, as much as at once: all_pendings and due_rids. */
void jb_draft_load_due(struct jb_draft *d);

void jb_draft_owe(struct jb_draft *d, struct jb_node *n, enum jb_reason why);
void jb_draft_unowe(struct jb_draft *d, struct jb_node *n);

/* ---- the database */

/* Write what has changed, inside a transaction of the replica. */
void jb_draft_write(struct jb_draft *d);

/* Has anything changed since the last write? */
bool jb_draft_is_dirty(const struct jb_draft *d);

#endif
