/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the daemon stops on request, so that the next one can go on:
 *
 *   flush    only where the queue can't be kept: what is known to have
 *            happened is written down, within bounds
 *   halt     read no more; the scans end their page and send what they found
 *   drain    the recorder looks at all that was read, then leaves its mark
 *   seal     the kept descriptor gets the name that belongs to the mark
 *
 * Reading the configuration again is the same, with the descriptor handed over
 * by ourselves (reload.h).
 *
 * Failure: whoever is in a hurry (a second signal) or fails on the way stops at
 * once, without a mark; so does one that is killed. The next start scans. */
#include "engine/daemon_priv.h"

#include "engine/base/log.h"
#include "engine/service.h"

#include <fcntl.h>
#include <string.h>

#define LAST_FLUSH_MS 3000

static struct jb_source *resting_source(const struct jb_daemon *d)
{
	for (unsigned i = 0; i < JB_SOURCES; i++)
		if (d->sources[i] != NULL && d->sources[i]->can_rest)
			return d->sources[i];
	return NULL;
}

static bool all_rest(const struct jb_daemon *d)
{
	for (unsigned i = 0; i < JB_SOURCES; i++)
		if (d->sources[i] != NULL && !d->sources[i]->can_rest)
			return false;
	return jb_keep_can() || d->reload.again;
}

static void drain(struct jb_daemon *d)
{
	for (unsigned i = 0; i < d->n_roots; i++)
		if (!jb_scan_is_idle(&d->scans[i]))
			return;
	d->leaving = JB_LEAVE_DRAIN;
	if ((jb_keep_can() || d->reload.again) && resting_source(d) != NULL)
		jb_recorder_rest(d->recorder, jb_keep_mark(&d->keep));
	jb_intake_drain(d->intake);
}

/* A scan's last thread. */
static void on_scan_idle(void *arg)
{
	struct jb_daemon *d = arg;

	uv_async_send(&d->told);
}

static void halt(struct jb_daemon *d)
{
	uv_timer_stop(&d->tick);
	d->leaving = JB_LEAVE_HALT;
	jb_intake_pause(d->intake);
	jb_patrol_halt(&d->patrol);
	for (unsigned i = 0; i < d->n_roots; i++)
		jb_scan_halt(&d->scans[i], on_scan_idle, d);
	drain(d);
}

static void on_flush_timeout(uv_timer_t *timer)
{
	halt(timer->data);
}

static void flush(struct jb_daemon *d)
{
	struct jb_mark *mark = jb_mark_new();

	d->leaving = JB_LEAVE_FLUSH;
	if (mark == NULL) {
		halt(d);
		return;
	}
	jb_intake_answer(d->intake, mark);
	if (jb_recorder_flush(d->recorder, mark, &d->leaving, NULL) != JB_OK) {
		halt(d);
		return;
	}
	jb_intake_hurry(d->intake, true);
	jb_intake_poke(d->intake, NULL);
	uv_timer_start(&d->tick, on_flush_timeout, LAST_FLUSH_MS, 0);
}

void jb_daemon_leave(struct jb_daemon *d)
{
	if (d->reload.again && d->leaving != JB_LEAVE_NOT) {
		d->reload.again = false; /* it stops after all */
		jb_service_stopping();
		return;
	}
	if (d->leaving != JB_LEAVE_NOT || !d->recorder_running) {
		jb_daemon_stop(d, NULL);
		return;
	}
	jb_daemon_stop_workers(d);
	if (all_rest(d))
		halt(d);
	else
		flush(d);
}

void jb_daemon_leave_flushed(struct jb_daemon *d)
{
	if (d->leaving == JB_LEAVE_FLUSH)
		halt(d);
}

void jb_daemon_leave_on(struct jb_daemon *d)
{
	if (d->leaving == JB_LEAVE_HALT)
		drain(d);
}

void jb_daemon_left(struct jb_daemon *d)
{
	int fd;

	if (!jb_recorder_rested(d->recorder))
		return;
	fd = resting_source(d)->fd;
	jb_keep_seal(&d->keep, fd);
	if (!d->reload.again)
		return;
	d->reload.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	memcpy(d->reload.name, d->keep.name, sizeof d->reload.name);
}

int jb_daemon_reload(struct jb_daemon *d, struct jb_error *err)
{
	int rv;

	if (d->leaving != JB_LEAVE_NOT || !d->recorder_running)
		return jb_error_set(err, JB_EBUSY, 0, "it is stopping");
	rv = jb_reload_check(d->config, err);
	if (rv != JB_OK)
		return rv;
	jb_log_info("reading the configuration again");
	d->reload.again = true;
	jb_daemon_leave(d);
	return JB_OK;
}
