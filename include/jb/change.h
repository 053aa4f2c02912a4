/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/change.h - one change of the journal, and one entry of the tree, as a
 * policy sees them.
 *
 * A change says that something happened to an entry since the last one that
 * said so; ten thousand writes are one change. Paths are bytes relative to the
 * root, without leading slash; the root itself is ".". Times in ns but for
 * time_us. All pointers are borrowed for the duration of the call. */
#ifndef JB_CHANGE_H
#define JB_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

enum jb_change_kind {
	JB_CHANGE_CREATED = 1,
	JB_CHANGE_MODIFIED = 2,
	JB_CHANGE_ATTRIB = 3,
	JB_CHANGE_RENAMED = 4,
	JB_CHANGE_DELETED = 5,
};

/* What changed, bits. */
enum jb_change_what {
	JB_CHANGE_CONTENT = 1,
	JB_CHANGE_METADATA = 2,
	JB_CHANGE_PLACE = 4,
};

/* Which object: an inode number comes back at once on ext4, the birth time
 * tells the old one from the new. birth 0: the file system has none. */
struct jb_identity {
	uint64_t ino;
	int64_t birth;
};

struct jb_policy_change {
	int64_t seq;
	int64_t time_us;
	enum jb_change_kind kind;
	unsigned what;	      /* JB_CHANGE_CONTENT ... */
	bool found;	      /* by a scan, not by an event */
	uint32_t mode;	      /* type and permissions */
	const char *path;     /* where it is, or was when it was deleted */
	const char *old_path; /* renamed: where it was; else NULL */
	struct jb_identity id;
	int64_t size, mtime;
	int64_t entries, bytes; /* a whole tree that went; else -1 */
};

/* An entry of the source's catalog or of the copy, for full passes. */
struct jb_policy_entry {
	struct jb_identity id; /* ino 0: one that the source no longer has */
	uint64_t rid;	       /* the copy's own number, 0: not of the copy */
};

#endif
