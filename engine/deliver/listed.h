/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/listed.h - one directory as the catalog, the replica and the
 * target list it, side by side.
 *
 * Lifecycle: {0} with place and keys -> the three lists, in any order ->
 * compare; all memory is that of the two arenas. The target may be listed by
 * another thread than the rest, into an arena of its own. */
#ifndef JB_DELIVER_LISTED_H
#define JB_DELIVER_LISTED_H

#include "engine/deliver/arena.h"
#include "engine/deliver/fits.h"
#include "engine/deliver/replica.h"
#include "journal/catalog_view.h"

struct jb_listed_name {
	const char *bytes;
	uint8_t len;
};

/* What the catalog has. */
struct jb_listed_entry {
	struct jb_listed_name name;
	struct jb_content content;
	uint32_t mode, uid, gid;
	bool is_mount; /* another file system's: its attributes are not kept */
	uint64_t meta;
	uint64_t dirkey; /* 0: no directory */
	struct jb_listed_entry *next;
};

/* What the replica has. */
struct jb_listed_copy {
	struct jb_listed_name name;
	uint64_t rid;
	struct jb_node_row row;
	struct jb_listed_copy *next;
};

/* What is there. */
struct jb_listed_object {
	struct jb_listed_name name;
	struct jb_object object;
	struct jb_listed_object *next;
};

struct jb_listed {
	uint64_t key; /* in the catalog */
	uint64_t rid; /* in the replica */

	/* In the order of their names' bytes; the objects in none. */
	struct jb_listed_entry *entries, *last_entry;
	struct jb_listed_copy *copies, *last_copy;
	struct jb_listed_object *objects;
	size_t n_entries, n_objects;
};

/* Some names of the catalog behind the last one read, at most @max: *n of them.
 * In a snapshot of the view. JB_OK or an error. */
int jb_listed_read_catalog(struct jb_listed *l, struct jb_arena *arena,
			   struct jb_catalog_view *view, size_t max, size_t *n,
			   struct jb_error *err);

int jb_listed_read_replica(struct jb_listed *l, struct jb_arena *arena,
			   struct jb_replica *replica, struct jb_error *err);

/* A directory that is not there, or can't be read, has no names. An error only
 * when the target itself fails. */
int jb_listed_read_target(struct jb_listed *l, struct jb_arena *arena,
			  struct jb_target *target, const char *path,
			  struct jb_error *err);

/* Names by their bytes: negative, 0, positive. */
int jb_listed_order(const struct jb_listed_name *a,
		    const struct jb_listed_name *b);

/* What a comparison finds, name by name. */
struct jb_listed_found {
	void *arg;
	/* Is the name selected? */
	bool (*takes)(void *arg, const struct jb_listed_entry *e);
	/* The copy is not there, or not right. */
	void (*entry)(void *arg, const struct jb_listed_entry *e);
	/* The catalog has somebody else there, or nobody. */
	void (*copy)(void *arg, uint64_t rid);
	/* A directory that is selected; @rid: of its copy here, or 0. */
	void (*dir)(void *arg, const struct jb_listed_entry *e, uint64_t rid);
};

/* @epoch: the replica's number of the journal's; @preserve: JB_PRESERVE_*.
 * JB_OK or JB_ENOMEM. */
int jb_listed_compare(struct jb_listed *l, uint32_t epoch, unsigned preserve,
		      const struct jb_listed_found *found,
		      struct jb_error *err);

#endif
