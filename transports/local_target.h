/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local_target.h - the local target's inside, shared by the
 * local_*.c files. What they may touch from make()'s threads is marked. */
#ifndef JB_TRANSPORTS_LOCAL_TARGET_H
#define JB_TRANSPORTS_LOCAL_TARGET_H

#include "transports/local_copy.h"
#include "transports/local_fail.h"
#include "transports/transport.h"
#include "transports/tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct jb_local_pool;

/* What was written since the last sync. As long as it is little, each file and
 * directory is synced by itself; else the whole file system. */
#define JB_LOCAL_SYNC_MAX 16

struct jb_local_sync {
	pthread_mutex_t lock;
	int files[JB_LOCAL_SYNC_MAX]; /* owned */
	int dirs[JB_LOCAL_SYNC_MAX];  /* owned */
	uint64_t dir_inos[JB_LOCAL_SYNC_MAX];
	unsigned n_files, n_dirs;
	bool is_many; /* lists given up: syncfs */
	bool is_dirty;
};

/* Whether the target is well when one of its paths fails. */
struct jb_local_well {
	pthread_mutex_t lock;
	int64_t asked_ns; /* CLOCK_MONOTONIC, 0: not yet, or it was not */
	bool is_well;
};

struct jb_local {
	struct jb_target base;
	char *name, *path, *under, *source_path; /* owned */
	bool require_mount;
	unsigned preserve, threads;
	mode_t umask;

	/* between start and end; threads read them */
	struct jb_tree top, source;
	atomic_bool no_tmpfile;	   /* threads */
	atomic_bool stopped;	   /* threads */
	struct jb_copy_pair pair;  /* threads */
	struct jb_local_room room; /* threads */
	struct jb_local_sync sync; /* threads, by its lock */
	struct jb_local_well well; /* threads, by its lock */
	unsigned can;
	bool is_probed;
	struct jb_dirs dirs; /* of the owner's thread */
	unsigned serial;     /* for names in stage/ that are ours alone */
	int64_t time_s;	     /* of the trash */
	struct jb_local_pool *pool; /* owned, made when first needed */
};

static inline struct jb_local *jb_local_of(struct jb_target *t)
{
	return (struct jb_local *)t;
}

/* One thread's things for making entries: local_making.h. */
struct jb_local_hand {
	struct jb_local *local; /* borrowed */
	struct jb_dirs from, to, near;
	char *buffer; /* owned */
};

int jb_local_hand_init(struct jb_local_hand *h, struct jb_local *l);
void jb_local_hand_fini(struct jb_local_hand *h);
/* Fill in w->outcome and the rest. Any thread, a hand each. */
void jb_local_stage(struct jb_local_hand *h, struct jb_work *w);
/* The same for attributes of what is there. */
void jb_local_reattribute(struct jb_local_hand *h, struct jb_work *w);

/* local_xattrs.c */
enum jb_outcome jb_local_same_xattrs(struct jb_target *t, struct jb_place p,
				     uint64_t ino, int64_t birth,
				     const struct jb_stamp *expect, bool *ret,
				     struct jb_error *err);

/* local_pool.c: threads, each with its hand. */
typedef void jb_local_work_fn(struct jb_local_hand *h, struct jb_work *w);

/* Run @fn over @n items: directories in their order, before or after all
 * others, which are done side by side. Returns STOPPED with that item's error
 * if the target failed. */
enum jb_outcome jb_local_pool_run(struct jb_local *l, struct jb_work *work,
				  size_t n, jb_local_work_fn *fn,
				  bool dirs_first, struct jb_error *err);
void jb_local_pool_free(struct jb_local_pool *pool);

/* local_sync.c; note_* from any thread. Descriptors stay the caller's. */
void jb_local_sync_init(struct jb_local_sync *s);
/* Drop the lists without syncing. */
void jb_local_sync_forget(struct jb_local_sync *s);
void jb_local_sync_fini(struct jb_local_sync *s);
void jb_local_note_file(struct jb_local *l, int fd);
void jb_local_note_dir(struct jb_local *l, int dirfd);
/* Much is coming: don't keep lists. */
void jb_local_note_many(struct jb_local *l);
/* Is it so already? Then nothing else needs to be noted. */
bool jb_local_has_many(struct jb_local *l);
int jb_local_sync_now(struct jb_local *l, bool all, struct jb_error *err);

/* local_well.c */
void jb_local_well_init(struct jb_local_well *w);
void jb_local_well_fini(struct jb_local_well *w);
/* Write something, all the way to the disk. 0 or a negative errno: the file
 * system has died. Any thread. */
int jb_local_write_through(struct jb_local *l);
/* As jb_local_fail_target(), but what could be a bad spot is DAMAGED when the
 * rest of the target is well. Any thread. */
enum jb_outcome jb_local_fail(struct jb_local *l, struct jb_place p, int errnum,
			      const char *what, struct jb_error *err);

/* local_names.c */
enum jb_outcome jb_local_link(struct jb_target *t, struct jb_place from,
			      const struct jb_stamp *expect, struct jb_place to,
			      struct jb_error *err);
enum jb_outcome jb_local_rename(struct jb_target *t, struct jb_place from,
				const struct jb_stamp *expect,
				struct jb_place to, struct jb_error *err);
enum jb_outcome jb_local_exchange(struct jb_target *t, struct jb_place a,
				  const struct jb_stamp *expect_a,
				  struct jb_place b,
				  const struct jb_stamp *expect_b,
				  struct jb_error *err);
enum jb_outcome jb_local_replace(struct jb_target *t, struct jb_place from,
				 const struct jb_stamp *expect_from,
				 struct jb_place to,
				 const struct jb_stamp *expect_to,
				 const struct jb_place *keep_as,
				 struct jb_error *err);
enum jb_outcome jb_local_remove(struct jb_target *t, struct jb_place p,
				const struct jb_stamp *expect,
				const struct jb_place *keep_as,
				struct jb_error *err);

/* A name's directory, open, and how the entry that it holds fits. */
enum jb_outcome jb_local_dir(struct jb_local *l, struct jb_place p, int *ret,
			     struct jb_error *err);
enum jb_outcome jb_local_expect(struct jb_local *l, int dirfd,
				struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_object *ret, struct jb_error *err);

/* local_trash.c */
/* The place in the trash for what lay at @keep_as; its directory is made.
 * On success the caller closes *dirfd. */
enum jb_outcome jb_local_trash_place(struct jb_local *l, struct jb_place where,
				     int *dirfd, struct jb_error *err);
int jb_local_trash_expire(struct jb_target *t, int64_t before_s,
			  uint64_t room_bytes, uint64_t *removed,
			  struct jb_error *err);
int jb_local_trash_size(struct jb_target *t, uint64_t *ret,
			struct jb_error *err);
int jb_local_trash_oldest(struct jb_target *t, int64_t since_s, int64_t *ret_s,
			  struct jb_error *err);

/* local_sweep.c */
/* Remove @name in @dirfd, which lies in JB_OWN_DIR, with all below it; adds
 * the number of entries to *removed. 0, or a negative errno: the
 * first of what could not be removed, the others are gone. */
int jb_local_remove_all(struct jb_local *l, int dirfd, const char *name,
			uint64_t *removed);
/* Add to *bytes what would come free by removing all below @dirfd, which it
 * closes; what lies very deep or can't be read doesn't count. 0 or a negative
 * errno. */
int jb_local_measure_all(int dirfd, uint64_t *bytes);
enum jb_outcome jb_local_sweep(struct jb_target *t, const char *name,
			       struct jb_error *err);

/* local_marker.c */
int jb_local_inspect(struct jb_target *t, struct jb_target_state *ret,
		     struct jb_error *err);
int jb_local_init(struct jb_target *t, const char *owner, const char *uuid,
		  struct jb_error *err);
/* Is Path= there, and mounted if it must be? @is_mount may be NULL. */
int jb_local_check_path(struct jb_local *l, bool *is_mount,
			struct jb_error *err);
/* Is the open top the right one? */
int jb_local_check(struct jb_local *l, const char *uuid, uint64_t fsid,
		   struct jb_error *err);

#endif
