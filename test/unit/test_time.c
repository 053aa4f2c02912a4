/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times, durations and sizes: read, refused, written. */
#include "engine/base/duration.h"
#include "engine/base/size.h"
#include "engine/base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define S   INT64_C(1000000)
#define NOW (INT64_C(1795442400) * S) /* Mon 2026-11-23 14:00:00 UTC */

static void set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void expect(const char *text, int64_t us)
{
	struct jb_error err = {0};
	int64_t got = -1;

	if (jb_time_parse(text, NOW, &got, &err) != JB_OK)
		fail_msg("'%s': %s", text, err.text);
	if (got != us)
		fail_msg("'%s': %" PRId64 ", not %" PRId64, text, got, us);
}

/* What systemd.time(7) says of words and spans. */
static void test_relative(void **state)
{
	(void)state;
	set_zone("Europe/Berlin"); /* now is 15:00 */
	expect("now", NOW);
	expect("today", NOW - 15 * 3600 * S);
	expect("yesterday", NOW - 39 * 3600 * S);
	expect("tomorrow", NOW + 9 * 3600 * S);
	expect("-2h", NOW - 7200 * S);
	expect("+1min", NOW + 60 * S);
	expect("2h ago", NOW - 7200 * S);
	expect("1h 30min ago", NOW - 5400 * S);
	expect("3min left", NOW + 180 * S);
	expect("-5", NOW - 5 * S);
	expect("  now", NOW);
}

/* Dates and times of day, local or with a zone. */
static void test_calendar(void **state)
{
	(void)state;
	set_zone("Europe/Berlin");
	expect("2026-11-23", NOW - 15 * 3600 * S);
	expect("2026-11-23 06:00", NOW - 9 * 3600 * S);
	expect("2026-11-23 06:00:30.5", NOW - 9 * 3600 * S + 30500000);
	expect("2026-11-23T06:00:30", NOW - 9 * 3600 * S + 30 * S);
	expect("2026-11-23 06:00 UTC", NOW - 8 * 3600 * S);
	expect("2026-11-23T06:00:00Z", NOW - 8 * 3600 * S);
	expect("2026-11-23 06:00 +02:00", NOW - 10 * 3600 * S);
	expect("2026-11-23 06:00 -0130", NOW - 6 * 3600 * S - 1800 * S);
	expect("2026-11-23 UTC", NOW - 14 * 3600 * S);
	expect("06:00", NOW - 9 * 3600 * S);
	expect("06:00:01 UTC", NOW - 8 * 3600 * S + S);
	expect("Mon 2026-11-23 06:00", NOW - 9 * 3600 * S);
	expect("monday, 2026-11-23", NOW - 15 * 3600 * S);
	expect("2028-02-29 UTC", INT64_C(1835395200) * S);
}

static void test_epoch(void **state)
{
	(void)state;
	expect("@1764000000", INT64_C(1764000000) * S);
	expect("@1764000000.25", INT64_C(1764000000) * S + 250000);
	expect("@0", 0);
	expect("@-1", -S);
}

/* "yesterday" and midnight where the clock was changed in between. */
static void test_dst(void **state)
{
	int64_t before, after, noon;

	(void)state;
	set_zone("Europe/Berlin");
	/* 2026-03-29: 02:00 -> 03:00; the day has 23 hours. */
	expect("2026-03-29 01:59:59 UTC", INT64_C(1774749599) * S);
	assert_int_equal(jb_time_parse("2026-03-29", NOW, &before, NULL), 0);
	assert_int_equal(jb_time_parse("2026-03-30", NOW, &after, NULL), 0);
	assert_int_equal(after - before, 23 * 3600 * S);
	assert_int_equal(jb_time_parse("2026-03-30 12:00", NOW, &noon, NULL),
			 0);
	assert_int_equal(jb_time_parse("yesterday", noon, &after, NULL), 0);
	assert_int_equal(after, before);
	/* 2026-10-25: 03:00 -> 02:00; 25 hours. */
	assert_int_equal(jb_time_parse("2026-10-25", NOW, &before, NULL), 0);
	assert_int_equal(jb_time_parse("2026-10-26", NOW, &after, NULL), 0);
	assert_int_equal(after - before, 25 * 3600 * S);
}

/* What can't be read is named, and an example is given. */
static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"soon",
		"2026-13-01",
		"2026-02-29",
		"2026-11-31",
		"2026-11-23 25:00",
		"2026-11-23 06:60",
		"2026-11-23 6",
		"2026-11-23 06:00 XYZ",
		"Tue 2026-11-23",
		"@",
		"@12x",
		"@99999999999999999",
		"-2 fortnights",
		"- 2h ago later",
		"2h",
		"Mon",
		"06:00:00:00",
		"2026-11-23 06:00 +",
		"today 06:00 x",
		"+99999999999999y",
		"2026-11",
		"1969-12-31",
		"2026-11-23 06:00 +99:00",
	};
	struct jb_error err;
	int64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err.text[0] = '\0';
		us = 42;
		if (jb_time_parse(bad[i], NOW, &us, &err) != JB_EINVAL)
			fail_msg("'%s' was read as %" PRId64, bad[i], us);
		assert_int_equal(us, 42);
		assert_non_null(strstr(err.text, "write it like"));
		assert_non_null(strstr(err.text, bad[i]));
	}
}

/* What is written is read back, in any zone. */
static void test_format(void **state)
{
	static const char *const zones[] = {"UTC", "Europe/Berlin",
					    "America/St_Johns",
					    "Pacific/Kiritimati"};
	char buf[JB_TIME_TEXT_MAX];
	int64_t back;

	(void)state;
	set_zone("Europe/Berlin");
	assert_string_equal(jb_time_format(NOW + 5, true, buf, sizeof buf),
			    "2026-11-23 15:00:00.000005");
	assert_string_equal(jb_time_format(NOW + 5, false, buf, sizeof buf),
			    "2026-11-23 15:00:00");
	assert_string_equal(jb_time_format(-1, true, buf, sizeof buf),
			    "1970-01-01 00:59:59.999999");
	for (size_t z = 0; z < sizeof zones / sizeof zones[0]; z++) {
		set_zone(zones[z]);
		for (int64_t t = NOW; t < NOW + 40 * 86400 * S;
		     t += 86399 * S + 123457) {
			jb_time_format(t, true, buf, sizeof buf);
			assert_int_equal(jb_time_parse(buf, NOW, &back, NULL),
					 JB_OK);
			assert_int_equal(back, t);
		}
	}
	jb_time_format(INT64_MAX, true, buf, sizeof buf);
	jb_time_format(INT64_MIN, true, buf, sizeof buf);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} cases[] = {
		{"0", 0},
		{"5", 5000000},
		{"200ms", 200000},
		{"5min", 300000000},
		{"1h 30min", 5400000000},
		{"1h30min", 5400000000},
		{"1.5h", 5400000000},
		{"7d", UINT64_C(604800000000)},
		{"2w", UINT64_C(1209600000000)},
		{"1M", UINT64_C(2629800000000)},
		{"1y", UINT64_C(31557600000000)},
		{"10us", 10},
		{"10\xc2\xb5s", 10},
		{"0.5s", 500000},
		{".5s", 500000},
		{" 2 hours 1 second ", 7201000000},
		{"infinity", JB_DURATION_INFINITY},
		{"10usec 5msec", 5010},
	};
	struct jb_error err;
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		if (jb_duration_parse(cases[i].text, &us, &err) != JB_OK)
			fail_msg("%s", err.text);
		assert_int_equal(us, cases[i].us);
	}
}

static void test_duration_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"h",
		"5 fortnights",
		"-5s",
		"5..5s",
		"1.5.5h",
		"5 5x",
		"99999999999999999999",
		"1000000y",
		"584542.99999y",
		"200000y",
		"18446744073709551615us",
		"infinity 5s",
		"5min,",
		"1e3s",
		"0x10s",
	};
	struct jb_error err;
	uint64_t us = 42;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (jb_duration_parse(bad[i], &us, &err) != JB_EINVAL)
			fail_msg("'%s' was read as %" PRIu64, bad[i], us);
		assert_non_null(strstr(err.text, "write it like"));
		assert_int_equal(us, 42);
	}
}

static void test_duration_format(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "1us"},
		{200000, "200ms"},
		{1500000, "1s 500ms"},
		{5400000000, "1h 30min"},
		{3600000000, "1h"},
		{3601000000, "1h"},
		{UINT64_C(7776000000000), "90d"},
		{UINT64_C(604800000000), "7d"},
		{UINT64_C(1209600000000), "14d"},
		{UINT64_C(31557600000000), "1y"},
		{JB_DURATION_INFINITY, "infinity"},
	};
	char buf[JB_DURATION_TEXT_MAX];
	uint64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(jb_duration_format(cases[i].us, buf,
						       sizeof buf),
				    cases[i].text);
	for (uint64_t us = 1; us <= JB_DURATION_MAX; us = us * 2 + us / 7 + 1) {
		jb_duration_format(us, buf, sizeof buf);
		assert_int_equal(jb_duration_parse(buf, &back, NULL), JB_OK);
		assert_true(back <= us && back > us / 2);
	}
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{"0", 0},
		{"512", 512},
		{"512B", 512},
		{"4K", 4096},
		{"64M", UINT64_C(67108864)},
		{"1.5G", UINT64_C(1610612736)},
		{"0.1K", 102},
		{"2T", UINT64_C(2199023255552)},
		{"1E", UINT64_C(1) << 60},
		{" 4 K ", 4096},
	};
	static const char *const bad[] = {
		"",	  "M",	 "64MB",
		"64MiB",  "-1",	 "4k5",
		"1,5G",	  "16E", "99999999999999999999",
		"1.5.5G", "10%"};
	struct jb_error err;
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (jb_size_parse(good[i].text, &bytes, &err) != JB_OK)
			fail_msg("%s", err.text);
		assert_int_equal(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		bytes = 42;
		if (jb_size_parse(bad[i], &bytes, &err) != JB_EINVAL)
			fail_msg("'%s' was read as %" PRIu64, bad[i], bytes);
		assert_non_null(strstr(err.text, "write it like"));
		assert_int_equal(bytes, 42);
	}
}

static void test_size_format(void **state)
{
	char buf[JB_SIZE_TEXT_MAX];

	(void)state;
#define IS(bytes, text)                                                        \
	assert_string_equal(jb_size_format(bytes, buf, sizeof buf), text)
	IS(0, "0B");
	IS(1023, "1023B");
	IS(1024, "1K");
	IS(1536, "1.5K");
	IS(UINT64_C(67108864), "64M");
	IS(UINT64_C(1610612736), "1.5G");
	IS(UINT64_C(1100) << 30, "1T");
	IS(UINT64_MAX, "15.9E");
#undef IS
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_epoch),
		cmocka_unit_test(test_dst),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_duration_refused),
		cmocka_unit_test(test_duration_format),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_size_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
