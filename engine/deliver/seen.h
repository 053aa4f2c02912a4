/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/seen.h - the catalog as a plan sees it.
 *
 * Entries are read by identity, once, with all their names, and each name is
 * tested against the selection. Lifecycle: init -> look up* -> (reset -> look
 * up*)* -> fini. Reads happen between begin and end of the catalog's view
 * alone; what was read stays after that. Errors stick to the draft.
 *
 * Detached rows. The recorder keeps an entry that is missing from its place,
 * with all below it, until it knows whether it was renamed or deleted. Such a
 * name is nowhere in the tree, so nobody wants it; but the entry is not
 * deleted either, and a plan that took it for deleted would remove and copy
 * again what was only renamed. So an entry all of whose names are detached, or
 * lie below a detached directory, is `away`: its node stays as it is, it is no
 * deletion, and what the journal said of it stays pending until the entry is
 * back in the tree or gone from the catalog. If somebody else wants its name
 * meanwhile, its node steps aside into stage/. Of an entry with other names
 * too, those that are detached are left alone in the same way, and it stays
 * pending as long.
 *
 * Depth. A user can nest directories without end; a plan has the path of each
 * in mind, and goes up and down by recursion. So nobody wants what lies deeper
 * than a limit: of it, those right below the limit are told. */
#ifndef JB_DELIVER_SEEN_H
#define JB_DELIVER_SEEN_H

#include "engine/base/pattern.h"
#include "engine/deliver/draft.h"
#include "engine/deliver/fits.h"
#include "journal/catalog_view.h"

/* Whatever a path of PATH_MAX bytes can name is copied, and some more. */
#define JB_SIGHT_LEVELS	   2048
#define JB_SIGHT_PATH_SIZE (16u << 10)

/* A directory of the catalog. */
struct jb_seen_dir {
	uint64_t key;
	struct jb_id id;
	struct jb_seen_dir *parent; /* NULL: the top */
	const char *path;	    /* relative; "": the top, or too deep */
	size_t path_len;
	unsigned depth;
	bool attached;	   /* and so is all above it */
	bool selected;	   /* and so is all above it */
	bool too_deep;	   /* beyond the limit: its path is not known */
	bool asked, fresh; /* engine/deliver/close.c */
};

struct jb_seen_name {
	struct jb_seen_dir *dir;
	const char *name;
	uint8_t len;
	bool attached;
	bool wanted;	      /* the selection takes it */
	bool barred;	      /* it would, if it could have a place there */
	struct jb_slot *slot; /* where it is to be, engine/deliver/match.c */
	struct jb_seen_name *next;
};

/* An entry of the source. */
struct jb_seen {
	struct jb_id id;
	bool exists; /* the catalog has it, detached or not */
	struct jb_facts facts;
	uint32_t flags;
	uint64_t dirkey;
	int64_t cseq, cctime;
	struct jb_seen_name *names;
	unsigned n_wanted;
	unsigned depth;	       /* of the least deep wanted name */
	bool away;	       /* no wanted name, some name is detached */
	bool detached;	       /* some name is */
	enum jb_reason barred; /* why some name can have no place: RESERVED, the
				* one of the target's own directory; TOO_DEEP;
				* or NONE */

	unsigned closed;      /* round in which it entered the closed set */
	struct jb_node *node; /* the one that it is to have */
	struct jb_node *old;  /* the one that it had, when that differs */
	bool had;	      /* node is one that the replica had */
	bool item;	      /* there is something to see to */
};

/* A detached name: which entry, and in which directory it was. */
struct jb_seen_detached {
	struct jb_id id;
	uint64_t parent;
	struct jb_seen_detached *next;
};

struct jb_sight {
	struct jb_catalog_view *view;	    /* borrowed */
	const struct jb_patterns *patterns; /* borrowed, may be NULL */
	struct jb_draft *draft;		    /* borrowed: its error sticks */
	struct jb_arena arena;
	struct jb_hash_table entries, dirs;
	unsigned levels;		   /* most that are copied */
	struct jb_seen *top;		   /* the root directory */
	struct jb_seen_detached *detached; /* all there are */
	char *path;			   /* owned; scratch */
	size_t path_size;
};

/* @levels: 0 for JB_SIGHT_LEVELS. */
void jb_sight_init(struct jb_sight *s, struct jb_catalog_view *view,
		   const struct jb_patterns *patterns, unsigned levels,
		   struct jb_draft *draft);
/* Forget all that was read: the next snapshot may differ. Reads the top, and
 * what is detached. */
void jb_sight_reset(struct jb_sight *s);
void jb_sight_fini(struct jb_sight *s);

/* The entry of an identity; one that the catalog doesn't have has `exists`
 * false. NULL only when failed. */
struct jb_seen *jb_sight_entry(struct jb_sight *s, struct jb_id id);

/* The same, but only if it was read already: needs no snapshot. */
struct jb_seen *jb_sight_known(const struct jb_sight *s, struct jb_id id);

/* The entry of a row that a listing brought. */
struct jb_seen *jb_sight_row(struct jb_sight *s, const struct jb_entry *row);

/* Who is at (directory @dir, @name)? NULL: nobody, or failed. */
struct jb_seen *jb_sight_at(struct jb_sight *s, struct jb_id dir,
			    const char *name, size_t len);

/* The directory of an entry that is one. */
struct jb_seen_dir *jb_sight_dir(struct jb_sight *s, uint64_t key);

/* Can the source be reached by this name? */
static inline bool jb_seen_name_leads(const struct jb_seen_name *n)
{
	return n->attached && !n->dir->too_deep;
}

static inline uint32_t jb_seen_type(const struct jb_seen *e)
{
	return e->facts.mode & 0170000;
}

static inline uint64_t jb_seen_meta(const struct jb_seen *e)
{
	return jb_meta_of(e->facts.mode, e->facts.uid, e->facts.gid,
			  e->facts.mtime, e->facts.ctime);
}

static inline bool jb_seen_is_dir(const struct jb_seen *e)
{
	return jb_seen_type(e) == 0040000;
}

#endif
