/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/planner.h - make a target hold what the catalog has.
 *
 * A plan: the entries that were said to have changed (`looks`), with all that
 * they concern, are compared with the replica and carried out at the target.
 * A plan costs what it concerns, never the tree. One planner for batches of
 * changes, full passes and retries; they differ in their looks alone.
 *
 * Lifecycle: new -> (run)* -> free. Belongs to the worker's thread. The target
 * is between start() and end(). What a plan could not do is remembered in the
 * replica and tried by later ones; after a crash, or when run() fails, the next
 * run() first finds out where things are.
 *
 * The operations are those of transports/transport.h; place 1 is the target's
 * top (path ""), place 2 its JB_STAGE_DIR. What the planner relies on:
 *
 *  - An outcome other than DONE has changed nothing.
 *  - Every operation checks `expect` as late as it can, and takes back what
 *    turns out to be something else: FOREIGN or LOST.
 *  - After STOPPED the plan is given up as if the process had died: the next
 *    one finds out where things are.
 *  - make() into a directory that itself lies in stage/ is allowed: what is
 *    below a new directory is made in it at once.
 *  - hash() is used to prove, after a crash between attrs() and the commit,
 *    that a file with a new mtime is still ours. */
#ifndef JB_DELIVER_PLANNER_H
#define JB_DELIVER_PLANNER_H

#include "engine/deliver/reason.h"
#include "engine/deliver/replica.h"
#include "engine/deliver/rest.h"
#include "journal/catalog_view.h"
#include "transports/transport.h"

struct jb_patterns;

/* How many of the replica's nodes: a share, but between least and most whatever
 * its size. */
struct jb_limit {
	bool on;
	uint32_t share; /* hundredths of a percent */
	int64_t least, most;
};

struct jb_planner_options {
	const char *policy;		    /* its name, for messages */
	const struct jb_patterns *patterns; /* borrowed; NULL: everything */

	/* Deletions and overwrites counted over the window. */
	int64_t delete_window_us;    /* DeleteWindow=1h */
	struct jb_limit max_delete;  /* MaxDelete=10% */
	struct jb_limit max_replace; /* MaxReplace=off */

	/* Is a directory of the source the own one of some target? Then nobody
	 * misses it. NULL: none is. */
	bool (*is_own)(void *arg, struct jb_id id);
	void *own_arg;
	unsigned preserve;  /* JB_PRESERVE_*: what is to be equal */
	bool keep_deleted;  /* KeepDeleted=: old versions go to the trash */
	bool keep_hashes;   /* XXH3 of what is copied, for `verify` */
	bool adopt;	    /* take over what equals the source */
	bool adopt_content; /* compare it byte by byte, not by size and time */
	int64_t settle_us;  /* Settle=: younger content is not copied yet */
	struct jb_rests *rests; /* borrowed; NULL: nothing rests */
	size_t page;		/* entries that a new tree may add to one plan;
				 * 0: a default */
	unsigned levels;	/* most that are copied; 0: a default */
	int64_t racy_ns;	/* a ctime younger than this when copied can't
				 * tell a later write (kernels before 6.13) */
};

/* Where to look. */
struct jb_plan_look {
	struct jb_id id; /* ino 0: not an entry, only places */
	unsigned n_places;
	struct {
		struct jb_id dir; /* the directory's identity */
		const char *name; /* borrowed */
		uint8_t len;
	} places[2];
};

struct jb_plan_batch {
	const struct jb_plan_look *looks; /* borrowed */
	size_t n_looks;
	bool as_room_allows;  /* looks may be left: report->looked are done */
	const uint64_t *rids; /* borrowed; nodes to look at: full passes */
	size_t n_rids;
	bool everything; /* all of the catalog and the replica, in one plan */
	int64_t cursor;	 /* to be committed with the plan; 0: as it is */
	int64_t session; /* of the cursor: journal/session.h */
	uint64_t epoch;	 /* the journal's; another one than last time marks
			  * what was copied before as of an older one */
	int64_t now_us;
	bool dry_run; /* nothing is written, the report says what would be */
};

/* What became of one entry; the path is relative to the root. */
enum jb_verb {
	JB_VERB_COPY, /* new, or new content */
	JB_VERB_MKDIR,
	JB_VERB_RENAME,
	JB_VERB_LINK,
	JB_VERB_ATTRS,
	JB_VERB_REMOVE,
	JB_VERB_ADOPT,
};
const char *jb_verb_word(enum jb_verb verb);

struct jb_effect {
	enum jb_verb verb;
	enum jb_reason reason; /* NONE: done */
	const char *path;      /* borrowed; "" if it has none */
	const char *what;      /* PARTIAL: the attribute, borrowed; else NULL */
	int64_t bytes;
};

/* Called for each effect while a plan runs; a dry run's are intended ones. */
typedef void jb_effect_fn(void *arg, const struct jb_effect *effect);

struct jb_report {
	uint64_t closed; /* entries and nodes that were looked at */
	size_t looked;	 /* how many of the batch's looks: as_room_allows */
	uint64_t copied;
	uint64_t no_space;	/* that the target had no room for */
	uint64_t lacking_bytes; /* of these, as far as it is known */
	uint64_t least_lacking; /* bytes of the smallest */
	uint64_t kept_back;	/* removals that had no room in the trash */
	uint64_t freed;		/* files that have no name there any more */
	uint64_t operations;	/* at the target, names only */
	bool more; /* a new tree is not listed to its end: run again */
	struct jb_error unswept; /* why not all that was left unfinished went
				  * from stage/; JB_OK: it did */
};

struct jb_planner;

/* All are borrowed. On success the caller owns *ret. */
int jb_planner_new(struct jb_replica *replica, struct jb_catalog_view *view,
		   struct jb_target *target, unsigned can,
		   const struct jb_planner_options *options,
		   struct jb_planner **ret, struct jb_error *err);
void jb_planner_free(struct jb_planner *p);

void jb_planner_on_effect(struct jb_planner *p, jb_effect_fn *fn, void *arg);

/* Carry out one plan. JB_OK: what could be done is done and durable, the cursor
 * stands at batch->cursor, and the rest is pending or owed. On failure nothing
 * is lost and nothing may be believed done: run again with the same batch. */
int jb_planner_run(struct jb_planner *p, const struct jb_plan_batch *batch,
		   struct jb_report *report, struct jb_error *err);

/* What the guard holds, until `release`. */
struct jb_holding {
	bool on;
	int64_t deletions, overwrites;
	int64_t seq; /* up to where the last ones came */
};
int jb_planner_holding(struct jb_replica *r, struct jb_holding *ret,
		       struct jb_error *err);

/* "12 deletions are held", "12 deletions and 3 overwrites are held". */
void jb_holding_say(const struct jb_holding *h, char *text, size_t size);

/* What a `release` has approved, and what it has not. */
struct jb_released {
	int64_t deletions, overwrites;
	struct jb_holding left;
};

/* Approve what was held up to @seq; what came later stays so. @ret may be
 * NULL. */
int jb_planner_release(struct jb_replica *r, int64_t seq,
		       struct jb_released *ret, struct jb_error *err);

#endif
