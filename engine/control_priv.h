/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/control_priv.h - the control socket's inside, for control.c (clients
 * and their lines) and control_commands.c (what they ask for). Loop thread. */
#ifndef JB_ENGINE_CONTROL_PRIV_H
#define JB_ENGINE_CONTROL_PRIV_H

#include "engine/daemon_priv.h"
#include "engine/line_pipe.h"

struct jb_client {
	struct jb_line_pipe pipe;
	struct jb_control *control; /* borrowed */
	struct jb_client *next;
	struct jb_waiter *waiter; /* what it waits for; that answers */
};

/* What somebody waits for: a flush, a policy's worker, a vacuum, a root that is
 * let go. Lives until whoever was asked has answered, and its timer is
 * closed. */
struct jb_waiter {
	struct jb_client *client; /* NULL: nobody waits any more */
	struct jb_control *control;
	char *policy; /* owned; a flush goes on to its worker; or NULL */
	uv_timer_t timer;
	bool timed, done, asked;
	struct jb_retention_bound bound; /* of a vacuum */
};

struct jb_control {
	struct jb_daemon *daemon; /* borrowed */
	uv_pipe_t server;
	char *path; /* owned */
	struct jb_client *clients;
	unsigned n_clients, n_flushes;
	uint64_t opened_ns; /* CLOCK_MONOTONIC */
	bool unaccepted;    /* libuv holds one that there was no memory for */
	bool closing, closed;
};

/* control.c: takes over @value; NULL: the connection ends. */
void jb_client_reply(struct jb_client *c, json_t *value);
void jb_client_fail(struct jb_client *c, int code, const char *text);

/* control_commands.c: a request; NULL: a line that is no JSON. */
void jb_client_handle(struct jb_client *c, const json_t *request);
/* The answer is given, or nobody waits for it any more. */
void jb_waiter_leave(struct jb_waiter *w);

#endif
