/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker's words with the daemon. */
#include "engine/deliver/worker_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTED 10

struct message {
	uv_write_t req;
	char *text; /* owned */
};

/* ---- out */

static void on_written(uv_write_t *req, int status)
{
	struct message *m = (struct message *)req;

	(void)status;
	free(m->text);
	free(m);
}

/* Takes over @value. */
static void send_line(struct jb_worker *w, json_t *value)
{
	struct message *m = calloc(1, sizeof *m);
	char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
	size_t len = text != NULL ? strlen(text) : 0;
	uv_buf_t buf;

	json_decref(value);
	if (m == NULL || text == NULL || w->stopping) {
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

static int64_t read_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* While a step runs, `status` is of its beginning; the progress is live. */
static json_t *make_status(struct jb_worker *w)
{
	struct jb_delivery_status s = w->status;
	struct jb_progress p = {0};
	json_t *all;

	if (w->delivery != NULL)
		jb_delivery_progress(w->delivery, &p);
	all = json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I}",
		"state", name_state(w, p.phase), "cursor", (json_int_t)s.cursor,
		"last_seq", (json_int_t)s.last_seq, "pending",
		(json_int_t)s.pending, "owed", (json_int_t)s.owed, "entries",
		(json_int_t)s.entries, "held", s.holding.on, "held_count",
		(json_int_t)s.holding.deletions, "held_overwrites",
		(json_int_t)s.holding.overwrites, "held_seq",
		(json_int_t)s.holding.seq, "copied", (json_int_t)p.copied,
		"bytes", (json_int_t)p.bytes, "renamed", (json_int_t)p.renamed,
		"removed", (json_int_t)p.removed);
	if (p.phase == JB_PHASE_FIRST || p.phase == JB_PHASE_FULL)
		json_object_set_new(all, "progress",
				    make_progress(&p, read_clock()));
	if (w->failed.code != JB_OK) {
		json_object_set_new(all, "code",
				    json_string(jb_error_name(w->failed.code)));
		json_object_set_new(all, "error", json_string(w->failed.text));
	}
	return all;
}

void jb_worker_tell_status(struct jb_worker *w)
{
	send_line(w, json_pack("{s:o}", "status", make_status(w)));
}

void jb_worker_die(struct jb_worker *w, const char *why)
{
	json_t *words = json_pack("{s:s}", "dying", why);
	char *text = json_dumps(words, JSON_COMPACT);
	uv_buf_t bufs[2];

	if (text != NULL) {
		bufs[0] = uv_buf_init(text, (unsigned)strlen(text));
		bufs[1] = uv_buf_init("\n", 1);
		uv_try_write((uv_stream_t *)&w->pipe, bufs, 2);
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
	send_line(w, reply);
	free(ask);
}

/* ---- flushes */

static int add_unsynced(void *arg, const char *path,
			const struct jb_pending_row *row)
{
	json_t *text = json_string(path != NULL ? path : "(gone)");

	if (text == NULL)
		text = json_string("(a name that is not UTF-8)");
	json_array_append_new(arg,
			      json_pack("{s:o, s:s}", "path", text, "reason",
					jb_reason_text((int)row->reason)));
	return 0;
}

static json_t *list_unsynced(struct jb_worker *w)
{
	json_t *paths = json_array();

	jb_delivery_unsynced(w->delivery, LISTED, add_unsynced, paths, NULL);
	return json_pack("{s:I, s:o}", "pending", (json_int_t)w->status.pending,
			 "paths", paths);
}

/* True: answered (and freed). */
static bool answer_flush(struct jb_worker *w, struct jb_worker_ask *f)
{
	const struct jb_delivery_status *s = &w->status;
	char held[80], text[160];

	if (!f->tried)
		return false;
	if (w->failed.code != JB_OK) {
		jb_worker_answer(w, f, w->failed.code, w->failed.text, NULL);
		return true;
	}
	if (w->delivery == NULL)
		return false;
	if (s->paused) {
		jb_worker_answer(w, f, JB_EHELD,
				 "paused: 'resume' lets it go on", NULL);
		return true;
	}
	if (!jb_delivery_reached(w->delivery, f->seq))
		return false;
	if (s->pending > 0 && !f->retried) {
		f->retried = true;
		w->retry = true;
		return false;
	}
	if (s->holding.on) {
		jb_holding_say(&s->holding, held, sizeof held);
		snprintf(text, sizeof text,
			 "%s: see 'status', then 'release %s'", held,
			 w->policy->name);
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

static void take_line(struct jb_worker *w, const char *line, size_t len)
{
	json_t *message = json_loadb(line, len, 0, NULL);
	const char *what = json_string_value(json_object_get(message, "do"));

	if (what != NULL && strcmp(what, "wake") == 0)
		w->wake = true;
	else if (what != NULL)
		take_ask(w, what, message);
	json_decref(message);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
	struct jb_worker *w = handle->data;

	(void)size;
	*buf = uv_buf_init(w->line + w->len,
			   (unsigned)(sizeof w->line - w->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct jb_worker *w = stream->data;
	char *end, *at = w->line;

	(void)buf;
	if (n < 0) {
		jb_worker_stop(w); /* the daemon is gone */
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
		w->len = 0; /* not one of ours */
	jb_worker_poke(w);
}

int jb_worker_listen(struct jb_worker *w, struct jb_error *err)
{
	int rc;

	uv_pipe_init(&w->loop, &w->pipe, 0);
	w->pipe.data = w;
	rc = uv_pipe_open(&w->pipe, JB_WORKER_FD);
	if (rc == 0)
		rc = uv_read_start((uv_stream_t *)&w->pipe, on_alloc, on_read);
	if (rc == 0)
		return JB_OK;
	return jb_error_set(err, JB_ESYS, rc,
			    "worker: descriptor %d is no pipe of the daemon's: "
			    "it is started by 'journalctl-backup daemon'",
			    JB_WORKER_FD);
}
