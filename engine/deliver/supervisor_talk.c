/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A supervisor's words with its workers: requests and their answers. */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/deliver/supervisor_priv.h"

#include <stdlib.h>
#include <string.h>

#define DEATHS_MAX 3 /* a request sees no more */

/* ---- words to a worker */

void jb_supervisor_wake(struct jb_supervisor *s, int64_t seq)
{
	if (s->stopping || seq <= s->seq)
		return;
	s->seq = seq;
	for (size_t i = 0; i < s->n_workers; i++)
		jb_line_pipe_send(&s->workers[i]->pipe,
				  json_pack("{s:s}", "do", "wake"));
}

void jb_supervisor_mounted(struct jb_supervisor *s, const char *path)
{
	json_t *where = json_string(path); /* NULL: it is not UTF-8 */

	for (size_t i = 0; i < s->n_workers && !s->stopping; i++)
		jb_line_pipe_send(&s->workers[i]->pipe,
				  json_pack("{s:s, s:O*}", "do", "mounted",
					    "path", where));
	json_decref(where);
}

/* ---- words from a worker */

/* Takes it out of the list, too. */
static void answer(struct jb_request **at, json_t *reply)
{
	struct jb_request *r = *at;

	*at = r->next;
	if (r->done != NULL)
		r->done(r->arg, reply);
	json_decref(r->message);
	free(r);
}

static void take_reply(struct jb_supervisor *s, json_t *reply)
{
	json_int_t id = json_integer_value(json_object_get(reply, "reply"));
	struct jb_request **at = &s->requests;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	json_object_del(reply, "reply");
	if (*at != NULL)
		answer(at, reply);
}

static bool is_well(const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));

	return state != NULL && strcmp(state, "following") == 0;
}

static void on_line(void *worker, json_t *message)
{
	struct jb_served *w = worker;
	json_t *status = json_object_get(message, "status");
	const char *words =
		json_string_value(json_object_get(message, "dying"));

	if (words != NULL) {
		snprintf(w->words, sizeof w->words, "%s", words);
	} else if (status != NULL) {
		json_decref(w->status);
		w->status = json_incref(status);
		w->was_well = w->was_well || is_well(status);
	} else if (json_object_get(message, "reply") != NULL) {
		take_reply(w->supervisor, message);
	}
}

/* Without its pipe the worker ends by itself. */
static void on_end(void *worker, int why)
{
	struct jb_served *w = worker;

	if (why != JB_OK)
		jb_log_error("policy '%s': its worker is not understood: %s",
			     w->policy->name, jb_error_describe(why));
	jb_served_close_pipe(w);
}

/* ---- requests */

void jb_served_count_death(struct jb_served *w)
{
	struct jb_request **at = &w->supervisor->requests;
	char text[512];
	json_t *reply;

	snprintf(text, sizeof text, "policy '%s': %s", w->policy->name, w->why);
	while (*at != NULL) {
		if ((*at)->to != w || ++(*at)->deaths < DEATHS_MAX) {
			at = &(*at)->next;
			continue;
		}
		reply = json_pack("{s:b, s:s, s:s}", "ok", 0, "code",
				  jb_error_name(JB_EIO), "error", text);
		answer(at, reply);
		json_decref(reply);
	}
}

/* JB_EHELD: its root is released, and what to do about it. */
static int set_released(const struct jb_served *w, struct jb_error *err)
{
	const char *root = jb_config_text(w->policy, "Root");

	return jb_error_set(err, JB_EHELD, 0,
			    "policy '%s': its root '%s' is released: mount it, "
			    "or take it back with 'release-root --back %s'",
			    w->policy->name, root, root);
}

void jb_served_dismiss(struct jb_served *w)
{
	struct jb_request **at = &w->supervisor->requests;
	struct jb_error err;
	json_t *reply;

	set_released(w, &err);
	while (*at != NULL) {
		if ((*at)->to != w) {
			at = &(*at)->next;
			continue;
		}
		reply = json_pack("{s:b, s:s, s:s}", "ok", 0, "code",
				  jb_error_name(err.code), "error", err.text);
		answer(at, reply);
		json_decref(reply);
	}
}

static void send_request(struct jb_served *w, const struct jb_request *r)
{
	jb_line_pipe_send(&w->pipe, json_incref(r->message));
}

void jb_served_greet(struct jb_served *w)
{
	w->was_well = false;
	jb_line_pipe_start(&w->pipe, on_line, on_end);
	for (struct jb_request *r = w->supervisor->requests; r != NULL;
	     r = r->next)
		if (r->to == w)
			send_request(w, r);
}

static struct jb_served *find_worker(struct jb_supervisor *s,
				     const char *policy)
{
	for (size_t i = 0; i < s->n_workers; i++)
		if (strcmp(s->workers[i]->policy->name, policy) == 0)
			return s->workers[i];
	return NULL;
}

bool jb_supervisor_has(struct jb_supervisor *s, const char *policy)
{
	return find_worker(s, policy) != NULL;
}

int jb_supervisor_request(struct jb_supervisor *s, const char *policy,
			  json_t *request, jb_supervisor_reply_fn *done,
			  void *arg, struct jb_error *err)
{
	struct jb_served *w = find_worker(s, policy);
	struct jb_request *r;

	if (w == NULL || s->stopping) {
		json_decref(request);
		return jb_error_set(
			err, JB_ENOENT, 0,
			"the daemon serves no policy '%s': 'reload' "
			"lets it read the configuration again",
			policy);
	}
	if (w->let_go) {
		json_decref(request);
		return set_released(w, err);
	}
	r = calloc(1, sizeof *r);
	if (r == NULL || request == NULL) {
		free(r);
		json_decref(request);
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'", policy);
	}
	r->to = w;
	r->id = ++s->last_id;
	r->message = request;
	r->done = done;
	r->arg = arg;
	json_object_set_new(request, "id", json_integer(r->id));
	r->next = s->requests;
	s->requests = r;
	send_request(w, r);
	return JB_OK;
}

void jb_supervisor_forget(struct jb_supervisor *s, const void *arg)
{
	for (struct jb_request *r = s->requests; r != NULL; r = r->next)
		if (r->arg == arg)
			r->done = NULL;
}

static json_int_t get_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* A worker that waits has said long ago that its target has it all: that is so
 * until there are new changes. */
static bool is_synced(const struct jb_served *w)
{
	const json_t *s = w->status;

	return w->is_running && get_int(s, "synced_us") != 0 && is_well(s) &&
	       get_int(s, "pending") == 0 && get_int(s, "owed") == 0 &&
	       get_int(s, "cursor") >= get_int(s, "last_seq") &&
	       get_int(s, "cursor") >= w->supervisor->seq;
}

json_t *jb_supervisor_report(struct jb_supervisor *s)
{
	json_t *list = json_array(), *one;
	const struct jb_served *w;

	for (size_t i = 0; i < s->n_workers; i++) {
		w = s->workers[i];
		one = w->status != NULL ? json_copy(w->status) : json_object();
		if (w->status == NULL)
			json_object_set_new(one, "state",
					    json_string("starting"));
		if (!w->is_running) {
			json_object_set_new(one, "state",
					    json_string(w->let_go ? "held"
								  : "failing"));
			json_object_set_new(one, "error", json_string(w->why));
		}
		if (is_synced(w))
			json_object_set_new(
				one, "synced_us",
				json_integer(jb_clock_us(CLOCK_REALTIME)));
		json_object_set_new(one, "name", json_string(w->policy->name));
		json_object_set_new(one, "target",
				    json_string(jb_config_text(w->policy,
							       "Target")));
		json_object_set_new(one, "root",
				    json_string(
					    jb_config_text(w->policy, "Root")));
		json_object_set_new(one, "pid",
				    json_integer(w->is_running ? w->process.pid
							       : 0));
		json_object_set_new(one, "restarts", json_integer(w->restarts));
		json_array_append_new(list, one);
	}
	return list;
}
