/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/gap.h - times in which changes may have been missed, and the roots
 * that the catalog knows.
 *
 * The recorder writes them in its own transactions; readers use
 * journal/query.h. Times in us. */
#ifndef JB_JOURNAL_GAP_H
#define JB_JOURNAL_GAP_H

#include "jb/error.h"
#include "journal/entry.h"
#include "journal/store.h"

/* Why: stored and shown as they are; docs/operations.md says what helps. */
#define JB_GAP_FIRST_SCAN    "first scan"
#define JB_GAP_STOPPED	     "the daemon was not running"
#define JB_GAP_KILLED	     "the daemon was not stopped in order"
#define JB_GAP_CONFIGURED    "the configuration was changed"
#define JB_GAP_CLOCK_BACK    "the clock was set back"
#define JB_GAP_CLOCK_FORWARD "the clock was set forward"
#define JB_GAP_CLOCK_MEANWHILE                                                 \
	"the clock was set while the daemon was not running"
#define JB_GAP_OVERFLOW	     "the kernel's event queue overflowed"
#define JB_GAP_TOO_MANY	     "too many changes at once"
#define JB_GAP_UNWATCHED     "a directory could not be watched"
#define JB_GAP_UNOPENED	     "a directory could not be opened"
#define JB_GAP_UNSTARTED     "a scan could not be started"
#define JB_GAP_UNFINISHED    "a scan could not be finished"
#define JB_GAP_ROOT_LOST     "the root is not there"
#define JB_GAP_ROOT_RELEASED "the root was released"
#define JB_GAP_UNWRITTEN     "the journal could not be written"
#define JB_GAP_NO_ROOM	     "there was no room for the journal"
#define JB_GAP_NO_MEMORY     "out of memory"
#define JB_GAP_REMOTE	     "others may have changed it"
#define JB_GAP_DRIFT	     "changed without an event"
#define JB_GAP_ASKED	     "asked for"

struct jb_gap {
	int64_t id; /* 0: none */
	int64_t since, noticed;
	int64_t found;	  /* changes that its scan brought */
	int64_t progress; /* where its scan resumes: a directory's key */
	bool baseline;	  /* JB_GAP_FIRST_SCAN */
};

/* The oldest open gap of a root. 1, 0 or an error. */
int jb_gap_find_open(struct jb_store *s, uint32_t root, struct jb_gap *ret,
		     struct jb_error *err);

/* Fill *gap and store it as open. */
int jb_gap_open(struct jb_store *s, uint32_t root, const char *reason,
		int64_t since, int64_t noticed, struct jb_gap *gap,
		struct jb_error *err);

/* Store found and progress. */
int jb_gap_update(struct jb_store *s, const struct jb_gap *gap,
		  struct jb_error *err);

/* Store found and close it. */
int jb_gap_close(struct jb_store *s, const struct jb_gap *gap, int64_t now,
		 struct jb_error *err);

/* What table `root` has. */
struct jb_known_root {
	uint32_t id;
	uint64_t dirkey;
	int64_t complete; /* ns */
	uint64_t fsid;	  /* statfs f_fsid, when it was first watched */
	int64_t kept;	  /* as what its events were kept, 0: not */
};

/* 1: the catalog knows a root of this name; 0: it does not. */
int jb_known_root_find(struct jb_store *s, const char *name,
		       struct jb_known_root *ret, struct jb_error *err);
int jb_known_root_add(struct jb_store *s, const char *name, const char *path,
		      uint64_t fsid, struct jb_known_root *root,
		      struct jb_error *err);
int jb_known_root_set_dirkey(struct jb_store *s,
			     const struct jb_known_root *root,
			     struct jb_error *err);
int jb_known_root_set_complete(struct jb_store *s, uint32_t id,
			       int64_t complete_ns, struct jb_error *err);
int jb_known_root_set_kept(struct jb_store *s, uint32_t id, int64_t kept,
			   struct jb_error *err);

#endif
