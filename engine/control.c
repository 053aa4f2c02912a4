/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: one line of JSON is a request, one line of JSON is the
 * reply.
 *
 * Happy path: on_connection -> on_read collects a line -> a command answers at
 * once, or its waiter does later (control_commands.c) -> the line is written ->
 * the connection waits for the next line or its end.
 *
 * A client that goes away leaves its waiter behind with nobody to answer; a
 * line that is too long or no JSON is answered with an error and the connection
 * is closed. So is that of a client that does not read its replies, and, when
 * there are as many as there may be, of the oldest that waits for nothing. */
#include "engine/control_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG	    16
#define MAX_CLIENTS 64
#define UNREAD_MAX  (4 << 20) /* bytes of replies */

struct reply {
	uv_write_t req;
	char *text; /* owned; with its newline */
};

static void close_client(struct jb_client *c);

/* ---- replies */

static void on_written(uv_write_t *req, int status)
{
	struct reply *reply = (struct reply *)req;

	(void)status;
	free(reply->text);
	free(reply);
}

void jb_client_reply(struct jb_client *c, json_t *value)
{
	struct reply *reply = calloc(1, sizeof *reply);
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
	size_t len = text != NULL ? strlen(text) : 0;
	uv_buf_t buf;

	json_decref(value);
	if (reply == NULL || text == NULL) {
		free(reply);
		free(text);
		close_client(c);
		return;
	}
	text[len] = '\n'; /* where the NUL was: the length is told */
	reply->text = text;
	buf = uv_buf_init(text, (unsigned)len + 1);
	if (uv_write(&reply->req, (uv_stream_t *)&c->pipe, &buf, 1,
		     on_written) != 0) {
		free(text);
		free(reply);
		close_client(c);
	}
}

void jb_client_fail(struct jb_client *c, int code, const char *text)
{
	jb_client_reply(c, json_pack("{s:b, s:s, s:s}", "ok", 0, "code",
				     jb_error_name(code), "error", text));
}

/* ---- connections */

static void on_client_closed(uv_handle_t *handle)
{
	struct jb_client *c = handle->data, **p = &c->control->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->control->n_clients--;
	free(c);
}

static void close_client(struct jb_client *c)
{
	if (uv_is_closing((uv_handle_t *)&c->pipe))
		return;
	if (c->waiter != NULL)
		jb_waiter_leave(c->waiter);
	uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct jb_client *c = handle->data;

	(void)size;
	*buf = uv_buf_init(c->line + c->len,
			   (unsigned)(sizeof c->line - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct jb_client *c = stream->data;
	char *end;

	(void)buf;
	if (n < 0) {
		close_client(c);
		return;
	}
	c->len += (size_t)n;
	while ((end = memchr(c->line, '\n', c->len)) != NULL) {
		size_t len = (size_t)(end - c->line);

		jb_client_handle(c, c->line, len);
		c->len -= len + 1;
		memmove(c->line, end + 1, c->len);
	}
	if (c->len == sizeof c->line) {
		jb_client_fail(c, JB_EPROTO, "line too long");
		close_client(c);
	} else if (uv_stream_get_write_queue_size(stream) > UNREAD_MAX) {
		close_client(c);
	}
}

/* The newest comes first. */
static struct jb_client *find_oldest_idle(const struct jb_control *control)
{
	struct jb_client *idle = NULL;

	for (struct jb_client *c = control->clients; c != NULL; c = c->next)
		if (c->waiter == NULL &&
		    !uv_is_closing((uv_handle_t *)&c->pipe))
			idle = c;
	return idle;
}

/* Every connection is accepted: libuv listens no more after one that is not. */
static void on_connection(uv_stream_t *server, int status)
{
	struct jb_control *control = server->data;
	bool full = control->n_clients >= MAX_CLIENTS;
	struct jb_client *c, *idle = full ? find_oldest_idle(control) : NULL;

	if (status != 0)
		return;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return; /* it waits until a client has gone */
	c->control = control;
	uv_pipe_init(server->loop, &c->pipe, 0);
	c->pipe.data = c;
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 ||
	    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0) {
		close_client(c);
	} else if (full && idle == NULL) {
		jb_client_fail(c, JB_EBUSY, "too many clients: try again");
		close_client(c);
	} else if (full) {
		close_client(idle);
	}
}

/* ---- life */

int jb_control_open(struct jb_daemon *d, struct jb_control **ret,
		    struct jb_error *err)
{
	struct jb_control *control = calloc(1, sizeof *control);
	int rc;

	if (control == NULL || asprintf(&control->path, "%s/control",
					d->config->runtime_dir) < 0) {
		free(control);
		return jb_error_set(err, JB_ENOMEM, 0, "control socket");
	}
	control->daemon = d;
	control->opened_ns = uv_hrtime();
	unlink(control->path); /* of a daemon that died: we hold the lock */
	uv_pipe_init(&d->loop, &control->server, 0);
	control->server.data = control;
	*ret = control;
	rc = uv_pipe_bind(&control->server, control->path);
	if (rc == 0)
		rc = chmod(control->path, 0600) == 0 ? 0 : -errno;
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&control->server, BACKLOG,
			       on_connection);
	if (rc != 0)
		return jb_error_set(err, JB_ESYS, rc, "%s: %s", control->path,
				    uv_strerror(rc));
	return JB_OK;
}

static void on_server_closed(uv_handle_t *handle)
{
	struct jb_control *control = handle->data;

	free(control->path);
	free(control);
}

void jb_control_close(struct jb_control *control)
{
	if (control == NULL || control->closing)
		return;
	control->closing = true;
	for (struct jb_client *c = control->clients; c != NULL; c = c->next)
		close_client(c);
	unlink(control->path);
	uv_close((uv_handle_t *)&control->server, on_server_closed);
}
