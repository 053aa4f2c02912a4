/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config.h"

#include "engine/base/config_file.h"
#include "engine/base/config_keys.h"
#include "engine/base/pattern.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void jb_config_free(struct jb_config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n_roots; i++) {
		free(c->roots[i].name);
		free(c->roots[i].path);
		jb_patterns_free(c->roots[i].patterns);
	}
	for (size_t i = 0; i < c->n_targets; i++)
		jb_config_section_fini(&c->targets[i]);
	for (size_t i = 0; i < c->n_policies; i++)
		jb_config_section_fini(&c->policies[i]);
	for (size_t i = 0; i < c->n_files; i++) {
		free(c->files[i].path);
		free(c->files[i].text);
	}
	free(c->roots);
	free(c->targets);
	free(c->policies);
	free(c->files);
	free(c->file);
	free(c->state_dir);
	free(c->runtime_dir);
	free(c->plugin_dir);
	free(c);
}

const struct jb_config_root *jb_config_root(const struct jb_config *config,
					    const char *name)
{
	for (size_t i = 0; i < config->n_roots; i++)
		if (strcmp(config->roots[i].name, name) == 0)
			return &config->roots[i];
	return NULL;
}

static const struct jb_config_section *
find_section(const struct jb_config_section *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

const struct jb_config_section *jb_config_target(const struct jb_config *config,
						 const char *name)
{
	return find_section(config->targets, config->n_targets, name);
}

const struct jb_config_section *jb_config_policy(const struct jb_config *config,
						 const char *name)
{
	return find_section(config->policies, config->n_policies, name);
}

const struct jb_config_key *jb_config_find(const struct jb_config_section *s,
					   const char *key)
{
	for (size_t i = s->n_keys; i > 0; i--)
		if (strcmp(s->keys[i - 1].key, key) == 0)
			return &s->keys[i - 1];
	return NULL;
}

static const struct jb_config_option *
option_of(const struct jb_config_section *s, const char *key)
{
	const struct jb_config_option *o = jb_config_option(s->kind, key);

	assert(o != NULL);
	return o;
}

const char *jb_config_text(const struct jb_config_section *s, const char *key)
{
	const struct jb_config_key *k = jb_config_find(s, key);

	return k != NULL ? k->value : option_of(s, key)->fallback;
}

uint64_t jb_config_duration(const struct jb_config_section *s, const char *key)
{
	const char *value = jb_config_text(s, key);
	uint64_t us = 0;

	if (value != NULL)
		jb_config_read_duration(option_of(s, key), value, &us, NULL);
	return us;
}

uint64_t jb_config_size(const struct jb_config_section *s, const char *key)
{
	const char *value = jb_config_text(s, key);
	uint64_t bytes = 0;

	if (value != NULL)
		jb_config_read_size(option_of(s, key), value, &bytes, NULL);
	return bytes;
}

int64_t jb_config_number(const struct jb_config_section *s, const char *key)
{
	const char *value = jb_config_text(s, key);
	int64_t n = 0;

	if (value != NULL)
		jb_config_read_number(option_of(s, key), value, &n, NULL);
	return n;
}

bool jb_config_bool(const struct jb_config_section *s, const char *key)
{
	const char *value = jb_config_text(s, key);
	bool flag = false;

	if (value != NULL)
		jb_config_read_bool(value, &flag, NULL);
	return flag;
}

struct jb_config_limit jb_config_limit(const struct jb_config_section *s,
				       const char *key)
{
	const char *value = jb_config_text(s, key);
	struct jb_config_limit limit = {.is_off = true};

	if (value != NULL)
		jb_config_read_limit(value, &limit, NULL);
	return limit;
}

static int append_words(const char *value, char ***words, size_t *n,
			struct jb_error *err)
{
	char **longer, *word;
	int rv;

	for (;;) {
		rv = jb_config_next_word(&value, &word, err);
		if (rv != JB_OK || word == NULL)
			return rv;
		longer = reallocarray(*words, *n + 1, sizeof *longer);
		if (longer == NULL) {
			free(word);
			return jb_error_set(err, JB_ENOMEM, 0, "configuration");
		}
		*words = longer;
		longer[(*n)++] = word;
	}
}

int jb_config_words(const struct jb_config_section *s, const char *key,
		    char ***ret, size_t *ret_n, struct jb_error *err)
{
	const char *fallback = option_of(s, key)->fallback;
	char **words = NULL;
	size_t n = 0;
	int rv = JB_OK;

	if (jb_config_find(s, key) == NULL && fallback != NULL)
		rv = append_words(fallback, &words, &n, err);
	for (size_t i = 0; rv == JB_OK && i < s->n_keys; i++)
		if (strcmp(s->keys[i].key, key) == 0)
			rv = append_words(s->keys[i].value, &words, &n, err);
	if (rv != JB_OK) {
		jb_config_words_free(words, n);
		return rv;
	}
	*ret = words;
	*ret_n = n;
	return JB_OK;
}

void jb_config_words_free(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(words[i]);
	free(words);
}

static int add_patterns(struct jb_patterns *p, bool include, const char *value,
			struct jb_error *err)
{
	char *word;
	int rv;

	for (;;) {
		rv = jb_config_next_word(&value, &word, err);
		if (rv != JB_OK || word == NULL)
			return rv;
		rv = jb_patterns_add(p, include, word, err);
		free(word);
		if (rv != JB_OK)
			return rv;
	}
}

int jb_config_patterns(const struct jb_config_section *s,
		       struct jb_patterns **ret, struct jb_error *err)
{
	bool has_includes = jb_config_find(s, "Include") != NULL;
	bool has_excludes = jb_config_find(s, "Exclude") != NULL;
	struct jb_patterns *p = NULL;
	int rv;

	*ret = NULL;
	if (!has_includes && !has_excludes)
		return JB_OK;
	rv = jb_patterns_new(&p, err);
	for (size_t i = 0; rv == JB_OK && i < s->n_keys; i++) {
		const struct jb_config_key *k = &s->keys[i];
		bool include = strcmp(k->key, "Include") == 0;

		if (include || strcmp(k->key, "Exclude") == 0)
			rv = add_patterns(p, include, k->value, err);
	}
	if (rv == JB_OK && !has_excludes)
		rv = jb_patterns_only_included(p, err);
	if (rv != JB_OK) {
		jb_patterns_free(p);
		return rv;
	}
	*ret = p;
	return JB_OK;
}

int jb_config_target_dir(const struct jb_config *config,
			 const struct jb_config_section *policy, char **ret,
			 struct jb_error *err)
{
	const char *name = jb_config_text(policy, "Target");
	const struct jb_config_section *target;
	const char *parts[3];
	char *dir;

	*ret = NULL;
	if (name == NULL)
		return JB_OK;
	target = jb_config_target(config, name);
	if (target == NULL)
		return jb_error_set(err, JB_ECONFIG, 0, "no [Target %s]", name);
	parts[0] = jb_config_text(target, "Path");
	parts[1] = jb_config_text(target, "Under");
	parts[2] = jb_config_text(policy, "Under");
	if (asprintf(&dir, "%s/%s/%s", parts[0],
		     parts[1] != NULL ? parts[1] : "",
		     parts[2] != NULL ? parts[2] : "") < 0)
		return jb_error_set(err, JB_ENOMEM, 0, "configuration");
	jb_config_squeeze_path(dir);
	*ret = dir;
	return JB_OK;
}
