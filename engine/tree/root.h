/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/tree/root.h - a watched tree at run time.
 *
 * Lifecycle: open -> watched, recorded, scanned -> close. What is set by open
 * stays as it is, but for what belongs to the mount (`fd`, `mount_id`,
 * devices): roots.c replaces that when a missing root is back, before anybody
 * is told. The recorder's own state of a root is in engine/record/. */
#ifndef JB_TREE_ROOT_H
#define JB_TREE_ROOT_H

#include "engine/base/config.h"
#include "engine/tree/handle.h"
#include "jb/error.h"
#include "journal/entry.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define JB_ROOTS_MAX 250

struct jb_source;

struct jb_root {
	const struct jb_config_root *config; /* borrowed */
	unsigned index;			     /* in the daemon's list */
	uint32_t id;			     /* in the catalog, from 1 */
	uint64_t dirkey;		     /* of the root directory */
	int fd;				     /* owned; the root directory */
	dev_t dev;
	dev_t fs_dev;	   /* of the whole file system, as mountinfo has it */
	uint64_t mount_id; /* STATX_MNT_ID */
	struct jb_id identity;
	struct jb_handle handle;  /* len 0: the file system has none */
	uint64_t fsid;		  /* statfs f_fsid */
	uint64_t subvolume;	  /* btrfs, else 0 */
	uint8_t fs;		  /* roots of one file system share it */
	bool by_handle;		  /* directories are opened by handle */
	bool no_right;		  /* since this process may not */
	bool cut;		  /* mounts below it hide what they cover */
	struct jb_source *source; /* borrowed; who watches it */
	char fs_type[32];	  /* as mountinfo has it, "" if it has not */
	char device[256];	  /* so too */
	bool network;		  /* others may change it without an event */
	bool whole_seconds;	  /* its times are no finer */
	char why[160];		  /* why this backend */
	bool fresh;		  /* the catalog did not know it */
	bool watched;		  /* its source has been told of it */
	bool queue_kept;  /* its events were queued while no daemon ran */
	uint64_t kept_as; /* what must be the same for the queue to be of
			   * use: identity, patterns ...; 0: can't be kept */
};

/* Open @config->path and find out what it is. The caller owns *ret's
 * descriptor; JB_ENOENT, JB_EACCES ... name the root and its path. */
int jb_root_open(const struct jb_config_root *config, struct jb_root *ret,
		 struct jb_error *err);
void jb_root_close(struct jb_root *root);

/* What the catalog knows of a root that is not at its path now. */
struct jb_root_known {
	struct jb_id identity;
	uint64_t fsid;
	struct jb_handle handle;
};

/* As open, but of a root that is to come: its descriptor leads nowhere. */
int jb_root_open_absent(const struct jb_config_root *config,
			const struct jb_root_known *known, struct jb_root *ret,
			struct jb_error *err);

/* Is the path still this directory on this mount? JB_ESTALE if not. */
int jb_root_check(const struct jb_root *root, struct jb_error *err);

/* An errno of the two below that does not mean that the directory has gone. One
 * that may not be opened (EACCES) is not trouble: it would last, and what it
 * holds is nobody's to copy. */
bool jb_root_is_trouble(int error);

/* Can it be of the root? Not if it is of another btrfs subvolume, which may lie
 * below it. */
bool jb_root_has_handle(const struct jb_root *root,
			struct jb_handle_ref handle);

/* Open a directory of the root by its handle. Returns a descriptor, or
 * JB_ESTALE: it is gone. */
int jb_root_open_handle(const struct jb_root *root, struct jb_handle_ref handle,
			struct jb_error *err);

/* Open a directory by its path (@len bytes, "" for the root): component by
 * component, never through a symlink, and only if what is found there is @id.
 * Returns a descriptor or -1. */
int jb_root_open_path(const struct jb_root *root, const char *path, size_t len,
		      struct jb_id id);

#endif
