/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root may be a target itself, or have one at its top: then it has that
 * target's own directory, which is no part of the copy and not missed. It is
 * known by what it is, not by its name. */
#include "engine/deliver/delivery_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NS_PER_S INT64_C(1000000000)

static const char *text_or_none(const struct jb_config_section *s,
				const char *key)
{
	const char *text = s != NULL ? jb_config_text(s, key) : NULL;

	return text != NULL ? text : "";
}

static bool is_on_same(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

static bool has_id(const struct statx *st, struct jb_id id)
{
	int64_t birth = st->stx_mask & STATX_BTIME
				? st->stx_btime.tv_sec * NS_PER_S +
					  st->stx_btime.tv_nsec
				: 0;

	return st->stx_ino == id.ino &&
	       (birth == id.birth || birth == 0 || id.birth == 0);
}

/* Is the own directory of @target, below the Under= of @policy (NULL: of none),
 * the entry @id of @root? */
static bool is_own_of(const struct jb_config_section *target,
		      const struct jb_config_section *policy, const char *root,
		      struct jb_id id)
{
	struct statx own, top;
	bool is = false;
	char *path;

	if (asprintf(&path, "%s/%s/%s/" JB_OWN_DIR,
		     text_or_none(target, "Path"),
		     text_or_none(target, "Under"),
		     text_or_none(policy, "Under")) < 0)
		return false;
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME,
		  &own) == 0 &&
	    statx(AT_FDCWD, root, 0, STATX_INO, &top) == 0)
		is = is_on_same(&own, &top) && has_id(&own, id);
	free(path);
	return is;
}

bool jb_own_dirs_have(const struct jb_config *c,
		      const struct jb_config_root *root, struct jb_id id)
{
	const struct jb_config_section *target;
	const char *name;

	for (size_t i = 0; i < c->n_targets; i++)
		if (is_own_of(&c->targets[i], NULL, root->path, id))
			return true;
	for (size_t i = 0; i < c->n_policies; i++) {
		name = jb_config_text(&c->policies[i], "Target");
		target = name != NULL ? jb_config_target(c, name) : NULL;
		if (target != NULL &&
		    is_own_of(target, &c->policies[i], root->path, id))
			return true;
	}
	return false;
}

bool jb_delivery_is_own_dir(void *arg, struct jb_id id)
{
	const struct jb_delivery *d = arg;

	return jb_own_dirs_have(d->config, d->root, id);
}
