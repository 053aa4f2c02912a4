/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config.h"

#include "engine/base/config_check.h"
#include "engine/base/config_file.h"
#include "engine/base/config_keys.h"
#include "engine/base/log.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "configuration");
}

int jb_config_add_file(struct jb_config *c, const char *path,
		       struct jb_error *err)
{
	struct jb_config_file *files;

	files = reallocarray(c->files, c->n_files + 1, sizeof *files);
	if (files == NULL)
		return no_memory(err);
	c->files = files;
	files[c->n_files] = (struct jb_config_file){.path = strdup(path)};
	if (files[c->n_files].path == NULL)
		return no_memory(err);
	c->n_files++;
	return JB_OK;
}

/* conf.d/ *.conf beside the file; sorted by glob. */
static int find_files(struct jb_config *c, struct jb_error *err)
{
	const char *slash = strrchr(c->file, '/');
	size_t len = slash != NULL ? (size_t)(slash - c->file) + 1 : 0;
	char *pattern, *out;
	glob_t found = {0};
	int rv = jb_config_add_file(c, c->file, err);

	if (rv != JB_OK)
		return rv;
	pattern = out = malloc(len * 2 + sizeof "conf.d/*.conf");
	if (pattern == NULL)
		return no_memory(err);
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", c->file[i]) != NULL)
			*out++ = '\\';
		*out++ = c->file[i];
	}
	strcpy(out, "conf.d/*.conf");
	if (glob(pattern, 0, NULL, &found) == GLOB_NOSPACE)
		rv = no_memory(err);
	for (size_t i = 0; rv == JB_OK && i < found.gl_pathc; i++)
		rv = jb_config_add_file(c, found.gl_pathv[i], err);
	globfree(&found);
	free(pattern);
	return rv;
}

/* One key's value into the field that the table names. Values were checked. */
static int apply_value(const struct jb_config_option *o, const char *value,
		       void *object, struct jb_error *err)
{
	char *field = (char *)object + o->offset, *path;
	uint64_t amount = 0;
	int64_t number = 0;
	int word = 0, rv;

	switch (o->type) {
	case JB_CONFIG_PATH:
		rv = jb_config_read_path(value, &path, err);
		if (rv != JB_OK)
			return rv;
		free(*(char **)field);
		*(char **)field = path;
		return JB_OK;
	case JB_CONFIG_DURATION:
		rv = jb_config_read_duration(o, value, &amount, err);
		*(uint64_t *)field = amount;
		return rv;
	case JB_CONFIG_SIZE:
		rv = jb_config_read_size(o, value, &amount, err);
		*(uint64_t *)field = amount;
		return rv;
	case JB_CONFIG_NUMBER:
		rv = jb_config_read_number(o, value, &number, err);
		if (o->max == UINT32_MAX)
			*(uint32_t *)field = (uint32_t)number;
		else
			*(uint64_t *)field = (uint64_t)number;
		return rv;
	default:
		rv = jb_config_read_word(o, value, &word, err);
		*(int *)field = word;
		return rv;
	}
}

/* All keys of @s that have a field, the defaults first. @s may be NULL. */
static int apply_section(const char *kind, const struct jb_config_section *s,
			 void *object, struct jb_error *err)
{
	const struct jb_config_option *o;
	const char *value;
	int rv;

	for (size_t i = 0; i < jb_config_n_options; i++) {
		o = &jb_config_options[i];
		if (strcmp(o->section, kind) != 0 ||
		    o->offset == JB_CONFIG_NO_FIELD)
			continue;
		value = s != NULL ? jb_config_text(s, o->key) : o->fallback;
		if (value == NULL)
			continue;
		rv = apply_value(o, value, object, err);
		if (rv != JB_OK)
			return rv;
	}
	return JB_OK;
}

static int apply_root(struct jb_config *c, const struct jb_config_section *s,
		      struct jb_error *err)
{
	const struct jb_config_key *path = jb_config_find(s, "Path");
	struct jb_config_root *roots, *root;
	int rv;

	if (path == NULL)
		return jb_error_set(err, JB_ECONFIG, 0,
				    "%s:%d: [Root %s] has no Path=; write the "
				    "directory to watch",
				    s->where.file, s->where.line, s->name);
	roots = reallocarray(c->roots, c->n_roots + 1, sizeof *roots);
	if (roots == NULL)
		return no_memory(err);
	c->roots = roots;
	root = &roots[c->n_roots++];
	*root = (struct jb_config_root){.where = path->where};
	root->name = strdup(s->name);
	if (root->name == NULL)
		return no_memory(err);
	rv = apply_section("Root", s, root, err);
	if (rv != JB_OK)
		return rv;
	return jb_config_patterns(s, &root->patterns, err);
}

/* Moves @s to the end of a list. */
static int move_section(struct jb_config_section **list, size_t *n,
			struct jb_config_section *s, struct jb_error *err)
{
	struct jb_config_section *items;

	items = reallocarray(*list, *n + 1, sizeof *items);
	if (items == NULL)
		return no_memory(err);
	*list = items;
	items[(*n)++] = *s;
	memset(s, 0, sizeof *s);
	return JB_OK;
}

static int apply_sections(struct jb_config *c, struct jb_config_sections *all,
			  struct jb_error *err)
{
	const struct jb_config_section *journal = NULL;
	int rv;

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->items[i].kind, "Journal") == 0)
			journal = &all->items[i];
	rv = apply_section("Journal", journal, c, err);
	c->log_level += JB_LOG_ERROR; /* the choices begin there */
	for (size_t i = 0; rv == JB_OK && i < all->n; i++) {
		struct jb_config_section *s = &all->items[i];

		if (strcmp(s->kind, "Root") == 0)
			rv = apply_root(c, s, err);
		else if (strcmp(s->kind, "Target") == 0)
			rv = move_section(&c->targets, &c->n_targets, s, err);
		else if (strcmp(s->kind, "Policy") == 0)
			rv = move_section(&c->policies, &c->n_policies, s, err);
	}
	return rv;
}

/* Run from the build tree its own plugins are taken. */
static int choose_plugin_dir(struct jb_config *c, struct jb_error *err)
{
	static const char build[] = JB_BUILD_DIR "/";
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (n < (ssize_t)sizeof build ||
	    strncmp(exe, build, sizeof build - 1) != 0)
		return JB_OK;
	if (c->plugin_dir != NULL && strcmp(c->plugin_dir, JB_PLUGIN_DIR) != 0)
		return JB_OK;
	free(c->plugin_dir);
	c->plugin_dir = strdup(JB_BUILD_DIR "/plugins");
	return c->plugin_dir != NULL ? JB_OK : no_memory(err);
}

int jb_config_build(struct jb_config *c, struct jb_config **ret,
		    struct jb_error *err)
{
	struct jb_config_sections sections = {0};
	int rv = JB_OK;

	if (c->file == NULL)
		c->file = strdup(c->files[0].path);
	if (c->file == NULL)
		rv = no_memory(err);
	for (size_t i = 0; rv == JB_OK && i < c->n_files; i++)
		rv = jb_config_sections_read(&sections, &c->files[i], err);
	if (rv == JB_OK)
		rv = apply_sections(c, &sections, err);
	if (rv == JB_OK)
		rv = choose_plugin_dir(c, err);
	if (rv == JB_OK)
		rv = jb_config_check_text(c, err);
	jb_config_sections_fini(&sections);
	if (rv != JB_OK) {
		jb_config_free(c);
		return rv;
	}
	*ret = c;
	return JB_OK;
}

int jb_config_load(const char *file, struct jb_config **ret,
		   struct jb_error *err)
{
	struct jb_config *c = calloc(1, sizeof *c);
	int rv;

	if (c == NULL)
		return no_memory(err);
	c->file = strdup(file != NULL ? file : JB_CONFIG_DEFAULT);
	rv = c->file != NULL ? find_files(c, err) : no_memory(err);
	for (size_t i = 0; rv == JB_OK && i < c->n_files; i++)
		rv = jb_config_file_read(&c->files[i], err);
	if (rv == JB_OK)
		return jb_config_build(c, ret, err);
	jb_config_free(c);
	return rv;
}
