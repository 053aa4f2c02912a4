/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/delivery.h - one policy at work: journal in, target out.
 *
 * Holds all that a policy needs (lock, plugin, database, journal, target) and
 * does one bounded piece of work per step. What can't be had yet (journal,
 * source, target) makes a step fail, changes nothing, and is tried again by the
 * next one: nothing is open that is not there.
 *
 * Lifecycle: open -> (step | init_target | pause | release | reset)* -> close.
 * One thread at a time; jb_delivery_stop() and jb_delivery_progress() may be
 * called from any thread. */
#ifndef JB_DELIVER_DELIVERY_H
#define JB_DELIVER_DELIVERY_H

#include "engine/base/config.h"
#include "engine/deliver/planner.h"
#include "engine/deliver/unsynced.h"

struct jb_delivery;

enum jb_delivery_phase {
	JB_PHASE_WAITING, /* for the root's first scan */
	JB_PHASE_FIRST,	  /* first copy */
	JB_PHASE_FULL,	  /* a full pass */
	JB_PHASE_FOLLOWING,
};

/* What a step came to. */
struct jb_step {
	bool more;	/* call again at once */
	int64_t due_us; /* else then at the latest; 0: when there is news */
	bool worked;	/* a plan was carried out */
};

struct jb_delivery_status {
	bool paused;
	bool is_full;		   /* a full pass is owed */
	struct jb_holding holding; /* what waits for release */
	int64_t cursor, last_seq;  /* of the journal */
	int64_t pending, owed;
	int64_t unsynced; /* of both: all but the deletions that are held */
	int64_t lacking;  /* of both: there is no room at the target */
	int64_t entries;  /* the target holds */
	int64_t last_us;  /* its last plan ended; 0: none yet */
};

/* While a plan runs, and since the start. */
struct jb_progress {
	enum jb_delivery_phase phase;
	uint64_t done, total; /* entries of a first copy or a full pass */
	uint64_t copied, bytes, renamed, removed, failed; /* since the start */
	uint64_t torn;	  /* copies that were dropped: the file changed */
	int64_t began_us; /* of the pass */
};

/* Take the policy's lock and open what is ours: database, plugin. JB_EBUSY:
 * another process works for this policy. JB_EHELD: the database was damaged and
 * is set aside. @dry: without the lock, nothing is written. */
int jb_delivery_open(const struct jb_config *config, const char *policy,
		     bool dry, struct jb_delivery **ret, struct jb_error *err);
/* Accepts NULL. */
void jb_delivery_close(struct jb_delivery *d);

/* One piece of work. @retry: what is pending and due is tried again too.
 * JB_EHELD: a person has to do something, the text says what. */
int jb_delivery_step(struct jb_delivery *d, bool retry, struct jb_step *ret,
		     struct jb_error *err);

/* Somebody waits: the next steps try all that is pending or owed once more,
 * whenever its time is, but for what waits by intention (held, to settle, or
 * what the target can't keep).
 * jb_delivery_reached() is false until they have. */
int jb_delivery_retry_all(struct jb_delivery *d, struct jb_error *err);

/* Something was mounted or unmounted: is the target there? JB_EHELD if not, as
 * a step would say that had something to do. What was hidden there is due. */
int jb_delivery_look(struct jb_delivery *d, struct jb_error *err);

/* Tell what would be done, by jb_delivery_on_effect(): also what is pending,
 * and what is held, with that reason. */
int jb_delivery_dry_run(struct jb_delivery *d, struct jb_error *err);
void jb_delivery_on_effect(struct jb_delivery *d, jb_effect_fn *fn, void *arg);

/* A new marker at the target; @adopt takes over what equals the source there,
 * @content compares it byte by byte. Without @adopt nothing is done to one that
 * is this policy's already: *was_known. */
int jb_delivery_init_target(struct jb_delivery *d, bool adopt, bool content,
			    bool *was_known, struct jb_error *err);
int jb_delivery_pause(struct jb_delivery *d, bool on, struct jb_error *err);
/* Approve what was held up to @seq. */
int jb_delivery_release(struct jb_delivery *d, int64_t seq,
			struct jb_released *ret, struct jb_error *err);
/* What the replica calls @rid has the wrong content at the target: copy it
 * again with the next plan. JB_ENOENT: there is no such copy of a file. */
int jb_delivery_recopy(struct jb_delivery *d, uint64_t rid,
		       struct jb_error *err);
/* It has the wrong attributes: set them again. JB_ENOENT: it is gone. */
int jb_delivery_reattribute(struct jb_delivery *d, uint64_t rid,
			    struct jb_error *err);
/* Owe a full pass, and try everything pending again at once. */
int jb_delivery_reset(struct jb_delivery *d, struct jb_error *err);

int jb_delivery_status(struct jb_delivery *d, struct jb_delivery_status *ret,
		       struct jb_error *err);
/* The same of a policy that nobody may be working for, from its database alone:
 * `last_seq` is 0. JB_ENOENT: it has none yet. */
int jb_delivery_status_read(const struct jb_config *config, const char *policy,
			    struct jb_delivery_status *ret,
			    struct jb_error *err);
/* Is every change up to @seq carried out, or pending? */
bool jb_delivery_reached(const struct jb_delivery *d, int64_t seq);

/* What `unsynced` counts, at most @max of it. Another value of @fn's than 0
 * ends it and is returned. */
int jb_delivery_unsynced(struct jb_delivery *d, size_t max,
			 jb_unsynced_item_fn *fn, void *arg,
			 struct jb_error *err);

void jb_delivery_progress(const struct jb_delivery *d, struct jb_progress *ret);
/* End a step that runs, soon; it fails with JB_ECANCELED. */
void jb_delivery_stop(struct jb_delivery *d);

const char *jb_phase_name(enum jb_delivery_phase phase);

#endif
