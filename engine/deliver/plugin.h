/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/plugin.h - a policy's shared object, found, checked, loaded.
 *
 * Lifecycle: load -> use -> unload. Any one thread. */
#ifndef JB_DELIVER_PLUGIN_H
#define JB_DELIVER_PLUGIN_H

#include "engine/base/config.h"
#include "jb/policy.h"

struct jb_plugin {
	void *handle;			 /* owned; of dlopen */
	const struct jb_policy_ops *ops; /* in there */
	void *settings;			 /* owned; NULL: it has none */
};

/* Load what Plugin= of @policy names and read its settings. JB_EABI: built for
 * another version; the text names the file and both versions. */
int jb_plugin_load(const struct jb_config *config,
		   const struct jb_config_section *policy,
		   struct jb_plugin *ret, struct jb_error *err);

/* Accepts a zeroed one. */
void jb_plugin_unload(struct jb_plugin *p);

#endif
