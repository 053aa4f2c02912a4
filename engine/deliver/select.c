/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/select.h"

#include "transports/transport.h"

#include <string.h>

static bool is_reserved(const char *path, size_t len)
{
	return len == sizeof JB_OWN_DIR - 1 &&
	       memcmp(path, JB_OWN_DIR, len) == 0;
}

static bool takes(const struct jb_patterns *patterns, const char *path,
		  size_t len, bool is_dir)
{
	return patterns == NULL ||
	       jb_patterns_takes_name(patterns, path, len, is_dir);
}

bool jb_select_takes(const struct jb_patterns *patterns, const char *path,
		     size_t len, bool is_dir)
{
	return !is_reserved(path, len) && takes(patterns, path, len, is_dir);
}

bool jb_select_reserves(const struct jb_patterns *patterns, const char *path,
			size_t len, bool is_dir)
{
	return is_reserved(path, len) && takes(patterns, path, len, is_dir);
}

static size_t component(const char *s, size_t len)
{
	const char *slash = memchr(s, '/', len);

	return slash != NULL ? (size_t)(slash - s) : len;
}

/* Could the pattern, which begins at the top, match below @path? Compared
 * component by component until one of them ends or has a wildcard. */
static bool reaches_below(const char *pattern, const char *path, size_t len)
{
	size_t rest = strlen(pattern), a, b;

	while (len > 0) {
		a = component(pattern, rest);
		b = component(path, len);
		if (a == 0)
			return false; /* it names a directory above */
		for (size_t i = 0; i < a; i++)
			if (strchr("*?[\\", pattern[i]) != NULL)
				return true;
		if (a != b || memcmp(pattern, path, a) != 0)
			return false;
		pattern += a < rest ? a + 1 : a;
		rest -= a < rest ? a + 1 : a;
		path += b < len ? b + 1 : b;
		len -= b < len ? b + 1 : b;
	}
	return rest > 0;
}

static bool depends_on_path(const char *pattern)
{
	const char *slash = strchr(pattern, '/');

	return (slash != NULL && slash[1] != '\0') ||
	       strstr(pattern, "**") != NULL;
}

bool jb_select_below(const struct jb_patterns *patterns, const char *path,
		     size_t len)
{
	const char *pattern;
	bool include;

	if (patterns == NULL || !jb_patterns_depend_on_path(patterns))
		return false;
	/* `only included` adds a rule of its own at the end: what lies below
	 * an included directory by no pattern's own words. */
	if (jb_patterns_are_only(patterns))
		return true;
	for (size_t i = 0;
	     (pattern = jb_patterns_at(patterns, i, &include)) != NULL; i++) {
		if (pattern[0] == '/' && reaches_below(pattern + 1, path, len))
			return true;
		if (pattern[0] != '/' && depends_on_path(pattern))
			return true;
	}
	return false;
}
