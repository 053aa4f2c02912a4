/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int t_query_init(void **state)
{
	struct t_query *t = calloc(1, sizeof *t);

	assert_non_null(t);
	strcpy(t->dir, "/tmp/jb-query-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t_journal_init(&t->j, t->dir);
	t_journal_root(&t->j, "nfs", "/srv/nfs");
	t_journal_root(&t->j, "home", "/home");
	t->f = (struct jb_query_filter)JB_QUERY_FILTER_INIT;
	*state = t;
	return 0;
}

int t_query_fini(void **state)
{
	struct t_query *t = *state;
	char line[128];

	jb_query_close(t->q);
	jb_store_close(t->reader);
	t_journal_fini(&t->j);
	snprintf(line, sizeof line, "rm -r %s", t->dir);
	assert_int_equal(system(line), 0);
	free(t);
	return 0;
}

void t_query_add(struct t_query *t, int kind, const char *path)
{
	t_journal_change(&t->j, &(struct t_change){.kind = kind, .path = path});
}

void t_query_add_rename(struct t_query *t, const char *from, const char *to)
{
	t_journal_change(&t->j, &(struct t_change){.kind = JB_KIND_RENAMED,
						   .path = to,
						   .old_path = from});
}

int t_query_open(struct t_query *t)
{
	t_journal_commit(&t->j);
	jb_query_close(t->q);
	t->q = NULL;
	if (t->reader == NULL)
		assert_int_equal(jb_store_open(t->dir, JB_STORE_READ,
					       &t->reader, &t->err),
				 JB_OK);
	return jb_query_open(t->reader, &t->f, &t->q, &t->err);
}

void t_query_read(struct t_query *t)
{
	const struct jb_query_row *rows;
	size_t n;

	t->n = 0;
	for (;;) {
		if (jb_query_next(t->q, &rows, &n, &t->err) != JB_OK)
			fail_msg("%s", t->err.text);
		assert_true(n <= JB_QUERY_PAGE);
		if (n == 0)
			return;
		for (size_t i = 0; i < n && t->n < T_QUERY_MAX; i++)
			t->seqs[t->n++] = rows[i].seq;
	}
}

void t_query_ask(struct t_query *t)
{
	if (t_query_open(t) != JB_OK)
		fail_msg("%s", t->err.text);
	t_query_read(t);
}

void t_query_ask_for(struct t_query *t, const char *pattern)
{
	const char *const patterns[] = {pattern};

	t->f.patterns = patterns;
	t->f.n_patterns = 1;
	t_query_ask(t);
}

void t_query_expect(struct t_query *t, const int64_t *seqs)
{
	size_t n = 0;

	while (seqs[n] != 0)
		n++;
	if (n != t->n || memcmp(seqs, t->seqs, n * sizeof *seqs) != 0) {
		for (size_t i = 0; i < t->n; i++)
			print_message("got %lld\n", (long long)t->seqs[i]);
		fail_msg("%zu rows, expected %zu", t->n, n);
	}
}
