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

/* Is what @policy's target keeps at its top the entry @id of @root? */
static bool is_own_of(const struct jb_config *c,
		      const struct jb_config_section *policy, const char *root,
		      struct jb_id id)
{
	struct statx own, top;
	char *dir = NULL, *path = NULL;
	bool is = false;

	if (jb_config_target_dir(c, policy, &dir, NULL) == JB_OK &&
	    dir != NULL && asprintf(&path, "%s/" JB_OWN_DIR, dir) < 0)
		path = NULL;
	if (path != NULL &&
	    statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME,
		  &own) == 0 &&
	    statx(AT_FDCWD, root, 0, STATX_INO, &top) == 0)
		is = is_on_same(&own, &top) && has_id(&own, id);
	free(path);
	free(dir);
	return is;
}

bool jb_own_dirs_have(const struct jb_config *c,
		      const struct jb_config_root *root, struct jb_id id)
{
	for (size_t i = 0; i < c->n_policies; i++)
		if (is_own_of(c, &c->policies[i], root->path, id))
			return true;
	return false;
}

bool jb_delivery_is_own_dir(void *arg, struct jb_id id)
{
	const struct jb_delivery *d = arg;

	return jb_own_dirs_have(d->config, d->root, id);
}
