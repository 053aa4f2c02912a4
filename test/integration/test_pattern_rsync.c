/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our patterns against rsync itself: for random trees of odd names and random
 * rules, what rsync would send is what we take. JB_TEST_SEED repeats a run,
 * JB_TEST_LONG lets it take its time. */
#include "engine/base/pattern.h"
#include "lib/t_process.h"
#include "lib/t_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define N_PATHS	    500
#define N_RULES	    4
#define RUNS	    250
#define RUNS_LONG   5000
#define SECONDS_MAX 8
#define PATH_SIZE   256

struct rule {
	bool include;
	char pattern[PATH_SIZE];
};

struct fixture {
	struct t_random random;
	uint64_t seed;
	char dir[64];
	char path[N_PATHS][PATH_SIZE];
	bool is_dir[N_PATHS];
	size_t n_paths;
	struct rule rules[N_RULES];
	size_t n_rules;
	size_t judged; /* pattern/path pairs */
};

static const char *const names[] = {
	"a",	  "b",	  "ab",	  "aa",	      "ba",	   "aab",	 "abab",
	"a.b",	  ".a",	  "b.",	  "[",	      "]",	   "*",		 "?",
	"\\",	  "a\\b", "a*b",  "**",	      "-",	   "a-b",	 "!",
	"^a",	  "a b",  "a\nb", "\xff",     "a\xc3\xa4", "[a]",	 "a?",
	"aaaaaa", "A",	  "aB",	  "1",	      "a1",	   "lost+found", "#",
	"\\*",	  "[ab]", "b\tb", "\xf0\x28", "Z9",	   "a,b",	 "x",
};

#define N_NAMES (sizeof names / sizeof names[0])

static unsigned below(struct fixture *f, unsigned n)
{
	return t_random_below(&f->random, n);
}

static bool has_path(const struct fixture *f, const char *path)
{
	for (size_t i = 0; i < f->n_paths; i++)
		if (strcmp(f->path[i], path) == 0)
			return true;
	return false;
}

static const char *src(const struct fixture *f, const char *path, char *buf)
{
	snprintf(buf, 512, "%s/src%s%s", f->dir, *path != '\0' ? "/" : "",
		 path);
	return buf;
}

static void add_path(struct fixture *f, const char *parent, bool is_dir)
{
	char path[PATH_SIZE], real[512];
	const char *name = names[below(f, N_NAMES)];
	int fd;

	snprintf(path, sizeof path, "%s%s%s", parent,
		 *parent != '\0' ? "/" : "", name);
	if (has_path(f, path))
		return;
	src(f, path, real);
	if (is_dir) {
		assert_int_equal(mkdir(real, 0700), 0);
	} else {
		fd = open(real, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	strcpy(f->path[f->n_paths], path);
	f->is_dir[f->n_paths++] = is_dir;
}

static void make_tree(struct fixture *f)
{
	char real[512];
	const char *parent;
	unsigned i;

	snprintf(f->dir, sizeof f->dir, "/var/tmp/jb-pattern-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(mkdir(src(f, "", real), 0700), 0);
	for (unsigned tries = 0; f->n_paths < N_PATHS && tries < 50000;
	     tries++) {
		i = below(f, (unsigned)f->n_paths + 1);
		parent = i < f->n_paths ? f->path[i] : "";
		if ((i < f->n_paths && !f->is_dir[i]) || strlen(parent) > 60)
			continue;
		add_path(f, parent, below(f, 5) < 2);
	}
}

static int on_entry(const char *path, const struct stat *st, int flag,
		    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void put(char *pattern, const char *text)
{
	assert_true(strlen(pattern) + strlen(text) < PATH_SIZE);
	strcat(pattern, text);
}

static void put_class(struct fixture *f, char *pattern, char c)
{
	static const char *const sets[] = {
		"[ab]",		"[!a]",
		"[^b]",		"[a-z]",
		"[]a]",		"[a-]",
		"[-a]",		"[\\]a]",
		"[[:alpha:]]",	"[![:digit:]]",
		"[[:punct:]a]", "[a-c1-9]",
		"[!]]",		"[[:space:][:upper:]]",
		"[*?]",		"[\\\\]",
		"[z-a]",	"[a/b]",
		"[[]",		"[[:]",
		"[a-\\z]",	"[\x80-\xff]",
		"[--/]",	"[[:alnum:]-z]",
		"[a",		"[[:alpha]",
		"[]",		"[!",
		"[[:nope:]]",
	};
	char set[8];
	unsigned i = below(f, sizeof sets / sizeof sets[0] + 6);

	/* Half-open ones match nothing: few of them. */
	if (i >= sizeof sets / sizeof sets[0] - 5 && below(f, 4) != 0)
		i = 0;
	if (i < sizeof sets / sizeof sets[0]) {
		put(pattern, sets[i]);
		return;
	}
	snprintf(set, sizeof set, below(f, 3) == 0 ? "[!%c]" : "[%c]", c);
	put(pattern, set);
}

/* One byte of a path, as itself or as something that may match it. */
static void put_byte(struct fixture *f, char *pattern, char c)
{
	char text[3] = {c, '\0', '\0'};

	switch (below(f, 14)) {
	case 0:
		put(pattern, "?");
		break;
	case 1:
		put(pattern, "*");
		break;
	case 2:
		put_class(f, pattern, c);
		break;
	case 3:
		put(pattern, below(f, 2) == 0 ? "**" : "***");
		break;
	case 4:
		text[0] = '\\';
		text[1] = c;
		put(pattern, text);
		break;
	case 5:
		break;
	case 6:
		put(pattern, "*");
		put(pattern, text);
		break;
	default:
		put(pattern, text);
	}
}

/* A path's end, with some bytes changed. */
static void put_path(struct fixture *f, char *pattern)
{
	const char *path = f->path[below(f, (unsigned)f->n_paths)];
	const char *from = path;
	unsigned exact = below(f, 3);

	for (const char *s = path; *s != '\0'; s++)
		if (*s == '/' && below(f, 3) == 0)
			from = s + below(f, 2);
	for (; *from != '\0' && strlen(pattern) < 100; from++) {
		char text[2] = {*from, '\0'};

		if (exact == 0 || (exact == 1 && below(f, 4) != 0))
			put(pattern, text);
		else
			put_byte(f, pattern, *from);
	}
}

static void make_pattern(struct fixture *f, char *pattern)
{
	static const char *const tokens[] = {"*",     "**",   "***", "?",
					     "/",     "a",    "b",   "\\",
					     "[a-b]", ".",    "/*",  "**/",
					     "/**",   "[!a]", "\\*"};
	static const char *const heads[] = {"/", "**/", "*/", "**", "*", ""};
	static const char *const tails[] = {"/",  "/***", "/**",   "/*", "***",
					    "**", "*",	  "/***/", "\\"};

	*pattern = '\0';
	if (below(f, 6) == 0) {
		for (unsigned n = 1 + below(f, 7); n > 0; n--)
			put(pattern,
			    tokens[below(f, sizeof tokens / sizeof tokens[0])]);
		return;
	}
	if (below(f, 2) == 0)
		put(pattern, heads[below(f, sizeof heads / sizeof heads[0])]);
	put_path(f, pattern);
	if (below(f, 3) == 0)
		put(pattern, tails[below(f, sizeof tails / sizeof tails[0])]);
}

/* rsync's escapes: "\#012" is a newline. In place. */
static void unescape(char *s)
{
	char *out = s;
	unsigned c;

	for (; *s != '\0'; s++) {
		if (s[0] == '\\' && s[1] == '#' &&
		    sscanf(s + 2, "%3o", &c) == 1) {
			*out++ = (char)c;
			s += 4;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static void print_rules(const struct fixture *f)
{
	for (size_t i = 0; i < f->n_rules; i++)
		print_message("  --%s='%s'\n",
			      f->rules[i].include ? "include" : "exclude",
			      f->rules[i].pattern);
}

/* Which paths rsync would send, given the rules and @more. */
static void ask_rsync(struct fixture *f, const char *const *more, bool *sent)
{
	char options[N_RULES][PATH_SIZE + 16], from[512], to[128];
	const char *argv[N_RULES + 12] = {"rsync", "-rn", "--out-format=%n"};
	struct t_output o;
	size_t n = 3, i;

	for (i = 0; i < f->n_rules; i++) {
		snprintf(options[i], sizeof options[i], "--%s=%s",
			 f->rules[i].include ? "include" : "exclude",
			 f->rules[i].pattern);
		argv[n++] = options[i];
	}
	for (; *more != NULL; more++)
		argv[n++] = *more;
	snprintf(from, sizeof from, "%s/src/", f->dir);
	snprintf(to, sizeof to, "%s/none/", f->dir);
	argv[n++] = from;
	argv[n++] = to;
	t_process_run(&o, argv);
	if (o.status != 0)
		fail_msg("rsync: %s", o.err);
	memset(sent, 0, f->n_paths);
	for (char *line = strtok(o.out, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		size_t len;

		unescape(line);
		len = strlen(line);
		if (len > 0 && line[len - 1] == '/')
			line[len - 1] = '\0';
		for (i = 0; i < f->n_paths; i++)
			if (strcmp(f->path[i], line) == 0)
				break;
		if (i < f->n_paths)
			sent[i] = true;
		else if (strcmp(line, ".") != 0)
			fail_msg("rsync said '%s'", line);
	}
	t_output_fini(&o);
}

/* Rules that we take; what we refuse must be one that matches nothing there. */
static struct jb_patterns *make_rules(struct fixture *f, bool only_includes)
{
	struct jb_patterns *p;
	struct jb_error err = {0};
	unsigned want = 1 + below(f, N_RULES);

	assert_int_equal(jb_patterns_new(&p, &err), JB_OK);
	f->n_rules = 0;
	while (f->n_rules < want) {
		struct rule *r = &f->rules[f->n_rules];

		r->include = only_includes || (want > 1 && below(f, 2) == 0);
		make_pattern(f, r->pattern);
		if (*r->pattern == '\0' || strcmp(r->pattern, "!") == 0 ||
		    (strchr("-+", *r->pattern) && r->pattern[1] == ' ') ||
		    strncmp(r->pattern, "--", 2) == 0)
			continue;
		jb_patterns_add(p, r->include, r->pattern, &err);
		f->n_rules++;
	}
	return p;
}

static void complain(const struct fixture *f, size_t i, bool sent)
{
	print_rules(f);
	fail_msg("JB_TEST_SEED=%llu: rsync %s '%s'%s",
		 (unsigned long long)f->seed, sent ? "sends" : "leaves",
		 f->path[i], f->is_dir[i] ? " (directory)" : "");
}

/* Any list of rules: we take exactly what rsync sends. */
static void check_rules(struct fixture *f)
{
	static const char *const nothing[] = {NULL};
	struct jb_patterns *p = make_rules(f, false);
	bool sent[N_PATHS];

	ask_rsync(f, nothing, sent);
	for (size_t i = 0; i < f->n_paths; i++)
		if (jb_patterns_takes(p, f->path[i], strlen(f->path[i]),
				      f->is_dir[i]) != sent[i])
			complain(f, i, sent[i]);
	f->judged += f->n_paths * f->n_rules;
	jb_patterns_free(p);
}

/* Includes alone: the files that rsync sends when it looks into every
 * directory and takes nothing else, and no directory that is not needed to
 * reach something that a pattern could name. */
static void check_only_included(struct fixture *f)
{
	static const char *const rest[] = {"--include=*/", "--exclude=*", NULL};
	struct jb_patterns *p = make_rules(f, true);
	bool sent[N_PATHS];

	assert_int_equal(jb_patterns_only_included(p, NULL), JB_OK);
	ask_rsync(f, rest, sent);
	for (size_t i = 0; i < f->n_paths; i++) {
		bool takes =
			jb_patterns_takes(p, f->path[i], strlen(f->path[i]),
					  f->is_dir[i]);
		bool named =
			jb_patterns_verdict(p, f->path[i], strlen(f->path[i]),
					    f->is_dir[i]) != JB_PATTERN_NONE;

		if (named && !takes)
			complain(f, i, true);
		if (!f->is_dir[i] && takes != sent[i])
			complain(f, i, sent[i]);
	}
	f->judged += f->n_paths * f->n_rules;
	jb_patterns_free(p);
}

static int make_fixture(void **state)
{
	const char *given = getenv("JB_TEST_SEED");
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->seed =
		given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
	f->random.state = f->seed;
	print_message("JB_TEST_SEED=%llu\n", (unsigned long long)f->seed);
	make_tree(f);
	*state = f;
	return 0;
}

static int remove_fixture(void **state)
{
	struct fixture *f = *state;

	nftw(f->dir, on_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void run_rounds(struct fixture *f, void (*round)(struct fixture *f))
{
	bool is_long = getenv("JB_TEST_LONG") != NULL;
	time_t end = time(NULL) + SECONDS_MAX / 2;
	int n;

	f->judged = 0;
	for (n = 0; n < (is_long ? RUNS_LONG : RUNS / 2); n++) {
		if (!is_long && time(NULL) > end)
			break;
		round(f);
	}
	print_message("%d runs of rsync, %zu pairs\n", n, f->judged);
	assert_true(n > 10);
}

static void test_rules(void **state)
{
	run_rounds(*state, check_rules);
}

static void test_only_included(void **state)
{
	run_rounds(*state, check_only_included);
}

/* The patterns of real configurations, judged by hand and by rsync. */
static void test_known(void **state)
{
	static const char *const nothing[] = {NULL};
	struct fixture *f = *state;
	static const char *const known[] = {
		"/a/",	   "a/***",  "**/b",  "*.b",
		"/a/**/b", "a/*/b",  "/*/ab", "[[:upper:]]*",
		"a\\*b",   "a\\b",   "\\",    "*/",
		"**",	   "/a/b**", "a**/",  "lost+found/",
	};
	bool sent[N_PATHS];

	for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
		struct jb_patterns *p;

		f->n_rules = 1;
		f->rules[0].include = false;
		strcpy(f->rules[0].pattern, known[k]);
		assert_int_equal(jb_patterns_new(&p, NULL), JB_OK);
		assert_int_equal(jb_patterns_add(p, false, known[k], NULL),
				 JB_OK);
		ask_rsync(f, nothing, sent);
		for (size_t i = 0; i < f->n_paths; i++)
			if (jb_patterns_takes(p, f->path[i], strlen(f->path[i]),
					      f->is_dir[i]) != sent[i])
				complain(f, i, sent[i]);
		jb_patterns_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_only_included),
	};

	if (system("rsync --version >/dev/null 2>&1") != 0) {
		puts("no rsync");
		return 77;
	}
	return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
