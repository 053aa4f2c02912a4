/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/line_pipe.h - lines of JSON over a libuv pipe, both ways: the daemon
 * with its clients, and with its workers.
 *
 * Lifecycle: init -> (uv_accept, uv_spawn or uv_pipe_open on `pipe`) -> start
 * -> send* -> close; it may be freed, or made anew, when `closed` is called.
 * All on the loop's thread. A line takes as much memory as it needs, up to the
 * bound; a longer one ends the talk, and whoever waits is told. */
#ifndef JB_ENGINE_LINE_PIPE_H
#define JB_ENGINE_LINE_PIPE_H

#include "jb/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* A line came; NULL: one that is no JSON. @message is borrowed. */
typedef void jb_line_fn(void *arg, json_t *message);

/* No more lines will come: JB_OK: the other side closed it; JB_EPROTO: its line
 * is too long; JB_ENOMEM. Close it. */
typedef void jb_line_end_fn(void *arg, int why);

typedef void jb_line_closed_fn(void *arg);

struct jb_line_pipe {
	uv_pipe_t pipe;
	bool is_open; /* from init to close */
	jb_line_fn *on_line;
	jb_line_end_fn *on_end;
	jb_line_closed_fn *on_closed;
	void *arg;
	char *line; /* owned; what came of the next one */
	size_t len, size, max;
};

/* @max: bytes of the longest line that is taken. */
void jb_line_pipe_init(struct jb_line_pipe *p, uv_loop_t *loop, size_t max,
		       void *arg);

/* 0, or libuv's error. */
int jb_line_pipe_start(struct jb_line_pipe *p, jb_line_fn *on_line,
		       jb_line_end_fn *on_end);

/* Takes over @value. JB_OK, also when the other side will never read it;
 * JB_ENOMEM (NULL is taken for that); JB_ENOTRUN: not open. */
int jb_line_pipe_send(struct jb_line_pipe *p, json_t *value);

/* Does nothing to one that is not open. @closed may be NULL. */
void jb_line_pipe_close(struct jb_line_pipe *p, jb_line_closed_fn *closed);

#endif
