/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root may be a target itself, or have one at its top: then it has that
 * target's own directory, which is no part of the copy and not missed. It is
 * known by what it is, not by its name. */
#include "engine/deliver/delivery_priv.h"
#include "engine/deliver/located.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Is what @policy's target keeps at its top the entry @id of @root? */
static bool is_own_of(const struct jb_config *c,
		      const struct jb_config_section *policy, const char *root,
		      struct jb_id id)
{
	struct jb_located own, top;
	char *dir = NULL, *path = NULL;
	bool is = false;

	if (jb_config_target_dir(c, policy, &dir, NULL) == JB_OK &&
	    dir != NULL && asprintf(&path, "%s/" JB_OWN_DIR, dir) < 0)
		path = NULL;
	is = path != NULL && jb_locate(path, false, &own) == 0 &&
	     jb_locate(root, true, &top) == 0 &&
	     jb_located_together(&own, &top) &&
	     jb_identity_fits(own.id, (struct jb_identity){id.ino, id.birth});
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
