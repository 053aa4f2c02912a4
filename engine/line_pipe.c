/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/line_pipe.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 4096

struct outgoing {
	uv_write_t req;
	char *text; /* owned; with its newline */
};

/* ---- out */

static void on_written(uv_write_t *req, int status)
{
	struct outgoing *out = (struct outgoing *)req;

	(void)status;
	free(out->text);
	free(out);
}

int jb_line_pipe_send(struct jb_line_pipe *p, json_t *value)
{
	struct outgoing *out = calloc(1, sizeof *out);
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
	size_t len = text != NULL ? strlen(text) : 0;
	uv_buf_t buf;
	int rv = JB_OK;

	json_decref(value);
	if (!p->is_open)
		rv = JB_ENOTRUN;
	else if (out == NULL || text == NULL)
		rv = JB_ENOMEM;
	if (rv == JB_OK) {
		text[len] = '\n'; /* where the NUL was: the length is told */
		out->text = text;
		buf = uv_buf_init(text, (unsigned)len + 1);
		if (uv_write(&out->req, (uv_stream_t *)&p->pipe, &buf, 1,
			     on_written) == 0)
			return JB_OK;
		rv = JB_ENOTRUN;
	}
	free(text);
	free(out);
	return rv;
}

/* ---- in */

static bool make_room(struct jb_line_pipe *p)
{
	size_t size = p->size == 0 ? FIRST_SIZE : p->size * 2;
	char *grown;

	if (p->len < p->size)
		return true;
	if (size > p->max)
		size = p->max;
	grown = realloc(p->line, size);
	if (grown == NULL)
		return false;
	p->line = grown;
	p->size = size;
	return true;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct jb_line_pipe *p = handle->data;

	(void)suggested;
	*buf = make_room(p) ? uv_buf_init(p->line + p->len,
					  (unsigned)(p->size - p->len))
			    : uv_buf_init(NULL, 0); /* read as UV_ENOBUFS */
}

static void take_line(struct jb_line_pipe *p, size_t at, size_t len)
{
	json_t *message = json_loadb(p->line + at, len, 0, NULL);

	p->on_line(p->arg, message);
	json_decref(message);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct jb_line_pipe *p = stream->data;
	size_t at = 0, seen = p->len;
	char *end;

	(void)buf;
	if (n < 0) {
		p->on_end(p->arg, n == UV_ENOBUFS ? JB_ENOMEM : JB_OK);
		return;
	}
	p->len += (size_t)n;
	while (p->is_open &&
	       (end = memchr(p->line + seen, '\n', p->len - seen)) != NULL) {
		take_line(p, at, (size_t)(end - p->line) - at);
		at = seen = (size_t)(end - p->line) + 1;
	}
	if (!p->is_open)
		return;
	p->len -= at;
	memmove(p->line, p->line + at, p->len);
	if (p->len == p->max)
		p->on_end(p->arg, JB_EPROTO);
}

/* ---- life */

void jb_line_pipe_init(struct jb_line_pipe *p, uv_loop_t *loop, size_t max,
		       void *arg)
{
	*p = (struct jb_line_pipe){.max = max, .arg = arg, .is_open = true};
	uv_pipe_init(loop, &p->pipe, 0);
	p->pipe.data = p;
}

int jb_line_pipe_start(struct jb_line_pipe *p, jb_line_fn *on_line,
		       jb_line_end_fn *on_end)
{
	p->on_line = on_line;
	p->on_end = on_end;
	return uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read);
}

static void on_pipe_closed(uv_handle_t *handle)
{
	struct jb_line_pipe *p = handle->data;

	free(p->line);
	p->line = NULL;
	if (p->on_closed != NULL)
		p->on_closed(p->arg);
}

void jb_line_pipe_close(struct jb_line_pipe *p, jb_line_closed_fn *closed)
{
	if (!p->is_open)
		return;
	p->is_open = false;
	p->on_closed = closed;
	uv_close((uv_handle_t *)&p->pipe, on_pipe_closed);
}
