/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/target.h - what the planner asks of a target that is a file system.
 *
 * One policy's directory at a target: `Path=` of the target and `Under=` of the
 * policy. In it lies `.journalctl-backup/`, ours: `stage/` (here called OWN:
 * flat, holds what is being made and what is parked), the trash, the marker.
 * OWN and all of the directory are one file system.
 *
 * Lifecycle: opened by the transport (transports/local.h) -> begin -> look,
 * list, copy, link, rename, exchange, unlink, set -> sync -> ... -> close.
 * Belongs to the worker's thread; a call may use threads of its own, and has
 * stopped them when it returns. All calls are synchronous.
 *
 * Three promises that the planner builds on:
 *  - an operation whose outcome is not JB_DONE has changed nothing;
 *  - an operation touches nothing but what it was told to expect. The transport
 *    checks that as late as it can: NOREPLACE for a free name; where something
 *    is replaced or removed: exchange (or rename into OWN), look at what came
 *    out, put it back if it is not the expected object -> JB_TAKEN;
 *  - after JB_STOPPED (the target as a whole: full, read-only, EIO, gone) the
 *    planner calls nothing more of this plan; the next plan begins by finding
 *    out where things are. */
#ifndef JB_TARGET_H
#define JB_TARGET_H

#include "jb/error.h"
#include "jb/object.h"

#include <stddef.h>
#include <stdint.h>

enum jb_outcome {
	JB_DONE = 0,
	JB_FAILED, /* this path only (EACCES, EIO of one file, EMLINK, ...) */
	JB_TAKEN,  /* at the target is not what was expected: somebody else's */
	JB_MOVED,  /* the source's path is gone, or is another object now */
	JB_TORN,   /* the source changed while it was copied, or is too hot */
	JB_STOPPED, /* the target: nothing more can be done in this plan */
};

/* A directory at the target. The transport opens @path below the policy's
 * directory (RESOLVE_BENEATH, no symlinks, no other file system) and checks
 * that it is @ino and @birth; it may keep descriptors by (ino, birth), which
 * stay right when the directory is renamed. Another or none there: JB_TAKEN. */
struct jb_tdir {
	uint64_t ino;
	int64_t birth;
	const char *path; /* borrowed; "" is the policy's directory */
};

struct jb_tplace {
	struct jb_tdir dir;
	const char *name; /* borrowed; one component */
};

/* An object as we left it. A directory is the same when ino, birth and type
 * are; anything else also by size and mtime. */
struct jb_texpect {
	uint64_t ino;
	int64_t birth;
	uint32_t type; /* mode & S_IFMT */
	int64_t size;
	int64_t mtime;
};

/* Where the source of a copy lies: the transport opens @path below the root
 * (RESOLVE_BENEATH, no symlinks, no other file system; "" is the root) and
 * checks that it is @ino and @birth and of the same type: else JB_MOVED. Never
 * opens a FIFO, socket or device. */
struct jb_tsource {
	const char *path; /* borrowed */
	uint64_t ino;
	int64_t birth;
	uint32_t type;
};

/* Make one new object: a directory (empty, mode 0700 until it is set), a file
 * with its data, a symlink, FIFO, socket or device. Attributes as `set` does,
 * but for a directory. */
struct jb_tcopy {
	struct jb_tsource from;
	struct jb_tplace to;   /* in OWN, or in a directory that lies there;
				* free: else JB_TAKEN */
	struct jb_tdir near;   /* where it will end up: a hint for the
				* allocator; path NULL: not known */
	struct jb_tplace base; /* its older version, for block by block;
				* name NULL: none. Only read */
	/* results */
	enum jb_outcome outcome;
	int error;		 /* errno behind it, or 0 */
	struct jb_object source; /* as copied: statx of the open file */
	struct jb_object made;	 /* at the target, as left */
	uint64_t bytes;		 /* of data written */
	uint64_t xxh3;		 /* of the content, files only */
};

/* Apply the source's attributes as `Preserve=` says (owner, mode, xattrs, ACL,
 * times) to what lies at @at and is @is. Access rights first narrowed, then
 * widened; nothing is written that is equal already. */
struct jb_tset {
	struct jb_tsource from;
	struct jb_tplace at;
	struct jb_texpect is;
	/* The mtime to set on anything but a directory (a directory gets the
	 * source's): it was made durable before, so that after a crash the
	 * object can still be told as ours. */
	int64_t mtime;
	/* results */
	enum jb_outcome outcome;
	int error;
	struct jb_object source; /* what was applied */
	struct jb_object now;	 /* at the target, as left */
};

/* One look: outcome JB_DONE and `found`, nothing there: JB_DONE and
 * found.ino 0. Its directory isn't the expected one: JB_TAKEN. */
struct jb_tlook {
	struct jb_tplace at;
	/* results */
	enum jb_outcome outcome;
	int error;
	struct jb_object found;
};

/* A name that a listing found; `.` and `..` and, at the top, our own
 * `.journalctl-backup` are left out. Return 0 to go on. */
typedef int jb_target_list_fn(void *arg, const char *name,
			      const struct jb_object *object);

struct jb_target;

struct jb_target_ops {
	const char *name; /* "local" */

	/* Before the first write of a plan. Is it still the same directory of
	 * the same file system, mounted, with our marker? JB_EHELD if not: the
	 * text says what was found. Opens what `sync` needs; @objects is how
	 * many will about be made or changed: few are fsync'ed one by one. */
	int (*begin)(struct jb_target *t, uint64_t objects,
		     struct jb_error *err);

	/* The array calls: each element has an outcome of its own, they are
	 * independent of one another and may run side by side. Return JB_OK,
	 * or a negative code with the reason when an element is JB_STOPPED
	 * (those not begun have that outcome too). */
	int (*look)(struct jb_target *t, struct jb_tlook *looks, size_t n,
		    struct jb_error *err);
	int (*copy)(struct jb_target *t, struct jb_tcopy *copies, size_t n,
		    struct jb_error *err);
	int (*set)(struct jb_target *t, struct jb_tset *sets, size_t n,
		   struct jb_error *err);

	/* All names in a directory. JB_ENOENT: it is not there, or another. A
	 * non-zero value of @fn ends it and is returned. */
	int (*list)(struct jb_target *t, const struct jb_tdir *dir,
		    jb_target_list_fn *fn, void *arg, struct jb_error *err);

	/* One operation each. The outcome is returned; unless it is JB_DONE,
	 * *err says why. */

	/* A further name for the object @is, which has the name @from. @to
	 * must be free. */
	enum jb_outcome (*link)(struct jb_target *t,
				const struct jb_tplace *from,
				const struct jb_texpect *is,
				const struct jb_tplace *to,
				struct jb_error *err);

	/* Move @is from @from to the free name @to: RENAME_NOREPLACE. */
	enum jb_outcome (*rename)(struct jb_target *t,
				  const struct jb_tplace *from,
				  const struct jb_texpect *is,
				  const struct jb_tplace *to,
				  struct jb_error *err);

	/* Move the non-directory @is from @from over the non-directory @old
	 * at @to; the name @to is never absent. @keep: the path under which
	 * @old is kept in the trash, NULL: it has another name or is not to be
	 * kept. @old is gone from both places after that. */
	enum jb_outcome (*replace)(struct jb_target *t,
				   const struct jb_tplace *from,
				   const struct jb_texpect *is,
				   const struct jb_tplace *to,
				   const struct jb_texpect *old,
				   const char *keep, struct jb_error *err);

	/* RENAME_EXCHANGE of @is at @a and @was at @b. NULL when the target
	 * can't: the planner parks instead. */
	enum jb_outcome (*exchange)(struct jb_target *t,
				    const struct jb_tplace *a,
				    const struct jb_texpect *is,
				    const struct jb_tplace *b,
				    const struct jb_texpect *was,
				    struct jb_error *err);

	/* Remove one name, of a directory only when it is empty (else
	 * JB_FAILED with ENOTEMPTY). @keep as with `replace`. */
	enum jb_outcome (*unlink)(struct jb_target *t,
				  const struct jb_tplace *at,
				  const struct jb_texpect *is, const char *keep,
				  struct jb_error *err);

	/* Remove @name in OWN with all below it: it was never finished. */
	enum jb_outcome (*discard)(struct jb_target *t, const char *name,
				   struct jb_error *err);

	/* Has the object at @at the source's content? For what is taken over:
	 * type and size are known to be equal. A symlink by its text, a file
	 * byte by byte when @content (else it is taken to be), the rest by
	 * rdev. JB_TAKEN: differs. */
	enum jb_outcome (*equal)(struct jb_target *t,
				 const struct jb_tsource *from,
				 const struct jb_tplace *at,
				 const struct jb_texpect *is, bool content,
				 struct jb_error *err);

	/* What all calls since `begin` did is on the disk. If it fails nothing
	 * of it may be believed: the plan is given up. */
	int (*sync)(struct jb_target *t, struct jb_error *err);

	/* Free and total bytes. */
	int (*space)(struct jb_target *t, uint64_t *free_bytes,
		     uint64_t *size_bytes, struct jb_error *err);

	/* Accepts NULL. */
	void (*close)(struct jb_target *t);
};

/* The transport's own struct begins with this. */
struct jb_target {
	const struct jb_target_ops *ops;
	struct jb_tdir root; /* path "" */
	struct jb_tdir own;  /* path ".journalctl-backup/stage" */
};

#endif
