/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/changes.h - appending changes to the journal.
 *
 * Belongs to the recorder thread, inside a transaction of its store. seq grows
 * by one per change and is never given twice: a commit is durable before it
 * can be read. */
#ifndef JB_JOURNAL_CHANGES_H
#define JB_JOURNAL_CHANGES_H

#include "journal/catalog.h"
#include "journal/change.h"

struct jb_change {
	enum jb_kind kind;
	enum jb_change_source source;
	unsigned what;	  /* JB_WHAT_* */
	uint64_t dir;	  /* key of the directory it is in */
	const char *name; /* borrowed */
	size_t name_len;
	uint64_t old_dir;     /* renamed: where it was, else 0 */
	const char *old_name; /* borrowed */
	size_t old_name_len;
	struct jb_id id;
	struct jb_facts facts;
	int64_t entries, bytes; /* a whole tree; -1: not one */
};

struct jb_changes;

int jb_changes_open(struct jb_store *store, struct jb_catalog *catalog,
		    struct jb_changes **ret, struct jb_error *err);
void jb_changes_close(struct jb_changes *j);

/* The next transaction begins: its changes bear @time_us. */
void jb_changes_begin(struct jb_changes *j, int64_t time_us);

/* Append one; *seq (may be NULL) receives its number. */
int jb_changes_append(struct jb_changes *j, const struct jb_change *change,
		      int64_t *seq, struct jb_error *err);

/* The seq that the last appended change got; 0: none ever. */
int64_t jb_changes_last(const struct jb_changes *j);

/* Places were removed: their numbers are not what they were. */
void jb_changes_forget_places(struct jb_changes *j);

/* After a rolled back transaction: the numbers since are free again. */
int jb_changes_reset(struct jb_changes *j, struct jb_error *err);

#endif
