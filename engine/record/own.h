/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/record/own.h - directories of the program itself, never recorded.
 *
 * Known by who they are, never by a name alone, which a stranger could use to
 * hide something from the journal: by identity those that are there when the
 * daemon starts (its state and its runtime directory), and by their place those
 * that come and go with a file system (what a target keeps at its top).
 *
 * Lifecycle: zeroed -> (add)* -> asked by the recorder's thread -> fini. */
#ifndef JB_RECORD_OWN_H
#define JB_RECORD_OWN_H

#include "engine/tree/look.h"

#define JB_OWN_MAX 2

struct jb_own {
	struct jb_id ids[JB_OWN_MAX];
	dev_t devs[JB_OWN_MAX];
	unsigned n_ids;
	char **paths; /* owned; absolute, without a slash at the end */
	size_t n_paths;
};

/* At most JB_OWN_MAX; one that is not there is none. */
void jb_own_add_dir(struct jb_own *o, const char *path);
/* Directory @name in @top. JB_ENOMEM. */
int jb_own_add_place(struct jb_own *o, const char *top, const char *name,
		     struct jb_error *err);
void jb_own_fini(struct jb_own *o);

bool jb_own_is_dir(const struct jb_own *o, const struct jb_look *found);
/* Is there a place of that name? If not, nobody need know the path. */
bool jb_own_has_name(const struct jb_own *o, const char *name, size_t len);
/* Is it root @root, path @dir in it ("" for the root itself), name @name? */
bool jb_own_is_place(const struct jb_own *o, const char *root, const char *dir,
		     size_t dir_len, const char *name, size_t len);

#endif
