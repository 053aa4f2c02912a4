/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/pattern.h"

#include "engine/base/wildcard.h"

#include <stdlib.h>
#include <string.h>

/* rsync drops longer ones (its MAXPATHLEN). */
#define PATTERN_MAX 4095

struct rule {
	char *given;		      /* owned; as in the configuration */
	char *text;		      /* owned; without anchor and last slash */
	size_t len;		      /* of text */
	struct jb_wildcard *wildcard; /* owned; NULL: text is literal */
	size_t n_slashes;	      /* in given, its last one not counted */
	bool include;
	bool anchored;	       /* given starts with a slash */
	bool only_dirs;	       /* given ends with a slash */
	bool crosses;	       /* has a '**' */
	bool starts_crossing;  /* starts with a '**' */
	bool takes_its_parent; /* ends with '***', maybe and a slash */
};

struct jb_patterns {
	struct rule *rules; /* owned */
	size_t n_rules;
	bool only_included;
};

int jb_patterns_new(struct jb_patterns **ret, struct jb_error *err)
{
	struct jb_patterns *p = calloc(1, sizeof *p);

	if (p == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "patterns");
	*ret = p;
	return JB_OK;
}

static void free_rule(struct rule *r)
{
	jb_wildcard_free(r->wildcard);
	free(r->given);
	free(r->text);
}

void jb_patterns_free(struct jb_patterns *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n_rules; i++)
		free_rule(&p->rules[i]);
	free(p->rules);
	free(p);
}

/* What rsync's options would read as something else than a pattern. */
static int check_pattern(const char *pattern, struct jb_error *err)
{
	const char *why = NULL;

	if (*pattern == '\0')
		why = "is empty";
	else if (strcmp(pattern, "!") == 0)
		why = "clears a list in rsync; here an empty value does that";
	else if (strncmp(pattern, "+ ", 2) == 0 ||
		 strncmp(pattern, "- ", 2) == 0 ||
		 strncmp(pattern, "--", 2) == 0)
		why = "write the pattern alone, without '+', '-' or an option";
	else if (strlen(pattern) > PATTERN_MAX)
		return jb_error_set(err, JB_EINVAL, 0,
				    "pattern '%.40s...' is longer than "
				    "%d bytes",
				    pattern, PATTERN_MAX);
	if (why != NULL)
		return jb_error_set(err, JB_EINVAL, 0, "pattern '%s': %s",
				    pattern, why);
	return JB_OK;
}

static int init_rule(struct rule *r, bool include, const char *pattern,
		     struct jb_error *err)
{
	size_t len = strlen(pattern);
	const char *stars = strstr(pattern, "**");
	bool wild = strpbrk(pattern, "*[?") != NULL;
	struct jb_wildcard *w;
	int rv;

	memset(r, 0, sizeof *r);
	r->include = include;
	r->crosses = wild && stars != NULL;
	r->starts_crossing = r->crosses && stars == pattern;
	r->only_dirs = len > 1 && pattern[len - 1] == '/';
	r->anchored = *pattern == '/';
	r->given = strdup(pattern);
	r->text = strndup(pattern + r->anchored,
			  len - r->anchored - r->only_dirs);
	if (r->given == NULL || r->text == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "pattern '%s'", pattern);
	r->len = strlen(r->text);
	r->takes_its_parent = r->crosses && r->len >= 3 &&
			      strcmp(r->text + r->len - 3, "***") == 0;
	r->n_slashes = r->anchored;
	for (size_t i = 0; i < r->len; i++)
		r->n_slashes += r->text[i] == '/';
	if (!wild)
		return JB_OK;
	rv = jb_wildcard_compile(r->text, &w, err);
	if (rv == JB_OK)
		r->wildcard = w;
	return rv;
}

int jb_patterns_add(struct jb_patterns *p, bool include, const char *pattern,
		    struct jb_error *err)
{
	struct rule *rules;
	int rv;

	rv = check_pattern(pattern, err);
	if (rv != JB_OK)
		return rv;
	rules = reallocarray(p->rules, p->n_rules + 1, sizeof *rules);
	if (rules == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "pattern '%s'", pattern);
	p->rules = rules;
	rv = init_rule(&rules[p->n_rules], include, pattern, err);
	if (rv != JB_OK)
		free_rule(&rules[p->n_rules]);
	else
		p->n_rules++;
	return rv;
}

int jb_patterns_only_included(struct jb_patterns *p, struct jb_error *err)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (!p->rules[i].include)
			return jb_error_set(err, JB_EINVAL, 0,
					    "'%s' is excluded already",
					    p->rules[i].given);
	p->only_included = true;
	return JB_OK;
}

bool jb_patterns_are_only(const struct jb_patterns *p)
{
	return p != NULL && p->only_included;
}

const char *jb_patterns_at(const struct jb_patterns *p, size_t index,
			   bool *ret_include)
{
	if (p == NULL || index >= p->n_rules)
		return NULL;
	*ret_include = p->rules[index].include;
	return p->rules[index].given;
}

static bool matches_literally(const struct rule *r, const char *path,
			      size_t len)
{
	if (len < r->len || memcmp(path + len - r->len, r->text, r->len) != 0)
		return false;
	return len == r->len || (!r->anchored && path[len - r->len - 1] == '/');
}

/* The last @n components of @path; NULL if it has fewer. */
static const char *last_components(const char *path, size_t len, size_t n)
{
	const char *slash;

	for (; n > 0; n--) {
		slash = memrchr(path, '/', len);
		if (slash == NULL)
			return n == 1 ? path : NULL;
		len = (size_t)(slash - path);
	}
	return path + len + 1;
}

static bool matches_wildcard(const struct rule *r, const char *path, size_t len,
			     bool is_dir)
{
	struct jb_wildcard_text text = {.bytes = path, .len = len};

	if (r->crosses) {
		/* A leading "**" and a slash match at the top too, and a last
		 * slash and "***" match the directory itself. */
		text.slash_before = r->starts_crossing;
		text.slash_after = r->takes_its_parent && is_dir;
		return r->anchored || r->starts_crossing
			       ? jb_wildcard_matches(r->wildcard, &text)
			       : jb_wildcard_matches_tail(r->wildcard, &text);
	}
	if (!r->anchored) {
		text.bytes = last_components(path, len, r->n_slashes + 1);
		if (text.bytes == NULL)
			return false;
		text.len = len - (size_t)(text.bytes - path);
	}
	return jb_wildcard_matches(r->wildcard, &text);
}

static bool rule_matches(const struct rule *r, const char *path, size_t len,
			 bool is_dir)
{
	if (r->only_dirs && !is_dir)
		return false;
	if (r->wildcard != NULL)
		return matches_wildcard(r, path, len, is_dir);
	return matches_literally(r, path, len);
}

enum jb_pattern_verdict jb_patterns_verdict(const struct jb_patterns *p,
					    const char *path, size_t len,
					    bool is_dir)
{
	if (p == NULL)
		return JB_PATTERN_NONE;
	for (size_t i = 0; i < p->n_rules; i++)
		if (rule_matches(&p->rules[i], path, len, is_dir))
			return p->rules[i].include ? JB_PATTERN_INCLUDED
						   : JB_PATTERN_EXCLUDED;
	return JB_PATTERN_NONE;
}

/* Could @r match something below the directory @dir? */
static bool rule_reaches(const struct rule *r, const char *dir, size_t len)
{
	if (!r->anchored)
		return true;
	if (r->wildcard != NULL)
		return jb_wildcard_reaches(r->wildcard, dir, len);
	return r->len > len && memcmp(r->text, dir, len) == 0 &&
	       r->text[len] == '/';
}

static bool is_top(const char *path, size_t len)
{
	return len == 0 || (len == 1 && *path == '.');
}

bool jb_patterns_takes_name(const struct jb_patterns *p, const char *path,
			    size_t len, bool is_dir)
{
	enum jb_pattern_verdict v;

	if (p == NULL || is_top(path, len))
		return true;
	v = jb_patterns_verdict(p, path, len, is_dir);
	if (v != JB_PATTERN_NONE || !p->only_included)
		return v != JB_PATTERN_EXCLUDED;
	for (size_t i = 0; is_dir && i < p->n_rules; i++)
		if (rule_reaches(&p->rules[i], path, len))
			return true;
	return false;
}

bool jb_patterns_takes(const struct jb_patterns *p, const char *path,
		       size_t len, bool is_dir)
{
	if (p == NULL || (p->n_rules == 0 && !p->only_included))
		return true;
	for (size_t i = 1; i < len; i++)
		if (path[i] == '/' && !jb_patterns_takes_name(p, path, i, true))
			return false;
	return jb_patterns_takes_name(p, path, len, is_dir);
}

/* Does @r match all that is below the directory @dir? What ends in "**" (not in
 * an escaped star and another one) and matches it goes on to match below. */
static bool rule_covers(const struct rule *r, const char *dir, size_t len)
{
	if (r->only_dirs)
		return false;
	if (!r->anchored && strcmp(r->text, "*") == 0)
		return true;
	if (r->len < 2 || strcmp(r->text + r->len - 2, "**") != 0 ||
	    (r->len > 2 && r->text[r->len - 3] == '\\'))
		return false;
	return rule_matches(r, dir, len, true);
}

bool jb_patterns_takes_below(const struct jb_patterns *p, const char *dir,
			     size_t len)
{
	const struct rule *r;

	for (size_t i = 0; p != NULL && i < p->n_rules; i++) {
		r = &p->rules[i];
		if (r->include ? rule_covers(r, dir, len)
			       : rule_reaches(r, dir, len))
			return r->include;
	}
	return p == NULL || !p->only_included;
}

bool jb_patterns_depend_on_path(const struct jb_patterns *p)
{
	for (size_t i = 0; p != NULL && i < p->n_rules; i++)
		if (p->rules[i].n_slashes > 0 || p->rules[i].crosses)
			return true;
	return false;
}

bool jb_pattern_matches(const char *pattern, const char *path, size_t len,
			bool is_dir)
{
	struct rule r;
	bool matches = false;

	if (check_pattern(pattern, NULL) != JB_OK)
		return false;
	if (init_rule(&r, true, pattern, NULL) == JB_OK)
		matches = rule_matches(&r, path, len, is_dir);
	free_rule(&r);
	return matches;
}
