/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/supervisor_priv.h - a supervisor's inside, for supervisor.c
 * (life and death of workers) and supervisor_talk.c (words with them). All
 * belongs to the loop thread. */
#ifndef JB_DELIVER_SUPERVISOR_PRIV_H
#define JB_DELIVER_SUPERVISOR_PRIV_H

#include "engine/deliver/supervisor.h"
#include "engine/deliver/worker.h"
#include "engine/line_pipe.h"

struct jb_served;

/* What was asked for and is to be answered. */
struct jb_request {
	struct jb_request *next;
	struct jb_served *to;
	json_int_t id;
	json_t *message; /* owned */
	unsigned deaths; /* of workers that had it */
	jb_supervisor_reply_fn *done;
	void *arg;
};

/* A policy and its worker, the running one or the next. */
struct jb_served {
	struct jb_supervisor *supervisor;
	const struct jb_config_section *policy; /* borrowed */
	uv_process_t process;
	struct jb_line_pipe pipe;
	uv_timer_t timer;
	bool is_running, has_timer;
	bool let_go;	    /* its root is released: none is to run */
	bool was_well;	    /* this one has followed the journal */
	unsigned n_handles; /* of process and pipe, not yet closed */
	uint64_t started_ms, wait_ms;
	unsigned restarts;
	json_t *status;	 /* owned; what it said last, may be NULL */
	char why[256];	 /* why it is not running */
	char words[224]; /* its last ones, "" for none */
};

struct jb_supervisor {
	uv_loop_t *loop;		/* borrowed */
	const struct jb_config *config; /* borrowed */
	int config_fd; /* owned; each worker gets this one, whatever the files
			* say by then */
	struct jb_served **workers; /* owned */
	size_t n_workers;
	struct jb_request *requests; /* owned */
	json_int_t last_id;
	int64_t seq;
	bool stopping;
	uv_timer_t killer;
	bool has_killer;
	jb_supervisor_quiet_fn *quiet; /* a held worker has ended */
	void *quiet_arg;
	jb_supervisor_stopped_fn *stopped;
	void *stopped_arg;
};

/* supervisor.c: no more words; the next worker starts when it is dead, too. */
void jb_served_close_pipe(struct jb_served *w);

/* supervisor_talk.c */
/* Read what it says, and tell it all that waits for an answer. */
void jb_served_greet(struct jb_served *w);
/* It died, as w->why says: whoever waits shall not wait for ever for one that
 * always dies. */
void jb_served_count_death(struct jb_served *w);
/* Its root is let go: all that waits for an answer gets this one. */
void jb_served_dismiss(struct jb_served *w);

#endif
