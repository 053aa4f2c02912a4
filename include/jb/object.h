/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/object.h - what statx says of one object, at the source or at a target. */
#ifndef JB_OBJECT_H
#define JB_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

/* Times in ns since 1970. (ino, birth) is the identity within one file system:
 * an inode number comes back at once on ext4, the birth time does not.
 * birth 0: the file system has none. */
struct jb_object {
	uint64_t ino;
	int64_t birth;
	uint32_t mode; /* type and permissions */
	uint32_t uid, gid;
	uint32_t nlink;
	uint64_t rdev;
	int64_t size;
	int64_t mtime;
	int64_t ctime;
};

static inline bool jb_object_same(const struct jb_object *a,
				  const struct jb_object *b)
{
	return a->ino == b->ino && a->birth == b->birth;
}

static inline bool jb_object_is_dir(const struct jb_object *o)
{
	return (o->mode & 0170000) == 0040000;
}

#endif
