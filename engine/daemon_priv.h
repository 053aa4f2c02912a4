/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/daemon_priv.h - the running daemon, for the files of this folder. All
 * of it belongs to the loop thread but for what the mutex guards. */
#ifndef JB_ENGINE_DAEMON_PRIV_H
#define JB_ENGINE_DAEMON_PRIV_H

#include "engine/base/config.h"
#include "engine/clock_step.h"
#include "engine/deliver/supervisor.h"
#include "engine/keep.h"
#include "engine/mounts.h"
#include "engine/record/recorder.h"
#include "engine/reload.h"
#include "engine/retention.h"
#include "engine/tree/root.h"
#include "engine/scan/patrol.h"
#include "engine/scan/scan.h"
#include "engine/watch/intake.h"
#include "journal/store.h"

#include <jansson.h>
#include <pthread.h>
#include <uv.h>

struct jb_control;

/* Is the root there? See release.c. */
enum jb_root_state {
	JB_ROOT_HERE,
	JB_ROOT_MISSING,
	JB_ROOT_LEAVING,  /* it is being let go */
	JB_ROOT_RELEASED, /* and is still mounted */
};

struct jb_presence {
	enum jb_root_state state;
	uint64_t mount;	       /* which one it was released from */
	uint64_t rescanned_ms; /* uv_now() at the last scan from there */
	bool asked;	       /* to be released; else it went by itself */
	void *waiter;	       /* borrowed; who is to be told that it is */
	bool acked;	       /* under the mutex: the recorder has let go */
	bool lost;	       /* so too: it could not find it */
};

/* How far the stop has come: see leave.c. */
enum jb_leave { JB_LEAVE_NOT, JB_LEAVE_FLUSH, JB_LEAVE_HALT, JB_LEAVE_DRAIN };

struct jb_daemon {
	const struct jb_config *config; /* borrowed */
	uv_loop_t loop;
	int lock_fd;		      /* owned; held while we run */
	struct jb_store *store;	      /* owned; the recorder's */
	struct jb_root *roots;	      /* owned */
	struct jb_presence *presence; /* owned; one per root */
	unsigned n_roots;
	struct jb_source *sources[JB_SOURCES]; /* owned by the intake */
	struct jb_intake *intake;	       /* owned */
	struct jb_recorder *recorder;	       /* owned */
	struct jb_own own;
	struct jb_scan *scans; /* owned; one per root */
	struct jb_scan_credits credits;
	struct jb_patrol patrol;
	struct jb_control *control;	  /* owned */
	struct jb_supervisor *supervisor; /* owned; the policies' workers */
	uv_signal_t term, interrupt, hangup;
	uv_timer_t tick; /* watchdog, and a look at the roots */
	uv_poll_t mounts;
	int mounts_fd; /* owned; /proc/self/mountinfo */
	struct jb_mounts mounted;
	struct jb_clock_step clock;
	struct jb_retention retention;
	uv_async_t told;
	int64_t epoch;
	struct jb_keep keep;
	enum jb_leave leaving;
	struct jb_reload reload; /* again: it leaves to begin anew */
	bool stopping, recorder_running, workers_stopped;
	int result;
	struct jb_error error; /* why it ends */

	pthread_mutex_t mutex; /* guards what the recorder thread says */
	struct jb_done_flush *flushed;
	int64_t committed; /* changes up to this seq can be read */
	bool ended;
	struct jb_error ended_error;
};

/* A flush, or a retention, that the recorder has carried out. */
struct jb_done_flush {
	struct jb_done_flush *next;
	void *flush;
	int64_t seq;
	bool is_retention;
	struct jb_retained retained;
};

/* daemon.c: begin to stop; @err (may be NULL) becomes the result. */
void jb_daemon_stop(struct jb_daemon *d, const struct jb_error *err);
void jb_daemon_stop_workers(struct jb_daemon *d);
/* The recorder has ended: the loop runs out when these are closed. */
void jb_daemon_close_handles(struct jb_daemon *d);

/* told.c: what the recorder thread calls, and the loop's end of it. */
struct jb_recorder_events jb_daemon_events(struct jb_daemon *d);
void jb_daemon_on_told(uv_async_t *async);

/* leave.c: begin to stop in order; at once when called again. */
void jb_daemon_leave(struct jb_daemon *d);
/* Read the configuration again. On failure the daemon goes on as it was. */
int jb_daemon_reload(struct jb_daemon *d, struct jb_error *err);
/* Its flush has ended; something that it may wait for has happened. */
void jb_daemon_leave_flushed(struct jb_daemon *d);
void jb_daemon_leave_on(struct jb_daemon *d);
/* The recorder's thread has ended. */
void jb_daemon_left(struct jb_daemon *d);

/* daemon_journal.c: the journal and the recorder of the roots, which are open.
 * A damaged journal is set aside, and a new one begun. */
int jb_daemon_open_journal(struct jb_daemon *d, struct jb_error *err);
/* Also what a failed open has left; nothing is done twice. */
void jb_daemon_close_journal(struct jb_daemon *d);
/* Close it; its file gets a name that says that it is damaged. */
int jb_daemon_set_aside(struct jb_daemon *d, const struct jb_error *why,
			struct jb_error *err);

/* roots.c: open the roots, choose who watches them. */
int jb_daemon_open_roots(struct jb_daemon *d, struct jb_error *err);
/* Are the roots what they were? What has gone is told to the recorder, what is
 * back is watched and scanned again. */
void jb_daemon_check_roots(struct jb_daemon *d);
/* What was mounted or unmounted below a root is looked at. */
void jb_daemon_check_mounts(struct jb_daemon *d);
/* Roots on network mounts, and those that can't be watched in full, are scanned
 * from time to time. */
void jb_daemon_rescan(struct jb_daemon *d);
void jb_daemon_close_roots(struct jb_daemon *d);

/* release.c: let root @i go; jb_control_released() tells @waiter when it is.
 * JB_EBUSY: it can't be. */
int jb_daemon_release(struct jb_daemon *d, unsigned i, void *waiter,
		      struct jb_error *err);
/* It has gone: let go of what it left. */
void jb_daemon_lose(struct jb_daemon *d, unsigned i);
/* One of those that keep it busy has said something. */
void jb_daemon_release_on(struct jb_daemon *d);
/* Is something else, or nothing, mounted where it was released? */
bool jb_daemon_is_unmounted(struct jb_daemon *d, unsigned i);
/* It was not unmounted: watch it again. */
int jb_daemon_take_back(struct jb_daemon *d, unsigned i, struct jb_error *err);
/* roots.c has it again: whoever was told to let go goes on. */
void jb_daemon_came_back(struct jb_daemon *d, unsigned i);

/* control.c: the socket RUNTIMEDIR/control. */
int jb_control_open(struct jb_daemon *d, struct jb_control **ret,
		    struct jb_error *err);
/* control_commands.c: @waiter's flush, vacuum, release of a root has ended. */
void jb_control_flushed(struct jb_control *c, void *waiter, int64_t seq);
void jb_control_retained(struct jb_control *c, void *waiter,
			 const struct jb_retained *done);
void jb_control_released(void *waiter);
/* Answer who still waits, then free when the loop has closed all. */
void jb_control_close(struct jb_control *c);

/* report.c: the reply to `status`. The caller owns it; NULL without memory. */
json_t *jb_daemon_report(struct jb_daemon *d);

#endif
