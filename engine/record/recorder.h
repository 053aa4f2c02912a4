/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/recorder.h - the recorder: looks at dirty places, compares with
 * the catalog, writes the difference down.
 *
 * A thread of its own, the only writer of journal.db. Each batch is one
 * transaction: changes, catalog, detached entries, gaps, 'complete until'.
 *
 * Lifecycle: open (reads catalog and open gaps, fills the map) -> start -> runs
 * until jb_intake_stop -> join -> close. */
#ifndef JB_RECORD_RECORDER_H
#define JB_RECORD_RECORDER_H

#include "engine/record/own.h"
#include "engine/tree/root.h"
#include "engine/watch/intake.h"
#include "journal/patrol.h"
#include "journal/rest.h"
#include "journal/retain.h"
#include "journal/store.h"

struct jb_recorder;

/* What the recorder tells; called on its thread, must return quickly. */
struct jb_recorder_events {
	/* A scan of this root is to begin (again): what it needs is
	 * committed. */
	void (*scan_owed)(void *arg, struct jb_root *root, uint64_t progress);
	/* A batch that held @credits messages of scans is recorded. */
	void (*credits)(void *arg, uint32_t credits);
	/* Changes up to @seq are in the journal and can be read. May be
	 * NULL. */
	void (*committed)(void *arg, int64_t seq);
	/* A flush ended; @seq is the last one written. */
	void (*flushed)(void *arg, void *flush, int64_t seq);
	/* The thread ends: @err (NULL: stopped) says why. */
	void (*ended)(void *arg, const struct jb_error *err);
	/* The root is not what it was: nothing was deleted. */
	void (*root_lost)(void *arg, struct jb_root *root,
			  const struct jb_error *err);
	/* Its gap is committed, and nothing is open there any more. */
	void (*root_released)(void *arg, struct jb_root *root);
	/* How far has the halted scan come? For a clean stop. */
	uint64_t (*scan_progress)(void *arg, const struct jb_root *root);
	/* The retention that was ordered with @waiting is carried out. May be
	 * NULL. */
	void (*retained)(void *arg, void *waiting,
			 const struct jb_retained *done);
	void *arg;
};

struct jb_recorder_settings {
	struct jb_root *roots; /* borrowed; n of them */
	unsigned n_roots;
	const struct jb_own *own; /* borrowed */
	/* NULL: the kernel's queue was kept since a clean stop, so roots whose
	 * queue_kept says so owe no scan. Else why all of them owe one. */
	const char *missed;
	int64_t max_bytes; /* MaxJournalSize=, 0: no limit */
};

/* Figures of a root for status; written by the recorder, read by anybody. */
struct jb_recorder_status {
	int64_t complete_ns;
	bool gap_open, scanning;
	bool no_room; /* for the journal: nothing is recorded */
	uint64_t detached;
	int64_t drift; /* changes that patrols found, ever */
};

int jb_recorder_open(struct jb_store *store,
		     const struct jb_recorder_settings *settings,
		     const struct jb_recorder_events *events,
		     struct jb_recorder **ret, struct jb_error *err);

/* Loop thread, before start: tell the source of each root which directories
 * the catalog knows. */
int jb_recorder_fill_map(struct jb_recorder *r, struct jb_error *err);

int jb_recorder_start(struct jb_recorder *r, struct jb_intake *intake,
		      struct jb_error *err);
/* Any thread, before jb_intake_drain(): the thread's last transaction leaves
 * @mark, and what the next start needs to go on where this one ends. */
void jb_recorder_rest(struct jb_recorder *r, const struct jb_rest_mark *mark);
/* After `ended` was called. */
void jb_recorder_join(struct jb_recorder *r);
/* After join: was the mark of jb_recorder_rest() left? */
bool jb_recorder_rested(const struct jb_recorder *r);
void jb_recorder_close(struct jb_recorder *r);

/* Any thread: call events.flushed with @flush when every change made before
 * @mark was answered is in the journal. Takes over the reference. */
int jb_recorder_flush(struct jb_recorder *r, struct jb_mark *mark, void *flush,
		      struct jb_error *err);

/* Any thread: the scan of @root has walked all. */
void jb_recorder_scan_ended(struct jb_recorder *r, const struct jb_root *root);
/* Any thread: a scan of @root is owed, for a reason that the gap bears. */
void jb_recorder_owe_scan(struct jb_recorder *r, const struct jb_root *root,
			  const char *reason);

/* Any thread: how far a patrol is (drift apart), to be remembered with the next
 * batch. */
void jb_recorder_patrolled(struct jb_recorder *r, const struct jb_root *root,
			   const struct jb_patrol_row *row);

/* Any thread: drop what @order (copied) says, in steps between the batches;
 * then events.retained is called with @waiting, unless it is NULL. */
int jb_recorder_retain(struct jb_recorder *r,
		       const struct jb_retain_order *order, void *waiting,
		       struct jb_error *err);

/* Any thread: something was mounted or unmounted at @path (relative to the
 * root, copied): look at it in the next batch. */
int jb_recorder_look_at_path(struct jb_recorder *r, const struct jb_root *root,
			     const char *path, struct jb_error *err);

/* Any thread: the root is not what it was: nothing is looked at or deleted
 * there until it is back. Then it is scanned. `root_released` is called when
 * the recorder holds nothing open there. */
void jb_recorder_lose_root(struct jb_recorder *r, const struct jb_root *root);
/* The same on request: the gap says so. */
void jb_recorder_release_root(struct jb_recorder *r,
			      const struct jb_root *root);
void jb_recorder_root_back(struct jb_recorder *r, const struct jb_root *root);

/* Any thread. */
void jb_recorder_status(struct jb_recorder *r, const struct jb_root *root,
			struct jb_recorder_status *ret);
int64_t jb_recorder_last_seq(struct jb_recorder *r);
/* Names in the catalog; -1: not counted yet. */
int64_t jb_recorder_names(struct jb_recorder *r);

#endif
