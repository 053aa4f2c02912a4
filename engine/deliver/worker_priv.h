/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/worker_priv.h - a worker's inside, for worker.c (loop and
 * work) and worker_talk.c (the pipe). All belongs to the loop thread but for
 * what `work` says. */
#ifndef JB_DELIVER_WORKER_PRIV_H
#define JB_DELIVER_WORKER_PRIV_H

#include "engine/deliver/delivery.h"
#include "engine/deliver/worker.h"
#include "engine/line_pipe.h"

/* What was asked for and is to be answered. */
struct jb_worker_ask {
	struct jb_worker_ask *next;
	json_int_t id;
	char what[16];
	int64_t seq, rid;
	bool adopt, content;
	bool begun;   /* flush: a step began since it came */
	bool tried;   /* and ended */
	bool retried; /* flush: what is pending or owed was tried once more */
};

/* Where something was mounted or unmounted. */
#define JB_WORKER_MOUNTED 16
struct jb_worker_mounted {
	char *paths[JB_WORKER_MOUNTED]; /* owned */
	unsigned n;
	bool any; /* there were more */
};

struct jb_worker {
	const struct jb_config *config;		/* borrowed */
	const struct jb_config_section *policy; /* borrowed */
	uv_loop_t loop;
	struct jb_line_pipe pipe;
	uv_timer_t due, report, mounts;
	uv_signal_t term, interrupt;
	bool busy, stopping, closed;
	bool wake, retry;
	bool retry_all; /* due or not */
	bool look;	/* is the target still there? */
	bool sift;	/* first: do the mounts concern the policy? */
	struct jb_worker_mounted mounted;
	struct jb_worker_ask *asks;    /* owned; in their order */
	struct jb_worker_ask *flushes; /* owned; waiting */
	int64_t backoff_ms;
	struct jb_error failed; /* JB_OK: nothing */
	bool holds;		/* what waits for 'release', as the log says */
	bool lacks;		/* room at the target, as the log says */
	/* After the last work; the delivery lives while the loop runs. */
	struct jb_delivery *delivery; /* borrowed from work */
	struct jb_delivery_status status;
	int64_t synced_us; /* the target was last known to have it all; 0:
			    * not since the start */

	/* Of the running work: written by its thread, then read by the loop. */
	struct {
		uv_work_t req;
		struct jb_delivery *delivery; /* owned */
		struct jb_worker_ask *ask;    /* owned; NULL: a step */
		bool retry, retry_all, look;
		bool sift; /* nothing else is done */
		bool concerned;
		struct jb_worker_mounted mounted;
		int rv;
		struct jb_error err;
		struct jb_step step;
		struct jb_delivery_status status;
		bool has_status;
		bool was_known; /* init: nothing had to be done */
		struct jb_released released;
	} work;
};

/* worker.c: there is something to do. */
void jb_worker_poke(struct jb_worker *w);
void jb_worker_stop(struct jb_worker *w);

/* worker_mounts.c: something was mounted or unmounted at @path (NULL: it can't
 * be told where); when all is quiet that is sifted. */
void jb_worker_mounted(struct jb_worker *w, const char *path);
void jb_worker_take_mounted(struct jb_worker *w);
void jb_worker_free_mounted(struct jb_worker_mounted *m);
/* On the worker thread: does any of work.mounted concern the policy? */
bool jb_worker_is_concerned(struct jb_worker *w);

/* worker_talk.c */
int jb_worker_listen(struct jb_worker *w, struct jb_error *err);
void jb_worker_tell_status(struct jb_worker *w);
/* Tell why, and end the process at once. */
_Noreturn void jb_worker_die(struct jb_worker *w, const char *why);
/* Answer and free @ask; @rest (may be NULL) is taken over and merged in. */
void jb_worker_answer(struct jb_worker *w, struct jb_worker_ask *ask, int code,
		      const char *text, json_t *rest);
/* A step has ended: answer those who wait and can be answered now. */
void jb_worker_answer_flushes(struct jb_worker *w);

#endif
