/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the recorder thread tells the loop: it is noted under the mutex, then
 * `told` wakes the loop, which takes it all. */
#include "engine/daemon_priv.h"

#include "engine/base/log.h"
#include "journal/gap.h"

#include <stdlib.h>

static void on_scan_owed(void *arg, struct jb_root *root, uint64_t progress)
{
	struct jb_daemon *d = arg;
	struct jb_error err;

	if (jb_scan_start(&d->scans[root->index], progress, &err) == JB_OK)
		return;
	jb_log_error("root '%s': scan: %s", root->config->name, err.text);
	jb_recorder_scan_ended(d->recorder, root);
	jb_recorder_owe_scan(d->recorder, root, JB_GAP_UNSTARTED);
	jb_intake_poke(d->intake, NULL); /* nothing else may wake it */
}

static void on_root_released(void *arg, struct jb_root *root)
{
	struct jb_daemon *d = arg;

	pthread_mutex_lock(&d->mutex);
	d->presence[root->index].acked = true;
	pthread_mutex_unlock(&d->mutex);
	uv_async_send(&d->told);
}

static uint64_t on_scan_progress(void *arg, const struct jb_root *root)
{
	struct jb_daemon *d = arg;

	return jb_scan_halted_at(&d->scans[root->index]);
}

static void on_credits(void *arg, uint32_t credits)
{
	struct jb_daemon *d = arg;

	jb_scan_credits_return(&d->credits, credits);
}

static void on_committed(void *arg, int64_t seq)
{
	struct jb_daemon *d = arg;

	pthread_mutex_lock(&d->mutex);
	d->committed = seq;
	pthread_mutex_unlock(&d->mutex);
	uv_async_send(&d->told);
}

/* Whoever waits times out when there is no memory. */
static void tell_done(struct jb_daemon *d, const struct jb_done_flush *done)
{
	struct jb_done_flush *f = malloc(sizeof *f);

	if (f == NULL)
		return;
	*f = *done;
	pthread_mutex_lock(&d->mutex);
	f->next = d->flushed;
	d->flushed = f;
	pthread_mutex_unlock(&d->mutex);
	uv_async_send(&d->told);
}

static void on_flushed(void *arg, void *flush, int64_t seq)
{
	struct jb_daemon *d = arg;

	if (!jb_patrol_flushed(&d->patrol, flush))
		tell_done(d,
			  &(struct jb_done_flush){.flush = flush, .seq = seq});
}

static void on_retained(void *arg, void *waiting,
			const struct jb_retained *done)
{
	tell_done(arg, &(struct jb_done_flush){.flush = waiting,
					       .is_retention = true,
					       .retained = *done});
}

static void on_ended(void *arg, const struct jb_error *err)
{
	struct jb_daemon *d = arg;

	pthread_mutex_lock(&d->mutex);
	d->ended = true;
	if (err != NULL)
		d->ended_error = *err;
	pthread_mutex_unlock(&d->mutex);
	uv_async_send(&d->told);
}

static void on_root_lost(void *arg, struct jb_root *root,
			 const struct jb_error *err)
{
	struct jb_daemon *d = arg;

	jb_log_warning("root '%s': nothing is deleted: %s", root->config->name,
		       err->text);
	pthread_mutex_lock(&d->mutex);
	d->presence[root->index].lost = true;
	pthread_mutex_unlock(&d->mutex);
	uv_async_send(&d->told);
}

/* Also one that is back already: the recorder looks at nothing of it until it
 * is told so. */
static void lose_roots(struct jb_daemon *d)
{
	for (unsigned i = 0; i < d->n_roots && !d->stopping; i++) {
		bool lost;

		pthread_mutex_lock(&d->mutex);
		lost = d->presence[i].lost;
		d->presence[i].lost = false;
		pthread_mutex_unlock(&d->mutex);
		if (lost && d->presence[i].state == JB_ROOT_HERE)
			jb_daemon_lose(d, i);
	}
}

void jb_daemon_on_told(uv_async_t *async)
{
	struct jb_daemon *d = async->data;
	struct jb_done_flush *f, *next;
	struct jb_error err;
	int64_t committed;
	bool ended;

	pthread_mutex_lock(&d->mutex);
	f = d->flushed;
	d->flushed = NULL;
	committed = d->committed;
	ended = d->ended;
	d->ended = false;
	err = d->ended_error;
	pthread_mutex_unlock(&d->mutex);
	lose_roots(d);
	if (d->supervisor != NULL)
		jb_supervisor_wake(d->supervisor, committed);
	for (; f != NULL; f = next) {
		next = f->next;
		if (f->flush == &d->leaving)
			jb_daemon_leave_flushed(d);
		else if (f->is_retention)
			jb_control_retained(d->control, f->flush, &f->retained);
		else
			jb_control_flushed(d->control, f->flush, f->seq);
		free(f);
	}
	if (!ended) {
		jb_daemon_release_on(d);
		jb_daemon_leave_on(d);
		return;
	}
	jb_recorder_join(d->recorder);
	d->recorder_running = false;
	jb_daemon_left(d);
	jb_daemon_stop(d, err.code != JB_OK ? &err : NULL);
	jb_daemon_close_handles(d);
}

struct jb_recorder_events jb_daemon_events(struct jb_daemon *d)
{
	return (struct jb_recorder_events){
		.scan_owed = on_scan_owed,
		.credits = on_credits,
		.committed = on_committed,
		.flushed = on_flushed,
		.ended = on_ended,
		.root_lost = on_root_lost,
		.root_released = on_root_released,
		.scan_progress = on_scan_progress,
		.retained = on_retained,
		.arg = d,
	};
}
