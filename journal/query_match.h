/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/query_match.h - does a change belong to a query? Private to query.
 *
 * Lifecycle: open -> (trim -> place* -> takes*)* -> close. Remembers what it
 * was told about places, so that of most rows only the name is looked at. */
#ifndef JB_JOURNAL_QUERY_MATCH_H
#define JB_JOURNAL_QUERY_MATCH_H

#include "journal/query.h"

struct jb_patterns;

struct jb_match_root {
	int64_t id;
	char *name; /* owned */
	char *path; /* owned; absolute */
	bool selected;
	bool takes_all;		      /* whatever the name */
	struct jb_patterns *patterns; /* owned; any of them, if not takes_all */
};

enum jb_match_verdict {
	JB_MATCH_NONE,	  /* its root is not asked for */
	JB_MATCH_BY_NAME, /* depends on the name */
	JB_MATCH_ALL,	  /* all that is in it is taken */
};

/* A directory as changes saw it. */
struct jb_match_place {
	int64_t id;
	const struct jb_match_root *root; /* borrowed */
	enum jb_match_verdict verdict;
	size_t len;
	char path[]; /* relative to the root, NUL added */
};

/* One end of a change: where it is, or was. */
struct jb_match_end {
	const struct jb_match_place *place;
	const char *name;
	size_t len;
};

struct jb_match;

/* Read roots and patterns. JB_ENOENT: an unknown root is asked
 * for; JB_EINVAL: a pattern can't be parsed. */
int jb_match_open(struct jb_store *store, const struct jb_query_filter *filter,
		  struct jb_match **ret, struct jb_error *err);

/* Forget places when there are too many. Pointers to them are void then. */
void jb_match_trim(struct jb_match *m);

/* Borrowed until the next jb_match_trim. */
int jb_match_find_place(struct jb_match *m, int64_t id,
			const struct jb_match_place **ret,
			struct jb_error *err);

int jb_match_takes(struct jb_match *m, const struct jb_match_end *end,
		   bool is_dir, bool *ret, struct jb_error *err);

/* The roots known so far. */
size_t jb_match_n_roots(const struct jb_match *m);
const struct jb_match_root *jb_match_root(const struct jb_match *m, size_t i);

/* Accepts NULL and half-built ones. */
void jb_match_close(struct jb_match *m);

#endif
