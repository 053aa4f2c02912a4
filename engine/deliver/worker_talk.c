/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker's words with the daemon. */
#include "engine/deliver/worker_priv.h"

#include "engine/base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTED 10

/* ---- out */

static const char *name_state(const struct jb_worker *w,
			      enum jb_delivery_phase phase)
{
	const struct jb_delivery_status *s = &w->status;

	if (w->failed.code == JB_EHELD)
		return "held";
	if (w->failed.code != JB_OK)
		return "failing";
	if (w->delivery == NULL)
		return "starting";
	if (s->paused)
		return "paused";
	if (s->holding.on && phase == JB_PHASE_FOLLOWING)
		return "held";
	return jb_phase_name(phase);
}

static json_t *make_progress(const struct jb_progress *p, int64_t now_us)
{
	double spent = (double)(now_us - p->began_us) / 1e6;
	double rate =
		spent > 0 && p->began_us > 0 ? (double)p->done / spent : 0;
	uint64_t left = p->total > p->done ? p->total - p->done : 0;

	return json_pack("{s:I, s:I, s:f, s:I}", "done", (json_int_t)p->done,
			 "total", (json_int_t)p->total, "rate", rate, "left_s",
			 (json_int_t)(rate > 0 ? (double)left / rate : 0));
}

/* When it does something though nothing changes; 0: not before. */
static int64_t find_next(const struct jb_worker *w, int64_t now_us)
{
	if (!uv_is_active((const uv_handle_t *)&w->due) || w->status.paused)
		return 0;
	return now_us + (int64_t)uv_timer_get_due_in(&w->due) * 1000;
}

/* While a step runs, `status` is of its beginning; the progress is live. */
static json_t *make_status(struct jb_worker *w)
{
	struct jb_delivery_status s = w->status;
	int64_t now_us = jb_clock_us(CLOCK_REALTIME);
	struct jb_progress p = {0};
	json_t *all;

	if (w->delivery != NULL)
		jb_delivery_progress(w->delivery, &p);
	all = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:I, s:I, s:I, s:I}",
		"state", name_state(w, p.phase), "cursor", (json_int_t)s.cursor,
		"last_seq", (json_int_t)s.last_seq, "pending",
		(json_int_t)s.pending, "owed", (json_int_t)s.owed, "no_space",
		(json_int_t)s.lacking, "entries", (json_int_t)s.entries, "held",
		s.holding.on, "held_count", (json_int_t)s.holding.deletions,
		"held_overwrites", (json_int_t)s.holding.overwrites, "held_seq",
		(json_int_t)s.holding.seq, "copied", (json_int_t)p.copied,
		"bytes", (json_int_t)p.bytes, "renamed", (json_int_t)p.renamed,
		"removed", (json_int_t)p.removed, "last_us",
		(json_int_t)s.last_us, "synced_us", (json_int_t)w->synced_us,
		"next_us", (json_int_t)find_next(w, now_us));
	json_object_set_new(all, "failed", json_integer((json_int_t)p.failed));
	json_object_set_new(all, "torn", json_integer((json_int_t)p.torn));
	if (p.phase == JB_PHASE_FIRST || p.phase == JB_PHASE_FULL)
		json_object_set_new(all, "progress", make_progress(&p, now_us));
	if (w->failed.code != JB_OK) {
		json_object_set_new(all, "code",
				    json_string(jb_error_name(w->failed.code)));
		json_object_set_new(all, "error", json_string(w->failed.text));
	}
	return all;
}

void jb_worker_tell_status(struct jb_worker *w)
{
	jb_line_pipe_send(&w->pipe,
			  json_pack("{s:o}", "status", make_status(w)));
}

void jb_worker_die(struct jb_worker *w, const char *why)
{
	json_t *words = json_pack("{s:s}", "dying", why);
	char *text = json_dumps(words, JSON_COMPACT);
	uv_buf_t bufs[2];

	if (text != NULL) {
		bufs[0] = uv_buf_init(text, (unsigned)strlen(text));
		bufs[1] = uv_buf_init("\n", 1);
		uv_try_write((uv_stream_t *)&w->pipe.pipe, bufs, 2);
	}
	_exit(EXIT_FAILURE);
}

void jb_worker_answer(struct jb_worker *w, struct jb_worker_ask *ask, int code,
		      const char *text, json_t *rest)
{
	json_t *reply =
		json_pack("{s:I, s:b}", "reply", ask->id, "ok", code == JB_OK);

	if (code != JB_OK) {
		json_object_set_new(reply, "code",
				    json_string(jb_error_name(code)));
		json_object_set_new(reply, "error", json_string(text));
	}
	if (rest != NULL)
		json_object_update(reply, rest);
	json_decref(rest);
	jb_line_pipe_send(&w->pipe, reply);
	free(ask);
}

/* ---- flushes */

/* JSON can't carry names that are not UTF-8: these go as hexadecimal digits. */
static json_t *pack_bytes(const char *path)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = strlen(path);
	char *hex = malloc(2 * len + 1);
	json_t *ret;

	if (hex == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[(unsigned char)path[i] >> 4];
		hex[2 * i + 1] = digits[(unsigned char)path[i] & 15];
	}
	ret = json_stringn(hex, 2 * len);
	free(hex);
	return ret;
}

static int add_unsynced(void *arg, const struct jb_unsynced_item *item)
{
	json_t *one = json_pack("{s:s}", "reason", item->reason);
	json_t *text = item->path != NULL ? json_string(item->path) : NULL;

	if (text != NULL)
		json_object_set_new(one, "path", text);
	else if (item->path != NULL)
		json_object_set_new(one, "path_hex", pack_bytes(item->path));
	json_array_append_new(arg, one);
	return 0;
}

static json_t *list_unsynced(struct jb_worker *w)
{
	json_t *paths = json_array();

	jb_delivery_unsynced(w->delivery, LISTED, add_unsynced, paths, NULL);
	return json_pack("{s:I, s:o}", "unsynced",
			 (json_int_t)w->status.unsynced, "paths", paths);
}

/* True: answered (and freed). */
static bool answer_flush(struct jb_worker *w, struct jb_worker_ask *f)
{
	const struct jb_delivery_status *s = &w->status;
	char held[80], text[200];

	if (!f->tried)
		return false;
	if (w->failed.code != JB_OK) {
		jb_worker_answer(w, f, w->failed.code, w->failed.text, NULL);
		return true;
	}
	if (w->delivery == NULL)
		return false;
	if (s->paused) {
		snprintf(text, sizeof text,
			 "policy '%s' is paused: 'resume %s' lets it go on",
			 w->policy->name, w->policy->name);
		jb_worker_answer(w, f, JB_EHELD, text, NULL);
		return true;
	}
	if (!jb_delivery_reached(w->delivery, f->seq))
		return false;
	if (s->unsynced > 0 && !f->retried) {
		f->retried = true;
		w->retry = w->retry_all = true;
		return false;
	}
	if (s->holding.on) {
		jb_holding_say(&s->holding, held, sizeof held);
		snprintf(text, sizeof text,
			 "%s: see 'status', then 'release %s --seq %lld'", held,
			 w->policy->name, (long long)s->holding.seq);
		jb_worker_answer(w, f, JB_EHELD, text, NULL);
		return true;
	}
	jb_worker_answer(w, f, JB_OK, NULL, list_unsynced(w));
	return true;
}

void jb_worker_answer_flushes(struct jb_worker *w)
{
	struct jb_worker_ask **at = &w->flushes, *f;

	while ((f = *at) != NULL) {
		f->tried = f->tried || f->begun;
		*at = f->next;
		if (answer_flush(w, f))
			continue;
		*at = f;
		at = &f->next;
	}
}

/* ---- in */

static void take_ask(struct jb_worker *w, const char *what,
		     const json_t *message)
{
	struct jb_worker_ask *ask = calloc(1, sizeof *ask), **at;

	if (ask == NULL)
		return;
	ask->id = json_integer_value(json_object_get(message, "id"));
	ask->seq = json_integer_value(json_object_get(message, "seq"));
	ask->rid = json_integer_value(json_object_get(message, "rid"));
	ask->adopt = json_is_true(json_object_get(message, "adopt"));
	ask->content = json_is_true(json_object_get(message, "content"));
	snprintf(ask->what, sizeof ask->what, "%s", what);
	at = strcmp(what, "flush") == 0 ? &w->flushes : &w->asks;
	while (*at != NULL)
		at = &(*at)->next;
	*at = ask;
	/* A step that runs now may have read the journal before. */
	if (strcmp(what, "flush") == 0) {
		w->wake = true;
		w->retry = w->retry || w->failed.code != JB_OK;
	}
}

static void on_line(void *worker, json_t *message)
{
	struct jb_worker *w = worker;
	const char *what = json_string_value(json_object_get(message, "do"));

	if (what != NULL && strcmp(what, "wake") == 0)
		w->wake = true;
	else if (what != NULL && strcmp(what, "mounted") == 0)
		jb_worker_mounted(w, json_string_value(
					     json_object_get(message, "path")));
	else if (what != NULL)
		take_ask(w, what, message);
	jb_worker_poke(w);
}

/* The daemon is gone, or nothing that we know. */
static void on_end(void *worker, int why)
{
	(void)why;
	jb_worker_stop(worker);
}

int jb_worker_listen(struct jb_worker *w, struct jb_error *err)
{
	int rc;

	jb_line_pipe_init(&w->pipe, &w->loop, JB_WORKER_LINE_MAX, w);
	rc = uv_pipe_open(&w->pipe.pipe, JB_WORKER_FD);
	if (rc == 0)
		rc = jb_line_pipe_start(&w->pipe, on_line, on_end);
	if (rc == 0)
		return JB_OK;
	return jb_error_set(err, JB_ESYS, rc, "worker: descriptor %d: %s",
			    JB_WORKER_FD, uv_strerror(rc));
}
