/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Letting a root go, so that its file system can be unmounted while the daemon
 * runs: what keeps it busy is the root's descriptor, a scan, the patrol, the
 * recorder at its work, and the workers of its policies.
 *
 *   here -> leaving: all of them are told (asked for, or the root has gone)
 *   leaving -> released: the last of them has said so; the descriptor is closed
 *   leaving -> missing: the same, of a root that has gone by itself
 *   released -> missing: another mount, or none, is at the path
 *   missing -> here: the file system is back (roots.c), or taken back
 *
 * The gap is open, durably, before anybody is told that the root is released.
 * A root that is released and never unmounted stays so until it is taken
 * back. */
#include "engine/daemon_priv.h"

#include "engine/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000u /* Linux 6.8 */
#endif

/* Not open()ed: whoever wants to unmount it would be refused. 0: nothing. */
static uint64_t mount_at(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT,
		  STATX_MNT_ID | STATX_MNT_ID_UNIQUE, &st) != 0)
		return 0;
	return st.stx_mnt_id;
}

static void answer(struct jb_presence *p)
{
	if (p->waiter != NULL)
		jb_control_released(p->waiter);
	p->waiter = NULL;
}

static void finish(struct jb_daemon *d, unsigned i)
{
	struct jb_presence *p = &d->presence[i];
	struct jb_root *root = &d->roots[i];
	int fd = open("/dev/null", O_PATH | O_CLOEXEC);

	if (fd < 0) {
		jb_log_error("root '%s': can't be released: /dev/null: %s",
			     root->config->name, strerrordesc_np(errno));
		return; /* tried again when something is told */
	}
	dup3(fd, root->fd, O_CLOEXEC);
	close(fd);
	p->state = p->asked ? JB_ROOT_RELEASED : JB_ROOT_MISSING;
	jb_recorder_scan_ended(d->recorder, root);
	if (p->asked)
		jb_log_notice("root '%s': released: %s can be unmounted",
			      root->config->name, root->config->path);
	answer(p);
}

/* Of a root that went by itself they say so themselves, and hold. */
static bool are_workers_quiet(struct jb_daemon *d, unsigned i)
{
	return !d->presence[i].asked ||
	       jb_supervisor_is_quiet(d->supervisor, d->roots[i].config->name);
}

void jb_daemon_release_on(struct jb_daemon *d)
{
	for (unsigned i = 0; i < d->n_roots && !d->stopping; i++) {
		bool acked;

		if (d->presence[i].state != JB_ROOT_LEAVING)
			continue;
		pthread_mutex_lock(&d->mutex);
		acked = d->presence[i].acked;
		pthread_mutex_unlock(&d->mutex);
		if (!acked || !jb_scan_is_idle(&d->scans[i]) ||
		    jb_patrol_is_at(&d->patrol, &d->roots[i]) ||
		    !are_workers_quiet(d, i))
			continue;
		finish(d, i);
		jb_daemon_check_roots(d); /* it may be back already */
	}
}

static void on_told(void *arg)
{
	struct jb_daemon *d = arg;

	uv_async_send(&d->told);
}

/* The state directory is open as long as we run. */
static int check_state(const struct jb_daemon *d, const struct jb_root *root,
		       struct jb_error *err)
{
	if (mount_at(d->config->state_dir) != mount_at(root->config->path))
		return JB_OK;
	return jb_error_set(err, JB_EBUSY, 0,
			    "root '%s': StateDirectory=%s is on the same "
			    "mount: stop the daemon to unmount it",
			    root->config->name, d->config->state_dir);
}

/* Tell the recorder and the scan; they answer through `told`. */
static void let_go(struct jb_daemon *d, unsigned i)
{
	d->presence[i].state = JB_ROOT_LEAVING;
	pthread_mutex_lock(&d->mutex);
	d->presence[i].acked = false;
	pthread_mutex_unlock(&d->mutex);
	jb_scan_halt(&d->scans[i], on_told, d);
	jb_patrol_keep_out(&d->patrol, &d->roots[i], on_told, d);
	jb_intake_poke(d->intake, NULL);
}

int jb_daemon_release(struct jb_daemon *d, unsigned i, void *waiter,
		      struct jb_error *err)
{
	struct jb_presence *p = &d->presence[i];
	struct jb_root *root = &d->roots[i];
	int rv = check_state(d, root, err);

	if (rv != JB_OK)
		return rv;
	if (p->waiter != NULL || d->leaving != JB_LEAVE_NOT)
		return jb_error_set(err, JB_EBUSY, 0,
				    "root '%s': is being released already",
				    root->config->name);
	p->waiter = waiter;
	if (p->state == JB_ROOT_MISSING || p->state == JB_ROOT_RELEASED) {
		answer(p);
		return JB_OK;
	}
	p->asked = true;
	p->mount = mount_at(root->config->path);
	jb_recorder_release_root(d->recorder, root);
	jb_supervisor_let_go(d->supervisor, root->config->name, on_told, d);
	let_go(d, i);
	return JB_OK;
}

void jb_daemon_lose(struct jb_daemon *d, unsigned i)
{
	d->presence[i].asked = false;
	jb_recorder_lose_root(d->recorder, &d->roots[i]);
	let_go(d, i);
}

bool jb_daemon_is_unmounted(struct jb_daemon *d, unsigned i)
{
	return mount_at(d->roots[i].config->path) != d->presence[i].mount;
}

int jb_daemon_take_back(struct jb_daemon *d, unsigned i, struct jb_error *err)
{
	const struct jb_config_root *root = d->roots[i].config;
	struct jb_presence *p = &d->presence[i];

	if (p->state == JB_ROOT_HERE)
		return jb_error_set(err, JB_EINVAL, 0,
				    "root '%s': is watched: nothing is to be "
				    "taken back",
				    root->name);
	if (p->state == JB_ROOT_LEAVING)
		return jb_error_set(err, JB_EBUSY, 0,
				    "root '%s': is being released: try again",
				    root->name);
	p->state = JB_ROOT_MISSING;
	jb_daemon_check_roots(d);
	if (p->state == JB_ROOT_HERE)
		return JB_OK;
	return jb_error_set(err, JB_ENOENT, 0,
			    "root '%s': %s is not what was released: mount it, "
			    "then it is watched again by itself",
			    root->name, root->path);
}

void jb_daemon_came_back(struct jb_daemon *d, unsigned i)
{
	jb_scan_go_on(&d->scans[i]);
	jb_patrol_let_in(&d->patrol, &d->roots[i]);
	if (d->presence[i].asked)
		jb_supervisor_go_on(d->supervisor, d->roots[i].config->name);
	d->presence[i].asked = false;
}
