/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/scan/scan.h - the walk that closes a gap.
 *
 * A scan writes nothing and carries no facts: it walks the catalog's
 * directories by their handles (a renamed directory could pass a walker's
 * front), compares with the committed catalog, and marks what differs as
 * dirty. The recorder looks for itself.
 *
 * One scan per root, on threads of its own with readers of their own.
 * Lifecycle: init -> start* -> stop -> fini. start and stop: any thread but
 * those of the scan; one at a time. */
#ifndef JB_SCAN_SCAN_H
#define JB_SCAN_SCAN_H

#include "engine/record/recorder.h"
#include "engine/tree/root.h"
#include "engine/watch/intake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define JB_SCAN_THREADS 2

struct jb_scan_credits;

/* A halted scan's last thread ends; called on it. */
typedef void jb_scan_idle_fn(void *arg);

struct jb_scan {
	struct jb_root *root;		 /* borrowed */
	struct jb_intake *intake;	 /* borrowed */
	struct jb_recorder *recorder;	 /* borrowed */
	const char *state_dir;		 /* borrowed */
	struct jb_scan_credits *credits; /* borrowed */
	pthread_t threads[JB_SCAN_THREADS];
	unsigned n_threads;    /* to be joined by whoever starts or stops */
	jb_scan_idle_fn *idle; /* set by halt; may be NULL */
	void *arg;
	atomic_bool stopping;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t cond;   /* stopping */
	uint64_t next; /* directories behind this key are still to come */
	uint64_t last; /* the highest key when it began */
	uint64_t done, total; /* directories */
	unsigned active;      /* threads still walking */
	int64_t began_us;
	uint64_t halted_at; /* directories behind this key are to be done */
	bool running, halted;
	bool failed;	   /* this one: it is to be done again */
	unsigned failures; /* in a row */
};

/* Messages with places that may be on their way to the recorder, all scans
 * together: what bounds them. */
struct jb_scan_credits {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned out;
	bool stopping;
};

struct jb_scan_progress {
	bool running;
	uint64_t done, total;
	int64_t began_us;
};

void jb_scan_credits_init(struct jb_scan_credits *c);
/* Wait for one; false: stopped. */
bool jb_scan_credits_take(struct jb_scan_credits *c);
void jb_scan_credits_return(struct jb_scan_credits *c, unsigned n);
void jb_scan_credits_stop(struct jb_scan_credits *c);

void jb_scan_init(struct jb_scan *s, struct jb_root *root,
		  const char *state_dir, struct jb_intake *intake,
		  struct jb_recorder *recorder,
		  struct jb_scan_credits *credits);

/* Walk the root from directory key @from on; tells the recorder when it has
 * ended. Once halted it only remembers @from. */
int jb_scan_start(struct jb_scan *s, uint64_t from, struct jb_error *err);
/* Any thread: let its threads end soon, and send what they have found. */
void jb_scan_halt(struct jb_scan *s, jb_scan_idle_fn *idle, void *arg);
/* The opposite: it may be started again. None of its threads runs. */
void jb_scan_go_on(struct jb_scan *s);
/* After halt: is no thread running? None will be. */
bool jb_scan_is_idle(struct jb_scan *s);
/* Where a halted scan goes on. */
uint64_t jb_scan_halted_at(struct jb_scan *s);

/* Returns when the threads have ended. */
void jb_scan_stop(struct jb_scan *s);
void jb_scan_fini(struct jb_scan *s);

void jb_scan_progress(struct jb_scan *s, struct jb_scan_progress *ret);

#endif
