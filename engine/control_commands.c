/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be asked for through the control socket. A command answers at once,
 * or leaves a waiter, which answers when whoever was asked (the recorder, a
 * policy's worker, release.c) has told. */
#include "engine/control_priv.h"

#include "engine/tree/look.h"
#include "journal/gap.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000

/* When this control was opened tells one that was reloaded from the one that
 * was asked to. */
static void do_ping(struct jb_client *c, const json_t *request)
{
	(void)request;
	jb_client_reply(c, json_pack("{s:b, s:I}", "ok", 1, "opened",
				     (json_int_t)c->control->opened_ns));
}

static void do_status(struct jb_client *c, const json_t *request)
{
	(void)request;
	jb_client_reply(c, jb_daemon_report(c->control->daemon));
}

/* Somebody new who waits for an answer. NULL: the client was told why not. */
static struct jb_waiter *wait_for(struct jb_client *c)
{
	struct jb_waiter *w;

	if (c->waiter != NULL) {
		jb_client_fail(c, JB_EBUSY, "one request at a time");
		return NULL;
	}
	w = calloc(1, sizeof *w);
	if (w == NULL) {
		jb_client_fail(c, JB_ENOMEM, "out of memory");
		return NULL;
	}
	w->control = c->control;
	w->client = c;
	c->waiter = w;
	return w;
}

static void free_waiter(struct jb_waiter *w)
{
	free(w->policy);
	free(w);
}

static void on_waiter_closed(uv_handle_t *handle)
{
	struct jb_waiter *w = handle->data;

	w->timed = false;
	if (w->done)
		free_waiter(w);
}

/* The answer is given; what is left waits for timer and recorder. */
void jb_waiter_leave(struct jb_waiter *w)
{
	if (w->client != NULL)
		w->client->waiter = NULL;
	w->client = NULL;
	if (w->asked) {
		jb_supervisor_forget(w->control->daemon->supervisor, w);
		w->asked = false;
		w->done = true;
	}
	if (w->timed && !uv_is_closing((uv_handle_t *)&w->timer))
		uv_close((uv_handle_t *)&w->timer, on_waiter_closed);
	else if (!w->timed && w->done)
		free_waiter(w);
}

static void on_timeout(uv_timer_t *timer)
{
	struct jb_waiter *w = timer->data;

	if (w->client != NULL)
		jb_client_fail(
			w->client, JB_ETIMEDOUT,
			w->asked ? "not everything was carried out in time"
				 : "not everything was recorded in time");
	jb_waiter_leave(w);
}

static void start_timer(struct jb_waiter *w, const json_t *request)
{
	json_int_t ms =
		json_integer_value(json_object_get(request, "timeout_ms"));

	if (ms <= 0)
		return;
	uv_timer_init(&w->control->daemon->loop, &w->timer);
	w->timer.data = w;
	w->timed = true;
	uv_timer_start(&w->timer, on_timeout, (uint64_t)ms, 0);
}

/* ---- what goes to a policy's worker */

static void on_policy_reply(void *arg, json_t *reply)
{
	struct jb_waiter *w = arg;

	w->asked = false;
	w->done = true;
	if (w->client != NULL)
		jb_client_reply(w->client, json_incref(reply));
	jb_waiter_leave(w);
}

/* Takes over @message. */
static void ask_policy(struct jb_waiter *w, const char *policy, json_t *message)
{
	struct jb_supervisor *s = w->control->daemon->supervisor;
	struct jb_error err;

	w->asked = true;
	if (jb_supervisor_request(s, policy, message, on_policy_reply, w,
				  &err) == JB_OK)
		return;
	w->asked = false;
	w->done = true;
	if (w->client != NULL)
		jb_client_fail(w->client, err.code, err.text);
	jb_waiter_leave(w);
}

/* Nobody was asked: the client is told why. */
static void refuse(struct jb_waiter *w, const struct jb_error *err)
{
	jb_client_fail(w->client, err->code, err->text);
	w->client->waiter = NULL;
	free_waiter(w);
}

/* {"command":"policy","policy":P,"do":"pause"|...}: handed on as it is. */
static void do_policy(struct jb_client *c, const json_t *request)
{
	const char *policy =
		json_string_value(json_object_get(request, "policy"));
	const char *what = json_string_value(json_object_get(request, "do"));
	struct jb_waiter *w;
	json_t *message;

	if (policy == NULL || what == NULL) {
		jb_client_fail(c, JB_EPROTO, "policy: what, and which one?");
		return;
	}
	w = wait_for(c);
	if (w == NULL)
		return;
	message = json_copy((json_t *)request);
	json_object_del(message, "command");
	start_timer(w, request);
	ask_policy(w, policy, message);
}

/* When every change made before now is recorded, or also carried out by a
 * policy. */
static int ask_recorder(struct jb_waiter *w, const char *policy,
			struct jb_error *err)
{
	struct jb_daemon *d = w->control->daemon;
	struct jb_mark *mark;

	if (policy != NULL && !jb_supervisor_has(d->supervisor, policy))
		return jb_error_set(
			err, JB_ENOENT, 0,
			"the daemon serves no policy '%s': 'reload' "
			"lets it read the configuration again",
			policy);
	w->policy = policy != NULL ? strdup(policy) : NULL;
	mark = jb_mark_new();
	if (mark == NULL || (policy != NULL && w->policy == NULL)) {
		jb_mark_unref(mark);
		return jb_error_set(err, JB_ENOMEM, 0, "flush");
	}
	jb_daemon_check_mounts(d); /* mounting is a change too */
	jb_intake_answer(d->intake, mark);
	return jb_recorder_flush(d->recorder, mark, w, err);
}

static void do_flush(struct jb_client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const char *policy =
		json_string_value(json_object_get(request, "policy"));
	struct jb_waiter *w = wait_for(c);
	struct jb_error err;

	if (w == NULL)
		return;
	if (ask_recorder(w, policy, &err) != JB_OK) {
		refuse(w, &err);
		return;
	}
	c->control->n_flushes++;
	start_timer(w, request);
	jb_intake_hurry(d->intake, true);
	jb_intake_poke(d->intake, NULL);
}

/* {"command":"vacuum","span_us":..,"size":..}: both may be missing. */
static void do_vacuum(struct jb_client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const json_t *span = json_object_get(request, "span_us");
	struct jb_vacuum what = {
		.before_us = INT64_MIN,
		.max_bytes =
			json_integer_value(json_object_get(request, "size")),
	};
	struct jb_waiter *w = wait_for(c);
	struct jb_error err;

	if (w == NULL)
		return;
	if (span != NULL)
		what.before_us =
			jb_look_clock() / NS_PER_US - json_integer_value(span);
	if (jb_retention_vacuum(&d->retention, &what, w, &w->bound, &err) !=
	    JB_OK)
		refuse(w, &err);
}

/* Who asks has read another configuration. */
static void fail_no_root(struct jb_client *c, const char *name)
{
	struct jb_error err;

	jb_error_set(&err, JB_ENOENT, 0,
		     "the daemon watches no root '%s': 'reload' lets it read "
		     "the configuration again",
		     name != NULL ? name : "");
	jb_client_fail(c, err.code, err.text);
}

static void do_scan(struct jb_client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const char *name = json_string_value(json_object_get(request, "root"));
	bool found = false;

	for (unsigned i = 0; i < d->n_roots; i++) {
		if (name != NULL && strcmp(d->roots[i].config->name, name) != 0)
			continue;
		found = true;
		jb_recorder_owe_scan(d->recorder, &d->roots[i], JB_GAP_ASKED);
	}
	if (!found) {
		fail_no_root(c, name);
		return;
	}
	jb_intake_poke(d->intake, NULL);
	jb_client_reply(c, json_pack("{s:b}", "ok", 1));
}

static void do_reload(struct jb_client *c, const json_t *request)
{
	struct jb_error err;

	(void)request;
	if (jb_daemon_reload(c->control->daemon, &err) == JB_OK)
		jb_client_reply(c, json_pack("{s:b}", "ok", 1));
	else
		jb_client_fail(c, err.code, err.text);
}

/* {"command":"release-root","root":R}, or with "back":true. */
static void do_release_root(struct jb_client *c, const json_t *request)
{
	struct jb_daemon *d = c->control->daemon;
	const char *name = json_string_value(json_object_get(request, "root"));
	struct jb_waiter *w;
	struct jb_error err;
	unsigned i = 0;

	while (i < d->n_roots &&
	       (name == NULL || strcmp(d->roots[i].config->name, name) != 0))
		i++;
	if (i == d->n_roots) {
		fail_no_root(c, name);
		return;
	}
	if (json_is_true(json_object_get(request, "back"))) {
		if (jb_daemon_take_back(d, i, &err) == JB_OK)
			jb_client_reply(c, json_pack("{s:b}", "ok", 1));
		else
			jb_client_fail(c, err.code, err.text);
		return;
	}
	w = wait_for(c);
	if (w != NULL && jb_daemon_release(d, i, w, &err) != JB_OK)
		refuse(w, &err);
}

static const struct {
	const char *name;
	void (*run)(struct jb_client *c, const json_t *request);
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

void jb_client_handle(struct jb_client *c, const json_t *request)
{
	const char *name =
		json_string_value(json_object_get(request, "command"));

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (name != NULL && strcmp(name, commands[i].name) == 0) {
			commands[i].run(c, request);
			return;
		}
	jb_client_fail(c, JB_EPROTO,
		       request == NULL ? "not a line of JSON"
				       : "unknown command");
}

/* ---- what is told */

/* The roots that a flush can't speak of. */
static json_t *list_away(const struct jb_daemon *d)
{
	json_t *names = json_array();

	for (unsigned i = 0; i < d->n_roots; i++)
		if (d->presence[i].state != JB_ROOT_HERE)
			json_array_append_new(
				names, json_string(d->roots[i].config->name));
	return names;
}

void jb_control_flushed(struct jb_control *control, void *waiter, int64_t seq)
{
	struct jb_waiter *w = waiter;

	if (control == NULL)
		return;
	if (--control->n_flushes == 0)
		jb_intake_hurry(control->daemon->intake, false);
	if (w->policy != NULL && w->client != NULL) {
		ask_policy(w, w->policy,
			   json_pack("{s:s, s:I}", "do", "flush", "seq",
				     (json_int_t)seq));
		return;
	}
	w->done = true;
	if (w->client != NULL)
		jb_client_reply(w->client,
				json_pack("{s:b, s:I, s:o}", "ok", 1, "seq",
					  (json_int_t)seq, "away",
					  list_away(control->daemon)));
	jb_waiter_leave(w);
}

void jb_control_retained(struct jb_control *control, void *waiter,
			 const struct jb_retained *done)
{
	struct jb_waiter *w = waiter;

	if (control == NULL)
		return;
	w->done = true;
	if (w->client != NULL)
		jb_client_reply(
			w->client,
			json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:s*, s:I}",
				  "ok", 1, "changes", (json_int_t)done->changes,
				  "places", (json_int_t)done->places, "gaps",
				  (json_int_t)done->gaps, "bytes",
				  (json_int_t)done->bytes, "first_seq",
				  (json_int_t)done->first_seq, "held_by",
				  w->bound.policy, "held_seq",
				  (json_int_t)w->bound.upto));
	jb_waiter_leave(w);
}

void jb_control_released(void *waiter)
{
	struct jb_waiter *w = waiter;

	w->done = true;
	if (w->client != NULL)
		jb_client_reply(w->client, json_pack("{s:b}", "ok", 1));
	jb_waiter_leave(w);
}
