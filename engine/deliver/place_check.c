/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source and target are who they were, or nothing is written: an unmounted
 * source is not a deletion, an unmounted target is not a place to write to. */
#include "engine/deliver/delivery_priv.h"

#include "engine/base/clock.h"
#include "engine/deliver/located.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned jb_delivery_preserve(const struct jb_config_section *policy)
{
	static const struct {
		const char *word;
		unsigned bit;
	} bits[] = {
		{"mode", JB_PRESERVE_MODE},   {"owner", JB_PRESERVE_OWNER},
		{"times", JB_PRESERVE_TIMES}, {"xattrs", JB_PRESERVE_XATTRS},
		{"acls", JB_PRESERVE_ACLS},
	};
	unsigned preserve = 0;
	char **words;
	size_t n;

	if (jb_config_words(policy, "Preserve", &words, &n, NULL) != JB_OK)
		return JB_PRESERVE_ALL;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < sizeof bits / sizeof bits[0]; k++)
			if (strcmp(words[i], bits[k].word) == 0)
				preserve |= bits[k].bit;
	jb_config_words_free(words, n);
	return preserve;
}

/* Both Under=, joined. */
static int join_under(struct jb_delivery *d, struct jb_error *err)
{
	const char *a = jb_config_text(d->section, "Under");
	const char *b = jb_config_text(d->policy, "Under");

	a = a != NULL ? a : "";
	b = b != NULL ? b : "";
	if (asprintf(&d->under, "%s%s%s", a, *a && *b ? "/" : "", b) < 0) {
		d->under = NULL;
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'",
				    d->policy->name);
	}
	return JB_OK;
}

int jb_delivery_open_target(struct jb_delivery *d, struct jb_error *err)
{
	const char *transport = jb_config_text(d->section, "Transport");
	const struct jb_target_ops *ops = jb_transport_find(transport);
	int rv;

	if (ops == NULL)
		return jb_error_set(err, JB_ENOTSUP, 0,
				    "policy '%s': Transport=%s is not built in",
				    d->policy->name, transport);
	rv = join_under(d, err);
	if (rv != JB_OK)
		return rv;
	return ops->open(
		&(struct jb_target_options){
			.name = d->section->name,
			.path = jb_config_text(d->section, "Path"),
			.under = d->under,
			.source = d->root->path,
			.require_mount =
				jb_config_bool(d->section, "RequireMount"),
			.min_free = jb_config_size(d->section, "MinFree"),
			.preserve = d->options.preserve,
		},
		&d->target, err);
}

/* The journal's root directory is what lies at its path now. */
int jb_delivery_check_source(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_located source;
	int rv = jb_locate(d->root->path, true, &source);

	if (rv < 0)
		return jb_error_set(err, JB_EHELD, -rv,
				    "source %s: %s: mount it, or correct "
				    "[Root %s]",
				    d->root->path, strerror(-rv),
				    d->root->name);
	if (jb_identity_fits(source.id, d->journal.top))
		return JB_OK;
	return jb_error_set(err, JB_EHELD, 0,
			    "source %s is not the directory that the journal "
			    "knows (not mounted?): mount it",
			    d->root->path);
}

/* Not in the configuration's words but by links or bind mounts: is the target
 * a directory that the journal has in this root? Then the copy would contain
 * itself. */
static int check_outside(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_located source, target;
	char *dir = NULL, *path;
	int rv;

	rv = jb_config_target_dir(d->config, d->policy, &dir, err);
	if (rv != JB_OK)
		return rv;
	if (jb_locate(dir, true, &target) < 0 ||
	    jb_locate(d->root->path, true, &source) < 0 ||
	    !jb_located_together(&target, &source))
		goto out;
	path = jb_feed_path(d->feed, target.id);
	if (path != NULL)
		rv = jb_error_set(err, JB_EHELD, 0,
				  "target %s lies inside [Root %s], at %s/%s: "
				  "choose another directory, or Exclude= it "
				  "there",
				  dir, d->root->name, d->root->path, path);
	free(path);
out:
	free(dir);
	return rv;
}

/* A target that was never ours: empty, or a person says what to do. */
static int meet_target(struct jb_delivery *d, struct jb_error *err)
{
	const char *target = d->section->name;
	struct jb_pass pass = d->pass; /* the first copy has just begun */
	struct jb_target_state s;
	bool was_known;
	int rv = d->target->ops->inspect(d->target, &s, err);

	if (rv != JB_OK)
		return rv;
	if (s.has_marker)
		return jb_error_set(
			err, JB_EHELD, 0,
			"target '%s' was initialised by %s, this policy does "
			"not know it: 'journalctl-backup target init %s "
			"--adopt' takes over what equals the source",
			target, s.owner[0] != '\0' ? s.owner : "somebody",
			target);
	if (!s.is_empty)
		return jb_error_set(
			err, JB_EHELD, 0,
			"target '%s' is not empty: 'journalctl-backup target "
			"init %s --adopt' takes over what equals the source, "
			"without --adopt nothing there is touched",
			target, target);
	rv = jb_delivery_init_target(d, false, false, &was_known, err);
	d->pass = pass;
	return rv;
}

/* Has the target the marker that was to be written when we were cut short? */
static int finish_init(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_target_state s;
	int rv = d->target->ops->inspect(d->target, &s, err);

	if (rv != JB_OK || strcmp(s.uuid, d->new_uuid) != 0)
		return rv;
	return jb_delivery_note_target(d, s.uuid, s.fsid, d->new_adopt, err);
}

int jb_delivery_start_target(struct jb_delivery *d, unsigned *can,
			     struct jb_error *err)
{
	int rv = JB_OK;

	if (d->is_full && d->feed != NULL)
		rv = check_outside(d, err);
	if (rv == JB_OK && d->new_uuid[0] != '\0' && !d->dry)
		rv = finish_init(d, err);
	if (rv == JB_OK && d->uuid[0] == '\0' && !d->dry)
		rv = meet_target(d, err);
	if (rv == JB_OK)
		rv = d->target->ops->start(d->target,
					   d->uuid[0] != '\0' ? d->uuid : NULL,
					   d->fsid, can, err);
	if (rv == JB_OK)
		d->target->ops->set_time(d->target,
					 jb_clock_us(CLOCK_REALTIME) / 1000000);
	return rv;
}

int jb_delivery_look(struct jb_delivery *d, struct jb_error *err)
{
	unsigned can = 0;
	int rv;

	if (d->paused || d->uuid[0] == '\0')
		return JB_OK;
	rv = jb_delivery_start_target(d, &can, err);
	d->target->ops->end(d->target);
	return rv == JB_OK ? jb_delivery_retry_hidden(d, err) : rv;
}

/* Is it this policy's own, as it remembers it? */
static bool is_known(const struct jb_delivery *d,
		     const struct jb_target_state *s)
{
	return d->uuid[0] != '\0' && strcmp(s->uuid, d->uuid) == 0 &&
	       (d->fsid == 0 || s->fsid == 0 || d->fsid == s->fsid);
}

int jb_delivery_init_target(struct jb_delivery *d, bool adopt, bool content,
			    bool *was_known, struct jb_error *err)
{
	unsigned how = adopt ? (content ? 2 : 1) : 0;
	char owner[200], host[64] = "", uuid[JB_UUID_SIZE];
	struct jb_target_state s;
	int rv;

	d->target->ops->end(d->target);
	rv = d->target->ops->inspect(d->target, &s, err);
	*was_known = rv == JB_OK && !adopt && is_known(d, &s);
	if (rv != JB_OK || *was_known)
		return rv;
	gethostname(host, sizeof host - 1);
	snprintf(owner, sizeof owner, "%.100s@%s", d->policy->name, host);
	rv = jb_target_make_uuid(uuid, err);
	if (rv == JB_OK)
		rv = jb_delivery_intend_target(d, uuid, how, err);
	if (rv == JB_OK)
		rv = d->target->ops->init(d->target, owner, uuid, err);
	if (rv == JB_OK)
		rv = d->target->ops->inspect(d->target, &s, err);
	if (rv == JB_OK)
		rv = jb_delivery_note_target(d, uuid, s.fsid, how, err);
	return rv;
}
