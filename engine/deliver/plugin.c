/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/plugin.h"

#include "engine/base/duration.h"
#include "engine/base/size.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first members, which every version has. */
#define LEAST_SIZE offsetof(struct jb_policy_ops, settled)

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
		*(int64_t *)field = strtoll(value, &end, 10);
		if (*end == '\0' && end != value)
			return JB_OK;
		return jb_error_set(err, JB_EINVAL, 0, "'%s' is no number",
				    value);
	case JB_OPTION_BOOL:
		*(bool *)field = strcmp(value, "yes") == 0 ||
				 strcmp(value, "true") == 0 ||
				 strcmp(value, "on") == 0 ||
				 strcmp(value, "1") == 0;
		return JB_OK;
	case JB_OPTION_DURATION:
		if (strcmp(value, "off") == 0)
			return JB_OK;
		return jb_duration_parse(value, field, err);
	case JB_OPTION_SIZE:
		if (strcmp(value, "off") == 0)
			return JB_OK;
		return jb_size_parse(value, field, err);
	default:
		return jb_error_set(err, JB_EABI, 0, "unknown type %d",
				    (int)o->type);
	}
}

static int read_settings(struct jb_plugin *p,
			 const struct jb_config_section *policy,
			 struct jb_error *err)
{
	const struct jb_config_key *key;
	const char *value;
	int rv;

	if (p->ops->options == NULL || p->ops->settings_size == 0)
		return JB_OK;
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
			return jb_error_prefix(err,
					       "policy '%s': %s=", policy->name,
					       o->name);
	}
	return JB_OK;
}

int jb_plugin_load(const struct jb_config *config,
		   const struct jb_config_section *policy,
		   struct jb_plugin *ret, struct jb_error *err)
{
	const char *name = jb_config_text(policy, "Plugin");
	struct jb_plugin p = {0};
	char path[4096];
	int rv;

	if (!find_beside_program(config, name, path, sizeof path))
		snprintf(path, sizeof path, "%s/%s.so", config->plugin_dir,
			 name);
	if (access(path, R_OK) != 0)
		return jb_error_set(err, JB_ENOENT, 0,
				    "policy '%s': Plugin=%s: no %s: install "
				    "it, or set PluginDirectory=",
				    policy->name, name, path);
	p.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
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

void jb_plugin_unload(struct jb_plugin *p)
{
	if (p->handle != NULL)
		dlclose(p->handle);
	free(p->settings);
	*p = (struct jb_plugin){0};
}
