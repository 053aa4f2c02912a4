/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any pattern and any path, separated by a NUL: matching ends soon, and what
 * follows from the rules holds. */
#include "engine/base/pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* A path as a pattern: every byte escaped, anchored, and made wild by a class
 * that is one of its bytes. */
static void match_self(const char *path, size_t len)
{
	char pattern[2 * TEXT_MAX + 8], *out = pattern;

	*out++ = '/';
	for (size_t i = 0; i + 1 < len; i++) {
		if (path[i] != '/')
			*out++ = '\\';
		*out++ = path[i];
	}
	if (len == 0 || path[len - 1] == '/')
		return;
	*out++ = '[';
	*out++ = '\\';
	*out++ = path[len - 1];
	*out++ = ']';
	*out = '\0';
	require(jb_pattern_matches(pattern, path, len, false));
}

static void check_rules(struct jb_patterns *p, const char *path, size_t len)
{
	bool taken = jb_patterns_takes(p, path, len, false);

	require(!taken || jb_patterns_takes_name(p, path, len, false));
	for (size_t i = 1; taken && i < len; i++)
		require(path[i] != '/' ||
			jb_patterns_takes_name(p, path, i, true));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size);
	char pattern[TEXT_MAX], path[TEXT_MAX];
	struct jb_patterns *p;
	size_t len;
	bool matches;

	if (nul == NULL || size >= TEXT_MAX || data + size == nul + 1)
		return 0;
	strcpy(pattern, (const char *)data);
	len = (size_t)(data + size - nul) - 1;
	memcpy(path, nul + 1, len);
	if (memchr(path, '\0', len) != NULL)
		return 0;
	match_self(path, len);
	require(jb_patterns_new(&p, NULL) == JB_OK);
	if (jb_patterns_add(p, true, pattern, NULL) == JB_OK) {
		matches = jb_pattern_matches(pattern, path, len, false);
		require(matches == (jb_patterns_verdict(p, path, len, false) ==
				    JB_PATTERN_INCLUDED));
		check_rules(p, path, len);
		require(jb_patterns_only_included(p, NULL) == JB_OK);
		check_rules(p, path, len);
		require(!matches || strcmp(path, "/") == 0 || path[0] == '/' ||
			jb_patterns_takes(p, path, len, false));
	} else {
		require(!jb_pattern_matches(pattern, path, len, false));
	}
	jb_patterns_free(p);
	return 0;
}
