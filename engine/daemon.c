/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start: lock, journal, roots with their marks (from here on the kernel
 * queues), recorder with what the catalog knows, map, then the first read.
 *
 * Stop on request: leave.c. Stop on failure: stop reading, let the recorder end
 * its batch (its messages are still answered), end the scans, close the
 * handles, leave.
 *
 * What the recorder thread tells: told.c. */
#include "engine/daemon.h"

#include "engine/base/log.h"
#include "engine/daemon_priv.h"
#include "engine/tree/look.h"
#include "engine/service.h"
#include "journal/gap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_MS	      30000 /* a directory that was moved away is seen */
#define SHORT_TICK_MS 10000 /* one that may come is waited for */
#define US_PER_MS     1000u
#define STATE_MODE    0700
#define RUNTIME_MODE  0755

/* ---- signals, timers, mounts */

static void on_signal(uv_signal_t *handle, int signum)
{
	jb_log_info("stopping on %s", signum == SIGTERM ? "SIGTERM" : "SIGINT");
	jb_daemon_leave(handle->data);
}

static void on_hangup(uv_signal_t *handle, int signum)
{
	struct jb_error err;

	(void)signum;
	if (jb_daemon_reload(handle->data, &err) != JB_OK)
		jb_log_error("%s; the configuration stays as it was", err.text);
}

static uint64_t choose_tick(const struct jb_daemon *d)
{
	uint64_t watchdog_ms = jb_service_watchdog_us() / US_PER_MS / 2;
	uint64_t tick_ms = TICK_MS;

	for (unsigned i = 0; i < d->n_roots; i++)
		if (d->presence[i].state != JB_ROOT_HERE ||
		    d->roots[i].network || d->roots[i].source->n_unwatched > 0)
			tick_ms = SHORT_TICK_MS;
	return watchdog_ms > 0 && watchdog_ms < tick_ms ? watchdog_ms : tick_ms;
}

static void on_tick(uv_timer_t *timer)
{
	struct jb_daemon *d = timer->data;

	jb_service_watchdog_ping();
	jb_daemon_check_roots(d);
	jb_daemon_rescan(d);
	if (d->leaving == JB_LEAVE_NOT)
		uv_timer_start(timer, on_tick, choose_tick(d), 0);
}

static void on_mounts(uv_poll_t *poll, int status, int events)
{
	struct jb_daemon *d = poll->data;

	(void)status;
	(void)events;
	jb_daemon_check_roots(d);
	jb_daemon_check_mounts(d);
}

static void on_clock_step(void *arg, int64_t moved_us)
{
	struct jb_daemon *d = arg;
	const char *reason =
		moved_us < 0 ? JB_GAP_CLOCK_BACK : JB_GAP_CLOCK_FORWARD;

	jb_log_warning("%s by %lld ms", reason,
		       llabs(moved_us) / (long long)US_PER_MS);
	for (unsigned i = 0; i < d->n_roots; i++)
		jb_recorder_owe_scan(d->recorder, &d->roots[i], reason);
	jb_intake_poke(d->intake, NULL);
}

static void on_intake_failed(void *arg, const struct jb_error *err)
{
	jb_daemon_stop(arg, err);
}

void jb_daemon_stop_workers(struct jb_daemon *d)
{
	if (d->workers_stopped)
		return;
	d->workers_stopped = true;
	if (d->reload.again)
		jb_service_reloading();
	else
		jb_service_stopping();
	if (d->supervisor != NULL)
		jb_supervisor_stop(d->supervisor, NULL, NULL);
}

void jb_daemon_stop(struct jb_daemon *d, const struct jb_error *err)
{
	if (err != NULL && d->result == JB_OK) {
		d->result = err->code;
		d->error = *err;
	}
	if (d->stopping)
		return;
	d->stopping = true;
	jb_daemon_stop_workers(d);
	jb_scan_credits_stop(&d->credits);
	jb_patrol_halt(&d->patrol);
	jb_intake_stop(d->intake);
}

static void on_own_closed(uv_handle_t *handle)
{
	(void)handle;
}

void jb_daemon_close_handles(struct jb_daemon *d)
{
	uv_handle_t *handles[] = {
		(uv_handle_t *)&d->term,   (uv_handle_t *)&d->interrupt,
		(uv_handle_t *)&d->hangup, (uv_handle_t *)&d->tick,
		(uv_handle_t *)&d->mounts, (uv_handle_t *)&d->told,
	};

	for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
		if (handles[i]->loop != NULL && !uv_is_closing(handles[i]))
			uv_close(handles[i], on_own_closed);
	jb_clock_step_stop(&d->clock);
	jb_retention_stop(&d->retention);
	jb_control_close(d->control);
	d->control = NULL;
	jb_intake_release(d->intake);
}

/* ---- start */

static int make_dir(const char *path, mode_t mode, struct jb_error *err)
{
	char part[4096];

	snprintf(part, sizeof part, "%s", path);
	for (char *p = part + 1; *p != '\0'; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(part, 0755);
			*p = '/';
		}
	if (mkdir(part, mode) != 0 && errno != EEXIST)
		return jb_error_errno(err, errno, "%s", path);
	return JB_OK;
}

static int lock_state(struct jb_daemon *d, struct jb_error *err)
{
	char path[4096], text[32] = "?";
	ssize_t n;

	snprintf(path, sizeof path, "%s/lock", d->config->state_dir);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock_fd < 0)
		return jb_error_errno(err, errno, "%s", path);
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		n = pread(d->lock_fd, text, sizeof text - 1, 0);
		if (n > 0)
			text[strcspn(text, "\n")] = '\0';
		return jb_error_set(err, JB_EBUSY, errno,
				    "%s: another daemon (pid %s) uses this "
				    "state directory",
				    d->config->state_dir, text);
	}
	snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(d->lock_fd, 0) != 0 ||
	    pwrite(d->lock_fd, text, strlen(text), 0) < 0)
		return jb_error_errno(err, errno, "%s", path);
	return JB_OK;
}

static int open_scans(struct jb_daemon *d, struct jb_error *err)
{
	d->scans = calloc(d->n_roots, sizeof *d->scans);
	if (d->scans == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "scans");
	jb_scan_credits_init(&d->credits);
	for (unsigned i = 0; i < d->n_roots; i++)
		jb_scan_init(&d->scans[i], &d->roots[i], d->config->state_dir,
			     d->intake, d->recorder, &d->credits);
	return jb_patrol_init(&d->patrol, d->roots, d->n_roots,
			      d->config->state_dir, d->intake, d->recorder,
			      &d->credits, err);
}

static void start_handles(struct jb_daemon *d)
{
	struct jb_error err;

	uv_signal_init(&d->loop, &d->term);
	uv_signal_init(&d->loop, &d->interrupt);
	uv_signal_init(&d->loop, &d->hangup);
	uv_timer_init(&d->loop, &d->tick);
	d->term.data = d->interrupt.data = d->hangup.data = d->tick.data = d;
	uv_signal_start(&d->term, on_signal, SIGTERM);
	uv_signal_start(&d->interrupt, on_signal, SIGINT);
	uv_signal_start(&d->hangup, on_hangup, SIGHUP);
	uv_timer_start(&d->tick, on_tick, choose_tick(d), 0);
	if (jb_clock_step_start(&d->clock, &d->loop, on_clock_step, d, &err) !=
	    JB_OK)
		jb_log_warning("%s", err.text);
	d->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (d->mounts_fd >= 0 &&
	    uv_poll_init(&d->loop, &d->mounts, d->mounts_fd) == 0) {
		d->mounts.data = d;
		uv_poll_start(&d->mounts, UV_PRIORITIZED, on_mounts);
		jb_daemon_check_mounts(d);
	}
}

static int start(struct jb_daemon *d, struct jb_error *err)
{
	int rv;

	rv = make_dir(d->config->state_dir, STATE_MODE, err);
	if (rv == JB_OK)
		rv = make_dir(d->config->runtime_dir, RUNTIME_MODE, err);
	if (rv == JB_OK)
		rv = lock_state(d, err);
	if (rv == JB_OK)
		jb_keep_begin(&d->keep, d->config);
	if (rv == JB_OK)
		rv = jb_daemon_open_roots(d, err);
	if (rv == JB_OK)
		rv = jb_daemon_open_journal(d, err);
	if (rv == JB_OK)
		rv = jb_intake_open(&d->loop, d->config->flush_us,
				    on_intake_failed, d, &d->intake, err);
	if (rv != JB_OK)
		return rv;
	for (unsigned i = 0; i < JB_SOURCES; i++)
		if (d->sources[i] != NULL) {
			jb_intake_add_source(d->intake, d->sources[i]);
			if (d->sources[i]->can_rest)
				jb_keep_store(&d->keep, d->sources[i]->fd);
		}
	rv = open_scans(d, err);
	if (rv == JB_OK)
		rv = jb_control_open(d, &d->control, err);
	if (rv == JB_OK)
		rv = jb_intake_start(d->intake, err);
	if (rv == JB_OK)
		rv = jb_recorder_start(d->recorder, d->intake, err);
	for (unsigned i = 0; rv == JB_OK && i < d->n_roots; i++)
		if (d->presence[i].state == JB_ROOT_MISSING)
			jb_recorder_lose_root(d->recorder, &d->roots[i]);
	d->recorder_running = rv == JB_OK;
	if (rv == JB_OK)
		rv = jb_patrol_start(&d->patrol, err);
	if (rv == JB_OK)
		rv = jb_retention_start(&d->retention, &d->loop, d->config,
					d->recorder, d->intake,
					(uint64_t)d->epoch, err);
	if (rv == JB_OK)
		rv = jb_supervisor_open(&d->loop, d->config, &d->supervisor,
					err);
	return rv;
}

static void fini(struct jb_daemon *d)
{
	struct jb_error why;

	jb_patrol_stop(&d->patrol);
	jb_patrol_fini(&d->patrol);
	for (unsigned i = 0; d->scans != NULL && i < d->n_roots; i++) {
		jb_scan_stop(&d->scans[i]);
		jb_scan_fini(&d->scans[i]);
	}
	free(d->scans);
	if (d->intake != NULL)
		jb_intake_free(d->intake);
	else
		for (unsigned i = 0; i < JB_SOURCES; i++)
			if (d->sources[i] != NULL)
				d->sources[i]->ops->close(d->sources[i]);
	jb_supervisor_close(d->supervisor);
	jb_daemon_close_journal(d);
	if (d->result == JB_ECORRUPT &&
	    jb_daemon_set_aside(d, &d->error, &why) != JB_OK)
		d->error = why;
	jb_own_fini(&d->own);
	jb_daemon_close_roots(d);
	if (d->mounts_fd >= 0)
		close(d->mounts_fd);
	if (d->keep.fd >= 0)
		close(d->keep.fd);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	pthread_mutex_destroy(&d->mutex);
}

int jb_daemon_run(const struct jb_config *config, struct jb_reload *ret,
		  struct jb_error *err)
{
	struct jb_daemon d = {.config = config,
			      .lock_fd = -1,
			      .mounts_fd = -1,
			      .keep = {.fd = -1},
			      .reload = {.fd = -1},
			      .clock = {.fd = -1}};
	int rv;

	*ret = d.reload;
	rv = jb_config_check_available(config, err);
	if (rv == JB_OK)
		rv = jb_config_check_paths(config, JB_CONFIG_ABSENT_MAY_COME,
					   err);
	if (rv != JB_OK)
		return rv;
	umask(022);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock per malloc */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* not before we can, nor on the way to it */
	pthread_mutex_init(&d.mutex, NULL);
	uv_loop_init(&d.loop);
	uv_async_init(&d.loop, &d.told, jb_daemon_on_told);
	d.told.data = &d;
	rv = start(&d, err);
	if (rv == JB_OK) {
		start_handles(&d);
		jb_service_ready();
	} else {
		if (d.intake != NULL)
			jb_intake_stop(d.intake);
		jb_daemon_close_handles(&d);
	}
	uv_run(&d.loop, UV_RUN_DEFAULT);
	fini(&d);
	uv_loop_close(&d.loop);
	*ret = d.reload;
	if (rv == JB_OK && d.result != JB_OK) {
		*err = d.error;
		rv = d.error.code;
	}
	return rv;
}
