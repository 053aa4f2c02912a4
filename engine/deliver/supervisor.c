/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker's life: spawned with a pipe; lines of JSON come and go; it exits or
 * the pipe breaks; when both are closed, a timer starts the next one. A request
 * stays in the list until it is answered, and is sent again to the next
 * process. */
#include "engine/deliver/supervisor.h"

#include "engine/base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WAIT_MS 1000
#define MOST_WAIT_MS  60000
#define LONG_LIFE_MS  60000 /* one that lived longer waits anew */
#define STOP_MS	      5000
#define LINE_BYTES    65536

struct request {
	struct request *next;
	json_int_t id;
	json_t *message; /* owned */
	jb_supervisor_reply_fn *done;
	void *arg;
};

struct worker {
	struct jb_supervisor *supervisor;
	const struct jb_config_section *policy; /* borrowed */
	uv_process_t process;
	uv_pipe_t pipe;
	uv_timer_t timer;
	bool is_running, is_open, has_timer;
	unsigned n_handles; /* of process and pipe, not yet closed */
	uint64_t started_ms, wait_ms;
	unsigned restarts;
	json_t *status; /* owned; what it said last, may be NULL */
	char why[128];	/* why it is not running */
	char line[LINE_BYTES];
	size_t len;
};

struct jb_supervisor {
	uv_loop_t *loop;		/* borrowed */
	const struct jb_config *config; /* borrowed */
	struct worker **workers;	/* owned */
	size_t n_workers;
	struct request *requests; /* owned */
	json_int_t last_id;
	int64_t seq;
	bool stopping;
	uv_timer_t killer;
	bool has_killer;
	jb_supervisor_stopped_fn *stopped;
	void *stopped_arg;
};

static void start(struct worker *w);

/* ---- words to a worker */

struct message {
	uv_write_t req;
	char *text; /* owned */
};

static void on_written(uv_write_t *req, int status)
{
	struct message *m = (struct message *)req;

	(void)status;
	free(m->text);
	free(m);
}

static void send_line(struct worker *w, const json_t *value)
{
	struct message *m = calloc(1, sizeof *m);
	char *text = json_dumps(value, JSON_COMPACT);
	size_t len = text != NULL ? strlen(text) : 0;
	uv_buf_t buf;

	if (m == NULL || text == NULL || !w->is_open) {
		free(m);
		free(text);
		return;
	}
	text[len] = '\n';
	m->text = text;
	buf = uv_buf_init(text, (unsigned)len + 1);
	if (uv_write(&m->req, (uv_stream_t *)&w->pipe, &buf, 1, on_written) !=
	    0) {
		free(text);
		free(m);
	}
}

void jb_supervisor_wake(struct jb_supervisor *s, int64_t seq)
{
	json_t *wake;

	if (s->stopping || seq <= s->seq)
		return;
	s->seq = seq;
	wake = json_pack("{s:s}", "do", "wake");
	for (size_t i = 0; i < s->n_workers; i++)
		send_line(s->workers[i], wake);
	json_decref(wake);
}

/* ---- words from a worker */

static void take_reply(struct jb_supervisor *s, json_t *reply)
{
	json_int_t id = json_integer_value(json_object_get(reply, "reply"));
	struct request **at = &s->requests, *r;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	r = *at;
	if (r == NULL)
		return;
	*at = r->next;
	json_object_del(reply, "reply");
	if (r->done != NULL)
		r->done(r->arg, reply);
	json_decref(r->message);
	free(r);
}

static void take_line(struct worker *w, const char *line, size_t len)
{
	json_t *message = json_loadb(line, len, 0, NULL);
	json_t *status = json_object_get(message, "status");

	if (status != NULL) {
		json_decref(w->status);
		w->status = json_incref(status);
	} else if (json_object_get(message, "reply") != NULL) {
		take_reply(w->supervisor, message);
	}
	json_decref(message);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct worker *w = handle->data;

	(void)size;
	*buf = uv_buf_init(w->line + w->len,
			   (unsigned)(sizeof w->line - w->len));
}

static void close_pipe(struct worker *w);

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct worker *w = stream->data;
	char *at = w->line, *end;

	(void)buf;
	if (n < 0) {
		close_pipe(w);
		return;
	}
	w->len += (size_t)n;
	while ((end = memchr(at, '\n', w->len)) != NULL) {
		take_line(w, at, (size_t)(end - at));
		w->len -= (size_t)(end - at) + 1;
		at = end + 1;
	}
	memmove(w->line, at, w->len);
	if (w->len == sizeof w->line)
		w->len = 0; /* nonsense */
}

/* ---- life and death */

static void check_stopped(struct jb_supervisor *s);

static void on_timer(uv_timer_t *timer)
{
	start(timer->data);
}

/* Process and pipe are closed: the next one, after a while. */
static void on_handle_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	if (--w->n_handles > 0)
		return;
	if (w->supervisor->stopping)
		check_stopped(w->supervisor);
	else
		uv_timer_start(&w->timer, on_timer, w->wait_ms, 0);
}

static void close_pipe(struct worker *w)
{
	if (!w->is_open)
		return;
	w->is_open = false;
	uv_close((uv_handle_t *)&w->pipe, on_handle_closed);
}

static void on_process_exit(uv_process_t *process, int64_t code,
			    int term_signal)
{
	struct worker *w = process->data;
	uint64_t lived = uv_now(w->supervisor->loop) - w->started_ms;

	w->is_running = false;
	if (lived > LONG_LIFE_MS || w->wait_ms == 0)
		w->wait_ms = FIRST_WAIT_MS;
	else
		w->wait_ms *= 2;
	if (w->wait_ms > MOST_WAIT_MS)
		w->wait_ms = MOST_WAIT_MS;
	if (term_signal != 0)
		snprintf(w->why, sizeof w->why, "its worker died of signal %d",
			 term_signal);
	else
		snprintf(w->why, sizeof w->why, "its worker ended with code %d",
			 (int)code);
	if (!w->supervisor->stopping)
		jb_log_error("policy '%s': %s; again in %d s", w->policy->name,
			     w->why, (int)(w->wait_ms / 1000));
	w->restarts++;
	close_pipe(w);
	uv_close((uv_handle_t *)process, on_handle_closed);
}

static void fail_start(struct worker *w, int rc)
{
	snprintf(w->why, sizeof w->why, "its worker can't be started: %s",
		 uv_strerror(rc));
	jb_log_error("policy '%s': %s", w->policy->name, w->why);
	w->wait_ms = MOST_WAIT_MS;
}

static void resend(struct worker *w)
{
	const char *policy;

	for (struct request *r = w->supervisor->requests; r != NULL;
	     r = r->next) {
		policy = json_string_value(
			json_object_get(r->message, "policy"));
		if (strcmp(policy, w->policy->name) == 0)
			send_line(w, r->message);
	}
}

static void start(struct worker *w)
{
	struct jb_supervisor *s = w->supervisor;
	char *args[] = {"journalctl-backup", "--config",
			s->config->file,     "worker",
			w->policy->name,     NULL};
	uv_stdio_container_t stdio[4] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = 1},
		{.flags = UV_INHERIT_FD, .data.fd = 2},
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&w->pipe},
	};
	uv_process_options_t options = {
		.exit_cb = on_process_exit,
		.file = "/proc/self/exe", /* also when it was replaced */
		.args = args,
		.stdio = stdio,
		.stdio_count = 4,
	};
	int rc;

	uv_pipe_init(s->loop, &w->pipe, 0);
	w->pipe.data = w->process.data = w;
	w->len = 0;
	w->n_handles = 2;
	w->started_ms = uv_now(s->loop);
	rc = uv_spawn(s->loop, &w->process, &options);
	w->is_open = true;
	if (rc != 0) {
		fail_start(w, rc);
		close_pipe(w);
		uv_close((uv_handle_t *)&w->process, on_handle_closed);
		return;
	}
	w->is_running = true;
	uv_read_start((uv_stream_t *)&w->pipe, on_alloc, on_read);
	resend(w);
}

/* ---- requests */

static struct worker *find_worker(struct jb_supervisor *s, const char *policy)
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
	struct worker *w = find_worker(s, policy);
	struct request *r;

	if (w == NULL || s->stopping) {
		json_decref(request);
		return jb_error_set(err, JB_ENOENT, 0,
				    "the daemon serves no policy '%s'", policy);
	}
	r = calloc(1, sizeof *r);
	if (r == NULL) {
		json_decref(request);
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'", policy);
	}
	r->id = ++s->last_id;
	r->message = request;
	r->done = done;
	r->arg = arg;
	json_object_set_new(request, "id", json_integer(r->id));
	json_object_set_new(request, "policy", json_string(policy));
	r->next = s->requests;
	s->requests = r;
	send_line(w, request);
	return JB_OK;
}

void jb_supervisor_forget(struct jb_supervisor *s, const void *arg)
{
	for (struct request *r = s->requests; r != NULL; r = r->next)
		if (r->arg == arg)
			r->done = NULL;
}

json_t *jb_supervisor_report(struct jb_supervisor *s)
{
	json_t *list = json_array(), *one;
	const struct worker *w;

	for (size_t i = 0; i < s->n_workers; i++) {
		w = s->workers[i];
		one = w->status != NULL ? json_copy(w->status) : json_object();
		if (w->status == NULL)
			json_object_set_new(one, "state",
					    json_string("starting"));
		if (!w->is_running) {
			json_object_set_new(one, "state",
					    json_string("failing"));
			json_object_set_new(one, "error", json_string(w->why));
		}
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

/* ---- open, stop, close */

static bool is_served(const struct jb_config_section *policy)
{
	return jb_config_text(policy, "Root") != NULL &&
	       jb_config_text(policy, "Target") != NULL;
}

static int add_worker(struct jb_supervisor *s,
		      const struct jb_config_section *policy)
{
	struct worker *w = calloc(1, sizeof *w);

	if (w == NULL)
		return JB_ENOMEM;
	w->supervisor = s;
	w->policy = policy;
	uv_timer_init(s->loop, &w->timer);
	w->timer.data = w;
	w->has_timer = true;
	s->workers[s->n_workers++] = w;
	return JB_OK;
}

int jb_supervisor_open(uv_loop_t *loop, const struct jb_config *config,
		       struct jb_supervisor **ret, struct jb_error *err)
{
	struct jb_supervisor *s = calloc(1, sizeof *s);

	if (s == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policies");
	s->loop = loop;
	s->config = config;
	s->workers = calloc(config->n_policies + 1, sizeof(struct worker *));
	if (s->workers == NULL) {
		jb_supervisor_close(s);
		return jb_error_set(err, JB_ENOMEM, 0, "policies");
	}
	for (size_t i = 0; i < config->n_policies; i++)
		if (is_served(&config->policies[i]) &&
		    add_worker(s, &config->policies[i]) != JB_OK)
			jb_log_error("policy '%s': out of memory",
				     config->policies[i].name);
	for (size_t i = 0; i < s->n_workers; i++)
		start(s->workers[i]);
	*ret = s;
	return JB_OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	w->has_timer = false;
	check_stopped(w->supervisor);
}

static void on_killer_closed(uv_handle_t *handle)
{
	struct jb_supervisor *s = handle->data;

	s->has_killer = false;
	check_stopped(s);
}

static void check_stopped(struct jb_supervisor *s)
{
	for (size_t i = 0; i < s->n_workers; i++)
		if (s->workers[i]->n_handles > 0 || s->workers[i]->has_timer)
			return;
	if (s->has_killer) {
		if (!uv_is_closing((uv_handle_t *)&s->killer))
			uv_close((uv_handle_t *)&s->killer, on_killer_closed);
		return;
	}
	if (s->stopped != NULL) {
		jb_supervisor_stopped_fn *stopped = s->stopped;

		s->stopped = NULL;
		stopped(s->stopped_arg);
	}
}

static void on_kill(uv_timer_t *timer)
{
	struct jb_supervisor *s = timer->data;

	for (size_t i = 0; i < s->n_workers; i++)
		if (s->workers[i]->is_running)
			uv_process_kill(&s->workers[i]->process, SIGKILL);
}

void jb_supervisor_stop(struct jb_supervisor *s,
			jb_supervisor_stopped_fn *stopped, void *arg)
{
	s->stopping = true;
	s->stopped = stopped;
	s->stopped_arg = arg;
	uv_timer_init(s->loop, &s->killer);
	s->killer.data = s;
	s->has_killer = true;
	uv_timer_start(&s->killer, on_kill, STOP_MS, 0);
	for (size_t i = 0; i < s->n_workers; i++) {
		if (s->workers[i]->is_running)
			uv_process_kill(&s->workers[i]->process, SIGTERM);
		uv_close((uv_handle_t *)&s->workers[i]->timer, on_timer_closed);
	}
	check_stopped(s);
}

void jb_supervisor_close(struct jb_supervisor *s)
{
	struct request *next;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_workers; i++) {
		json_decref(s->workers[i]->status);
		free(s->workers[i]);
	}
	for (struct request *r = s->requests; r != NULL; r = next) {
		next = r->next;
		json_decref(r->message);
		free(r);
	}
	free(s->workers);
	free(s);
}
