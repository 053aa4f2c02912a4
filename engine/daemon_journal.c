/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal that the daemon writes, its recorder, and what is ours in the
 * trees and no change. Happy path: open the file -> its epoch -> a session ->
 * the recorder reads the roots, and fills the map. A file that is damaged is
 * set aside, and all of that is done once more with a new one. */
#include "engine/daemon_priv.h"

#include "engine/base/log.h"
#include "journal/damage.h"
#include "journal/session.h"
#include "journal/store.h"
#include "transports/transport.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static int64_t new_epoch(void)
{
	int64_t epoch = 0;

	while (epoch <= 0)
		if (getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
			epoch = 1;
		else
			epoch &= INT64_MAX;
	return epoch;
}

static int load_epoch(struct jb_daemon *d, struct jb_error *err)
{
	int rv = jb_store_get_meta(d->store, "epoch", 0, &d->epoch, err);

	if (rv != JB_OK || d->epoch != 0)
		return rv;
	d->epoch = new_epoch();
	return jb_store_set_meta(d->store, "epoch", d->epoch, err);
}

/* What a policy's target keeps at its top. */
static int note_target(struct jb_daemon *d,
		       const struct jb_config_section *policy,
		       struct jb_error *err)
{
	const char *name = jb_config_text(policy, "Target"), *transport;
	const struct jb_config_section *target =
		name != NULL ? jb_config_target(d->config, name) : NULL;
	char *dir = NULL;
	int rv;

	transport = target != NULL ? jb_config_text(target, "Transport") : NULL;
	if (transport == NULL || strcmp(transport, "local") != 0)
		return JB_OK;
	rv = jb_config_target_dir(d->config, policy, &dir, err);
	if (rv == JB_OK && dir != NULL)
		rv = jb_own_add_place(&d->own, dir, JB_OWN_DIR, err);
	free(dir);
	return rv;
}

/* Ours too is what a target keeps, when the target lies in a root: of another
 * policy, in a chain. */
static int note_own(struct jb_daemon *d, struct jb_error *err)
{
	int rv = JB_OK;

	jb_own_add_dir(&d->own, d->config->state_dir);
	jb_own_add_dir(&d->own, d->config->runtime_dir);
	for (size_t i = 0; i < d->config->n_policies && rv == JB_OK; i++)
		rv = note_target(d, &d->config->policies[i], err);
	return rv;
}

static int open_recorder(struct jb_daemon *d, struct jb_error *err)
{
	const struct jb_recorder_events events = jb_daemon_events(d);
	struct jb_recorder_settings settings = {
		.roots = d->roots,
		.n_roots = d->n_roots,
		.own = &d->own,
		.missed = d->keep.missed,
		.max_bytes = (int64_t)d->config->max_journal,
	};
	int rv;

	rv = jb_store_open(d->config->state_dir, JB_STORE_WRITE, &d->store,
			   err);
	if (rv == JB_OK)
		rv = load_epoch(d, err);
	if (rv == JB_OK)
		rv = jb_session_begin(d->store, err);
	if (rv == JB_OK)
		rv = jb_recorder_open(d->store, &settings, &events,
				      &d->recorder, err);
	if (rv == JB_OK)
		rv = jb_recorder_fill_map(d->recorder, err);
	return rv;
}

void jb_daemon_close_journal(struct jb_daemon *d)
{
	jb_recorder_close(d->recorder);
	jb_store_close(d->store);
	d->recorder = NULL;
	d->store = NULL;
}

int jb_daemon_set_aside(struct jb_daemon *d, const struct jb_error *why,
			struct jb_error *err)
{
	char name[128];
	int rv;

	jb_daemon_close_journal(d);
	rv = jb_damage_set_aside(d->config->state_dir, "journal.db", why, name,
				 sizeof name, err);
	if (rv == JB_OK)
		jb_log_error("%s: set aside as %s/%s; a new journal is built "
			     "by a scan",
			     why->text, d->config->state_dir, name);
	return rv;
}

int jb_daemon_open_journal(struct jb_daemon *d, struct jb_error *err)
{
	struct jb_error why;
	int rv = note_own(d, &why);

	if (rv == JB_OK)
		rv = open_recorder(d, &why);
	if (rv == JB_ECORRUPT) {
		rv = jb_daemon_set_aside(d, &why, err);
		return rv == JB_OK ? open_recorder(d, err) : rv;
	}
	if (rv != JB_OK)
		*err = why;
	return rv;
}
