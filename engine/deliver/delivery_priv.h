/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/delivery_priv.h - a delivery's inside, for delivery.c (life
 * and steps), pass.c (what to look at) and place_check.c (source and target are
 * who they were). */
#ifndef JB_DELIVER_DELIVERY_PRIV_H
#define JB_DELIVER_DELIVERY_PRIV_H

#include "engine/deliver/delivery.h"
#include "engine/deliver/feed.h"
#include "engine/deliver/plugin.h"
#include "engine/deliver/sink.h"
#include "jb/host.h"

#include <stdatomic.h>

/* How many changes, or entries of a full pass, are one plan. */
#define JB_PASS_PAGE 2000

#define JB_FOR_EVER INT64_MAX

struct jb_pass {
	bool is_running;
	bool is_first;		/* into an empty replica */
	bool is_over;		/* everything was handed over */
	int64_t cursor;		/* the journal's end when it began */
	struct jb_feed_walk at; /* of a first one */
};

struct jb_delivery {
	const struct jb_config *config;		 /* borrowed */
	const struct jb_config_section *policy;	 /* borrowed */
	const struct jb_config_section *section; /* borrowed; the target's */
	const struct jb_config_root *root;	 /* borrowed */
	bool dry;
	int lock_fd;		    /* owned */
	struct jb_replica *replica; /* owned */
	struct jb_plugin plugin;    /* owned */
	struct jb_host host;
	struct jb_patterns *patterns; /* owned; may be NULL */
	struct jb_target *target;     /* owned */
	struct jb_feed *feed;	      /* owned; NULL: no journal yet */
	struct jb_catalog_view *view; /* owned, with feed */
	struct jb_planner_options options;
	char *under;		     /* owned */
	int64_t keep_us;	     /* KeepDeleted=, JB_FOR_EVER */
	char uuid[JB_UUID_SIZE];     /* of the target's marker, "" unknown */
	char new_uuid[JB_UUID_SIZE]; /* of the one that is to replace it, ""
					none */
	unsigned new_adopt;	     /* with it */
	uint64_t fsid;

	struct jb_feed_state journal;
	int64_t cursor; /* at least what is stored */
	int64_t stored; /* what is */
	bool is_full;	/* a full pass is owed */
	unsigned adopt; /* 1: by size and time, 2: by content */
	bool paused;
	struct jb_rests rests;
	struct jb_pass pass;
	struct jb_compare *compare; /* owned; of a full pass that runs */
	struct jb_plan_sink sink;
	bool more; /* a plan left listings */
	int64_t retry_wait_us;
	int64_t trash_due_us; /* when the trash is looked through, 0: it is
			       * empty */
	bool trash_is_known;  /* what was there before this process, too */
	/* Why not all that was to go went, as the log has it; the same of
	 * stage/. */
	char trash_failed[JB_ERROR_TEXT_MAX];
	char unswept[JB_ERROR_TEXT_MAX];
	int64_t lacking; /* pending, owed: no room at the target */
	uint64_t room;	 /* bytes there were when that was found */
	uint64_t room_files;
	bool again;	     /* some of it may have room now */
	int64_t untried;     /* a person waits for their try */
	bool no_trash;	     /* nor in the trash */
	bool left_over_told; /* a dry run's plan has what is pending */

	char **partial; /* owned; attributes that the log has named */
	size_t n_partial, cap_partial;

	jb_effect_fn *on_effect;
	void *effect_arg;
	struct jb_outcome_of *outcomes; /* owned; of the running plan */
	size_t n_outcomes, cap_outcomes;

	atomic_bool stopped;
	atomic_int phase;
	atomic_uint_fast64_t done, total, copied, bytes, renamed, removed,
		failed, torn;
	atomic_int_fast64_t began_us;
};

/* delivery.c */
int jb_delivery_open_journal(struct jb_delivery *d, struct jb_error *err);
/* The journal can't tell all that happened: look at everything. */
int jb_delivery_owe_full(struct jb_delivery *d, struct jb_error *err);
/* Owe that, if what the cursor counts from has gone. */
int jb_delivery_check_cursor(struct jb_delivery *d, struct jb_error *err);

/* dry_run.c: ask the plan for all that is pending or owed, once. */
int jb_delivery_add_left_over(struct jb_delivery *d, struct jb_error *err);

/* pass.c: carry out one plan of what the sink has and the replica owes;
 * @cursor 0: the stored one stays. */
int jb_delivery_plan(struct jb_delivery *d, int64_t cursor,
		     struct jb_error *err);
/* The next page of the journal's changes. */
int jb_delivery_follow(struct jb_delivery *d, struct jb_step *ret,
		       struct jb_error *err);
/* The next page of a full pass; the last one ends it. */
int jb_delivery_pass(struct jb_delivery *d, struct jb_step *ret,
		     struct jb_error *err);

/* room.c: how much lacks room, from the database. */
int jb_delivery_count_lacking(struct jb_delivery *d, struct jb_error *err);
/* After a plan, the target still started: make room in the trash for what
 * lacked it, and try again what may have room now. */
int jb_delivery_make_room(struct jb_delivery *d, const struct jb_report *r,
			  struct jb_error *err);
/* Has somebody made room? Not between start and end. */
int jb_delivery_look_for_room(struct jb_delivery *d, struct jb_error *err);

/* partial.c: log that the target can't keep an attribute, each once. */
void jb_delivery_say_partial(struct jb_delivery *d, const struct jb_effect *e);
void jb_delivery_fini_partial(struct jb_delivery *d);
/* Try those entries again, and those that can have no place: Preserve= or
 * Exclude= may leave it out by now. */
int jb_delivery_retry_partial(struct jb_delivery *d, struct jb_error *err);

/* due.c: `next` of what is due whatever the time. */
#define JB_DUE_NOW "1"
/* Carry out @sql, which sets that, as a transaction. */
int jb_delivery_mark_due(struct jb_delivery *d, const char *sql,
			 struct jb_error *err);
/* When something that is pending or owed may be tried again; 0: nothing. */
int jb_delivery_find_due(struct jb_delivery *d, int64_t *ret,
			 struct jb_error *err);
/* What a clock that was set back has left in the future is due. */
int jb_delivery_catch_up(struct jb_delivery *d, struct jb_error *err);
/* What waits longer than Settle= now says is due: it was written when that was
 * more. */
int jb_delivery_wait_no_longer(struct jb_delivery *d, struct jb_error *err);
/* What a mount hid at the target may have come to light. */
int jb_delivery_retry_hidden(struct jb_delivery *d, struct jb_error *err);
/* After a plan: are any left that jb_delivery_retry_all() is to try? */
int jb_delivery_try_rest(struct jb_delivery *d, struct jb_error *err);

/* own_dirs.c: is entry @id of @root the own directory of a target that is
 * configured and there? */
bool jb_own_dirs_have(const struct jb_config *config,
		      const struct jb_config_root *root, struct jb_id id);
/* The same for the planner. @arg: the delivery. */
bool jb_delivery_is_own_dir(void *arg, struct jb_id id);

/* trash.c: the trash of before is not known yet. */
void jb_delivery_begin_trash(struct jb_delivery *d);
/* After a plan: what could not be removed from stage/ is logged, once. */
void jb_delivery_say_unswept(struct jb_delivery *d,
			     const struct jb_error *unswept);
/* After a plan, the target still started: what was kept long enough goes. */
void jb_delivery_expire_trash(struct jb_delivery *d, const struct jb_report *r);
/* Remove from it what was put there before @before_s, and on until @room_bytes
 * have room; the number of entries. What fails is logged, once. */
uint64_t jb_delivery_take_from_trash(struct jb_delivery *d, int64_t before_s,
				     uint64_t room_bytes);
/* When that is to be done again, if that is before *due_us (0: never). */
void jb_delivery_add_trash_due(const struct jb_delivery *d, int64_t *due_us);

/* place_check.c */
unsigned jb_delivery_preserve(const struct jb_config_section *policy);
int jb_delivery_open_target(struct jb_delivery *d, struct jb_error *err);
int jb_delivery_check_source(struct jb_delivery *d, struct jb_error *err);
/* Start the target, which initialises itself when it is new and empty. */
int jb_delivery_start_target(struct jb_delivery *d, unsigned *can,
			     struct jb_error *err);

/* memory.c: what the policy remembers of itself in its database. */
int jb_delivery_load(struct jb_delivery *d, struct jb_error *err);
int jb_delivery_note(struct jb_delivery *d, const char *key, int64_t value,
		     struct jb_error *err);
/* The target is going to have this marker: remembered before it is written, so
 * that it is known whenever it is found there. */
int jb_delivery_intend_target(struct jb_delivery *d, const char *uuid,
			      unsigned adopt, struct jb_error *err);
/* It has it. */
int jb_delivery_note_target(struct jb_delivery *d, const char *uuid,
			    uint64_t fsid, unsigned adopt,
			    struct jb_error *err);
int jb_delivery_number(struct jb_delivery *d, const char *sql, int64_t *ret,
		       struct jb_error *err);

#endif
