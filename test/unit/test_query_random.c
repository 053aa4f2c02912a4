/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A journal big enough that the indexes are used, and random questions to it:
 * each answer is what a plain look at every change gives. The seed is printed;
 * JB_TEST_SEED takes it back. */
#include "journal/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/base/pattern.h"
#include "lib/t_journal.h"
#include "lib/t_random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define N_CHANGES 30000
#define N_ROUNDS  300

struct known {
	char path[64], old_path[64]; /* old_path "" unless renamed */
	int64_t time_us;
	int kind, root;
	bool is_dir;
};

struct t_random_query {
	char dir[64];
	struct known known[N_CHANGES + 1]; /* by seq */
	struct t_random random;
	struct jb_store *reader; /* owned */
};

static const char *const words[] = {"a",    "b",     "ab",   "photos",
				    "2024", "x.jpg", "\xff", "y.jpg"};
#define N_WORDS 8

static void make_path(struct t_random *r, char *path)
{
	unsigned depth = 1 + t_random_below(r, 4);

	path[0] = '\0';
	for (unsigned i = 0; i < depth; i++) {
		if (i > 0)
			strcat(path, "/");
		strcat(path, words[t_random_below(r, N_WORDS)]);
	}
}

static void make_change(struct t_random_query *t, struct t_journal *j,
			int64_t time_us)
{
	struct known *k = &t->known[j->seq + 1];
	struct t_change c = {0};

	k->time_us = time_us;
	k->kind = 1 + (int)t_random_below(&t->random, 5);
	k->root = 1 + (int)t_random_below(&t->random, 2);
	k->is_dir = t_random_below(&t->random, 3) == 0;
	make_path(&t->random, k->path);
	c.kind = k->kind;
	c.root = k->root;
	c.path = k->path;
	c.mode = k->is_dir ? S_IFDIR | 0755 : S_IFREG | 0644;
	if (k->kind == JB_KIND_RENAMED) {
		make_path(&t->random, k->old_path);
		c.old_path = k->old_path;
	}
	t_journal_change(j, &c);
}

/* Mostly onwards, at times far back or ahead. */
static int64_t step_clock(struct t_random *r, int64_t now)
{
	switch (t_random_below(r, 200)) {
	case 0:
		return now - (int64_t)t_random_below(r, 30000);
	case 1:
		return now + (int64_t)t_random_below(r, 30000);
	default:
		return now + (int64_t)t_random_below(r, 20);
	}
}

static int setup(void **state)
{
	struct t_random_query *t = calloc(1, sizeof *t);
	const char *seed = getenv("JB_TEST_SEED");
	struct t_journal j;
	int64_t now = 1000000;
	struct jb_error e;

	assert_non_null(t);
	t->random.state =
		seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	print_message("JB_TEST_SEED=%llu\n",
		      (unsigned long long)t->random.state);
	strcpy(t->dir, "/tmp/jb-query-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t_journal_init(&j, t->dir);
	t_journal_root(&j, "one", "/srv/one");
	t_journal_root(&j, "two", "/srv/two");
	while (j.seq < N_CHANGES) {
		if (j.seq == 0 || t_random_below(&t->random, 5) == 0) {
			now = step_clock(&t->random, now);
			t_journal_batch(&j, now);
		}
		make_change(t, &j, now);
	}
	t_journal_fini(&j);
	assert_int_equal(jb_store_open(t->dir, JB_STORE_READ, &t->reader, &e),
			 JB_OK);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct t_random_query *t = *state;
	char line[128];

	jb_store_close(t->reader);
	snprintf(line, sizeof line, "rm -r %s", t->dir);
	assert_int_equal(system(line), 0);
	free(t);
	return 0;
}

/* As rsync's --exclude: the path or a directory above it. */
static bool is_taken(const char *pattern, const char *path, bool is_dir)
{
	size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++)
		if ((i == len || path[i] == '/') &&
		    jb_pattern_matches(pattern, path, i, i < len || is_dir))
			return true;
	return false;
}

static bool is_wanted(const struct jb_query_filter *f, const struct known *k)
{
	bool taken = f->n_patterns == 0;

	if (k->time_us < f->since_us || k->time_us > f->until_us)
		return false;
	if (f->kinds != 0 && (f->kinds & 1u << k->kind) == 0)
		return false;
	if (f->n_roots > 0 &&
	    strcmp(f->roots[0], k->root == 1 ? "one" : "two") != 0)
		return false;
	for (size_t i = 0; !taken && i < f->n_patterns; i++)
		taken = is_taken(f->patterns[i], k->path, k->is_dir) ||
			(k->old_path[0] != '\0' &&
			 is_taken(f->patterns[i], k->old_path, k->is_dir));
	return taken;
}

static size_t answer_plainly(const struct t_random_query *t,
			     const struct jb_query_filter *f, int64_t *seqs)
{
	size_t n = 0, skip = 0;

	for (int64_t seq = 1; seq <= N_CHANGES; seq++)
		if (is_wanted(f, &t->known[seq]))
			seqs[n++] = seq;
	for (size_t i = 0; f->reverse && i < n / 2; i++) {
		int64_t swap = seqs[i];

		seqs[i] = seqs[n - 1 - i];
		seqs[n - 1 - i] = swap;
	}
	if (n <= f->limit)
		return n;
	if (f->newest && !f->reverse)
		skip = n - (size_t)f->limit;
	memmove(seqs, seqs + skip, (size_t)f->limit * sizeof *seqs);
	return (size_t)f->limit;
}

static size_t answer(struct t_random_query *t, const struct jb_query_filter *f,
		     int64_t *seqs)
{
	const struct jb_query_row *rows;
	struct jb_query *q;
	struct jb_error e;
	size_t n = 0, n_rows;

	if (jb_query_open(t->reader, f, &q, &e) != JB_OK)
		fail_msg("%s", e.text);
	while (jb_query_next(q, &rows, &n_rows, &e) == JB_OK && n_rows > 0)
		for (size_t i = 0; i < n_rows && n < N_CHANGES; i++)
			seqs[n++] = rows[i].seq;
	jb_query_close(q);
	return n;
}

/* "/a/ab/", "/photos/20*", "*.jpg", "/srv/..." */
static void make_pattern(struct t_random *r, char *pattern)
{
	static const char *const tails[] = {"",	 "/",	"/*",	  "/**",
					    "*", "***", "/*.jpg", "/***"};
	char path[64];

	make_path(r, path);
	path[1 + t_random_below(r, (unsigned)strlen(path))] = '\0';
	snprintf(pattern, 80, "%s%s%s", t_random_below(r, 5) > 0 ? "/" : "",
		 path, tails[t_random_below(r, 8)]);
}

static void make_filter(struct t_random *r, struct jb_query_filter *f,
			char text[2][80])
{
	static const char *const one[] = {"one"}, *const two[] = {"two"};
	static const char *patterns[2];

	*f = (struct jb_query_filter)JB_QUERY_FILTER_INIT;
	for (int i = 0; i < 2; i++) {
		make_pattern(r, text[i]);
		patterns[i] = text[i];
	}
	f->patterns = patterns;
	f->n_patterns = t_random_below(r, 3);
	if (t_random_below(r, 3) == 0) {
		f->roots = t_random_below(r, 2) ? one : two;
		f->n_roots = 1;
	}
	if (t_random_below(r, 3) == 0)
		f->kinds = 2 * (1 + t_random_below(r, 31));
	if (t_random_below(r, 3) == 0)
		f->since_us = 900000 + (int64_t)t_random_below(r, 200000);
	if (t_random_below(r, 3) == 0)
		f->until_us = 900000 + (int64_t)t_random_below(r, 200000);
	if (t_random_below(r, 2) == 0)
		f->limit = t_random_below(r, 2500);
	f->newest = t_random_below(r, 2) == 0;
	f->reverse = t_random_below(r, 3) == 0;
}

/* Whatever is asked, walk and plan give what is there. */
static void test_random(void **state)
{
	static int64_t got[N_CHANGES], right[N_CHANGES];
	struct t_random_query *t = *state;
	struct jb_query_filter f;
	char text[2][80];
	size_t n_got, n_right;

	for (int i = 0; i < N_ROUNDS; i++) {
		make_filter(&t->random, &f, text);
		n_right = answer_plainly(t, &f, right);
		n_got = answer(t, &f, got);
		if (n_got == n_right &&
		    memcmp(got, right, n_got * sizeof got[0]) == 0)
			continue;
		fail_msg("round %d: %zu rows, not %zu: %zu patterns '%s' '%s', "
			 "%zu roots, kinds %x, since %lld until %lld limit "
			 "%lld newest %d reverse %d",
			 i, n_got, n_right, f.n_patterns, text[0], text[1],
			 f.n_roots, f.kinds, (long long)f.since_us,
			 (long long)f.until_us, (long long)f.limit, f.newest,
			 f.reverse);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests_name("query_random", tests, NULL, NULL);
}
