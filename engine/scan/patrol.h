/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/scan/patrol.h - the slow scan that finds what raised no event.
 *
 * Long-lived memory mappings, and what the kernel or we have missed: within
 * Patrol= each directory of a root is compared once with the catalog, a few at
 * a time, at the lowest priority. What differs because its event is still on
 * the way is none of its business: a place counts only if, after a barrier,
 * nobody has touched its row, also when the difference is some seconds old.
 * Then the recorder looks there, as for a scan, and counts what it finds as
 * drift. No gap is open meanwhile, and where one is the patrol waits: that root
 * is scanned anyway.
 *
 * One thread for all roots. Lifecycle: init -> start -> stop -> fini; flushed
 * comes from the recorder. */
#ifndef JB_SCAN_PATROL_H
#define JB_SCAN_PATROL_H

#include "engine/record/recorder.h"
#include "engine/tree/root.h"
#include "engine/scan/scan.h"
#include "engine/watch/intake.h"
#include "journal/patrol.h"

#include <pthread.h>
#include <stdbool.h>

/* What `status` shows of a root. */
struct jb_patrol_progress {
	struct jb_patrol_row row; /* but for drift: the recorder has it */
	uint64_t done, total;	  /* directories of this round */
};

struct jb_patrol_beat; /* a root and where its round is */

/* It is no longer where it was kept out of; any thread. */
typedef void jb_patrol_left_fn(void *arg);

struct jb_patrol {
	struct jb_root *roots; /* borrowed; n of them */
	unsigned n_roots;
	const char *state_dir;		 /* borrowed */
	struct jb_intake *intake;	 /* borrowed */
	struct jb_recorder *recorder;	 /* borrowed */
	struct jb_scan_credits *credits; /* borrowed */
	struct jb_patrol_beat *beats;	 /* owned; the thread's */
	pthread_t thread;
	bool started;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t cond;
	bool stopping, flushed;
	const struct jb_root *at; /* where it has directories open */
	bool *kept_out;		  /* owned; one per root */
	jb_patrol_left_fn *left;
	void *left_arg;
	struct jb_patrol_progress *progress; /* owned; one per root */
};

int jb_patrol_init(struct jb_patrol *p, struct jb_root *roots, unsigned n_roots,
		   const char *state_dir, struct jb_intake *intake,
		   struct jb_recorder *recorder,
		   struct jb_scan_credits *credits, struct jb_error *err);
int jb_patrol_start(struct jb_patrol *p, struct jb_error *err);
/* Any thread: a flush has ended. True: it was ours. */
bool jb_patrol_flushed(struct jb_patrol *p, const void *flush);
/* Any thread: where the rounds are is told to the recorder already. */
void jb_patrol_halt(struct jb_patrol *p);
/* Any thread: open nothing on @root any more. @left is called, on any thread,
 * when it has closed what it had open there. */
void jb_patrol_keep_out(struct jb_patrol *p, const struct jb_root *root,
			jb_patrol_left_fn *left, void *arg);
bool jb_patrol_is_at(struct jb_patrol *p, const struct jb_root *root);
void jb_patrol_let_in(struct jb_patrol *p, const struct jb_root *root);
/* Returns when the thread has ended. */
void jb_patrol_stop(struct jb_patrol *p);
/* Accepts a zeroed one. */
void jb_patrol_fini(struct jb_patrol *p);

void jb_patrol_progress(struct jb_patrol *p, const struct jb_root *root,
			struct jb_patrol_progress *ret);

#endif
