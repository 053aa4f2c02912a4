/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/source.h - who tells us where to look: fanotify or inotify.
 *
 * Lifecycle: open -> add_root* -> (add_dir, remove_dir, read, queued)* ->
 * close. Belongs to the loop thread once it runs. A source turns events into
 * places of a dirty set and decides nothing else.
 *
 * Progress is counted in units in which FIONREAD counts what is queued: 24 per
 * fanotify event, bytes for inotify. So "everything queued now has been read"
 * is: `done` has reached the `done` of now plus queued(). */
#ifndef JB_WATCH_SOURCE_H
#define JB_WATCH_SOURCE_H

#include "engine/tree/root.h"
#include "engine/watch/dirty.h"

struct jb_source;

typedef int jb_source_add_root_fn(struct jb_source *s, struct jb_root *root,
				  struct jb_error *err);
typedef void jb_source_remove_root_fn(struct jb_source *s,
				      struct jb_root *root);

/* Know this directory from now on. @dirfd (borrowed) may be -1 for a source
 * that goes by handles. Where the system allows no more it is not watched, and
 * counted. */
typedef int jb_source_add_dir_fn(struct jb_source *s,
				 const struct jb_root *root,
				 struct jb_handle_ref handle, uint64_t key,
				 int dirfd, struct jb_error *err);
typedef void jb_source_remove_dir_fn(struct jb_source *s,
				     const struct jb_root *root,
				     struct jb_handle_ref handle, uint64_t key);

/* Read once and fill @dirty. Returns the number of events, 0 if none is left,
 * or an error that ends this source. */
typedef int jb_source_read_fn(struct jb_source *s, struct jb_dirty *dirty,
			      struct jb_error *err);

/* Units queued in the kernel now. Walks the queue: once per barrier. */
typedef uint64_t jb_source_queued_fn(struct jb_source *s);
typedef void jb_source_close_fn(struct jb_source *s);

struct jb_source_ops {
	const char *name;
	jb_source_add_root_fn *add_root;
	jb_source_remove_root_fn *remove_root;
	jb_source_add_dir_fn *add_dir;
	jb_source_remove_dir_fn *remove_dir;
	jb_source_read_fn *read;
	jb_source_queued_fn *queued;
	jb_source_close_fn *close;
};

/* The first member of each implementation. */
struct jb_source {
	const struct jb_source_ops *ops;
	unsigned index;	    /* below JB_SOURCES */
	int fd;		    /* owned; to be polled */
	bool needs_fd;	    /* add_dir needs the directory open */
	bool is_limited;    /* the queue has the bound that was asked for */
	bool can_rest;	    /* its queue outlives the process with the fd */
	size_t n_unwatched; /* directories */
	uint64_t done;	    /* units read and put into the dirty set */
	uint64_t events, overflows;
};

/* @queue_limit: our own bound of the kernel's queue in events, 0: default.
 * JB_EACCES, JB_ENOTSUP: not to be had here.
 * @kept: -1, or a descriptor of an earlier process (see engine/keep.h), taken
 * over in any case. If it is one of a group as we make them it is read on, and
 * a root whose file system it already watches gets `queue_kept`. */
int jb_fanotify_open(uint32_t queue_limit, int kept, struct jb_source **ret,
		     struct jb_error *err);
/* An adopted descriptor may watch file systems that no root is on any more:
 * end that. */
void jb_fanotify_trim(struct jb_source *s, const struct jb_root *roots,
		      unsigned n);
int jb_inotify_open(struct jb_source **ret, struct jb_error *err);

#endif
