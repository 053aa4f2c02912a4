/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/plugin.h - a policy's shared object: found, checked, loaded,
 * called.
 *
 * Lifecycle: load -> open -> (plan, reconcile, settled)* -> unload. One thread
 * at a time, but for jb_plugin_runs(). A process hosts one plugin: what it is
 * doing is known to the whole process.
 *
 * A plugin is somebody else's code: what it returns and asks for is checked,
 * and each failure names the policy. */
#ifndef JB_DELIVER_PLUGIN_H
#define JB_DELIVER_PLUGIN_H

#include "engine/base/config.h"
#include "jb/policy.h"

struct jb_plugin {
	const struct jb_config_section *policy; /* borrowed */
	void *handle;				/* owned; of dlopen */
	const struct jb_policy_ops *ops;	/* in there */
	void *settings;				/* owned; NULL: it has none */
	void *state;				/* the plugin's, while open */
	bool is_open;
};

/* Load what Plugin= of @policy names and read its settings. JB_EABI: built for
 * another version; the text names the file and both versions. */
int jb_plugin_load(const struct jb_config *config,
		   const struct jb_config_section *policy,
		   struct jb_plugin *ret, struct jb_error *err);

/* Load each policy's plugin, to see whether it is there, of our interface, and
 * knows the keys that are not ours. Errors as of load; JB_ECONFIG: FILE:LINE
 * and what is wrong. */
int jb_plugin_check_all(const struct jb_config *config, struct jb_error *err);

/* Closes it first. Accepts a zeroed one. */
void jb_plugin_unload(struct jb_plugin *p);

int jb_plugin_open(struct jb_plugin *p, const struct jb_host *host,
		   struct jb_error *err);
int jb_plugin_plan(struct jb_plugin *p, const struct jb_policy_change *changes,
		   size_t n, jb_emit_fn *emit, struct jb_plan_sink *sink,
		   struct jb_error *err);
/* Only where it has one. */
bool jb_plugin_reconciles(const struct jb_plugin *p);
int jb_plugin_reconcile(struct jb_plugin *p,
			const struct jb_policy_entry *entries, size_t n,
			jb_emit_fn *emit, struct jb_plan_sink *sink,
			struct jb_error *err);
/* Does it let no change go by? */
bool jb_plugin_follows_all(const struct jb_plugin *p);
/* Does it want to be told? */
bool jb_plugin_wants_outcomes(const struct jb_plugin *p);
void jb_plugin_settled(struct jb_plugin *p,
		       const struct jb_outcome_of *outcomes, size_t n);

/* How long the call that runs now has taken, in ms, and its name (static); 0:
 * none runs. Any thread. */
uint64_t jb_plugin_runs(const char **call);

#endif
