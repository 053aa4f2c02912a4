/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two threads: the loop listens to the daemon, one thread of the pool works, a
 * step or a request at a time. They never touch the delivery at once: work is
 * begun by the loop when none runs, and its end comes back to the loop.
 *
 * Nothing that goes wrong ends the process: a failure is told, and tried again
 * with growing waits, and at once when something was mounted where the target
 * is, so that mounting the disk is enough. The one exception is a
 * plugin that does not return: no thread can be taken out of it, so the process
 * ends, and the daemon starts the next one. */
#include "engine/deliver/worker_priv.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/deliver/plugin.h"
#include "engine/deliver/replica.h"
#include "journal/damage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_WAIT_MS  1000
#define MOST_WAIT_MS   60000
#define HELD_WAIT_MS   2000
#define REPORT_MS      500
#define IOPRIO_WHO_ME  1
#define IOPRIO_SHIFT   13
#define IOPRIO_DEFAULT 4

/* ---- on the worker thread */

static int do_ask(struct jb_worker *w, struct jb_worker_ask *ask,
		  struct jb_error *err)
{
	struct jb_delivery *d = w->work.delivery;

	if (strcmp(ask->what, "pause") == 0)
		return jb_delivery_pause(d, true, err);
	if (strcmp(ask->what, "resume") == 0)
		return jb_delivery_pause(d, false, err);
	if (strcmp(ask->what, "release") == 0)
		return jb_delivery_release(d, ask->seq, &w->work.released, err);
	if (strcmp(ask->what, "reset") == 0)
		return jb_delivery_reset(d, err);
	if (strcmp(ask->what, "init") == 0)
		return jb_delivery_init_target(d, ask->adopt, ask->content,
					       &w->work.was_known, err);
	if (strcmp(ask->what, "recopy") == 0)
		return jb_delivery_recopy(d, (uint64_t)ask->rid, err);
	if (strcmp(ask->what, "reattribute") == 0)
		return jb_delivery_reattribute(d, (uint64_t)ask->rid, err);
	return jb_error_set(err, JB_EPROTO, 0, "unknown request '%s'",
			    ask->what);
}

static void on_work(uv_work_t *req)
{
	struct jb_worker *w = req->data;
	struct jb_error *err = &w->work.err;

	*err = (struct jb_error){0};
	w->work.step = (struct jb_step){0};
	w->work.has_status = false;
	w->work.was_known = false;
	w->work.released = (struct jb_released){0};
	w->work.rv = JB_OK;
	if (w->work.sift) {
		w->work.concerned = jb_worker_is_concerned(w);
		return;
	}
	if (w->work.delivery == NULL)
		w->work.rv = jb_delivery_open(w->config, w->policy->name, false,
					      &w->work.delivery, err);
	if (w->work.rv != JB_OK)
		return;
	if (w->delivery == NULL)
		w->work.step.more = true; /* be seen first, then work */
	else if (w->work.ask != NULL)
		w->work.rv = do_ask(w, w->work.ask, err);
	else if (w->work.look)
		w->work.rv = jb_delivery_look(w->work.delivery, err);
	if (w->work.rv == JB_OK && w->delivery != NULL && w->work.ask == NULL &&
	    w->work.retry_all)
		w->work.rv = jb_delivery_retry_all(w->work.delivery, err);
	if (w->work.rv == JB_OK && w->delivery != NULL && w->work.ask == NULL)
		w->work.rv = jb_delivery_step(w->work.delivery, w->work.retry,
					      &w->work.step, err);
	if (w->work.rv == JB_ECORRUPT)
		return;
	w->work.has_status = jb_delivery_status(w->work.delivery,
						&w->work.status, NULL) == JB_OK;
}

/* ---- on the loop */

static void set_damaged_aside(struct jb_worker *w)
{
	char file[160], name[192];
	struct jb_error err;

	jb_delivery_close(w->work.delivery);
	w->work.delivery = w->delivery = NULL;
	snprintf(file, sizeof file, "policy-%s.db", w->policy->name);
	if (jb_damage_set_aside(w->config->state_dir, file, &w->work.err, name,
				sizeof name, &err) == JB_OK)
		jb_error_prefix(&w->work.err, "set aside as %s", name);
	else
		w->work.err = err;
	w->work.rv = w->work.err.code;
}

static void on_due(uv_timer_t *timer)
{
	struct jb_worker *w = timer->data;

	w->wake = true;
	w->retry = true;
	jb_worker_poke(w);
}

static void wait_for(struct jb_worker *w, int64_t ms)
{
	uv_timer_start(&w->due, on_due, ms > 0 ? (uint64_t)ms : 1, 0);
}

static void note_failure(struct jb_worker *w)
{
	const struct jb_error *err = &w->work.err;

	if (w->failed.code != err->code ||
	    strcmp(w->failed.text, err->text) != 0)
		jb_log(err->code == JB_EHELD ? JB_LOG_WARNING : JB_LOG_ERROR,
		       "policy '%s': %s", w->policy->name, err->text);
	w->failed = *err;
	if (w->backoff_ms == 0)
		w->backoff_ms =
			err->code == JB_EHELD ? HELD_WAIT_MS : FIRST_WAIT_MS;
	else
		w->backoff_ms *= 2;
	if (w->backoff_ms > MOST_WAIT_MS)
		w->backoff_ms = MOST_WAIT_MS;
	wait_for(w, w->backoff_ms);
}

static void note_success(struct jb_worker *w)
{
	int64_t now_us;

	if (w->failed.code != JB_OK)
		jb_log_notice("policy '%s': goes on", w->policy->name);
	w->failed = (struct jb_error){0};
	w->backoff_ms = 0;
	if (w->work.step.more) {
		w->wake = true;
	} else if (w->work.step.due_us != 0) {
		now_us = jb_clock_us(CLOCK_REALTIME);
		wait_for(w, (w->work.step.due_us - now_us) / 1000 + 1);
	} else {
		uv_timer_stop(&w->due);
	}
}

/* Nobody may look at `status` for days: the log says it, too. */
static void note_holding(struct jb_worker *w)
{
	bool holds = w->status.holding.on;

	if (holds && !w->holds)
		jb_log(JB_LOG_WARNING,
		       "policy '%s': more would be deleted or overwritten than "
		       "MaxDelete= or MaxReplace= allow, that is held: "
		       "'journalctl-backup status' says how many, and how they "
		       "are approved",
		       w->policy->name);
	else if (!holds && w->holds)
		jb_log_notice("policy '%s': nothing is held any more",
			      w->policy->name);
	w->holds = holds;
}

static void note_lacking(struct jb_worker *w)
{
	bool lacks = w->status.lacking > 0;

	if (lacks && !w->lacks)
		jb_log(JB_LOG_WARNING,
		       "policy '%s': target '%s' has no room for some entries, "
		       "the others go on: make room there, or leave some out "
		       "by "
		       "Exclude=; see 'journalctl-backup query --policy %s "
		       "--unsynced'",
		       w->policy->name, jb_config_text(w->policy, "Target"),
		       w->policy->name);
	else if (!lacks && w->lacks)
		jb_log_notice("policy '%s': there is room for all again",
			      w->policy->name);
	w->lacks = lacks;
}

/* By the last status: true of now when nothing has come since. */
static void note_synced(struct jb_worker *w)
{
	const struct jb_delivery_status *s = &w->status;

	if (w->delivery != NULL && w->failed.code == JB_OK && !s->is_full &&
	    s->cursor >= s->last_seq && s->pending == 0 && s->owed == 0)
		w->synced_us = jb_clock_us(CLOCK_REALTIME);
}

static void close_all(struct jb_worker *w);

static json_t *make_answer(const struct jb_worker *w)
{
	const struct jb_released *r = &w->work.released;

	return json_pack("{s:b, s:I, s:I, s:I, s:I}", "known",
			 w->work.was_known, "deletions",
			 (json_int_t)r->deletions, "overwrites",
			 (json_int_t)r->overwrites, "deletions_left",
			 (json_int_t)r->left.deletions, "overwrites_left",
			 (json_int_t)r->left.overwrites);
}

/* The target may have gone, or come back. */
static void note_sifted(struct jb_worker *w)
{
	jb_worker_free_mounted(&w->work.mounted);
	if (w->work.concerned)
		w->look = w->retry = true;
	jb_worker_poke(w);
}

static void on_worked(uv_work_t *req, int status)
{
	struct jb_worker *w = req->data;
	struct jb_worker_ask *ask = w->work.ask;

	(void)status;
	w->busy = false;
	uv_timer_stop(&w->report);
	w->work.ask = NULL;
	if (w->stopping) {
		free(ask);
		close_all(w);
		return;
	}
	if (w->work.sift) {
		note_sifted(w);
		return;
	}
	if (w->work.rv == JB_ECORRUPT && w->work.delivery != NULL)
		set_damaged_aside(w);
	if (w->delivery == NULL && ask != NULL && w->work.delivery != NULL) {
		w->delivery = w->work.delivery; /* only opened so far */
		ask->next = w->asks;
		w->asks = ask;
		jb_worker_poke(w);
		return;
	}
	w->delivery = w->work.delivery;
	if (w->work.has_status) {
		w->status = w->work.status;
		note_holding(w);
		note_lacking(w);
	}
	if (ask != NULL) {
		jb_worker_tell_status(w);
		jb_worker_answer(w, ask, w->work.rv, w->work.err.text,
				 make_answer(w));
		w->wake = w->retry = true;
	} else if (w->work.rv != JB_OK) {
		note_failure(w);
	} else {
		note_success(w);
		note_synced(w);
	}
	/* Whoever waited for a flush is not told an older status after it. */
	if (!w->wake || w->failed.code != JB_OK || w->work.retry ||
	    w->flushes != NULL)
		jb_worker_tell_status(w);
	if (ask == NULL)
		jb_worker_answer_flushes(w);
	jb_worker_poke(w);
}

static void check_plugin(struct jb_worker *w)
{
	const char *call;
	uint64_t spent_ms = jb_plugin_runs(&call);
	char text[200];

	if (spent_ms * 1000 <= jb_config_duration(w->policy, "PluginTimeout"))
		return;
	snprintf(text, sizeof text,
		 "its plugin '%s' has not returned from %s for %llu s "
		 "(PluginTimeout=)",
		 jb_config_text(w->policy, "Plugin"), call,
		 (unsigned long long)(spent_ms / 1000));
	jb_worker_die(w, text);
}

/* Only while work runs. */
static void on_report(uv_timer_t *timer)
{
	struct jb_worker *w = timer->data;

	check_plugin(w);
	jb_worker_tell_status(w);
}

void jb_worker_poke(struct jb_worker *w)
{
	struct jb_worker_ask *ask = w->asks;

	if (w->busy || w->stopping)
		return;
	w->work.sift = w->sift;
	if (w->sift) {
		jb_worker_take_mounted(w);
		w->busy = true;
		uv_queue_work(&w->loop, &w->work.req, on_work, on_worked);
		return;
	}
	if (ask == NULL && !w->wake && !w->retry && !w->look)
		return;
	/* A failed target is not asked again by every change. */
	if (ask == NULL && w->failed.code != JB_OK && !w->retry)
		return;
	w->work.ask = ask;
	if (ask != NULL) {
		w->asks = ask->next;
	} else {
		for (struct jb_worker_ask *f = w->flushes; f != NULL;
		     f = f->next)
			f->begun = true;
		w->work.retry = w->retry;
		w->work.retry_all = w->retry_all;
		w->work.look = w->look;
		w->wake = w->retry = w->retry_all = w->look = false;
	}
	w->busy = true;
	note_synced(w);
	uv_timer_start(&w->report, on_report, REPORT_MS, REPORT_MS);
	uv_queue_work(&w->loop, &w->work.req, on_work, on_worked);
}

static void on_closed(uv_handle_t *handle)
{
	(void)handle;
}

static void close_all(struct jb_worker *w)
{
	uv_handle_t *handles[] = {
		(uv_handle_t *)&w->due,	      (uv_handle_t *)&w->report,
		(uv_handle_t *)&w->mounts,    (uv_handle_t *)&w->term,
		(uv_handle_t *)&w->interrupt,
	};

	for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
		if (!uv_is_closing(handles[i]))
			uv_close(handles[i], on_closed);
	jb_line_pipe_close(&w->pipe, NULL);
}

void jb_worker_stop(struct jb_worker *w)
{
	if (w->stopping)
		return;
	w->stopping = true;
	if (!w->busy)
		close_all(w);
	else if (w->delivery != NULL)
		jb_delivery_stop(w->delivery);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	(void)signum;
	jb_worker_stop(handle->data);
}

/* ---- the process */

static void lower_priority(const struct jb_config_section *policy)
{
	static const char *const classes[] = {"none", "realtime", "best-effort",
					      "idle"};
	const char *wanted = jb_config_text(policy, "IOClass");

	setpriority(PRIO_PROCESS, 0, (int)jb_config_number(policy, "Nice"));
	for (int i = 1; i < 4; i++)
		if (strcasecmp(wanted, classes[i]) == 0)
			syscall(SYS_ioprio_set, IOPRIO_WHO_ME, 0,
				i << IOPRIO_SHIFT | IOPRIO_DEFAULT);
}

static void init_handles(struct jb_worker *w)
{
	uv_timer_init(&w->loop, &w->due);
	uv_timer_init(&w->loop, &w->report);
	uv_timer_init(&w->loop, &w->mounts);
	w->mounts.data = w;
	uv_signal_init(&w->loop, &w->term);
	uv_signal_init(&w->loop, &w->interrupt);
	w->due.data = w->report.data = w->term.data = w->interrupt.data = w;
	w->work.req.data = w;
	uv_signal_start(&w->term, on_signal, SIGTERM);
	uv_signal_start(&w->interrupt, on_signal, SIGINT);
}

static void free_asks(struct jb_worker_ask *a)
{
	struct jb_worker_ask *next;

	for (; a != NULL; a = next) {
		next = a->next;
		free(a);
	}
}

int jb_worker_run(const struct jb_config *config, const char *policy,
		  struct jb_error *err)
{
	struct jb_worker *w;
	struct stat st;
	int rv;

	if (fstat(JB_WORKER_FD, &st) < 0 || !S_ISSOCK(st.st_mode))
		return jb_error_set(err, JB_EINVAL, 0,
				    "descriptor %d is no pipe of the daemon's: "
				    "workers are started by 'journalctl-backup "
				    "daemon'",
				    JB_WORKER_FD);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that is too large is one file */
	/* One thread works: what it opened is its own. */
	setenv("UV_THREADPOOL_SIZE", "1", 1);
	w = calloc(1, sizeof *w);
	if (w == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'", policy);
	w->config = config;
	w->policy = jb_config_policy(config, policy);
	if (w->policy == NULL) {
		free(w);
		return jb_error_set(err, JB_ECONFIG, 0,
				    "there is no [Policy %s]", policy);
	}
	lower_priority(w->policy);
	uv_loop_init(&w->loop);
	init_handles(w);
	rv = jb_worker_listen(w, err);
	if (rv == JB_OK) {
		w->wake = w->retry = true;
		jb_worker_poke(w);
	} else {
		jb_worker_stop(w);
	}
	uv_run(&w->loop, UV_RUN_DEFAULT);
	jb_delivery_close(w->work.delivery);
	uv_loop_close(&w->loop);
	free_asks(w->asks);
	free_asks(w->flushes);
	jb_worker_free_mounted(&w->mounted);
	jb_worker_free_mounted(&w->work.mounted);
	free(w);
	return rv;
}
