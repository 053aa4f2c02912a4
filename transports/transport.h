/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/transport.h - a target: the tree that a policy keeps up to date.
 *
 * What an engine asks of a target, and what every transport answers. Paths are
 * bytes relative to the target's top, as long as they like. What lies below
 * JB_OWN_DIR is ours and never part of the copy.
 *
 * Lifecycle: open -> (inspect, init, start -> (look, make, names, sync)* ->
 * end)* -> close. Between end() and start() nothing of the target is held open,
 * so that it can be unmounted. All calls are synchronous and belong to the
 * thread that opened the target; only stop() may be called from any thread, and
 * where JB_CAN_LIST list() from several that the owner waits for. make() and
 * attrs() use threads of their own inside.
 *
 * An operation is told apart by its outcome: one that fails for its path has
 * changed nothing, and others may go on; JB_OUTCOME_STOPPED means that the
 * target itself fails, and nothing more should be tried. */
#ifndef JB_TRANSPORTS_TRANSPORT_H
#define JB_TRANSPORTS_TRANSPORT_H

#include "jb/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JB_OWN_DIR   ".journalctl-backup"
#define JB_STAGE_DIR JB_OWN_DIR "/stage"
#define JB_TRASH_DIR JB_OWN_DIR "/trash"

#define JB_UUID_SIZE 37 /* of its text, with the NUL */

/* X(name, word for lists) */
#define JB_OUTCOMES(X)                                                         \
	X(DONE, "done")                                                        \
	/* the source has another entry there, or none: no error */            \
	X(MOVED, "moved")                                                      \
	/* the source changed while it was copied: dropped, try later */       \
	X(TORN, "changed while copied")                                        \
	/* the source can't be read */                                         \
	X(UNREADABLE, "unreadable")                                            \
	/* the name is held by an entry that is not the expected one */        \
	X(FOREIGN, "foreign")                                                  \
	/* what should be there is not */                                      \
	X(LOST, "lost")                                                        \
	/* a directory still holds something */                                \
	X(NOT_EMPTY, "not empty")                                              \
	/* the target can't hold this one: name, size, feature */              \
	X(REFUSED, "refused")                                                  \
	/* the target does not allow it: rights, chattr +i or +a */            \
	X(DENIED, "not allowed")                                               \
	/* the target's disk or file system is damaged at this one */          \
	X(DAMAGED, "damaged")                                                  \
	/* there is no room for this one: others may be smaller */             \
	X(NO_SPACE, "no space")                                                \
	/* the target itself fails: read-only, broken, gone */                 \
	X(STOPPED, "target failed")                                            \
	/* not tried: the batch was stopped before */                          \
	X(SKIPPED, "not tried")

enum jb_outcome {
#define X(name, word) JB_OUTCOME_##name,
	JB_OUTCOMES(X)
#undef X
};

const char *jb_outcome_word(enum jb_outcome outcome);

/* A name in a directory; borrowed, NUL at the end. dir "" is the top. */
struct jb_place {
	const char *dir;
	const char *name;
};

/* What one look says about an entry. Times in ns; birth 0: there is none. */
struct jb_object {
	uint64_t ino;
	int64_t birth;
	uint32_t mode; /* type and permissions */
	uint32_t uid, gid;
	uint32_t nlink;
	uint64_t rdev;
	int64_t size;
	int64_t mtime, ctime;
	int64_t blocks; /* on disk, of 512 bytes */
	bool is_mount;	/* another file system or a bind mount is there */
};

/* An entry as we left it. Size and mtime count for files alone. ino 0:
 * whatever it is, for what lies below JB_OWN_DIR. */
struct jb_stamp {
	uint64_t ino;
	int64_t birth;
	int64_t size;
	int64_t mtime;
};

static inline struct jb_stamp jb_stamp_of(const struct jb_object *o)
{
	return (struct jb_stamp){o->ino, o->birth, o->size, o->mtime};
}

/* Is @o still what was left there? */
bool jb_stamp_fits(const struct jb_stamp *stamp, const struct jb_object *o);

/* Bits of Preserve=. */
enum jb_preserve {
	JB_PRESERVE_MODE = 1,
	JB_PRESERVE_OWNER = 2,
	JB_PRESERVE_TIMES = 4,
	JB_PRESERVE_XATTRS = 8,
	JB_PRESERVE_ACLS = 16,
	JB_PRESERVE_ALL = 31,
};

/* What a target can do. */
enum jb_target_can {
	JB_CAN_EXCHANGE = 1,
	JB_CAN_LINK = 2,
	JB_CAN_CLONE = 4, /* reflinks within the target */
	JB_CAN_LIST = 8,  /* list(), by several threads at once */
};

struct jb_hash {
	uint64_t low, high; /* XXH3, 128 bits */
};

/* One entry to make from the source, or one to give its attributes. */
struct jb_work {
	void *tag; /* the caller's */

	/* the source: where the catalog has it, and which one it is */
	struct jb_place from;
	uint64_t ino;
	int64_t birth;
	uint32_t mode; /* its type as the catalog knows it */
	bool mount;    /* a mount point of the source: an empty directory */

	/* attrs of a file: its times as the catalog knows them, ctime 0: any.
	 * One that has others by now is TORN: they may belong to content that
	 * is not at the target yet. A new ctime alone may come from a name
	 * that another directory lost. */
	int64_t ctime, mtime;

	/* make: the new name, which must be free. For locality a file's data
	 * is written in directory `near`, the one where it will end up (NULL:
	 * to.dir, for what is made below a new directory). `old` is the
	 * version that this one replaces, to copy less (old.name NULL: none).
	 * attrs: the entry to change, which must fit `expect`. */
	struct jb_place to;
	const char *near;
	struct jb_place old;
	struct jb_stamp expect;
	bool want_hash;

	/* results */
	enum jb_outcome outcome;
	struct jb_error err;	 /* when not DONE */
	struct jb_object source; /* as copied */
	struct jb_object target; /* as left */
	int64_t bytes;		 /* of data that went to the target */
	int64_t took_us;	 /* make: how long it was worked on */
	struct jb_hash hash;	 /* of the content, if wanted and has_hash */
	bool has_hash;
	bool partial; /* DONE, but some attributes can't be kept at this
		       * target; err.text is the name of the first */
};

struct jb_space {
	uint64_t free_bytes, size_bytes;
	uint64_t room_bytes; /* a new file may have: MinFree= and a reserve
			      * are left alone */
	uint64_t free_files; /* UINT64_MAX: no limit known */
};

/* What is found at a target before anything is written. */
struct jb_target_state {
	bool is_mount;		 /* Path= is a mount point */
	bool has_marker;	 /* it has been initialised */
	bool is_empty;		 /* nothing but lost+found and our directory */
	char uuid[JB_UUID_SIZE]; /* the marker's, "" without */
	char owner[256];	 /* who initialised it, "" without */
	uint64_t fsid;		 /* of the file system, 0: not known */
	struct jb_object top;
};

struct jb_target_options {
	const char *name;   /* of the [Target], for messages */
	const char *path;   /* Path=, absolute */
	const char *under;  /* Under=, "" for none */
	const char *source; /* the root's path, NULL: nothing is copied */
	bool require_mount; /* RequireMount= */
	uint64_t min_free;  /* MinFree=, in bytes */
	unsigned preserve;  /* JB_PRESERVE_* */
	unsigned threads;   /* 0: as many as gain */
};

struct jb_target {
	const struct jb_target_ops *ops;
};

/* Called for each name of a directory; another value than 0 ends the list and
 * is returned. */
typedef int jb_list_fn(void *arg, const char *name, const struct jb_object *o);

struct jb_target_ops {
	const char *name; /* Transport= */

	/* Check the options; touches nothing. */
	int (*open)(const struct jb_target_options *options,
		    struct jb_target **ret, struct jb_error *err);
	/* Takes NULL; ends first. */
	void (*close)(struct jb_target *t);
	/* What is there? Writes nothing. JB_EHELD: it is missing or not
	 * mounted, with what to do about it. */
	int (*inspect)(struct jb_target *t, struct jb_target_state *ret,
		       struct jb_error *err);
	/* Make JB_OWN_DIR and the marker, durable. An existing marker is
	 * replaced. Not between start and end. */
	int (*init)(struct jb_target *t, const char *owner, const char *uuid,
		    struct jb_error *err);
	/* Before a plan: is it still the target with this marker (NULL: any)
	 * and file system (0: any)? JB_EHELD if not. Opens source and target,
	 * makes stage/ if need be and finds out what can be done here. */
	int (*start)(struct jb_target *t, const char *uuid, uint64_t fsid,
		     unsigned *can, struct jb_error *err);
	/* After a plan: nothing stays open. */
	void (*end)(struct jb_target *t);

	/* The rest only between start and end. */
	int (*space)(struct jb_target *t, struct jb_space *ret,
		     struct jb_error *err);

	/* LOST: nothing is there. FOREIGN: something is mounted there, or on
	 * the way, or a symlink is: what is ours can't be seen. */
	enum jb_outcome (*look)(struct jb_target *t, struct jb_place p,
				struct jb_object *ret, struct jb_error *err);
	/* List a directory, without "." and "..", in no order. A name that
	 * can't be looked at, or where something is mounted, has an object of
	 * mode 0. */
	enum jb_outcome (*list)(struct jb_target *t, const char *dir,
				jb_list_fn *on_name, void *arg,
				struct jb_error *err);
	enum jb_outcome (*hash)(struct jb_target *t, struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_hash *ret, struct jb_error *err);

	/* Make @n new entries, directories first and in their order (open to
	 * their owner until attrs()), the others side by side. Each item has
	 * its outcome; returns STOPPED if the target failed, else DONE. */
	enum jb_outcome (*make)(struct jb_target *t, struct jb_work *work,
				size_t n, struct jb_error *err);
	/* Give @n entries the attributes that the source has now:
	 * directories last and in their order. */
	enum jb_outcome (*attrs)(struct jb_target *t, struct jb_work *work,
				 size_t n, struct jb_error *err);

	/* The names. Each looks first, acts, looks at what it got and takes
	 * it back when that is not what was expected. */
	/* A second name for a file; @to must be free. */
	enum jb_outcome (*link)(struct jb_target *t, struct jb_place from,
				const struct jb_stamp *expect,
				struct jb_place to, struct jb_error *err);
	/* To a free name; FOREIGN if it isn't. */
	enum jb_outcome (*rename)(struct jb_target *t, struct jb_place from,
				  const struct jb_stamp *expect,
				  struct jb_place to, struct jb_error *err);
	enum jb_outcome (*exchange)(struct jb_target *t, struct jb_place a,
				    const struct jb_stamp *expect_a,
				    struct jb_place b,
				    const struct jb_stamp *expect_b,
				    struct jb_error *err);
	/* File @from takes the name of file @to, which loses this name. With
	 * @keep_as (may be NULL) the old version is kept in the trash as if
	 * it had lain there. */
	enum jb_outcome (*replace)(struct jb_target *t, struct jb_place from,
				   const struct jb_stamp *expect_from,
				   struct jb_place to,
				   const struct jb_stamp *expect_to,
				   const struct jb_place *keep_as,
				   struct jb_error *err);
	/* Take away one name of a file, or an empty directory (NOT_EMPTY).
	 * @keep_as as above. */
	enum jb_outcome (*remove)(struct jb_target *t, struct jb_place p,
				  const struct jb_stamp *expect,
				  const struct jb_place *keep_as,
				  struct jb_error *err);
	/* Remove what lies in stage/ under @name with all below it. What fails
	 * (the first of it is told) keeps nothing else there. */
	enum jb_outcome (*sweep)(struct jb_target *t, const char *name,
				 struct jb_error *err);

	/* All that was done before is on disk; with @all also what was done
	 * before start(), by whomever. On failure it may be lost, and must be
	 * done again from the source. */
	int (*sync)(struct jb_target *t, bool all, struct jb_error *err);

	/* From now on the old versions go to the trash under @time_s. */
	void (*set_time)(struct jb_target *t, int64_t time_s);
	/* Remove from the trash what was put there before @before_s, and on,
	 * oldest first, until a file of @room_bytes has room (0: no more than
	 * that). */
	int (*expire)(struct jb_target *t, int64_t before_s,
		      uint64_t room_bytes, uint64_t *removed,
		      struct jb_error *err);

	/* End a make() or attrs() that is running; what is left of it is
	 * SKIPPED. Holds until the next start(). Any thread. */
	void (*stop)(struct jb_target *t);

	/* Like hash(), of a file of the source. NULL: can't be told. */
	enum jb_outcome (*hash_source)(struct jb_target *t, struct jb_place p,
				       const struct jb_stamp *expect,
				       struct jb_hash *ret,
				       struct jb_error *err);
	/* How many bytes come free when the whole trash goes. */
	int (*trash_size)(struct jb_target *t, uint64_t *ret,
			  struct jb_error *err);
	/* Have the source's entry at @p, which must be @ino and @birth, and
	 * what is there at the target, which must fit @expect, the same
	 * extended attributes and ACLs, as far as Preserve= says? NULL: can't
	 * be told. */
	enum jb_outcome (*same_xattrs)(struct jb_target *t, struct jb_place p,
				       uint64_t ino, int64_t birth,
				       const struct jb_stamp *expect, bool *ret,
				       struct jb_error *err);
	/* When what is oldest in the trash of what came at @since_s or later
	 * was put there; 0: there is nothing. */
	int (*trash_oldest)(struct jb_target *t, int64_t since_s,
			    int64_t *ret_s, struct jb_error *err);
};

/* "01234567-89ab-...". */
void jb_uuid_text(const uint8_t uuid[16], char text[JB_UUID_SIZE]);

/* A new UUID for a marker. */
int jb_target_make_uuid(char uuid[JB_UUID_SIZE], struct jb_error *err);

/* The transport called @name, or NULL. */
const struct jb_target_ops *jb_transport_find(const char *name);

#endif
