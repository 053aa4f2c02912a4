/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/recorder_priv.h - the recorder's state, shared by the files of
 * this folder. All of it belongs to the recorder thread but for what the mutex
 * guards. */
#ifndef JB_RECORD_RECORDER_PRIV_H
#define JB_RECORD_RECORDER_PRIV_H

#include "engine/base/pattern.h"
#include "engine/tree/look.h"
#include "engine/record/ahead.h"
#include "engine/record/detached.h"
#include "engine/record/filter.h"
#include "engine/record/keyset.h"
#include "engine/record/recorder.h"
#include "engine/record/todo.h"
#include "engine/record/upkeep.h"
#include "journal/catalog.h"
#include "journal/changes.h"
#include "journal/gap.h"
#include "journal/rest.h"

#include <pthread.h>

/* Names of listings that are looked at in one batch; the rest is left over. */
#define JB_LIST_BUDGET 50000
/* Looks that may be left over, 100 bytes each; beyond it a scan finds them. */
#define JB_CARRY_MAX (1u << 18)

struct jb_flush {
	struct jb_flush *next;
	struct jb_mark *mark; /* owned */
	void *user;
	bool captured;	  /* the gaps were closed: waits for those below */
	int64_t upto;	  /* detached with det <= upto */
	int64_t *renewed; /* owned; of those, who got a new number */
	size_t n_renewed, cap_renewed;
};

/* A path to be looked at, from another thread. */
struct jb_wanted_path {
	struct jb_wanted_path *next;
	unsigned root;
	char path[];
};

/* Of a root: what other threads tell, until the next batch, and what they may
 * ask. */
struct jb_record_mail {
	bool scan_ended;
	const char *owed_reason; /* a scan is owed; static, or NULL */
	bool lost, back;
	bool let_go; /* lost on request */
	bool patrolled;
	struct jb_patrol_row patrol;
	struct jb_recorder_status status;
};

/* What the recorder knows of a root. */
struct jb_record_root {
	struct jb_root *root;	   /* borrowed */
	struct jb_gap gap;	   /* id 0: none is open */
	bool owed;		   /* a scan is to begin */
	bool running;		   /* it walks */
	struct jb_mark *scan_mark; /* owned; asked at its end */
	bool scan_mark_due;	   /* to be asked for in this commit */
	int64_t complete;	   /* ns */
	struct jb_detached detached;
	bool assigned; /* somebody got a number in this batch */
	bool lost;     /* root_lost was told */
	int64_t found; /* in this batch: what no event told */
	int64_t drift; /* the same, of all time */
	bool kept;     /* at the start nothing had been missed */
	bool let_go;   /* root_released is to be told */
};

/* A directory that was found below one that is detached, and whose last place
 * lies below the found one: where it is can be said only when the detached one
 * is found too, or what lay between. Until then neither is deleted. */
struct jb_deferred {
	uint64_t waits_for; /* key of the detached directory */
	uint64_t found;	    /* key of the one that was found below it */
	uint64_t dir;	    /* where: directory and name */
	uint8_t len;
	char name[JB_NAME_MAX + 1];
};

struct jb_recorder {
	struct jb_store *store;	    /* borrowed */
	struct jb_catalog *catalog; /* owned */
	struct jb_changes *changes; /* owned */
	struct jb_recorder_events events;
	struct jb_recorder_settings settings;
	struct jb_upkeep upkeep;
	struct jb_record_root *roots; /* owned; one per settings.roots */
	struct jb_intake *intake;     /* borrowed */
	pthread_t thread;
	bool started;

	/* the batch */
	struct jb_dirty *set; /* borrowed from the intake */
	struct jb_todo todo;
	struct jb_todo carry; /* what is left over */
	int64_t now_us;
	size_t budget;
	struct jb_map_dir *new_dirs; /* owned; not yet in the map */
	size_t n_new, cap_new;
	uint64_t created_dirs;	/* how many directories were ever created */
	uint64_t mapped_dirs;	/* how many of them are in the map */
	uint64_t batch_dirs;	/* how many there were before this batch */
	int64_t batch_seq;	/* the last change before this batch */
	struct jb_keyset named; /* directories: see record/facts.c */
	struct jb_keyset unread_told; /* of these the log has spoken */
	struct jb_filter known;	      /* inodes that the catalog may have */
	struct jb_ahead *ahead;	      /* owned; NULL: none */
	struct jb_map_dir *gone_dirs; /* owned; to leave the map */
	size_t n_gone, cap_gone;
	struct jb_dirty_beyond *beyond; /* owned */
	size_t n_beyond, cap_beyond;
	uint64_t *stale; /* owned; see record/stale.c */
	size_t n_stale, cap_stale;
	struct jb_deferred *deferred; /* owned */
	size_t n_deferred, cap_deferred;
	int64_t next_det;	    /* for who is detached next */
	struct jb_mark *mark;	    /* of this commit, made when asked for */
	struct jb_mark *spare_mark; /* owned; so that asking can't fail */
	struct jb_mark *time;	    /* owned; 'complete until' */
	int64_t looked; /* ns, when the last row was written; 0: settled */
	bool wrote;	/* this batch wrote something */
	struct jb_entries rows;	  /* scratch of look */
	struct jb_entries page;	  /* scratch of list */
	struct jb_entries below;  /* scratch of settle */
	uint64_t structure;	  /* how often rows of other places changed */
	struct jb_error error;	  /* the first failure of this batch */
	struct jb_rest_mark rest; /* token 0: none is to be left */
	bool rested;		  /* it was left */

	pthread_mutex_t mutex; /* guards what follows */
	struct jb_flush *new_flushes;
	struct jb_wanted_path *paths; /* owned */
	struct jb_record_mail *mail;  /* owned; one per root */
	int64_t last_seq, names;

	struct jb_flush *flushes; /* recorder thread */
};

/* A directory being visited. */
struct jb_visit {
	struct jb_record_root *root;
	uint64_t dir;
	int fd;
	int64_t clock;	 /* when the looks began */
	uint64_t origin; /* the batch whose event led here */
	bool back;	 /* a detached name is back: times have changed */
	char *path;	 /* owned; for patterns, NULL: none needed */
	size_t path_len;
};

/* One look's circumstances. */
struct jb_look_flags {
	unsigned dirty;		     /* JB_DIRTY_* of the place */
	bool lossy;		     /* doubtful times count as changed */
	bool listed;		     /* found by a listing or a scan */
	bool visited;		     /* a directory whose names are done */
	const struct jb_entry *have; /* the row, if the caller just read it */
	bool have_known;	     /* have == NULL means there is none */
	const struct jb_look *ahead; /* a look of this batch, or NULL */
};

/* record/batch.c */
int jb_batch_look(struct jb_recorder *r, struct jb_error *err);
/* Commit what there is and go on, where one transaction would be too large. */
int jb_batch_breathe(struct jb_recorder *r, struct jb_error *err);
/* Renames into unknown directories: taken from the set, and kept only while
 * their inodes are detached. */
int jb_batch_merge_beyond(struct jb_recorder *r, struct jb_error *err);
void jb_batch_filter_beyond(struct jb_recorder *r);

/* record/flush.c */
void jb_flushes_take(struct jb_recorder *r);
void jb_flushes_settle(struct jb_recorder *r);
/* Does one wait for its mark? */
bool jb_flushes_want_set(struct jb_recorder *r);
void jb_flushes_drop(struct jb_recorder *r);

/* record/start.c: everything in memory anew from what is committed; drop what
 * belongs to a batch that is lost. */
int jb_recorder_load(struct jb_recorder *r, struct jb_error *err);
void jb_recorder_drop_memory(struct jb_recorder *r);

/* record/rest.c: what a clean stop leaves, in a transaction of its own; take
 * it away again, in the one that learns the roots. */
int jb_recorder_rest_leave(struct jb_recorder *r, struct jb_error *err);
int jb_recorder_rest_take(struct jb_recorder *r, struct jb_error *err);
/* Was nothing missed of a root that was kept as @kept? Else the reason. */
bool jb_recorder_rest_keeps(const struct jb_recorder *r,
			    const struct jb_root *root, int64_t kept);
const char *jb_recorder_rest_missed(const struct jb_recorder *r,
				    const struct jb_root *root);

/* record/drift.c: something differed at a place that is @dirty. It counts if
 * only a patrol led there. */
void jb_drift_note(struct jb_record_root *root, unsigned dirty);
/* In the batch's transaction. */
int jb_drift_write(struct jb_recorder *r, struct jb_error *err);

/* record/visit.c: 1: open, until it is closed or dropped; 0: nothing to look at
 * here; or an error. */
int jb_visit_open(struct jb_recorder *r, uint64_t dir, uint64_t origin,
		  struct jb_visit *v, struct jb_error *err);
/* The root has a gap and owes a scan, since trouble came for directory @dir, or
 * for @name in it ("": for itself). */
int jb_visit_owe(struct jb_recorder *r, struct jb_record_root *root,
		 uint64_t dir, const char *name, int error,
		 struct jb_error *err);
/* All is looked at: the directory's own row is compared, too. */
int jb_visit_close(struct jb_recorder *r, struct jb_visit *v,
		   struct jb_error *err);
/* After an error, or a look for its own sake. */
void jb_visit_drop(struct jb_visit *v);
struct jb_record_root *jb_record_root_of(struct jb_recorder *r, uint32_t id);

/* record/place.c: look at (v->dir, name) and write down what differs. */
int jb_place_look(struct jb_recorder *r, struct jb_visit *v, const char *name,
		  size_t len, const struct jb_look_flags *flags,
		  struct jb_error *err);

/* Somebody new stands there. @flag: 0, or JB_ENTRY_MOUNT: what is in it is not
 * looked at. */
int jb_place_take_new(struct jb_recorder *r, struct jb_visit *v,
		      const char *name, size_t len, struct jb_look *found,
		      const struct jb_look_flags *flags, uint32_t flag,
		      struct jb_error *err);
/* The directory of row @e is listed in one of the next batches. @needs: not
 * before so many new directories are in the map. */
int jb_place_list_later(struct jb_recorder *r, const struct jb_visit *v,
			const struct jb_entry *e, unsigned dirty,
			uint64_t needs, struct jb_error *err);

/* record/mount.c: does what was found belong to another mount? */
bool jb_place_is_mount(const struct jb_visit *v, const struct jb_look *found);
/* It does. @have: the row of the place, or NULL. */
int jb_place_take_mount(struct jb_recorder *r, struct jb_visit *v,
			const char *name, size_t len, struct jb_look *found,
			struct jb_entry *have,
			const struct jb_look_flags *flags,
			struct jb_error *err);
/* What was covered by a mount can be seen again. */
int jb_place_uncover(struct jb_recorder *r, struct jb_visit *v,
		     struct jb_entry *have, const struct jb_look *found,
		     struct jb_error *err);

/* record/facts.c */
/* Has the content of @e changed, as far as the look and the events tell? */
bool jb_facts_content_changed(const struct jb_recorder *r,
			      const struct jb_record_root *root,
			      const struct jb_entry *e,
			      const struct jb_look *found,
			      const struct jb_look_flags *flags);
int jb_facts_compare(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_entry *e, const struct jb_look *found,
		     const struct jb_look_flags *flags, bool renamed,
		     int64_t clock, struct jb_error *err);
/* @link: another name of it, whose content has not changed; its content is
 * known from there. NULL: none. */
int jb_facts_created(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_entry *e, const struct jb_entry *link,
		     const struct jb_look_flags *flags, struct jb_error *err);
int jb_facts_refresh_dir(struct jb_recorder *r, struct jb_visit *v,
			 struct jb_error *err);
/* A row of this batch leads to this directory, or one will, or v->back. */
void jb_facts_name_dir(struct jb_recorder *r, uint64_t dir);
int jb_write_change(struct jb_recorder *r, struct jb_record_root *root,
		    struct jb_change *change, int64_t *seq,
		    struct jb_error *err);

/* record/cycle.c: would putting directory @src below the visited one make it
 * its own ancestor? Then *cut says so; the look is repeated, or deferred. */
int jb_cycle_cut(struct jb_recorder *r, struct jb_visit *v,
		 struct jb_entry *src, const char *name, size_t len,
		 const struct jb_look_flags *flags, bool *cut,
		 struct jb_error *err);
/* The directory has been found, or has moved: look again at what waited for
 * it, or no longer lies below what it waits for. */
int jb_cycle_resume(struct jb_recorder *r, uint64_t key, uint64_t origin,
		    struct jb_error *err);
/* The directory's row has gone. */
void jb_cycle_forget(struct jb_recorder *r, uint64_t key);
bool jb_cycle_defers(const struct jb_recorder *r, uint64_t key);

/* record/unread.c: the row's directory was looked at: may we read it? */
int jb_unread_check(struct jb_recorder *r, struct jb_visit *v,
		    struct jb_entry *e, struct jb_error *err);

/* record/stale.c: a directory that can't be reached by its path now. */
int jb_stale_note(struct jb_recorder *r, uint64_t key, struct jb_error *err);
/* At the end of a batch: who can be reached again is listed in the next. */
int jb_stale_retry(struct jb_recorder *r, struct jb_error *err);

/* record/place.c: put one place on a list. */
int jb_push_name(struct jb_recorder *r, uint64_t dir, const char *name,
		 size_t len, uint64_t origin, unsigned flags,
		 struct jb_todo *to, struct jb_error *err);

/* record/names.c */
/* Is the object of row @e still at the row's place? 1, 0 or an error. */
int jb_still_there(struct jb_recorder *r, const struct jb_visit *v,
		   const struct jb_entry *e, struct jb_error *err);
/* Among the rows of what was found at place @name: which one has come here? 1
 * and *src; 0: none, it is new, or one more link; or an error. */
int jb_names_find_source(struct jb_recorder *r, struct jb_visit *v,
			 const char *name, size_t len,
			 const struct jb_look *found,
			 const struct jb_look_flags *flags,
			 struct jb_entry *src, struct jb_error *err);
/* Has it another name, whose row tells of its content as it is now? 1 and *ret,
 * 0, or an error. */
int jb_names_find_link(struct jb_recorder *r, const struct jb_visit *v,
		       const struct jb_look *found,
		       const struct jb_look_flags *flags, struct jb_entry *ret,
		       struct jb_error *err);

/* record/list.c: takes over what @item owns. */
int jb_list_directory(struct jb_recorder *r, struct jb_todo_item *item,
		      struct jb_error *err);

/* Tell the loop of the new directories, before the first of them is listed. */
int jb_list_map_new(struct jb_recorder *r, struct jb_error *err);

/* record/settle.c */
int jb_detach(struct jb_recorder *r, struct jb_record_root *root,
	      struct jb_entry *e, unsigned dirty, struct jb_error *err);
int jb_settle(struct jb_recorder *r, struct jb_error *err);

/* record/gaps.c: which gaps are open, and when they close. */
bool jb_gaps_is_open(const struct jb_record_root *root);
/* At the start of a batch, and at the very end: what the set (if there is one)
 * and the scans say. */
int jb_gaps_note(struct jb_recorder *r, struct jb_error *err);
/* Too much is left over: drop it, a scan of the roots concerned is owed. */
int jb_gaps_bound_carry(struct jb_recorder *r, struct jb_error *err);
/* At its end: close gaps, move 'complete until' on. */
int jb_gaps_settle(struct jb_recorder *r, struct jb_error *err);
/* After the commit: roots that are to be released are; scans may begin. */
void jb_gaps_let_go(struct jb_recorder *r);
void jb_gaps_start_scans(struct jb_recorder *r);
int jb_gaps_owe(struct jb_recorder *r, struct jb_record_root *root,
		const char *reason, struct jb_error *err);
/* The root is not what it was: deletions stop, a gap opens. */
int jb_gaps_root_lost(struct jb_recorder *r, struct jb_record_root *root,
		      const struct jb_error *why, struct jb_error *err);

/* The mark of this commit; borrowed. */
struct jb_mark *jb_recorder_mark(struct jb_recorder *r);
uint64_t jb_recorder_oldest_left(const struct jb_recorder *r);

#endif
