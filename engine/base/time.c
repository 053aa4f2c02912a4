/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/time.h"

#include "engine/base/duration.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define USEC ((int64_t)JB_USEC_PER_SEC)
#define EXAMPLE                                                                \
	"write it like '2026-11-23 06:00', yesterday, -2h or @1764000000"

/* A time as it was written. */
struct written {
	struct tm tm; /* the fields that were given */
	int64_t us;   /* the part below a second */
	int weekday;  /* -1: none was given */
	bool is_utc;  /* a zone was given */
	int offset_s; /* east of UTC, if is_utc */
	bool has_date, has_clock;
};

static int no_time(const char *text, const char *why, struct jb_error *err)
{
	return jb_error_set(err, JB_EINVAL, 0, "'%s' %s; " EXAMPLE, text, why);
}

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* @n to @m digits at *@s, which moves behind them; -1 if there are not. */
static int read_digits(const char **s, size_t n, size_t m)
{
	size_t len = strspn(*s, "0123456789");
	int value = 0;

	if (len < n || len > m)
		return -1;
	for (; len > 0; len--)
		value = value * 10 + *(*s)++ - '0';
	return value;
}

static bool is_number(const char *s)
{
	return *s >= '0' && *s <= '9';
}

/* The digits behind a '.', as microseconds. */
static int64_t read_fraction(const char **s)
{
	int64_t us = 0, step = USEC / 10;

	for (; is_number(*s); (*s)++, step /= 10)
		us += (**s - '0') * step;
	return us;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static const char *read_date(const char *s, struct written *w)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	int year, month, day, last;

	year = read_digits(&s, 4, 4);
	if (year < 1970 || *s++ != '-')
		return NULL;
	month = read_digits(&s, 1, 2);
	if (month < 1 || month > 12 || *s++ != '-')
		return NULL;
	day = read_digits(&s, 1, 2);
	last = days[month - 1] + (month == 2 && is_leap(year));
	if (day < 1 || day > last)
		return NULL;
	w->tm.tm_year = year - 1900;
	w->tm.tm_mon = month - 1;
	w->tm.tm_mday = day;
	w->has_date = true;
	return s;
}

static const char *read_clock(const char *s, struct written *w)
{
	w->tm.tm_hour = read_digits(&s, 1, 2);
	if (w->tm.tm_hour < 0 || w->tm.tm_hour > 23 || *s++ != ':')
		return NULL;
	w->tm.tm_min = read_digits(&s, 2, 2);
	if (w->tm.tm_min < 0 || w->tm.tm_min > 59)
		return NULL;
	w->has_clock = true;
	if (*s != ':')
		return s;
	s++;
	w->tm.tm_sec = read_digits(&s, 2, 2);
	if (w->tm.tm_sec < 0 || w->tm.tm_sec > 59)
		return NULL;
	if (*s == '.' && is_number(s + 1)) {
		s++;
		w->us = read_fraction(&s);
	}
	return s;
}

/* "UTC", "Z" or "+01:00" at the end. */
static const char *read_zone(const char *s, struct written *w)
{
	int sign = *s == '-' ? -1 : 1, hours, minutes = 0;

	w->is_utc = true;
	if (strncasecmp(s, "UTC", 3) == 0)
		return s + 3;
	if (*s == 'Z')
		return s + 1;
	if (*s++ != '+' && sign > 0)
		return NULL;
	hours = read_digits(&s, 2, 4);
	if (hours > 99) {
		minutes = hours % 100;
		hours /= 100;
	} else if (*s == ':') {
		s++;
		minutes = read_digits(&s, 2, 2);
	}
	if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59)
		return NULL;
	w->offset_s = sign * (hours * 3600 + minutes * 60);
	return s;
}

/* "Mon" or "Monday", with a blank or a comma behind it. */
static const char *read_weekday(const char *s, struct written *w)
{
	static const char *const names[] = {"Sunday",	 "Monday",   "Tuesday",
					    "Wednesday", "Thursday", "Friday",
					    "Saturday"};
	size_t len = strcspn(s, " \t,");

	w->weekday = -1;
	for (int i = 0; i < 7; i++) {
		if (strncasecmp(s, names[i], len) != 0 ||
		    (len != 3 && len != strlen(names[i])))
			continue;
		w->weekday = i;
		s += len;
		return s + strspn(s, " \t,");
	}
	return s;
}

/* @w as seconds since 1970. A time that DST leaves out is moved on by mktime.
 */
static bool to_seconds(struct written *w, int64_t *ret_s)
{
	time_t t;

	w->tm.tm_isdst = -1;
	t = w->is_utc ? timegm(&w->tm) : mktime(&w->tm);
	if (t == -1 && w->tm.tm_year != 69 && w->tm.tm_year != 70)
		return false;
	*ret_s = (int64_t)t - w->offset_s;
	return true;
}

/* Today's date, in the zone that the time was given in. */
static void fill_date(struct written *w, int64_t now_us)
{
	time_t now = (time_t)(now_us / USEC) + w->offset_s;
	struct tm tm;

	if (w->is_utc)
		gmtime_r(&now, &tm);
	else
		localtime_r(&now, &tm);
	w->tm.tm_year = tm.tm_year;
	w->tm.tm_mon = tm.tm_mon;
	w->tm.tm_mday = tm.tm_mday;
}

/* [WEEKDAY] [DATE] [CLOCK] [ZONE] */
static int parse_calendar(const char *text, int64_t now_us, int64_t *ret_us,
			  struct jb_error *err)
{
	struct written w = {.weekday = -1};
	const char *s = read_weekday(text, &w);
	int64_t seconds;

	if (strcspn(s, "-") == 4) {
		s = read_date(s, &w);
		if (s == NULL)
			return no_time(text, "has no such date", err);
		if (*s == 'T' && is_number(s + 1))
			s++;
		s = skip_blanks(s);
	}
	if (is_number(s)) {
		s = read_clock(s, &w);
		if (s == NULL)
			return no_time(text, "has no such time of day", err);
		s = skip_blanks(s);
	}
	if ((w.has_date || w.has_clock) && *s != '\0') {
		s = read_zone(s, &w);
		if (s == NULL)
			return no_time(text, "ends in no zone that I know",
				       err);
	}
	if ((!w.has_date && !w.has_clock) || *skip_blanks(s) != '\0')
		return no_time(text, "is no time", err);
	if (!w.has_date)
		fill_date(&w, now_us);
	if (!to_seconds(&w, &seconds))
		return no_time(text, "is out of range", err);
	if (w.weekday >= 0 && w.weekday != w.tm.tm_wday)
		return no_time(text, "has another weekday", err);
	*ret_us = seconds * USEC + w.us;
	return JB_OK;
}

/* Midnight, @days from today. */
static int64_t midnight(int64_t now_us, int days)
{
	struct written w = {.weekday = -1};
	int64_t seconds = 0;

	fill_date(&w, now_us);
	w.tm.tm_mday += days;
	to_seconds(&w, &seconds);
	return seconds * USEC;
}

/* "@SECONDS[.FRACTION]" */
static int parse_epoch(const char *text, int64_t *ret_us, struct jb_error *err)
{
	const char *s = text + 1;
	int64_t seconds = 0, us = 0;
	bool negative = *s == '-';

	s += negative;
	if (!is_number(s))
		return no_time(text, "has no number behind its '@'", err);
	for (; is_number(s); s++)
		if (__builtin_mul_overflow(seconds, 10, &seconds) ||
		    __builtin_add_overflow(seconds, *s - '0', &seconds))
			return no_time(text, "is out of range", err);
	if (*s == '.') {
		s++;
		us = read_fraction(&s);
	}
	if (*skip_blanks(s) != '\0')
		return no_time(text, "is no time", err);
	if (__builtin_mul_overflow(seconds, USEC, &seconds) ||
	    __builtin_add_overflow(seconds, us, &seconds))
		return no_time(text, "is out of range", err);
	*ret_us = negative ? -seconds : seconds;
	return JB_OK;
}

/* @text is "+SPAN", "-SPAN", "SPAN ago" or "SPAN left": its sign, and the span
 * alone in @span. 0: it is none of these. */
static int split_span(const char *text, char *span, size_t size)
{
	size_t len = strlen(text);
	int sign = *text == '+' ? 1 : *text == '-' ? -1 : 0;

	if (sign != 0) {
		text++;
		len--;
	} else if (len > 4 && strcmp(text + len - 4, " ago") == 0) {
		sign = -1;
		len -= 4;
	} else if (len > 5 && strcmp(text + len - 5, " left") == 0) {
		sign = 1;
		len -= 5;
	}
	snprintf(span, size, "%.*s", (int)len, text);
	return len < size ? sign : 0;
}

static int parse_span(const char *text, const char *span, int sign,
		      int64_t now_us, int64_t *ret_us, struct jb_error *err)
{
	uint64_t us;

	if (jb_duration_parse(span, &us, NULL) != JB_OK)
		return no_time(text, "has no duration that I know", err);
	if (us > INT64_MAX ||
	    __builtin_add_overflow(now_us, sign * (int64_t)us, ret_us))
		return no_time(text, "is out of range", err);
	return JB_OK;
}

int jb_time_parse(const char *text, int64_t now_us, int64_t *ret_us,
		  struct jb_error *err)
{
	static const struct {
		const char *name;
		int days;
	} words[] = {{"yesterday", -1}, {"today", 0}, {"tomorrow", 1}};
	char span[64];
	int sign;

	text = skip_blanks(text);
	if (*text == '\0')
		return jb_error_set(err, JB_EINVAL, 0,
				    "a time is missing; " EXAMPLE);
	if (strcasecmp(text, "now") == 0) {
		*ret_us = now_us;
		return JB_OK;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i].name) != 0)
			continue;
		*ret_us = midnight(now_us, words[i].days);
		return JB_OK;
	}
	if (*text == '@')
		return parse_epoch(text, ret_us, err);
	sign = split_span(text, span, sizeof span);
	if (sign != 0)
		return parse_span(text, span, sign, now_us, ret_us, err);
	return parse_calendar(text, now_us, ret_us, err);
}

const char *jb_time_format(int64_t us, bool with_us, char *buf, size_t size)
{
	time_t seconds = (time_t)(us / USEC);
	int64_t rest = us % USEC;
	struct tm tm;
	size_t n;

	if (rest < 0) {
		rest += USEC;
		seconds--;
	}
	if (localtime_r(&seconds, &tm) == NULL) {
		snprintf(buf, size, "@%lld", (long long)seconds);
		return buf;
	}
	n = strftime(buf, size, "%F %T", &tm);
	if (with_us && n > 0)
		snprintf(buf + n, size - n, ".%06d", (int)rest);
	return buf;
}
