/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which backend watches which root, and roots that go and come back. */
#include "engine/daemon_priv.h"

#include "engine/base/duration.h"
#include "engine/base/log.h"
#include "journal/catalog.h"
#include "journal/gap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define US_PER_MS    1000u
#define UNWATCHED_MS 30000 /* from a scan to the next, no watches left */
#define MOUNTINFO    "/proc/self/mountinfo"

enum { FANOTIFY, INOTIFY };

static int open_source(struct jb_daemon *d, int which, struct jb_error *err)
{
	int kept, rv;

	if (d->sources[which] != NULL)
		return JB_OK;
	if (which == INOTIFY)
		return jb_inotify_open(&d->sources[which], err);
	kept = d->keep.fd;
	d->keep.fd = -1;
	rv = jb_fanotify_open(d->config->queue_events, kept, &d->sources[which],
			      err);
	if (rv == JB_OK && !d->sources[which]->is_limited)
		jb_log_warning("QueueLimit=%" PRIu32 ": can't be set here, "
			       "fs.fanotify.max_queued_events counts: set that",
			       d->config->queue_events);
	return rv;
}

static int watch_with(struct jb_daemon *d, struct jb_root *root, int which,
		      struct jb_error *err)
{
	struct jb_source *s;
	int rv = open_source(d, which, err);

	if (rv != JB_OK)
		return rv;
	s = d->sources[which];
	rv = s->ops->add_root(s, root, err);
	if (rv != JB_OK)
		return rv;
	root->source = s;
	root->watched = true;
	root->kept_as = s->can_rest ? jb_keep_fingerprint(root) : 0;
	return JB_OK;
}

static int watch_root(struct jb_daemon *d, struct jb_root *root,
		      struct jb_error *err)
{
	enum jb_backend want = root->config->backend;
	struct jb_error why = {0};
	int rv = JB_ENOTSUP;

	if (want != JB_BACKEND_INOTIFY) {
		rv = watch_with(d, root, FANOTIFY, &why);
		if (rv == JB_OK)
			snprintf(root->why, sizeof root->why,
				 want == JB_BACKEND_AUTO
					 ? "one mark for the file system"
					 : "as configured");
	}
	if (rv != JB_OK && want != JB_BACKEND_FANOTIFY) {
		rv = watch_with(d, root, INOTIFY, err);
		if (want == JB_BACKEND_AUTO)
			snprintf(root->why, sizeof root->why,
				 "no fanotify on %s: %.100s",
				 root->fs_type[0] != '\0' ? root->fs_type
							  : "this",
				 why.text);
		else
			snprintf(root->why, sizeof root->why, "as configured");
		return rv;
	}
	if (rv != JB_OK && err != NULL) {
		*err = why;
		jb_error_prefix(err, "root '%s': Backend=fanotify",
				root->config->name);
	}
	return rv;
}

static void tell_root(const struct jb_root *root)
{
	char interval[JB_DURATION_TEXT_MAX];

	jb_log_info("root '%s': %s, %s: %s", root->config->name,
		    root->config->path, root->source->ops->name, root->why);
	if (root->whole_seconds)
		jb_log_warning("root '%s': %s keeps times as whole seconds "
			       "(inodes of 128 bytes): a second change within "
			       "one of them may be missed. Unmounted, 'tune2fs "
			       "-I 256' makes room",
			       root->config->name, root->fs_type);
	if (!root->network)
		return;
	jb_duration_format(root->config->rescan_us, interval, sizeof interval);
	jb_log_warning(
		"root '%s': %s is a network mount (%s): what others "
		"change there raises no event; %s%s. Watch on the server "
		"instead",
		root->config->name, root->config->path, root->fs_type,
		root->config->rescan_us != 0
			? "it is scanned every "
			: "RescanInterval=off, so nobody sees it",
		root->config->rescan_us != 0 ? interval : "");
}

static bool share_fs(const struct jb_root *a, const struct jb_root *b)
{
	if (a->dev != 0 && b->dev != 0)
		return a->dev == b->dev;
	return a->fsid == b->fsid && a->fsid != 0; /* one is not there yet */
}

/* Roots of one file system share one mark. */
static uint8_t fs_index(const struct jb_daemon *d, const struct jb_root *root)
{
	for (unsigned i = 0; i < d->n_roots; i++)
		if (share_fs(&d->roots[i], root))
			return d->roots[i].fs;
	return (uint8_t)d->n_roots;
}

/* ---- roots that are not there at the start */

/* What the last daemon knew of a root. 1, or 0: nothing. Whatever else is wrong
 * with the journal is said when it is opened to write. */
static int read_known(const struct jb_daemon *d, const char *name,
		      struct jb_root_known *ret)
{
	struct jb_store *store = NULL;
	struct jb_catalog *catalog = NULL;
	struct jb_known_root known;
	struct jb_dir dir;
	int rv = jb_store_open(d->config->state_dir, JB_STORE_READ, &store,
			       NULL);

	if (rv == JB_OK)
		rv = jb_catalog_open(store, &catalog, NULL);
	if (rv == JB_OK)
		rv = jb_known_root_find(store, name, &known, NULL);
	if (rv > 0)
		rv = jb_catalog_dir(catalog, known.dirkey, &dir, NULL);
	if (rv > 0) {
		ret->identity = dir.id;
		ret->fsid = known.fsid;
		ret->handle.len = dir.handle_len;
		memcpy(ret->handle.bytes, dir.handle, dir.handle_len);
	}
	jb_catalog_close(catalog);
	jb_store_close(store);
	return rv > 0;
}

/* Nobody watches it yet; when it comes, this source will. */
static int await_root(struct jb_daemon *d, struct jb_root *root,
		      struct jb_error *err)
{
	int which =
		root->by_handle && root->config->backend != JB_BACKEND_INOTIFY
			? FANOTIFY
			: INOTIFY;
	int rv = open_source(d, which, err);

	if (rv != JB_OK)
		return rv;
	root->source = d->sources[which];
	return JB_OK;
}

static int open_root(struct jb_daemon *d, const struct jb_config_root *config,
		     struct jb_root *root, bool *here, struct jb_error *err)
{
	struct jb_root_known known;
	bool is_known = read_known(d, config->name, &known);
	int rv = jb_root_open(config, root, err);

	*here = rv == JB_OK &&
		(!is_known || jb_id_equal(root->identity, known.identity));
	if (*here)
		return JB_OK;
	if (!is_known) /* in words that say what to do */
		return jb_config_check_paths(d->config,
					     JB_CONFIG_ABSENT_IS_WRONG,
					     err) != JB_OK
			       ? err->code
			       : rv;
	if (rv == JB_OK) {
		jb_log_warning("root '%s': %s is not the directory that the "
			       "journal knows: mount it, put the old one back, "
			       "or give this one another name",
			       config->name, config->path);
		jb_root_close(root);
	} else {
		jb_log_warning("%s: it is waited for", err->text);
	}
	return jb_root_open_absent(config, &known, root, err);
}

static int add_root(struct jb_daemon *d, const struct jb_config_root *config,
		    struct jb_error *err)
{
	unsigned i = d->n_roots;
	struct jb_root *root = &d->roots[i];
	bool here;
	int rv = open_root(d, config, root, &here, err);

	if (rv != JB_OK)
		return rv;
	root->index = i;
	root->fs = fs_index(d, root);
	d->presence[i].rescanned_ms = uv_now(&d->loop);
	d->presence[i].state = here ? JB_ROOT_HERE : JB_ROOT_MISSING;
	d->n_roots++;
	rv = here ? watch_root(d, root, err) : await_root(d, root, err);
	if (rv == JB_OK && here)
		tell_root(root);
	return rv;
}

int jb_daemon_open_roots(struct jb_daemon *d, struct jb_error *err)
{
	const struct jb_config *c = d->config;
	int rv = JB_OK;

	if (c->n_roots == 0 || c->n_roots > JB_ROOTS_MAX)
		return jb_error_set(err, JB_ECONFIG, 0,
				    "%s: %zu roots: give between 1 and %d "
				    "[Root NAME] sections",
				    c->file, c->n_roots, JB_ROOTS_MAX);
	d->roots = calloc(c->n_roots, sizeof *d->roots);
	d->presence = calloc(c->n_roots, sizeof *d->presence);
	if (d->roots == NULL || d->presence == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "roots");
	for (size_t i = 0; i < c->n_roots && rv == JB_OK; i++)
		rv = add_root(d, &c->roots[i], err);
	if (rv == JB_OK && d->sources[FANOTIFY] != NULL)
		jb_fanotify_trim(d->sources[FANOTIFY], d->roots, d->n_roots);
	return rv;
}

void jb_daemon_close_roots(struct jb_daemon *d)
{
	for (unsigned i = 0; i < d->n_roots; i++) {
		if (d->presence[i].waiter != NULL)
			jb_control_released(d->presence[i].waiter);
		jb_root_close(&d->roots[i]);
	}
	jb_mounts_fini(&d->mounted);
	free(d->roots);
	free(d->presence);
}

/* The same file system on a new mount, or the same directory back at its path:
 * take it over under the descriptor that everybody uses. */
static bool reopen_root(struct jb_daemon *d, struct jb_root *root)
{
	struct jb_root now;
	struct jb_error err;

	if (jb_root_open(root->config, &now, NULL) != JB_OK)
		return false;
	if (!jb_id_equal(now.identity, root->identity) ||
	    now.fsid != root->fsid) {
		jb_root_close(&now);
		return false;
	}
	if (root->watched)
		root->source->ops->remove_root(root->source, root);
	root->watched = true;
	dup3(now.fd, root->fd, O_CLOEXEC);
	root->mount_id = now.mount_id;
	root->dev = now.dev;
	root->fs_dev = now.fs_dev;
	memcpy(root->fs_type, now.fs_type, sizeof root->fs_type);
	memcpy(root->device, now.device, sizeof root->device);
	root->network = now.network;
	root->whole_seconds = now.whole_seconds;
	if (root->source->ops->add_root(root->source, root, &err) != JB_OK) {
		jb_log_error("root '%s': %s", root->config->name, err.text);
		jb_daemon_stop(d, &err);
	}
	if (root->source->can_rest)
		root->kept_as = jb_keep_fingerprint(root);
	jb_root_close(&now);
	return true;
}

static void lose_root(struct jb_daemon *d, unsigned i)
{
	struct jb_error err;

	if (jb_root_check(&d->roots[i], &err) == JB_OK)
		return;
	jb_log_warning("%s", err.text);
	jb_daemon_lose(d, i);
}

static void find_root(struct jb_daemon *d, unsigned i)
{
	struct jb_root *root = &d->roots[i];

	if (!reopen_root(d, root))
		return;
	d->presence[i].state = JB_ROOT_HERE;
	jb_log_notice("root '%s': %s is back", root->config->name,
		      root->config->path);
	jb_daemon_came_back(d, i);
	jb_recorder_root_back(d->recorder, root);
	jb_intake_poke(d->intake, NULL);
}

void jb_daemon_check_roots(struct jb_daemon *d)
{
	for (unsigned i = 0; i < d->n_roots && !d->stopping; i++) {
		struct jb_presence *p = &d->presence[i];

		if (p->state == JB_ROOT_RELEASED &&
		    jb_daemon_is_unmounted(d, i))
			p->state = JB_ROOT_MISSING;
		if (p->state == JB_ROOT_HERE)
			lose_root(d, i);
		else if (p->state == JB_ROOT_MISSING)
			find_root(d, i);
	}
}

/* Why the root is scanned every *wait_ms; NULL: it is not. */
static const char *why_rescan(const struct jb_root *root, uint64_t *wait_ms)
{
	*wait_ms = UNWATCHED_MS;
	if (root->source->n_unwatched > 0)
		return JB_GAP_UNWATCHED;
	*wait_ms = root->config->rescan_us / US_PER_MS;
	return root->network && *wait_ms > 0 ? JB_GAP_REMOTE : NULL;
}

void jb_daemon_rescan(struct jb_daemon *d)
{
	uint64_t now = uv_now(&d->loop), wait_ms;

	for (unsigned i = 0; i < d->n_roots; i++) {
		const struct jb_root *root = &d->roots[i];
		const char *why = why_rescan(root, &wait_ms);
		struct jb_presence *p = &d->presence[i];

		if (why == NULL || p->state != JB_ROOT_HERE ||
		    now < p->rescanned_ms + wait_ms)
			continue;
		p->rescanned_ms = now;
		if (!jb_scan_is_idle(&d->scans[i]))
			continue; /* a rest after this one, too */
		jb_recorder_owe_scan(d->recorder, root, why);
		jb_intake_poke(d->intake, NULL);
	}
}

static void on_mount_changed(void *arg, const char *path)
{
	struct jb_daemon *d = arg;
	struct jb_error err;

	if (d->supervisor != NULL)
		jb_supervisor_mounted(d->supervisor, path);
	for (unsigned i = 0; i < d->n_roots; i++) {
		const char *top = d->roots[i].config->path;
		size_t len = strlen(top);

		if (strncmp(path, top, len) != 0 || path[len] != '/' ||
		    path[len + 1] == '\0')
			continue;
		if (jb_recorder_look_at_path(d->recorder, &d->roots[i],
					     path + len + 1, &err) != JB_OK)
			jb_log_error("%s: %s", path, err.text);
		jb_intake_poke(d->intake, NULL);
	}
}

void jb_daemon_check_mounts(struct jb_daemon *d)
{
	struct jb_error err;

	if (jb_mounts_update(&d->mounted, MOUNTINFO, on_mount_changed, d,
			     &err) != JB_OK)
		jb_log_error("%s", err.text);
}
