/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: one line of JSON is a request, one line of JSON is the
 * reply.
 *
 * Happy path: on_connection -> on_line takes a request -> a command answers at
 * once, or its waiter does later (control_commands.c) -> the line is written ->
 * the connection waits for the next line or its end.
 *
 * A client that goes away leaves its waiter behind with nobody to answer; a
 * line that is too long or no JSON is answered with an error and the connection
 * is closed. So is that of a client that does not read its replies, and, when
 * there are as many as there may be, of the oldest that waits for nothing. */
#include "engine/control_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG	    16
#define MAX_CLIENTS 64
#define REQUEST_MAX 65536     /* bytes of a line */
#define UNREAD_MAX  (4 << 20) /* bytes of replies */

static void close_client(struct jb_client *c);
static void on_connection(uv_stream_t *server, int status);

/* ---- replies */

void jb_client_reply(struct jb_client *c, json_t *value)
{
	if (jb_line_pipe_send(&c->pipe, value) != JB_OK)
		close_client(c);
}

void jb_client_fail(struct jb_client *c, int code, const char *text)
{
	jb_client_reply(c, json_pack("{s:b, s:s, s:s}", "ok", 0, "code",
				     jb_error_name(code), "error", text));
}

/* ---- connections */

/* libuv closes handles in no order that we rely on. */
static void free_if_closed(struct jb_control *control)
{
	if (!control->closed || control->clients != NULL)
		return;
	free(control->path);
	free(control);
}

static void on_client_closed(void *client)
{
	struct jb_client *c = client, **p = &c->control->clients;
	struct jb_control *control = c->control;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	control->n_clients--;
	free(c);
	if (control->unaccepted && !control->closing)
		on_connection((uv_stream_t *)&control->server, 0);
	free_if_closed(control);
}

static void close_client(struct jb_client *c)
{
	if (c->pipe.is_open && c->waiter != NULL)
		jb_waiter_leave(c->waiter);
	jb_line_pipe_close(&c->pipe, on_client_closed);
}

static void on_line(void *client, json_t *request)
{
	struct jb_client *c = client;
	uv_stream_t *stream = (uv_stream_t *)&c->pipe.pipe;

	jb_client_handle(c, request);
	if (uv_stream_get_write_queue_size(stream) > UNREAD_MAX)
		close_client(c);
}

static void on_end(void *client, int why)
{
	if (why == JB_EPROTO)
		jb_client_fail(client, why, "line too long");
	close_client(client);
}

/* The newest comes first. */
static struct jb_client *find_oldest_idle(const struct jb_control *control)
{
	struct jb_client *idle = NULL;

	for (struct jb_client *c = control->clients; c != NULL; c = c->next)
		if (c->waiter == NULL && c->pipe.is_open)
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
	control->unaccepted = c == NULL;
	if (c == NULL)
		return; /* it waits until a client has gone */
	c->control = control;
	jb_line_pipe_init(&c->pipe, server->loop, REQUEST_MAX, c);
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
	if (uv_accept(server, (uv_stream_t *)&c->pipe.pipe) != 0 ||
	    jb_line_pipe_start(&c->pipe, on_line, on_end) != 0) {
		close_client(c);
	} else if (full && idle == NULL) {
		jb_client_fail(c, JB_EBUSY, "too many clients: try again");
		close_client(c);
	} else if (full) {
		close_client(idle);
	}
}

/* ---- life */

/* By way of a descriptor, since a socket's own path is short: unix(7). Not with
 * uv_pipe_bind(), which would remove that path when it is closed. */
static int bind_in(uv_pipe_t *server, const char *dir)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/control",
		 dirfd);
	if (fd < 0 || dirfd < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		rc = -errno;
	if (dirfd >= 0)
		close(dirfd);
	if (rc == 0)
		rc = uv_pipe_open(server, fd);
	if (rc != 0 && fd >= 0)
		close(fd);
	return rc;
}

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
	rc = bind_in(&control->server, d->config->runtime_dir);
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

	control->closed = true;
	free_if_closed(control);
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
