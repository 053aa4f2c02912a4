/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker's life: spawned with a pipe; lines of JSON come and go; it exits or
 * the pipe breaks; when both are closed, a timer starts the next one. A request
 * stays in the list until it is answered, and is sent again to the next
 * process; one that has outlived several is answered with what they died of. */
#include "engine/deliver/supervisor_priv.h"

#include "engine/base/config_pass.h"
#include "engine/base/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_WAIT_MS 1000
#define MOST_WAIT_MS  60000
#define LONG_LIFE_MS  60000 /* one that lived longer is begun soon again */
#define STOP_MS	      5000

static void start(struct jb_served *w);

/* ---- life and death */

static void check_stopped(struct jb_supervisor *s);

static void on_timer(uv_timer_t *timer)
{
	start(timer->data);
}

/* Process and pipe are closed: the next one, after a while. */
static void count_closed(void *worker)
{
	struct jb_served *w = worker;

	if (--w->n_handles > 0)
		return;
	if (w->supervisor->stopping)
		check_stopped(w->supervisor);
	else if (w->let_go && w->supervisor->quiet != NULL)
		w->supervisor->quiet(w->supervisor->quiet_arg);
	else if (!w->let_go)
		uv_timer_start(&w->timer, on_timer, w->wait_ms, 0);
}

void jb_served_close_pipe(struct jb_served *w)
{
	jb_line_pipe_close(&w->pipe, count_closed);
}

static void on_process_closed(uv_handle_t *handle)
{
	count_closed(handle->data);
}

/* It has said what it had to say: the pipe was read before. */
static void note_death(struct jb_served *w, int code, int term_signal)
{
	if (w->let_go) {
		snprintf(w->why, sizeof w->why, "its root is released");
		return;
	}
	if (w->words[0] != '\0')
		snprintf(w->why, sizeof w->why, "%s: its worker was ended",
			 w->words);
	else if (term_signal != 0)
		snprintf(w->why, sizeof w->why, "its worker died of signal %d",
			 term_signal);
	else
		snprintf(w->why, sizeof w->why, "its worker ended with code %d",
			 code);
	w->words[0] = '\0';
	w->restarts++;
	if (w->supervisor->stopping)
		return;
	jb_log_error("policy '%s': %s; again in %d s", w->policy->name, w->why,
		     (int)(w->wait_ms / 1000));
	jb_served_count_death(w);
}

static void on_process_exit(uv_process_t *process, int64_t code,
			    int term_signal)
{
	struct jb_served *w = process->data;
	uint64_t lived = uv_now(w->supervisor->loop) - w->started_ms;

	w->is_running = false;
	if (lived > LONG_LIFE_MS || w->was_well || w->wait_ms == 0)
		w->wait_ms = FIRST_WAIT_MS;
	else
		w->wait_ms *= 2;
	if (w->wait_ms > MOST_WAIT_MS)
		w->wait_ms = MOST_WAIT_MS;
	note_death(w, (int)code, term_signal);
	jb_served_close_pipe(w);
	uv_close((uv_handle_t *)process, on_process_closed);
}

static void fail_start(struct jb_served *w, int rc)
{
	snprintf(w->why, sizeof w->why, "its worker can't be started: %s",
		 uv_strerror(rc));
	jb_log_error("policy '%s': %s", w->policy->name, w->why);
	w->wait_ms = MOST_WAIT_MS;
}

static void start(struct jb_served *w)
{
	struct jb_supervisor *s = w->supervisor;
	char *args[] = {"journalctl-backup", "--config",
			s->config->file,     "worker",
			w->policy->name,     NULL};
	uv_stdio_container_t stdio[] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = 1},
		{.flags = UV_INHERIT_FD, .data.fd = 2},
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&w->pipe.pipe},
		{.flags = UV_INHERIT_FD, .data.fd = s->config_fd},
	};
	uv_process_options_t options = {
		.exit_cb = on_process_exit,
		.file = "/proc/self/exe", /* also when it was replaced */
		.args = args,
		.stdio = stdio,
		.stdio_count = sizeof stdio / sizeof stdio[0],
	};
	int rc;

	jb_line_pipe_init(&w->pipe, s->loop, JB_WORKER_LINE_MAX, w);
	w->process.data = w;
	w->n_handles = 2;
	w->started_ms = uv_now(s->loop);
	rc = uv_spawn(s->loop, &w->process, &options);
	if (rc != 0) {
		fail_start(w, rc);
		jb_served_close_pipe(w);
		uv_close((uv_handle_t *)&w->process, on_process_closed);
		return;
	}
	w->is_running = true;
	jb_served_greet(w);
}

/* ---- open */

static bool is_served(const struct jb_config_section *policy)
{
	return jb_config_text(policy, "Root") != NULL &&
	       jb_config_text(policy, "Target") != NULL;
}

static int add_worker(struct jb_supervisor *s,
		      const struct jb_config_section *policy)
{
	struct jb_served *w = calloc(1, sizeof *w);

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
	int rv;

	if (s == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policies");
	s->loop = loop;
	s->config = config;
	s->config_fd = -1;
	s->workers = calloc(config->n_policies + 1, sizeof(struct jb_served *));
	rv = s->workers == NULL ? jb_error_set(err, JB_ENOMEM, 0, "policies")
				: jb_config_pass(config, &s->config_fd, err);
	if (rv != JB_OK) {
		jb_supervisor_close(s);
		return rv;
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

/* ---- roots that are released */

static bool is_of(const struct jb_served *w, const char *root)
{
	return strcmp(jb_config_text(w->policy, "Root"), root) == 0;
}

void jb_supervisor_let_go(struct jb_supervisor *s, const char *root,
			  jb_supervisor_quiet_fn *quiet, void *arg)
{
	s->quiet = quiet;
	s->quiet_arg = arg;
	for (size_t i = 0; i < s->n_workers && !s->stopping; i++) {
		struct jb_served *w = s->workers[i];

		if (!is_of(w, root))
			continue;
		w->let_go = true;
		jb_served_dismiss(w);
		uv_timer_stop(&w->timer);
		if (w->is_running)
			uv_process_kill(&w->process, SIGTERM);
	}
}

bool jb_supervisor_is_quiet(struct jb_supervisor *s, const char *root)
{
	for (size_t i = 0; i < s->n_workers; i++)
		if (is_of(s->workers[i], root) && s->workers[i]->n_handles > 0)
			return false;
	return true;
}

void jb_supervisor_go_on(struct jb_supervisor *s, const char *root)
{
	for (size_t i = 0; i < s->n_workers && !s->stopping; i++) {
		struct jb_served *w = s->workers[i];

		if (!w->let_go || !is_of(w, root))
			continue;
		w->let_go = false;
		if (w->n_handles == 0)
			start(w);
	}
}

/* ---- stop, close */

static void on_timer_closed(uv_handle_t *handle)
{
	struct jb_served *w = handle->data;

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
	struct jb_request *next;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n_workers; i++) {
		json_decref(s->workers[i]->status);
		free(s->workers[i]);
	}
	for (struct jb_request *r = s->requests; r != NULL; r = next) {
		next = r->next;
		json_decref(r->message);
		free(r);
	}
	if (s->config_fd >= 0)
		close(s->config_fd);
	free(s->workers);
	free(s);
}
