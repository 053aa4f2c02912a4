/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config_keys.h"

#include "engine/base/duration.h"
#include "engine/base/pattern.h"
#include "engine/base/size.h"
#include "engine/base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 40 /* with its kind within inih's 50 */

bool jb_config_is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return *name != '\0' && *name != '.' && *name != '-' &&
	       strlen(name) <= NAME_MAX_BYTES &&
	       name[strspn(name, letters)] == '\0';
}

bool jb_config_is_off(const char *value)
{
	return strcmp(value, "off") == 0 || strcmp(value, "no") == 0 ||
	       strcmp(value, "0") == 0;
}

static bool is_infinity(const char *value)
{
	return strcmp(value, "infinity") == 0;
}

/* A limit that there is not. */
static bool is_no_limit(const char *value)
{
	return jb_config_is_off(value) || is_infinity(value);
}

/* What is to pass, or to be there, before something is done. */
static int check_infinity(const struct jb_config_option *option,
			  const char *value, struct jb_error *err)
{
	if (option->infinity != JB_INFINITY_IS_WRONG || !is_infinity(value))
		return JB_OK;
	return jb_error_set(err, JB_ECONFIG, 0,
			    "'infinity' would keep all from being copied; "
			    "write it like %s, or off",
			    option->type == JB_CONFIG_SIZE ? "10G" : "5min");
}

int jb_config_read_bool(const char *value, bool *ret, struct jb_error *err)
{
	static const char *const words[] = {"no",  "yes", "false", "true",
					    "off", "on",  "0",	   "1"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(value, words[i]) != 0)
			continue;
		*ret = i % 2 == 1;
		return JB_OK;
	}
	return jb_error_set(err, JB_ECONFIG, 0,
			    "'%s' is neither yes nor no; write one of them",
			    value);
}

static int check_range(const struct jb_config_option *option, const char *value,
		       int64_t n, struct jb_error *err)
{
	char min[JB_DURATION_TEXT_MAX], max[JB_DURATION_TEXT_MAX];

	if (option->max == 0 || (n >= option->min && n <= option->max))
		return JB_OK;
	if (option->type == JB_CONFIG_DURATION)
		return jb_error_set(err, JB_ECONFIG, 0,
				    "'%s' is out of range; write %s to %s",
				    value,
				    jb_duration_format((uint64_t)option->min,
						       min, sizeof min),
				    jb_duration_format((uint64_t)option->max,
						       max, sizeof max));
	return jb_error_set(err, JB_ECONFIG, 0,
			    "'%s' is out of range; write %" PRId64
			    " to %" PRId64,
			    value, option->min, option->max);
}

int jb_config_read_number(const struct jb_config_option *option,
			  const char *value, int64_t *ret, struct jb_error *err)
{
	bool has_off =
		option->fallback != NULL && jb_config_is_off(option->fallback);
	char *end;
	int64_t n;

	if (has_off && is_no_limit(value)) {
		*ret = 0;
		return JB_OK;
	}
	errno = 0;
	n = strtoll(value, &end, 10);
	if (end == value || *end != '\0' || errno != 0 ||
	    (n < 0 && option->min >= 0))
		return jb_error_set(err, JB_ECONFIG, 0,
				    "'%s' is no number; write it like %s",
				    value, has_off ? "100000, or off" : "10");
	if (check_range(option, value, n, err) != JB_OK)
		return JB_ECONFIG;
	*ret = n;
	return JB_OK;
}

int jb_config_read_duration(const struct jb_config_option *option,
			    const char *value, uint64_t *ret_us,
			    struct jb_error *err)
{
	uint64_t us;

	if ((option->max == 0 || option->may_be_off) &&
	    (jb_config_is_off(value) ||
	     (is_infinity(value) && option->infinity == JB_INFINITY_IS_OFF))) {
		*ret_us = 0;
		return JB_OK;
	}
	if (jb_duration_parse(value, &us, err) != JB_OK)
		return JB_ECONFIG;
	if (us > INT64_MAX)
		us = INT64_MAX;
	if (check_range(option, value, (int64_t)us, err) != JB_OK)
		return JB_ECONFIG;
	*ret_us = us;
	return JB_OK;
}

int jb_config_read_size(const struct jb_config_option *option,
			const char *value, uint64_t *ret, struct jb_error *err)
{
	char min[JB_SIZE_TEXT_MAX];

	if (is_no_limit(value)) {
		*ret = 0;
		return JB_OK;
	}
	if (jb_size_parse(value, ret, err) != JB_OK)
		return JB_ECONFIG;
	if (*ret != 0 && *ret < (uint64_t)option->min)
		return jb_error_set(
			err, JB_ECONFIG, 0,
			"'%s' is too little; write %s or more", value,
			jb_size_format((uint64_t)option->min, min, sizeof min));
	if (*ret > INT64_MAX) /* files can't be larger */
		*ret = INT64_MAX;
	return JB_OK;
}

int jb_config_read_limit(const char *value, struct jb_config_limit *ret,
			 struct jb_error *err)
{
	struct jb_config_limit limit = {0};
	unsigned int whole, tenths = 0;
	char *end;
	int n = 0;

	if (strcmp(value, "off") == 0 || strcmp(value, "infinity") == 0) {
		*ret = (struct jb_config_limit){.is_off = true};
		return JB_OK;
	}
	errno = 0;
	limit.value = strtoull(value, &end, 10);
	if (*value >= '0' && *value <= '9' && *end == '\0' && errno == 0) {
		*ret = limit;
		return JB_OK;
	}
	if (*value >= '0' && *value <= '9' &&
	    ((sscanf(value, "%3u%%%n", &whole, &n) == 1 && n > 0) ||
	     (sscanf(value, "%3u.%1u%%%n", &whole, &tenths, &n) == 2 &&
	      n > 0)) &&
	    value[n] == '\0' && whole * 10 + tenths <= 1000) {
		ret->is_off = false;
		ret->is_percent = true;
		ret->value = whole * 100 + tenths * 10;
		return JB_OK;
	}
	return jb_error_set(err, JB_ECONFIG, 0,
			    "'%s' is no limit; write it like 5%%, 1000 or off",
			    value);
}

static int no_path(const char *value, const char *why, struct jb_error *err)
{
	return jb_error_set(err, JB_ECONFIG, 0, "'%s' %s", value, why);
}

void jb_config_squeeze_path(char *path)
{
	char *out = path;

	for (const char *s = path; *s != '\0'; s++)
		if (*s != '/' || s[1] != '/')
			*out++ = *s;
	if (out > path + 1 && out[-1] == '/')
		out--;
	*out = '\0';
}

static bool has_dots(const char *path)
{
	size_t n;

	for (; *path != '\0'; path += n) {
		path += *path == '/';
		n = strcspn(path, "/");
		if ((n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return true;
	}
	return false;
}

int jb_config_read_path(const char *value, char **ret, struct jb_error *err)
{
	if (*value != '/')
		return no_path(value, "is no absolute path; begin it with '/'",
			       err);
	if (has_dots(value))
		return no_path(value,
			       "has '.' or '..' in it; write the path in full",
			       err);
	*ret = strdup(value);
	if (*ret == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "'%s'", value);
	jb_config_squeeze_path(*ret);
	return JB_OK;
}

static int check_subpath(const char *value, struct jb_error *err)
{
	if (*value == '/')
		return no_path(value, "is absolute; write a directory below",
			       err);
	if (has_dots(value))
		return no_path(value,
			       "has '.' or '..' in it; it must stay below",
			       err);
	return JB_OK;
}

int jb_config_read_word(const struct jb_config_option *option,
			const char *value, int *ret, struct jb_error *err)
{
	size_t len = strlen(value), n;
	int i = 0;

	for (const char *s = option->choices; *s != '\0'; i++) {
		n = strcspn(s, " ");
		if (n == len && strncasecmp(s, value, n) == 0) {
			*ret = i;
			return JB_OK;
		}
		s += n;
		s += *s == ' ';
	}
	if (option->reserved != NULL &&
	    strcasecmp(option->reserved, value) == 0) {
		*ret = i;
		return JB_OK;
	}
	return jb_error_set(err, JB_ECONFIG, 0,
			    "'%s' is none of the choices; write one of: %s",
			    value, option->choices);
}

int jb_config_next_word(const char **at, char **ret, struct jb_error *err)
{
	const char *s = *at + strspn(*at, " \t");
	bool quoted = *s == '"';
	char *word, *out;

	if (*s == '\0') {
		*at = s;
		*ret = NULL;
		return JB_OK;
	}
	word = out = malloc(strlen(s) + 1);
	if (word == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "'%s'", *at);
	for (s += quoted; *s != '\0'; *out++ = *s++) {
		if (quoted ? *s == '"' : strchr(" \t", *s) != NULL)
			break;
		if (quoted && *s == '\\' && s[1] == '"')
			s++;
		else if (quoted && *s == '\\' && s[1] == '\\')
			*out++ = *s++;
	}
	*out = '\0';
	if (quoted && (*s != '"' || strchr(" \t", s[1]) == NULL)) {
		free(word);
		return jb_error_set(err, JB_ECONFIG, 0, "%s: %s", *at,
				    *s != '"' ? "a '\"' has no partner"
					      : "a blank must follow the "
						"closing '\"'");
	}
	*at = s + quoted;
	*ret = word;
	return JB_OK;
}

static int check_one_word(const struct jb_config_option *option,
			  const char *word, struct jb_error *err)
{
	struct jb_patterns *patterns = NULL;
	int rv, index;

	if (option->type == JB_CONFIG_WORDS)
		return jb_config_read_word(option, word, &index, err);
	if (option->type != JB_CONFIG_PATTERNS)
		return jb_config_is_name(word)
			       ? JB_OK
			       : jb_error_set(err, JB_ECONFIG, 0,
					      "'%s' is no name; write letters, "
					      "digits, '.', '_' and '-'",
					      word);
	rv = jb_patterns_new(&patterns, err);
	if (rv == JB_OK)
		rv = jb_patterns_add(patterns, true, word, err);
	jb_patterns_free(patterns);
	return rv == JB_EINVAL ? JB_ECONFIG : rv;
}

static int check_words(const struct jb_config_option *option, const char *value,
		       struct jb_error *err)
{
	int rv;

	for (;;) {
		char *word = NULL;

		rv = jb_config_next_word(&value, &word, err);
		if (rv != JB_OK || word == NULL)
			return rv;
		rv = check_one_word(option, word, err);
		free(word);
		if (rv != JB_OK)
			return rv;
	}
}

int jb_config_check_value(const struct jb_config_option *option,
			  const char *value, struct jb_error *err)
{
	struct jb_config_limit limit;
	uint64_t amount;
	int64_t number;
	char *path;
	bool flag;
	int index, rv = check_infinity(option, value, err);

	if (rv != JB_OK)
		return rv;
	switch (option->type) {
	case JB_CONFIG_PATH:
		rv = jb_config_read_path(value, &path, err);
		if (rv == JB_OK)
			free(path);
		return rv;
	case JB_CONFIG_SUBPATH:
		return check_subpath(value, err);
	case JB_CONFIG_DURATION:
		return jb_config_read_duration(option, value, &amount, err);
	case JB_CONFIG_SIZE:
		return jb_config_read_size(option, value, &amount, err);
	case JB_CONFIG_NUMBER:
		return jb_config_read_number(option, value, &number, err);
	case JB_CONFIG_BOOL:
		return jb_config_read_bool(value, &flag, err);
	case JB_CONFIG_LIMIT:
		return jb_config_read_limit(value, &limit, err);
	case JB_CONFIG_TIME:
		return jb_time_parse(value, 0, &number, err) == JB_OK
			       ? JB_OK
			       : JB_ECONFIG;
	case JB_CONFIG_WORD:
		return jb_config_read_word(option, value, &index, err);
	case JB_CONFIG_NAME:
		return check_one_word(option, value, err);
	case JB_CONFIG_WORDS:
	case JB_CONFIG_NAMES:
	case JB_CONFIG_PATTERNS:
		return check_words(option, value, err);
	case JB_CONFIG_TEXT:
		break;
	}
	return JB_OK;
}
