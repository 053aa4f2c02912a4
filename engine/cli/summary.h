/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/summary.h - changes counted by directory, hour or kind: what
 * `query --by` shows.
 *
 * Lifecycle: init -> add* -> print -> fini. One thread. */
#ifndef JB_CLI_SUMMARY_H
#define JB_CLI_SUMMARY_H

#include "jb/error.h"
#include "journal/query.h"

#include <stdbool.h>
#include <stdio.h>

enum jb_summary_by { JB_BY_NOTHING, JB_BY_DIR, JB_BY_HOUR, JB_BY_KIND };

#define JB_SUMMARY_KINDS 6 /* by JB_KIND_*, 0: all */

struct jb_summary_group {
	char *root; /* owned; dir: its name */
	char *dir;  /* owned; dir: bytes */
	size_t dir_len;
	int64_t key; /* hour: its start, us; kind: JB_KIND_* */
	int64_t count[JB_SUMMARY_KINDS];
	int64_t bytes; /* sizes of what was created or modified */
};

struct jb_summary {
	enum jb_summary_by by;
	struct jb_summary_group *groups; /* owned */
	size_t n, size;
	uint32_t *slots; /* owned; hash -> index + 1 */
	size_t n_slots;	 /* a power of two */
};

/* JB_BY_NOTHING: no such word. */
enum jb_summary_by jb_summary_parse(const char *word);

void jb_summary_init(struct jb_summary *s, enum jb_summary_by by);
int jb_summary_add(struct jb_summary *s, const struct jb_query_row *row,
		   struct jb_error *err);

/* The @top groups with most changes; 0: all, hours and kinds in their own
 * order. */
int jb_summary_print(struct jb_summary *s, size_t top, bool with_roots,
		     bool json, FILE *f, struct jb_error *err);

void jb_summary_fini(struct jb_summary *s);

#endif
