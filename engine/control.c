/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: one line of JSON is a request, one line of JSON is the
 * reply.
 *
 * Happy path: on_connection -> on_read collects a line -> a command of the
 * table answers at once, or (flush) later -> the line is written -> the
 * connection waits for the next line or its end.
 *
 * A client that goes away while its flush runs leaves the flush behind with
 * nobody to answer; a line that is too long or no JSON is answered with an
 * error and the connection is closed. */
#include "engine/daemon_priv.h"

#include "engine/base/log.h"
#include "engine/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536
#define BACKLOG	       16
#define MAX_CLIENTS    64
#define NS_PER_US      1000

struct client {
	uv_pipe_t pipe;
	struct jb_control *control;
	struct client *next;
	char line[LINE_MAX_BYTES];
	size_t len;
	struct flush *flush; /* running; it answers */
};

/* What somebody waits for. Lives until the recorder has answered (a flush),
 * the policy's worker is not asked any more, and its timer is closed. */
struct flush {
	struct client *client; /* NULL: nobody waits any more */
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
	struct client *clients;
	unsigned n_clients, n_flushes;
	bool closing;
};

struct reply {
	uv_write_t req;
	char *text; /* owned; with its newline */
};

static void close_client(struct client *c);

/* ---- replies */

static void on_written(uv_write_t *req, int status)
{
	struct reply *reply = (struct reply *)req;

	(void)status;
	free(reply->text);
	free(reply);
}

/* Takes over @value. */
static void send_json(struct client *c, json_t *value)
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

static void send_error(struct client *c, int code, const char *text)
{
	send_json(c, json_pack("{s:b, s:s, s:s}", "ok", 0, "code",
			       jb_error_name(code), "error", text));
}

/* ---- commands */

static void do_ping(struct client *c, const json_t *request)
{
	(void)request;
	send_json(c, json_pack("{s:b}", "ok", 1));
}

static void do_status(struct client *c, const json_t *request)
{
	(void)request;
	send_json(c, jb_daemon_report(c->control->daemon));
}

static void free_flush(struct flush *f)
{
	free(f->policy);
	free(f);
}

static void on_flush_closed(uv_handle_t *handle)
{
	struct flush *f = handle->data;

	f->timed = false;
	if (f->done)
		free_flush(f);
}

/* The answer is given; what is left waits for timer and recorder. */
static void leave_flush(struct flush *f)
{
	if (f->client != NULL)
		f->client->flush = NULL;
	f->client = NULL;
	if (f->asked) {
		jb_supervisor_forget(f->control->daemon->supervisor, f);
		f->asked = false;
		f->done = true;
	}
	if (f->timed && !uv_is_closing((uv_handle_t *)&f->timer))
		uv_close((uv_handle_t *)&f->timer, on_flush_closed);
	else if (!f->timed && f->done)
		free_flush(f);
}

static void on_flush_timeout(uv_timer_t *timer)
{
	struct flush *f = timer->data;

	if (f->client != NULL)
		send_error(f->client, JB_ETIMEDOUT,
			   f->asked ? "not everything was carried out in time"
				    : "flush: not everything was recorded in "
				      "time");
	leave_flush(f);
}

static void time_flush(struct flush *f, const json_t *request)
{
	json_int_t ms =
		json_integer_value(json_object_get(request, "timeout_ms"));

	if (ms <= 0)
		return;
	uv_timer_init(&f->control->daemon->loop, &f->timer);
	f->timer.data = f;
	f->timed = true;
	uv_timer_start(&f->timer, on_flush_timeout, (uint64_t)ms, 0);
}

/* ---- what goes to a policy's worker */

static void on_policy_reply(void *arg, json_t *reply)
{
	struct flush *f = arg;

	f->asked = false;
	f->done = true;
	if (f->client != NULL)
		send_json(f->client, json_incref(reply));
	leave_flush(f);
}

/* Takes over @message. */
static void ask_policy(struct flush *f, const char *policy, json_t *message)
{
	struct jb_supervisor *s = f->control->daemon->supervisor;
	struct jb_error err;

	f->asked = true;
	if (jb_supervisor_request(s, policy, message, on_policy_reply, f,
				  &err) == JB_OK)
		return;
	f->asked = false;
	f->done = true;
	if (f->client != NULL)
		send_error(f->client, err.code, err.text);
	leave_flush(f);
}

/* {"command":"policy","policy":P,"do":"pause"|...}: handed on as it is. */
static void do_policy(struct client *c, const json_t *request)
{
	const char *policy =
		json_string_value(json_object_get(request, "policy"));
	const char *what = json_string_value(json_object_get(request, "do"));
	struct flush *f = calloc(1, sizeof *f);
	json_t *message = json_deep_copy(request);

	if (f == NULL || message == NULL || c->flush != NULL ||
	    policy == NULL || what == NULL) {
		free(f);
		json_decref(message);
		send_error(c, JB_EPROTO, "policy: what, and which one?");
		return;
	}
	json_object_del(message, "command");
	f->control = c->control;
	f->client = c;
	c->flush = f;
	time_flush(f, request);
	ask_policy(f, policy, message);
}

static void do_flush(struct client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const char *policy =
		json_string_value(json_object_get(request, "policy"));
	struct flush *f = calloc(1, sizeof *f);
	struct jb_mark *mark = jb_mark_new();
	struct jb_error err;

	if (policy != NULL && !jb_supervisor_has(d->supervisor, policy)) {
		free(f);
		jb_mark_unref(mark);
		send_error(c, JB_ENOENT, "the daemon serves no such policy");
		return;
	}
	if (f != NULL && policy != NULL)
		f->policy = strdup(policy);
	if (f == NULL || mark == NULL || (policy != NULL && f->policy == NULL))
		jb_error_set(&err, JB_ENOMEM, 0, "flush");
	else if (c->flush != NULL)
		jb_error_set(&err, JB_EBUSY, 0, "flush: one at a time");
	else
		err.code = JB_OK;
	if (err.code != JB_OK) {
		if (f != NULL)
			free_flush(f);
		jb_mark_unref(mark);
		send_error(c, err.code, err.text);
		return;
	}
	jb_daemon_check_mounts(d); /* mounting is a change too */
	jb_intake_answer(d->intake, mark);
	f->control = c->control;
	f->client = c;
	if (jb_recorder_flush(d->recorder, mark, f, &err) != JB_OK) {
		free_flush(f);
		send_error(c, err.code, err.text);
		return;
	}
	c->flush = f;
	c->control->n_flushes++;
	time_flush(f, request);
	jb_intake_hurry(d->intake, true);
	jb_intake_poke(d->intake, NULL);
}

/* {"command":"vacuum","span_us":..,"size":..}: both may be missing. */
static void do_vacuum(struct client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const json_t *span = json_object_get(request, "span_us");
	struct jb_vacuum what = {
		.before_us = INT64_MIN,
		.max_bytes =
			json_integer_value(json_object_get(request, "size")),
	};
	struct flush *f = calloc(1, sizeof *f);
	struct jb_error err;

	if (f == NULL || c->flush != NULL) {
		free(f);
		send_error(c, JB_EBUSY, "vacuum: one at a time");
		return;
	}
	if (span != NULL)
		what.before_us =
			jb_look_clock() / NS_PER_US - json_integer_value(span);
	f->control = c->control;
	f->client = c;
	if (jb_retention_vacuum(&d->retention, &what, f, &f->bound, &err) !=
	    JB_OK) {
		free_flush(f);
		send_error(c, err.code, err.text);
		return;
	}
	c->flush = f;
}

static void do_scan(struct client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const char *name = json_string_value(json_object_get(request, "root"));
	bool found = false;

	for (unsigned i = 0; i < d->n_roots; i++) {
		if (name != NULL && strcmp(d->roots[i].config->name, name) != 0)
			continue;
		found = true;
		jb_recorder_owe_scan(d->recorder, &d->roots[i], "asked for");
	}
	if (!found) {
		send_error(c, JB_ENOENT, "scan: no such root");
		return;
	}
	jb_intake_poke(d->intake, NULL);
	send_json(c, json_pack("{s:b}", "ok", 1));
}

static void do_reload(struct client *c, const json_t *request)
{
	struct jb_error err;

	(void)request;
	if (jb_daemon_reload(c->control->daemon, &err) == JB_OK)
		send_json(c, json_pack("{s:b}", "ok", 1));
	else
		send_error(c, err.code, err.text);
}

/* {"command":"release-root","root":R}, or with "back":true. */
static void do_release_root(struct client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const char *name = json_string_value(json_object_get(request, "root"));
	struct flush *f;
	struct jb_error err;
	unsigned i = 0;

	while (i < d->n_roots &&
	       (name == NULL || strcmp(d->roots[i].config->name, name) != 0))
		i++;
	if (i == d->n_roots) {
		send_error(c, JB_ENOENT, "release-root: no such root");
		return;
	}
	if (json_is_true(json_object_get(request, "back"))) {
		if (jb_daemon_take_back(d, i, &err) == JB_OK)
			send_json(c, json_pack("{s:b}", "ok", 1));
		else
			send_error(c, err.code, err.text);
		return;
	}
	f = c->flush == NULL ? calloc(1, sizeof *f) : NULL;
	if (f == NULL) {
		send_error(c, JB_EBUSY, "release-root: one at a time");
		return;
	}
	f->control = c->control;
	f->client = c;
	c->flush = f;
	if (jb_daemon_release(d, i, f, &err) == JB_OK)
		return;
	send_error(c, err.code, err.text);
	c->flush = NULL;
	free_flush(f);
}

static const struct {
	const char *name;
	void (*run)(struct client *c, const json_t *request);
} commands[] = {
	{"ping", do_ping},
	{"status", do_status},
	{"flush", do_flush},
	{"scan", do_scan},
	{"policy", do_policy},
	{"vacuum", do_vacuum},
	{"release-root", do_release_root},
	{"reload", do_reload},
};

static void handle_line(struct client *c, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, 0, NULL);
	const char *name =
		json_string_value(json_object_get(request, "command"));

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (name != NULL && strcmp(name, commands[i].name) == 0) {
			commands[i].run(c, request);
			json_decref(request);
			return;
		}
	send_error(c, JB_EPROTO,
		   request == NULL ? "not a line of JSON" : "unknown command");
	json_decref(request);
}

/* ---- connections */

static void on_client_closed(uv_handle_t *handle)
{
	struct client *c = handle->data, **p = &c->control->clients;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	c->control->n_clients--;
	free(c);
}

static void close_client(struct client *c)
{
	if (uv_is_closing((uv_handle_t *)&c->pipe))
		return;
	if (c->flush != NULL)
		leave_flush(c->flush);
	uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct client *c = handle->data;

	(void)size;
	*buf = uv_buf_init(c->line + c->len,
			   (unsigned)(sizeof c->line - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = stream->data;
	char *end;

	(void)buf;
	if (n < 0) {
		close_client(c);
		return;
	}
	c->len += (size_t)n;
	while ((end = memchr(c->line, '\n', c->len)) != NULL) {
		size_t len = (size_t)(end - c->line);

		handle_line(c, c->line, len);
		c->len -= len + 1;
		memmove(c->line, end + 1, c->len);
	}
	if (c->len == sizeof c->line) {
		send_error(c, JB_EPROTO, "line too long");
		close_client(c);
	}
}

static void on_connection(uv_stream_t *server, int status)
{
	struct jb_control *control = server->data;
	struct client *c;

	if (status != 0 || control->n_clients >= MAX_CLIENTS)
		return;
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return;
	c->control = control;
	uv_pipe_init(server->loop, &c->pipe, 0);
	c->pipe.data = c;
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) != 0 ||
	    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0)
		close_client(c);
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

void jb_control_flushed(struct jb_control *control, void *flush, int64_t seq)
{
	struct flush *f = flush;

	if (control == NULL)
		return;
	if (--control->n_flushes == 0)
		jb_intake_hurry(control->daemon->intake, false);
	if (f->policy != NULL && f->client != NULL) {
		ask_policy(f, f->policy,
			   json_pack("{s:s, s:I}", "do", "flush", "seq",
				     (json_int_t)seq));
		return;
	}
	f->done = true;
	if (f->client != NULL)
		send_json(f->client, json_pack("{s:b, s:I}", "ok", 1, "seq",
					       (json_int_t)seq));
	leave_flush(f);
}

void jb_control_retained(struct jb_control *control, void *flush,
			 const struct jb_retained *done)
{
	struct flush *f = flush;

	if (control == NULL)
		return;
	f->done = true;
	if (f->client != NULL)
		send_json(f->client,
			  json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:s*, s:I}",
				    "ok", 1, "changes",
				    (json_int_t)done->changes, "places",
				    (json_int_t)done->places, "gaps",
				    (json_int_t)done->gaps, "bytes",
				    (json_int_t)done->bytes, "first_seq",
				    (json_int_t)done->first_seq, "held_by",
				    f->bound.policy, "held_seq",
				    (json_int_t)f->bound.upto));
	leave_flush(f);
}

void jb_control_released(struct jb_control *control, void *waiter)
{
	struct flush *f = waiter;

	(void)control;
	f->done = true;
	if (f->client != NULL)
		send_json(f->client, json_pack("{s:b}", "ok", 1));
	leave_flush(f);
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
	for (struct client *c = control->clients; c != NULL; c = c->next)
		close_client(c);
	unlink(control->path);
	uv_close((uv_handle_t *)&control->server, on_server_closed);
}
