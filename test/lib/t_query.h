/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_query.h - questions to a journal of a test's own.
 *
 * Lifecycle: init -> (add changes, set the filter, ask -> expect)* -> fini,
 * which are a test's fixture. Two roots: "nfs" at /srv/nfs, "home" at /home. */
#ifndef JB_LIB_T_QUERY_H
#define JB_LIB_T_QUERY_H

#include "journal/query.h"
#include "lib/t_journal.h"

#define T_QUERY_MAX 4096

struct t_query {
	char dir[64];
	struct t_journal j;
	struct jb_store *reader;  /* owned */
	struct jb_query_filter f; /* of the next open; for tests to set */
	struct jb_query *q;	  /* owned; the last one that was opened */
	struct jb_error err;
	int64_t seqs[T_QUERY_MAX]; /* what the last read gave */
	size_t n;
};

int t_query_init(void **state);
int t_query_fini(void **state);
#define T_QUERY(f)                                                             \
	cmocka_unit_test_setup_teardown(f, t_query_init, t_query_fini)

/* A change in "nfs", and one that is a renaming. */
void t_query_add(struct t_query *t, int kind, const char *path);
void t_query_add_rename(struct t_query *t, const char *from, const char *to);

/* Open with the filter: what jb_query_open returns. */
int t_query_open(struct t_query *t);

/* Read what the open query gives until its end. */
void t_query_read(struct t_query *t);

/* Open and read; for one pattern. */
void t_query_ask(struct t_query *t);
void t_query_ask_for(struct t_query *t, const char *pattern);

/* The last read gave these seqs, ended by 0; else the test fails. */
void t_query_expect(struct t_query *t, const int64_t *seqs);
#define T_QUERY_EXPECT(t, ...)                                                 \
	t_query_expect(t, (const int64_t[]){__VA_ARGS__, 0})

#endif
