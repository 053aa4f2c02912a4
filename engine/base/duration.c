/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/duration.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE (60 * JB_USEC_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define WEEK   (7 * DAY)
#define MONTH  (UINT64_C(2629800) * JB_USEC_PER_SEC)  /* 30.44 days */
#define YEAR   (UINT64_C(31557600) * JB_USEC_PER_SEC) /* 365.25 days */

#define EXAMPLE "write it like 200ms, 5min, 1h 30min or 7d"

static const struct {
	const char *name;
	uint64_t us;
} units[] = {
	{"us", 1},
	{"usec", 1},
	{"\xc2\xb5s", 1},
	{"\xce\xbcs", 1},
	{"ms", JB_USEC_PER_MSEC},
	{"msec", JB_USEC_PER_MSEC},
	{"s", JB_USEC_PER_SEC},
	{"sec", JB_USEC_PER_SEC},
	{"second", JB_USEC_PER_SEC},
	{"seconds", JB_USEC_PER_SEC},
	{"m", MINUTE},
	{"min", MINUTE},
	{"minute", MINUTE},
	{"minutes", MINUTE},
	{"h", HOUR},
	{"hr", HOUR},
	{"hour", HOUR},
	{"hours", HOUR},
	{"d", DAY},
	{"day", DAY},
	{"days", DAY},

	{"week", WEEK},
	{"w", WEEK},
	{"weeks", WEEK},
	{"M", MONTH},
	{"month", MONTH},
	{"months", MONTH},
	{"y", YEAR},
	{"year", YEAR},
	{"years", YEAR},
};

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

static uint64_t find_unit(const char *s, size_t len)
{
	if (len == 0)
		return JB_USEC_PER_SEC;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, s, len) == 0)
			return units[i].us;
	return 0;
}

static int too_long(const char *text, struct jb_error *err)
{
	return jb_error_set(err, JB_EINVAL, 0,
			    "'%s' is too long a duration; " EXAMPLE, text);
}

/* One "NUMBER UNIT" at *@at, added to @sum. */
static int read_part(const char *text, const char **at, uint64_t *sum,
		     struct jb_error *err)
{
	const char *s = *at, *fraction = NULL, *unit_name;
	uint64_t whole = 0, unit, us, step;
	size_t unit_len;

	if ((*s < '0' || *s > '9') &&
	    !(*s == '.' && s[1] >= '0' && s[1] <= '9'))
		return jb_error_set(err, JB_EINVAL, 0,
				    "'%s' is no duration; " EXAMPLE, text);
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *s - '0', &whole))
			return too_long(text, err);
	if (*s == '.') {
		fraction = ++s;
		s += strspn(s, "0123456789");
	}
	unit_name = skip_blanks(s);
	unit_len = strcspn(unit_name, " \t0123456789");
	unit = find_unit(unit_name, unit_len);
	if (unit == 0)
		return jb_error_set(err, JB_EINVAL, 0,
				    "'%s': unknown unit '%.*s'; " EXAMPLE, text,
				    (int)unit_len, unit_name);
	if (__builtin_mul_overflow(whole, unit, &us))
		return too_long(text, err);
	step = unit / 10;
	for (; fraction != NULL && *fraction >= '0' && *fraction <= '9';
	     fraction++, step /= 10)
		if (__builtin_add_overflow(
			    us, (uint64_t)(*fraction - '0') * step, &us))
			return too_long(text, err);
	if (__builtin_add_overflow(*sum, us, sum) || *sum > JB_DURATION_MAX)
		return too_long(text, err);
	*at = skip_blanks(unit_name + unit_len);
	return JB_OK;
}

int jb_duration_parse(const char *text, uint64_t *ret_us, struct jb_error *err)
{
	const char *s = skip_blanks(text);
	uint64_t sum = 0;
	int rv;

	if (strncmp(s, "infinity", 8) == 0 && *skip_blanks(s + 8) == '\0') {
		*ret_us = JB_DURATION_INFINITY;
		return JB_OK;
	}
	if (*s == '\0')
		return jb_error_set(err, JB_EINVAL, 0,
				    "a duration is missing; " EXAMPLE);
	if (*s == '-')
		return jb_error_set(
			err, JB_EINVAL, 0,
			"'%s': a duration can't be negative; " EXAMPLE, text);
	while (*s != '\0') {
		rv = read_part(text, &s, &sum, err);
		if (rv != JB_OK)
			return rv;
	}
	*ret_us = sum;
	return JB_OK;
}

const char *jb_duration_format(uint64_t us, char *buf, size_t size)
{
	static const struct {
		const char *name;
		uint64_t us;
	} shown[] = {
		{"y", YEAR},
		{"d", DAY},
		{"h", HOUR},
		{"min", MINUTE},
		{"s", JB_USEC_PER_SEC},
		{"ms", JB_USEC_PER_MSEC},
		{"us", 1},
	};
	size_t n = sizeof shown / sizeof shown[0], i;
	int len;

	if (us == JB_DURATION_INFINITY || us == 0) {
		snprintf(buf, size, "%s", us == 0 ? "0" : "infinity");
		return buf;
	}
	for (i = 0; us < shown[i].us; i++)
		;
	len = snprintf(buf, size, "%" PRIu64 "%s", us / shown[i].us,
		       shown[i].name);
	us %= shown[i].us;
	if (++i < n && us >= shown[i].us && len > 0 && (size_t)len < size)
		snprintf(buf + len, size - (size_t)len, " %" PRIu64 "%s",
			 us / shown[i].us, shown[i].name);
	return buf;
}
