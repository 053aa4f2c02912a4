/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config_check.h"

#include "engine/base/config_keys.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static int
fail_at(const struct jb_config_where *where, struct jb_error *err,
	const char *fmt, ...)
{
	char text[JB_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return jb_error_set(err, JB_ECONFIG, 0, "%s:%d: %s", where->file,
			    where->line, text);
}

/* Is @path @dir or below it? By their text. */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1) /* "/" */
		return true;
	return strncmp(path, dir, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/');
}

static int check_roots(const struct jb_config *c, struct jb_error *err)
{
	const struct jb_config_root *r;

	if (c->n_roots == 0)
		return jb_error_set(err, JB_ECONFIG, 0,
				    "%s: no [Root NAME] section; add one like "
				    "[Root data] with Path=/srv/data",
				    c->file);
	for (size_t i = 0; i < c->n_roots; i++) {
		r = &c->roots[i];
		if (is_below(r->path, c->state_dir))
			return fail_at(&r->where, err,
				       "[Root %s] %s lies inside "
				       "StateDirectory=%s; move one of them",
				       r->name, r->path, c->state_dir);
		for (size_t j = 0; j < i; j++)
			if (strcmp(r->path, c->roots[j].path) == 0)
				return fail_at(
					&r->where, err,
					"[Root %s] has the same Path= as "
					"[Root %s] at line %d; remove "
					"one of them",
					r->name, c->roots[j].name,
					c->roots[j].where.line);
	}
	return JB_OK;
}

static int check_target(const struct jb_config_section *t, struct jb_error *err)
{
	const char *transport = jb_config_text(t, "Transport");
	const struct jb_config_key *path = jb_config_find(t, "Path");
	const struct jb_config_key *host = jb_config_find(t, "Host");

	if (transport == NULL)
		return fail_at(&t->where, err,
			       "[Target %s] has no Transport=; write "
			       "Transport=local",
			       t->name);
	if (path == NULL)
		return fail_at(&t->where, err,
			       "[Target %s] has no Path=; write the directory "
			       "that is to hold the copy",
			       t->name);
	if (strcasecmp(transport, "local") != 0)
		return JB_OK;
	if (path->value[0] != '/')
		return fail_at(&path->where, err,
			       "Path=: '%s' is no absolute path; begin it "
			       "with '/'",
			       path->value);
	if (host != NULL)
		return fail_at(&host->where, err,
			       "Host= does nothing with Transport=local; "
			       "remove it");
	return JB_OK;
}

/* Does the name that @key gives lead to a section? */
static int check_name(const struct jb_config *c,
		      const struct jb_config_section *p, const char *key,
		      bool is_needed, struct jb_error *err)
{
	const struct jb_config_key *k = jb_config_find(p, key);
	bool is_root = strcmp(key, "Root") == 0;

	if (k == NULL && is_needed)
		return fail_at(&p->where, err,
			       "[Policy %s] has no %s=; write the name of a "
			       "[%s NAME]",
			       p->name, key, key);
	if (k == NULL)
		return JB_OK;
	if (is_root ? jb_config_root(c, k->value) != NULL
		    : jb_config_target(c, k->value) != NULL)
		return JB_OK;
	return fail_at(&k->where, err,
		       "%s=%s: there is no [%s %s]; add it, or write one that "
		       "there is",
		       key, k->value, key, k->value);
}

static int check_reconcile(const struct jb_config *c,
			   const struct jb_config_section *p,
			   struct jb_error *err)
{
	const struct jb_config_key *k = jb_config_find(p, "Policies");
	const struct jb_config_section *other;
	char **names;
	size_t n;
	int rv;

	if (k == NULL)
		return fail_at(&p->where, err,
			       "[Policy %s] has no Policies=; write the names "
			       "of those that are to get a full pass",
			       p->name);
	rv = jb_config_words(p, "Policies", &names, &n, err);
	if (rv != JB_OK)
		return rv;
	for (size_t i = 0; rv == JB_OK && i < n; i++) {
		other = jb_config_policy(c, names[i]);
		if (other == NULL)
			rv = fail_at(&k->where, err,
				     "Policies=%s: there is no [Policy %s]; "
				     "add it, or write one that there is",
				     names[i], names[i]);
		else if (jb_config_find(other, "Policies") != NULL)
			rv = fail_at(&k->where, err,
				     "Policies=%s: that is a timetable itself; "
				     "name what it names",
				     names[i]);
	}
	jb_config_words_free(names, n);
	return rv;
}

/* The plugins whose keys are all in the table. Keys of others are checked by
 * who loads them. */
static bool is_ours(const char *plugin)
{
	return strcmp(plugin, "mirror") == 0 || strcmp(plugin, "bypass") == 0 ||
	       strcmp(plugin, "reconcile") == 0 || strcmp(plugin, "exec") == 0;
}

static int check_keys(const struct jb_config_section *p, struct jb_error *err)
{
	char text[JB_ERROR_TEXT_MAX];

	for (size_t i = 0; i < p->n_keys; i++) {
		if (!p->keys[i].is_foreign)
			continue;
		jb_config_explain_key("Policy", p->keys[i].key, text,
				      sizeof text);
		return fail_at(&p->keys[i].where, err, "%s", text);
	}
	return JB_OK;
}

static int check_policy(const struct jb_config *c,
			const struct jb_config_section *p, struct jb_error *err)
{
	const char *plugin = jb_config_text(p, "Plugin");
	int rv;

	if (plugin == NULL)
		return fail_at(&p->where, err,
			       "[Policy %s] has no Plugin=; write "
			       "Plugin=mirror",
			       p->name);
	rv = is_ours(plugin) ? check_keys(p, err) : JB_OK;
	if (rv != JB_OK)
		return rv;
	if (strcmp(plugin, "reconcile") == 0)
		return check_reconcile(c, p, err);
	rv = check_name(c, p, "Root", true, err);
	if (rv == JB_OK)
		rv = check_name(c, p, "Target", strcmp(plugin, "exec") != 0,
				err);
	return rv;
}

/* Where a policy writes. */
struct place {
	const struct jb_config_section *policy, *target; /* borrowed */
	const struct jb_config_root *root;		 /* borrowed */
	char *dir;					 /* owned */
	const char *host; /* borrowed; without user, "": here */
};

static const struct jb_config_where *place_where(const struct place *p)
{
	const struct jb_config_key *under = jb_config_find(p->policy, "Under");
	const struct jb_config_key *target =
		jb_config_find(p->policy, "Target");

	return under != NULL ? &under->where : &target->where;
}

static int check_places(const struct place *a, const struct place *b,
			struct jb_error *err)
{
	bool same = strcmp(a->dir, b->dir) == 0;

	if (strcmp(a->host, b->host) != 0 ||
	    (!is_below(a->dir, b->dir) && !is_below(b->dir, a->dir)))
		return JB_OK;
	return fail_at(place_where(b), err,
		       "[Policy %s] writes to %s, %s [Policy %s]'s %s; give "
		       "each its own directory with Under=",
		       b->policy->name, b->dir,
		       same ? "the same as" : "and that lies in one tree with",
		       a->policy->name, a->dir);
}

/* Is what @p writes in @root? A root ends where something is mounted, so it
 * ends above a target that must be. */
static bool writes_into(const struct place *p,
			const struct jb_config_root *root)
{
	const char *path = jb_config_text(p->target, "Path");

	if (*p->host != '\0' || !is_below(p->dir, root->path))
		return false;
	return !jb_config_bool(p->target, "RequireMount") ||
	       is_below(root->path, path);
}

static bool feeds(const struct place *p, const struct jb_config_root *root)
{
	return writes_into(p, root) ||
	       (*p->host == '\0' && is_below(root->path, p->dir));
}

static int check_own_root(const struct place *p, struct jb_error *err)
{
	if (writes_into(p, p->root))
		return fail_at(place_where(p), err,
			       "[Policy %s] writes to %s, inside its own "
			       "[Root %s] %s; choose another Target=, or "
			       "RequireMount=yes if a disk is mounted there",
			       p->policy->name, p->dir, p->root->name,
			       p->root->path);
	if (feeds(p, p->root))
		return fail_at(place_where(p), err,
			       "[Policy %s] writes to %s, which holds its own "
			       "[Root %s] %s; choose another Target=",
			       p->policy->name, p->dir, p->root->name,
			       p->root->path);
	return JB_OK;
}

/* Does what is written at @at come back into the root of @start? */
static bool leads_back(const struct place *places, size_t n, size_t at,
		       size_t start, bool *seen)
{
	seen[at] = true;
	for (size_t i = 0; i < n; i++) {
		if (!feeds(&places[at], places[i].root))
			continue;
		if (places[i].root == places[start].root)
			return true;
		if (!seen[i] && leads_back(places, n, i, start, seen))
			return true;
	}
	return false;
}

static int check_rings(const struct place *places, size_t n,
		       struct jb_error *err)
{
	bool *seen = calloc(n + 1, sizeof *seen);
	int rv = JB_OK;

	if (seen == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "configuration");
	for (size_t i = 0; rv == JB_OK && i < n; i++) {
		memset(seen, 0, n * sizeof *seen);
		if (leads_back(places, n, i, i, seen))
			rv = fail_at(place_where(&places[i]), err,
				     "[Policy %s] is part of a ring: what it "
				     "writes to %s comes back into [Root %s]; "
				     "break the ring",
				     places[i].policy->name, places[i].dir,
				     places[i].root->name);
	}
	free(seen);
	return rv;
}

static int find_places(const struct jb_config *c, struct place *places,
		       size_t *n, struct jb_error *err)
{
	struct place *p;
	const char *host, *at;
	int rv;

	for (size_t i = 0; i < c->n_policies; i++) {
		const struct jb_config_section *policy = &c->policies[i];
		const struct jb_config_key *root, *target;

		root = jb_config_find(policy, "Root");
		target = jb_config_find(policy, "Target");
		if (root == NULL || target == NULL)
			continue;
		p = &places[*n];
		p->policy = policy;
		p->root = jb_config_root(c, root->value);
		p->target = jb_config_target(c, target->value);
		if (p->root == NULL || p->target == NULL)
			continue;
		host = jb_config_text(p->target, "Host");
		at = host != NULL ? strrchr(host, '@') : NULL;
		p->host = at != NULL ? at + 1 : host != NULL ? host : "";
		rv = jb_config_target_dir(c, policy, &p->dir, err);
		if (rv != JB_OK)
			return rv;
		(*n)++;
	}
	return JB_OK;
}

static int check_all_places(const struct jb_config *c, struct jb_error *err)
{
	struct place *places = calloc(c->n_policies + 1, sizeof *places);
	size_t n = 0;
	int rv;

	if (places == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "configuration");
	rv = find_places(c, places, &n, err);
	for (size_t i = 0; rv == JB_OK && i < n; i++) {
		rv = check_own_root(&places[i], err);
		for (size_t j = 0; rv == JB_OK && j < i; j++)
			rv = check_places(&places[j], &places[i], err);
	}
	if (rv == JB_OK)
		rv = check_rings(places, n, err);
	for (size_t i = 0; i < n; i++)
		free(places[i].dir);
	free(places);
	return rv;
}

int jb_config_check_text(const struct jb_config *config, struct jb_error *err)
{
	int rv = check_roots(config, err);

	for (size_t i = 0; rv == JB_OK && i < config->n_targets; i++)
		rv = check_target(&config->targets[i], err);
	for (size_t i = 0; rv == JB_OK && i < config->n_policies; i++)
		rv = check_policy(config, &config->policies[i], err);
	if (rv == JB_OK)
		rv = check_all_places(config, err);
	return rv;
}

/* ---- what this version does not carry out */

static int check_reserved(const struct jb_config_section *s,
			  struct jb_error *err)
{
	const struct jb_config_option *o;

	for (size_t i = 0; i < s->n_keys; i++) {
		o = jb_config_option(s->kind, s->keys[i].key);
		if (o != NULL && o->is_reserved)
			return fail_at(&s->keys[i].where, err,
				       "%s= is not carried out by this "
				       "version; remove it",
				       o->key);
	}
	return JB_OK;
}

static int check_value(const struct jb_config_section *s, const char *key,
		       const char *const *absent, const char *advice,
		       struct jb_error *err)
{
	const struct jb_config_key *k = jb_config_find(s, key);

	for (; k != NULL && *absent != NULL; absent++)
		if (strcasecmp(k->value, *absent) == 0)
			return fail_at(&k->where, err,
				       "%s=%s is not part of this version; "
				       "write %s=%s",
				       key, k->value, key, advice);
	return JB_OK;
}

int jb_config_check_available(const struct jb_config *config,
			      struct jb_error *err)
{
	static const char *const transports[] = {"rsync", NULL};
	static const char *const plugins[] = {"bypass", "reconcile", "exec",
					      NULL};
	int rv = JB_OK;

	for (size_t i = 0; rv == JB_OK && i < config->n_targets; i++) {
		rv = check_value(&config->targets[i], "Transport", transports,
				 "local", err);
		if (rv == JB_OK)
			rv = check_reserved(&config->targets[i], err);
	}
	for (size_t i = 0; rv == JB_OK && i < config->n_policies; i++) {
		rv = check_value(&config->policies[i], "Plugin", plugins,
				 "mirror", err);
		if (rv == JB_OK)
			rv = check_reserved(&config->policies[i], err);
	}
	return rv;
}
