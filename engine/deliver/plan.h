/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/plan.h - one running plan, as its steps see it.
 *
 * planner.c tells the story; each step has its file. A step that can't go on
 * (database, memory, the target as a whole) leaves an error in the draft, and
 * everything after that does nothing: as if the process had died there. */
#ifndef JB_DELIVER_PLAN_H
#define JB_DELIVER_PLAN_H

#include "engine/deliver/draft.h"
#include "engine/deliver/planner.h"
#include "engine/deliver/rules.h"
#include "engine/deliver/seen.h"

/* A directory that is being listed, see close.c. */
struct jb_plan_listing {
	struct jb_id id;
	uint64_t dirkey;
	char after[JB_NAME_MAX + 1]; /* the last name taken */
	uint8_t len;
	bool paged;  /* may be left for a later plan */
	bool stored; /* it has a row in the replica */
	bool done;
	struct jb_plan_listing *next, *next_open;
};

struct jb_plan;

struct jb_planner {
	struct jb_replica *replica;   /* borrowed */
	struct jb_catalog_view *view; /* borrowed */
	struct jb_target *target;     /* borrowed */
	unsigned can;		      /* JB_CAN_* */
	struct jb_planner_options o;
	jb_effect_fn *on_effect;
	void *effect_arg;
	/* For tests: called when the names are about to change. */
	void (*on_names)(void *arg, struct jb_plan *p);
	void *names_arg;
};

struct jb_plan {
	const struct jb_planner *planner;  /* borrowed */
	const struct jb_plan_batch *batch; /* borrowed */
	struct jb_report *report;	   /* borrowed */
	struct jb_draft d;
	struct jb_sight s;
	uint32_t epoch; /* number of the journal's epoch, ours */

	/* the closed set, engine/deliver/close.c */
	unsigned round;
	struct jb_seen **entries; /* owned */
	size_t n_entries, cap_entries;
	struct jb_node **nodes; /* owned */
	size_t n_nodes, cap_nodes;
	struct jb_slot **looks; /* owned; places to look at */
	size_t n_looks, cap_looks;
	struct jb_plan_listing *listings; /* all of this plan, by next */
	/* Stacks, by next_open: to the end; and as far as there is room. */
	struct jb_plan_listing *open_whole, *open_paged;
	size_t n_listed;		    /* names that these brought */
	struct jb_emptying *emptyings;	    /* directories that go, by next */
	struct jb_emptying *open_emptyings; /* a stack, by next_open */
	size_t n_emptied;		    /* names that these brought */
	int64_t rest; /* deletions below them that are left for later plans */

	/* entries[0..n_items) after match, in the order of the work */
	size_t n_items;

	/* the guard */
	bool hold;
	int64_t counted; /* deletions of this plan, in the window */
	int64_t replaced;
	bool hold_new; /* overwrites are held; those that were released go */

	bool changed;		 /* something was changed at the target */
	bool some_hidden;	 /* places of the closed set: slot->hidden */
	enum jb_reason why;	 /* the last operation that failed did so */
	struct jb_node *touched; /* directories, by next_touched */
};

static inline bool jb_plan_failed(const struct jb_plan *p)
{
	return jb_draft_failed(&p->d);
}

/* ---- steps, in the order of a plan */

/* 0: find out where things are after a plan that did not end; remove from OWN
 * what was never finished. */
void jb_plan_settle(struct jb_plan *p);
void jb_plan_sweep(struct jb_plan *p);

/* 1: the entries and nodes that have to be looked at together. */
void jb_plan_close(struct jb_plan *p);
/* An entry is one of them; once a round. */
void jb_plan_enter(struct jb_plan *p, struct jb_seen *e);

void jb_plan_enter_node(struct jb_plan *p, struct jb_node *n);
/* Have the names of one sort, @n, left room for more? */
bool jb_plan_has_room(const struct jb_plan *p, size_t n);

/* emptying.c, for the closure: may this directory, which goes, be emptied by
 * several plans? */
bool jb_plan_goes_for_good(struct jb_plan *p, struct jb_node *n);
/* All below it is to go, as much in this plan as there is room for. */
void jb_plan_empty(struct jb_plan *p, struct jb_node *dir);
/* Some more names of the directory that is on top of the stack. */
void jb_plan_empty_on(struct jb_plan *p);
/* Before a round of the closure. */
void jb_plan_forget_emptyings(struct jb_plan *p);
/* Why it can't be removed by this plan, which has not taken in all that is in
 * it: AGAIN, there is more, or NOT_EMPTY, that waits. NONE: it can. */
enum jb_reason jb_plan_stays(const struct jb_node *dir);
/* p->rest, as far as @most. */
void jb_plan_count_rest(struct jb_plan *p, int64_t most);

/* listing.c, for the closure: all below @e is to be listed, in this plan, or
 * (@may_page) as much of it as there is room for. */
void jb_plan_list_below(struct jb_plan *p, struct jb_seen *e, bool may_page);
/* Some more names of the directory that is on top of a stack. */
void jb_plan_list_on(struct jb_plan *p, struct jb_plan_listing **stack);
/* What an earlier plan left. */
void jb_plan_resume_listing(struct jb_plan *p,
			    const struct jb_listing_row *row);

/* 2, 3: which node is whose, and who is to be at which place. */
void jb_plan_match(struct jb_plan *p);

/* 4: what goes, and may it? */
void jb_plan_guard(struct jb_plan *p);
/* How many more deletions it lets pass; INT64_MAX: any number. */
int64_t jb_plan_deletions_left(struct jb_plan *p);

/* T1: make durable what the plan may be doing. */
void jb_plan_intend(struct jb_plan *p);

/* 5, T2: make in OWN all that is new, and remember it. */
void jb_plan_stage(struct jb_plan *p);
void jb_plan_identify(struct jb_plan *p);

/* 6, 7: change the names. */
void jb_plan_name(struct jb_plan *p);
void jb_plan_clear(struct jb_plan *p);

/* 8: attributes. */
void jb_plan_attrs(struct jb_plan *p);
/* Are they to be set? */
bool jb_plan_needs_attrs(const struct jb_plan *p, const struct jb_seen *e);

/* Has what was made or changed all the attributes that it should? */
bool jb_plan_keeps_attrs(const struct jb_plan *p, const struct jb_work *w);

/* hidden.c: what could not be looked at is left for a later plan. */
void jb_plan_pend_hidden(struct jb_plan *p);
/* Could one of its places not be looked at? */
bool jb_plan_is_hidden(const struct jb_node *n);

/* A dry run ends with this. */
void jb_plan_show(struct jb_plan *p);

/* ---- what several steps need */

/* Before when is the entry's content not copied (Settle=)? 0: now. */
int64_t jb_plan_settles_at(const struct jb_plan *p, const struct jb_seen *e);

/* Does the node have the entry's content? */
bool jb_plan_fits(const struct jb_plan *p, const struct jb_node *n,
		  const struct jb_seen *e);

/* Is at the place what its row says, as we left it? UNKNOWN: p->why. */
enum jb_sameness { JB_SAME, JB_DIFFERENT, JB_UNKNOWN };
enum jb_sameness jb_plan_same(struct jb_plan *p, struct jb_slot *s);

/* One look; LOST: nothing is there. */
enum jb_outcome jb_plan_look(struct jb_plan *p, const struct jb_slot *s,
			     struct jb_object *ret);

/* The place as the transport takes it. The path is valid until the next call
 * of jb_draft_path(); false when the place has no path (or failed). */
bool jb_plan_place(struct jb_plan *p, const struct jb_slot *s,
		   struct jb_place *ret);

/* A place as a row of its own: valid as long as the plan. */
bool jb_plan_place_copy(struct jb_plan *p, const struct jb_slot *s,
			struct jb_place *ret);

/* Is nothing in this directory of the target? If not, p->why. */
bool jb_plan_is_empty(struct jb_plan *p, const char *path);

/* The outcome of an operation: JB_OUTCOME_STOPPED ends the plan. */
enum jb_outcome jb_plan_outcome(struct jb_plan *p, enum jb_outcome outcome,
				const struct jb_error *err);

/* The node's entry (or removal) is left for a later plan. */
void jb_plan_fail(struct jb_plan *p, struct jb_node *n, enum jb_reason why);

/* Why an operation at the target didn't come off. */
enum jb_reason jb_plan_reason(enum jb_outcome outcome);
/* Why a look saw nothing. */
enum jb_reason jb_plan_unseen(enum jb_outcome look);

/* @bytes had no room. */
void jb_plan_lack(struct jb_plan *p, int64_t bytes);

/* The row at this place was contradicted: drop it, tell its entry. */
void jb_plan_lost(struct jb_plan *p, struct jb_slot *s);

/* May it be overwritten, though overwrites are held? */
bool jb_plan_is_released(struct jb_plan *p, const struct jb_seen *e);

/* Is it at no place of the source at the moment? See seen.h. */
bool jb_plan_is_away(struct jb_plan *p, const struct jb_node *n);

/* A transaction of the replica: what `write` (may be NULL) and the draft have
 * to write. */
void jb_plan_commit(struct jb_plan *p, void (*write)(struct jb_plan *p));

/* Listings that are not at their end, as rows. */
void jb_plan_write_listings(struct jb_plan *p);

/* All that was done at the target is durable. */
void jb_plan_sync(struct jb_plan *p);
/* And what others did there, or a process of ours that is no more. */
void jb_plan_sync_all(struct jb_plan *p);

/* Its deletion is counted; at the end as it really was. */
void jb_plan_count(struct jb_plan *p);
void jb_plan_recount(struct jb_plan *p);

/* Tell an effect: of an entry, at a place, or that a node is left for later. */
void jb_plan_tell(struct jb_plan *p, enum jb_verb verb, enum jb_reason reason,
		  const struct jb_seen *e, int64_t bytes);
/* Attribute @what can't be kept. */
void jb_plan_tell_partial(struct jb_plan *p, const struct jb_seen *e,
			  const char *what);
void jb_plan_tell_place(struct jb_plan *p, enum jb_verb verb,
			enum jb_reason reason, const struct jb_slot *s);
/* An entry that can have no place. */
void jb_plan_tell_barred(struct jb_plan *p, const struct jb_seen *e);
void jb_plan_tell_node(struct jb_plan *p, const struct jb_node *n,
		       enum jb_reason reason);

#endif
