/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/entry.h - one name of the catalog: its place, identity and facts. */
#ifndef JB_JOURNAL_ENTRY_H
#define JB_JOURNAL_ENTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define JB_NAME_MAX 255

/* Which object it is. An inode number comes back at once on ext4; the birth
 * time tells the old one from the new. birth 0: the file system has none. */
struct jb_id {
	uint64_t ino;
	int64_t birth; /* ns */
};

static inline bool jb_id_equal(struct jb_id a, struct jb_id b)
{
	return a.ino == b.ino && a.birth == b.birth;
}

/* What statx says. Times in ns. */
struct jb_facts {
	uint32_t mode; /* type and permissions */
	uint32_t uid, gid;
	uint32_t nlink;
	uint64_t rdev;
	int64_t size;
	int64_t mtime;
	int64_t ctime;
};

/* Bits of entry.flags. */
enum jb_entry_flag {
	JB_ENTRY_RACY = 1,     /* times could not have shown a later write */
	JB_ENTRY_CONTENT = 2,  /* written while detached */
	JB_ENTRY_MOUNT = 4,    /* another file system is mounted here */
	JB_ENTRY_QUIET = 8,    /* directory: ctime was taken over silently */
	JB_ENTRY_SCANNED = 16, /* detached by a scan, not by an event */
	JB_ENTRY_UNREAD = 32,  /* directory: we may not read it */
};

struct jb_entry {
	uint64_t parent; /* key of the directory it is in; 0: it is a root */
	uint8_t name_len;
	char name[JB_NAME_MAX + 1]; /* bytes, NUL added */
	int64_t det; /* 0, or detached: engine/record/detached.h */
	uint32_t root;
	uint64_t dirkey; /* a directory's own key, else 0 */
	struct jb_id id;
	struct jb_facts facts;
	uint32_t flags;
	int64_t cseq;	/* seq of the last change that said content */
	int64_t cctime; /* ctime at that look */
};

static inline bool jb_entry_is_dir(const struct jb_entry *e)
{
	return (e->facts.mode & 0170000) == 0040000;
}

#endif
