/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns: what can be said without rsync. test_pattern_rsync asks rsync. */
#include "engine/base/pattern.h"
#include "lib/t_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool matches(const char *pattern, const char *path, bool is_dir)
{
	return jb_pattern_matches(pattern, path, strlen(path), is_dir);
}

/* rsync(1)'s own examples. */
static void test_manual(void **state)
{
	(void)state;
	assert_true(matches("*.o", "a/b/c.o", false));
	assert_false(matches("/foo", "bar/foo", false));
	assert_true(matches("/foo", "foo", false));
	assert_true(matches("foo/", "a/foo", true));
	assert_false(matches("foo/", "a/foo", false));
	assert_true(matches("/foo/*/bar", "foo/x/bar", false));
	assert_false(matches("/foo/*/bar", "foo/x/y/bar", false));
	assert_true(matches("/foo/**/bar", "foo/x/y/bar", false));
	assert_true(matches("foo/bar", "x/foo/bar", false));
	assert_false(matches("foo/bar", "x/yfoo/bar", false));
	assert_true(matches("dir/***", "dir", true));
	assert_false(matches("dir/***", "dir", false));
	assert_true(matches("dir/***", "dir/a/b", false));
	assert_false(matches("dir/**", "dir", true));
	assert_true(matches("**/foo", "foo", false));
}

/* A backslash escapes only where there is a wildcard. */
static void test_backslash(void **state)
{
	(void)state;
	assert_true(matches("a\\b", "a\\b", false));
	assert_false(matches("a\\b", "ab", false));
	assert_true(matches("a\\b*", "abc", false));
	assert_true(matches("\\*?", "*x", false));
	assert_false(matches("\\*?", "xx", false));
}

/* Names are bytes: newlines and what is no UTF-8 are like any other. */
static void test_bytes(void **state)
{
	(void)state;
	assert_true(matches("a?b", "a\nb", false));
	assert_true(matches("?", "\xff", false));
	assert_false(matches("?", "\xc3\xa4", false));
	assert_true(matches("??", "\xc3\xa4", false));
	assert_true(matches("[\x80-\xff]", "\xfe", false));
	assert_false(matches("[[:alpha:]]", "\xe4", false));
}

static struct jb_patterns *rules(const char *const *list)
{
	struct jb_patterns *p;

	assert_int_equal(jb_patterns_new(&p, NULL), JB_OK);
	for (; *list != NULL; list++)
		assert_int_equal(jb_patterns_add(p, **list == '+', *list + 1,
						 NULL),
				 JB_OK);
	return p;
}

static bool takes(const struct jb_patterns *p, const char *path, bool is_dir)
{
	return jb_patterns_takes(p, path, strlen(path), is_dir);
}

/* The first match decides, and nothing is reached below what is excluded. */
static void test_order(void **state)
{
	static const char *const list[] = {"+/a/keep", "-/a/*", "-/b/", "+/b/x",
					   NULL};
	struct jb_patterns *p = rules(list);

	(void)state;
	assert_true(takes(p, "a", true));
	assert_true(takes(p, "a/keep", false));
	assert_false(takes(p, "a/other", false));
	assert_false(takes(p, "b/x", false));
	assert_true(jb_patterns_takes_name(p, "b/x", 3, false));
	assert_true(takes(p, "c/a/other", false));
	assert_true(takes(p, ".", true));
	assert_true(takes(NULL, "b/x", false));
	jb_patterns_free(p);
}

/* Include= alone means only that, and the way to it. */
static void test_only_included(void **state)
{
	static const char *const list[] = {"+/srv/immich/***", "+/a/**/z",
					   "+/m?/x*y/f", NULL};
	struct jb_patterns *p = rules(list);

	(void)state;
	assert_int_equal(jb_patterns_only_included(p, NULL), JB_OK);
	assert_true(jb_patterns_are_only(p));
	assert_true(takes(p, ".", true));
	assert_true(takes(p, "srv", true));
	assert_false(takes(p, "srv", false));
	assert_true(takes(p, "srv/immich", true));
	assert_true(takes(p, "srv/immich/a/b", false));
	assert_false(takes(p, "srv/other", true));
	assert_false(takes(p, "srv/f", false));
	assert_false(takes(p, "other", true));
	assert_true(takes(p, "a/b/c", true));
	assert_true(takes(p, "a/b/c/z", false));
	assert_false(takes(p, "a/b/c/y", false));
	assert_true(takes(p, "m1/xxy", true));
	assert_true(takes(p, "m1/xxy/f", false));
	assert_false(takes(p, "m1/xx", true));
	assert_false(takes(p, "m1/xxy/g", true));
	jb_patterns_free(p);
}

/* An include that has no anchor may match anywhere: all ways stay open. */
static void test_only_included_anywhere(void **state)
{
	static const char *const list[] = {"+*.jpg", NULL};
	struct jb_patterns *p = rules(list);

	(void)state;
	assert_int_equal(jb_patterns_only_included(p, NULL), JB_OK);
	assert_true(takes(p, "a/b", true));
	assert_true(takes(p, "a/b/c.jpg", false));
	assert_false(takes(p, "a/b/c.png", false));
	jb_patterns_free(p);
}

/* Only what is included can be all that is taken. */
static void test_only_included_refused(void **state)
{
	static const char *const list[] = {"+a", "-b", NULL};
	struct jb_patterns *p = rules(list);

	(void)state;
	assert_int_equal(jb_patterns_only_included(p, NULL), JB_EINVAL);
	jb_patterns_free(p);
}

/* Does the place of a directory matter for what is taken below it? */
static void test_depend_on_path(void **state)
{
	static const struct {
		const char *rule;
		bool depends;
	} cases[] = {
		{"-*.o", false},  {"-foo/", false}, {"-/foo", true},
		{"-a/b", true},	  {"-a**b", true},  {"-foo/***", true},
		{"-[ab]", false}, {"-/foo/", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const list[] = {cases[i].rule, NULL};
		struct jb_patterns *p = rules(list);

		if (jb_patterns_depend_on_path(p) != cases[i].depends)
			fail_msg("%s", cases[i].rule);
		jb_patterns_free(p);
	}
	assert_false(jb_patterns_depend_on_path(NULL));
}

/* Where all below a directory is taken it is known so in the cases that people
 * write; where it depends never. */
static void test_takes_below(void **state)
{
	static const struct {
		const char *rule, *dir;
		bool only, all;
	} cases[] = {
		{"-/a/", "b", false, true},	 {"-/a/b/", "a", false, false},
		{"-/a/b/", "a/c", false, true},	 {"-*.tmp", "a", false, false},
		{"+/a/***", "a", true, true},	 {"+/a/***", "a/b", true, true},
		{"+/a/b/***", "a", true, false}, {"+/a/", "a", true, false},
		{"+/a/**", "a/b", true, true},	 {"+*", "a", true, true},
		{"+/a\\**", "a*", true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const list[] = {cases[i].rule, NULL};
		struct jb_patterns *p = rules(list);

		if (cases[i].only)
			assert_int_equal(jb_patterns_only_included(p, NULL),
					 JB_OK);
		if (jb_patterns_takes_below(p, cases[i].dir,
					    strlen(cases[i].dir)) !=
		    cases[i].all)
			fail_msg("%s: %s", cases[i].rule, cases[i].dir);
		jb_patterns_free(p);
	}
	assert_true(jb_patterns_takes_below(NULL, "a", 1));
}

static void make_words(struct t_random *r, char *to, const char *const *words,
		       unsigned n)
{
	*to = '\0';
	for (unsigned i = 1 + t_random_below(r, 4); i > 0; i--)
		strcat(to, words[t_random_below(r, n)]);
}

static struct jb_patterns *make_rules(struct t_random *r)
{
	static const char *const words[] = {"/",  "a",	 "b", "*",
					    "**", "***", "?", "/"};
	bool only = t_random_below(r, 3) == 0;
	struct jb_patterns *p;
	char text[40];

	assert_int_equal(jb_patterns_new(&p, NULL), JB_OK);
	for (unsigned i = 1 + t_random_below(r, 3); i > 0; i--) {
		make_words(r, text, words, 8);
		jb_patterns_add(p, only || t_random_below(r, 2), text, NULL);
	}
	if (only)
		jb_patterns_only_included(p, NULL);
	return p;
}

/* Random rules: what is said to be taken as a whole has no name that isn't. */
static void test_takes_below_random(void **state)
{
	static const char *const words[] = {"a", "b", "x", "/a", "/b", "/x"};
	struct t_random r = {(uint64_t)time(NULL)};
	unsigned known = 0;

	(void)state;
	if (getenv("JB_TEST_SEED") != NULL)
		r.state = strtoull(getenv("JB_TEST_SEED"), NULL, 0);
	printf("JB_TEST_SEED=%llu\n", (unsigned long long)r.state);
	for (int i = 0; i < 200000; i++) {
		struct jb_patterns *p = make_rules(&r);
		char dir[40], path[84], more[40];

		make_words(&r, dir, words, 3);
		make_words(&r, more, words, 6);
		snprintf(path, sizeof path, "%s/%s", dir,
			 more + (*more == '/'));
		if (takes(p, dir, true) &&
		    jb_patterns_takes_below(p, dir, strlen(dir))) {
			known++;
			if (!takes(p, path, t_random_below(&r, 2)))
				fail_msg("%s is not taken, but all of %s", path,
					 dir);
		}
		jb_patterns_free(p);
	}
	assert_true(known > 1000);
}

/* What rsync would let match nothing, or read as something else, is refused
 * with a word of advice. */
static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",    "[abc",	      "[[:nope:]]", "a*\\",	  "!",	"- *.o",
		"+ x", "--exclude=x", "[",	    "[[:alpha:]", "[a-"};
	struct jb_patterns *p;
	struct jb_error err;

	(void)state;
	assert_int_equal(jb_patterns_new(&p, NULL), JB_OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err.text[0] = '\0';
		assert_int_equal(jb_patterns_add(p, true, bad[i], &err),
				 JB_EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
		assert_false(matches(bad[i], bad[i], false));
	}
	assert_null(jb_patterns_at(p, 0, NULL));
	jb_patterns_free(p);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A stranger's file name can't make matching slow. */
static void test_hostile_names(void **state)
{
	static const char *const patterns[] = {
		"*a*a*a*a*a*a*a*a*a*a*a*a*b",  "/*a*a*a*a*a*a*a*a*a*a*a*a*",
		"**a**a**a**a**a**a**a**a**b", "**a*a**a*a**a*a**a*a**a*a**/b",
		"*[a]*[!b]*?*?*?*a*a*b/**",    "a*a**a*a**a*a**b",
	};
	char path[4096];
	double begin = seconds(), each;

	(void)state;
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		each = seconds();
		memset(path, 'a', sizeof path);
		jb_pattern_matches(patterns[i], path, 255, false);
		path[250] = '/';
		jb_pattern_matches(patterns[i], path, 255, false);
		for (size_t k = 100; k < sizeof path; k += 101)
			path[k] = '/';
		jb_pattern_matches(patterns[i], path, sizeof path, true);
		for (size_t k = 1; k < sizeof path; k += 2)
			path[k] = '/';
		jb_pattern_matches(patterns[i], path, sizeof path - 1, true);
		each = seconds() - each;
		if (each > 1)
			fail_msg("'%s' took %.1f s", patterns[i], each);
	}
	print_message("%.3f s\n", seconds() - begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_backslash),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_only_included),
		cmocka_unit_test(test_only_included_anywhere),
		cmocka_unit_test(test_only_included_refused),
		cmocka_unit_test(test_depend_on_path),
		cmocka_unit_test(test_takes_below),
		cmocka_unit_test(test_takes_below_random),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
