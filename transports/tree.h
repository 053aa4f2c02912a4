/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/tree.h - a directory tree that is entered by descriptors only.
 *
 * Whatever somebody does to the tree meanwhile, no step leaves it: symbolic
 * links and mount points in a path are errors (ELOOP, EXDEV), paths may be of
 * any length. A struct jb_dirs keeps some directories open for one thread; it
 * must forget them when a directory moves. Functions that return a descriptor
 * or 0 return a negative errno on failure: their caller knows what it means. */
#ifndef JB_TRANSPORTS_TREE_H
#define JB_TRANSPORTS_TREE_H

#include "jb/error.h"
#include "transports/transport.h"

#define JB_DIRS_SLOTS 4

struct jb_tree {
	char *path; /* owned */
	int fd;	    /* of the top, -1: not open */
};

/* Open directory @path, and @under below it ("" for none). JB_EHELD if there
 * is no such directory. */
int jb_tree_open(struct jb_tree *tree, const char *path, const char *under,
		 struct jb_error *err);
/* Harmless when it is not open. */
void jb_tree_close(struct jb_tree *tree);

/* Open directory @dir ("" is the top) with @flags, at the least O_DIRECTORY.
 * The caller closes it. */
int jb_tree_enter(const struct jb_tree *tree, const char *dir, int flags);

/* One look at @name in @dirfd, or at @dirfd itself with name "". Follows
 * nothing. */
int jb_tree_look(int dirfd, const char *name, struct jb_object *ret);
/* Open what is there by O_PATH, whatever it is; -EXDEV: something is mounted
 * there. With name "" a directory itself. */
int jb_tree_open_entry(int dirfd, const char *name);
/* Is something mounted at @name, even if it can't be looked at? */
bool jb_tree_is_mount(int dirfd, const char *name);

/* Open regular file @name for reading; whatever else lies there by now, this
 * neither follows it nor waits for it, but fails: where no file is, with
 * -ENOENT (a device might be read without end). */
int jb_tree_open_file(int dirfd, const char *name);

/* Which file system is it? From its UUID, the same on every machine and after
 * every mount; 0 if it has none. */
uint64_t jb_tree_fsid(int fd);

/* XXH3 of the content of regular file @p, which must fit @expect (ino 0: any)
 * before and after. MOVED, TORN, UNREADABLE. */
enum jb_outcome jb_tree_hash(const struct jb_tree *tree, struct jb_place p,
			     const struct jb_stamp *expect, struct jb_hash *ret,
			     struct jb_error *err);

/* Some directories of a tree, kept open. */
struct jb_dirs {
	const struct jb_tree *tree; /* borrowed */
	struct jb_dirs_slot {
		char *path; /* owned */
		size_t capacity;
		int fd; /* -1: free */
		unsigned used;
	} slots[JB_DIRS_SLOTS];
	unsigned clock;
};

void jb_dirs_init(struct jb_dirs *dirs, const struct jb_tree *tree);
void jb_dirs_fini(struct jb_dirs *dirs);
/* A descriptor (O_PATH) of directory @path, borrowed until the next call. */
int jb_dirs_get(struct jb_dirs *dirs, const char *path);
/* Close them all: a directory has moved, or the tree is let go. */
void jb_dirs_forget(struct jb_dirs *dirs);

#endif
