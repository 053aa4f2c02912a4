/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/plugin.h"

#include "engine/base/clock.h"
#include "engine/base/config_keys.h"
#include "engine/base/duration.h"
#include "engine/base/size.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Up to the last member of the first version. */
#define LEAST_SIZE (offsetof(struct jb_policy_ops, close) + sizeof(void *))

/* Run from a build tree, its own plugins are meant unless the configuration
 * says otherwise. */
static bool find_beside_program(const struct jb_config *config,
				const char *name, char *path, size_t size)
{
	char program[4096], *slash;
	ssize_t n;

	if (strcmp(config->plugin_dir, JB_PLUGIN_DIR) != 0)
		return false;
	n = readlink("/proc/self/exe", program, sizeof program - 1);
	if (n <= 0)
		return false;
	program[n] = '\0';
	slash = strrchr(program, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	return snprintf(path, size, "%s/plugins/%s.so", program, name) <
		       (int)size &&
	       access(path, R_OK) == 0;
}

static int check_ops(const struct jb_policy_ops *ops, const char *path,
		     struct jb_error *err)
{
	if (ops->abi != JB_POLICY_ABI)
		return jb_error_set(err, JB_EABI, 0,
				    "%s: built for plugin interface %u, this "
				    "program has %u: build it again",
				    path, ops->abi, (unsigned)JB_POLICY_ABI);
	if (ops->size < LEAST_SIZE || ops->size > 4096)
		return jb_error_set(err, JB_EABI, 0,
				    "%s: its struct jb_policy_ops has %u "
				    "bytes, this program's has %zu: build it "
				    "again",
				    path, ops->size, sizeof *ops);
	if (ops->name == NULL || ops->open == NULL || ops->plan == NULL ||
	    ops->close == NULL)
		return jb_error_set(err, JB_EABI, 0,
				    "%s: a policy needs a name, open, plan "
				    "and close",
				    path);
	return JB_OK;
}

static int read_option(const struct jb_option *o, const char *value,
		       void *field, struct jb_error *err)
{
	char *end;

	switch (o->type) {
	case JB_OPTION_TEXT:
		memcpy(field, &value, sizeof value);
		return JB_OK;
	case JB_OPTION_NUMBER:
		errno = 0;
		*(int64_t *)field = strtoll(value, &end, 10);
		if (*end == '\0' && end != value && errno == 0)
			return JB_OK;
		return jb_error_set(err, JB_EINVAL, 0, "'%s' is no number",
				    value);
	case JB_OPTION_BOOL:
		return jb_config_read_bool(value, field, err);
	case JB_OPTION_DURATION:
		if (jb_config_is_off(value))
			return JB_OK;
		return jb_duration_parse(value, field, err);
	case JB_OPTION_SIZE:
		if (jb_config_is_off(value))
			return JB_OK;
		return jb_size_parse(value, field, err);
	default:
		return jb_error_set(err, JB_EABI, 0, "unknown type %d",
				    (int)o->type);
	}
}

static const struct jb_option *find_option(const struct jb_option *o,
					   const char *name)
{
	for (; o != NULL && o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* The plugin's keys, for a message: "Aa=, Bb=". */
static const char *list_options(const struct jb_option *o, char *text,
				size_t size)
{
	size_t len = 0;

	snprintf(text, size, "none");
	for (; o != NULL && o->name != NULL && len + 1 < size; o++)
		len += (size_t)snprintf(text + len, size - len,
					"%s%s=", len > 0 ? ", " : "", o->name);
	return text;
}

/* Keys that only the plugin can know. */
static int check_foreign(const struct jb_policy_ops *ops,
			 const struct jb_config_section *policy,
			 struct jb_error *err)
{
	const struct jb_config_key *key;
	char has[200];

	for (size_t i = 0; i < policy->n_keys; i++) {
		key = &policy->keys[i];
		if (!key->is_foreign ||
		    find_option(ops->options, key->key) != NULL)
			continue;
		return jb_error_set(
			err, JB_ECONFIG, 0,
			"%s:%d: unknown key '%s' in [Policy]; keys of plugin "
			"'%s': %s; all others: `check-config --keys`",
			key->where.file, key->where.line, key->key, ops->name,
			list_options(ops->options, has, sizeof has));
	}
	return JB_OK;
}

static int fail_option(const struct jb_config_section *policy,
		       const struct jb_option *o,
		       const struct jb_config_key *key, int rv,
		       struct jb_error *err)
{
	if (key == NULL) /* its own default */
		return jb_error_prefix(err, "policy '%s': %s=", policy->name,
				       o->name);
	jb_error_prefix(err, "%s:%d: %s=", key->where.file, key->where.line,
			o->name);
	if (err != NULL)
		err->code = rv == JB_ENOMEM ? rv : JB_ECONFIG;
	return rv == JB_ENOMEM ? rv : JB_ECONFIG;
}

static int read_settings(struct jb_plugin *p,
			 const struct jb_config_section *policy,
			 struct jb_error *err)
{
	const struct jb_config_key *key;
	const char *value;
	int rv = check_foreign(p->ops, policy, err);

	if (rv != JB_OK || p->ops->options == NULL ||
	    p->ops->settings_size == 0)
		return rv;
	p->settings = calloc(1, p->ops->settings_size);
	if (p->settings == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'",
				    policy->name);
	for (const struct jb_option *o = p->ops->options; o->name != NULL;
	     o++) {
		key = jb_config_find(policy, o->name);
		value = key != NULL ? key->value : o->fallback;
		if (value == NULL)
			continue;
		rv = read_option(o, value, (char *)p->settings + o->offset,
				 err);
		if (rv != JB_OK)
			return fail_option(policy, o, key, rv, err);
	}
	return JB_OK;
}

/* ---- who is in the plugin now */

/* Written by the thread that calls, in this order; read by the one that
 * watches. since 0: nobody. */
static _Atomic(const char *) running_call;
static _Atomic int64_t running_since_us;

static void enter(const char *call)
{
	atomic_store(&running_call, call);
	atomic_store(&running_since_us, jb_clock_us(CLOCK_MONOTONIC));
}

static void leave(void)
{
	atomic_store(&running_since_us, 0);
}

uint64_t jb_plugin_runs(const char **call)
{
	int64_t since = atomic_load(&running_since_us);
	int64_t now = jb_clock_us(CLOCK_MONOTONIC);

	*call = atomic_load(&running_call);
	return since == 0 ? 0 : (uint64_t)(now - since) / 1000 + 1;
}

/* ---- load */

int jb_plugin_load(const struct jb_config *config,
		   const struct jb_config_section *policy,
		   struct jb_plugin *ret, struct jb_error *err)
{
	const struct jb_config_key *key = jb_config_find(policy, "Plugin");
	const char *name = key->value;
	struct jb_plugin p = {.policy = policy};
	char path[4096];
	int rv;

	if (!find_beside_program(config, name, path, sizeof path))
		snprintf(path, sizeof path, "%s/%s.so", config->plugin_dir,
			 name);
	if (access(path, R_OK) != 0)
		return jb_error_set(err, JB_ENOENT, 0,
				    "%s:%d: Plugin=%s: there is no %s; install "
				    "it, or set PluginDirectory=",
				    key->where.file, key->where.line, name,
				    path);
	enter("its beginning"); /* constructors are its code, too */
	p.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	leave();
	if (p.handle == NULL)
		return jb_error_set(err, JB_EABI, 0, "policy '%s': %s",
				    policy->name, dlerror());
	p.ops = dlsym(p.handle, JB_POLICY_SYMBOL);
	if (p.ops == NULL)
		rv = jb_error_set(err, JB_EABI, 0,
				  "%s: no policy: it exports no "
				  "'" JB_POLICY_SYMBOL "'",
				  path);
	else
		rv = check_ops(p.ops, path, err);
	if (rv == JB_OK)
		rv = read_settings(&p, policy, err);
	if (rv != JB_OK) {
		jb_plugin_unload(&p);
		return rv;
	}
	*ret = p;
	return JB_OK;
}

int jb_plugin_check_all(const struct jb_config *config, struct jb_error *err)
{
	const struct jb_config_section *policy;
	struct jb_plugin p;
	int rv;

	for (size_t i = 0; i < config->n_policies; i++) {
		policy = &config->policies[i];
		rv = jb_plugin_load(config, policy, &p, err);
		if (rv != JB_OK)
			return rv;
		jb_plugin_unload(&p);
	}
	return JB_OK;
}

void jb_plugin_unload(struct jb_plugin *p)
{
	if (p->is_open) {
		enter("close()");
		p->ops->close(p->state);
		leave();
	}
	if (p->handle != NULL)
		dlclose(p->handle);
	free(p->settings);
	*p = (struct jb_plugin){0};
}

/* ---- calls */

/* What a plugin returns: 0, or a code of ours. Its error may be unset. */
static int check_return(const struct jb_plugin *p, int rv, const char *call,
			struct jb_error *err)
{
	if (rv == JB_OK)
		return JB_OK;
	if (strcmp(jb_error_name(rv), "UNKNOWN") == 0)
		return jb_error_set(err, JB_EPROTO, 0,
				    "policy '%s': its plugin '%s' returned %d "
				    "from %s: that is no code of jb/error.h",
				    p->policy->name, p->ops->name, rv, call);
	if (err == NULL || err->code == JB_OK)
		return jb_error_set(err, rv, 0,
				    "policy '%s': its plugin '%s' failed in "
				    "%s: %s",
				    p->policy->name, p->ops->name, call,
				    jb_error_describe(rv));
	err->code = rv;
	jb_error_prefix(err, "policy '%s': its plugin '%s'", p->policy->name,
			p->ops->name);
	return rv;
}

static void clear(struct jb_error *err)
{
	if (err != NULL)
		*err = (struct jb_error){0};
}

int jb_plugin_open(struct jb_plugin *p, const struct jb_host *host,
		   struct jb_error *err)
{
	int rv;

	clear(err);
	enter("open()");
	rv = p->ops->open(p->settings, host, &p->state, err);
	leave();
	p->is_open = rv == JB_OK;
	return check_return(p, rv, "open()", err);
}

int jb_plugin_plan(struct jb_plugin *p, const struct jb_policy_change *changes,
		   size_t n, jb_emit_fn *emit, struct jb_plan_sink *sink,
		   struct jb_error *err)
{
	int rv;

	clear(err);
	enter("plan()");
	rv = p->ops->plan(p->state, changes, n, emit, sink, err);
	leave();
	return check_return(p, rv, "plan()", err);
}

bool jb_plugin_reconciles(const struct jb_plugin *p)
{
	return p->ops->reconcile != NULL;
}

int jb_plugin_reconcile(struct jb_plugin *p,
			const struct jb_policy_entry *entries, size_t n,
			jb_emit_fn *emit, struct jb_plan_sink *sink,
			struct jb_error *err)
{
	int rv;

	clear(err);
	enter("reconcile()");
	rv = p->ops->reconcile(p->state, entries, n, emit, sink, err);
	leave();
	return check_return(p, rv, "reconcile()", err);
}

bool jb_plugin_follows_all(const struct jb_plugin *p)
{
	/* One that was built before there were flags has none. */
	return p->ops->size >= offsetof(struct jb_policy_ops, flags) +
				       sizeof p->ops->flags &&
	       (p->ops->flags & JB_POLICY_FOLLOWS_ALL) != 0;
}

bool jb_plugin_wants_outcomes(const struct jb_plugin *p)
{
	return p->ops->settled != NULL;
}

void jb_plugin_settled(struct jb_plugin *p,
		       const struct jb_outcome_of *outcomes, size_t n)
{
	enter("settled()");
	p->ops->settled(p->state, outcomes, n);
	leave();
}
