/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/verify_priv.h - what the files of verify share. */
#ifndef JB_DELIVER_VERIFY_PRIV_H
#define JB_DELIVER_VERIFY_PRIV_H

#include "engine/deliver/delivery_priv.h"
#include "engine/deliver/verify.h"

/* Count a difference and tell it. */
void jb_verify_tell(struct jb_verify *v, const char *kind, const char *name,
		    const char *path, const char *what);

/* DIR/NAME, which the caller owns; NULL without memory. */
char *jb_verify_join(const char *dir, const char *name);

/* What can't be looked at is not gone; in @words, or static. */
#define JB_VERIFY_WORDS 120
const char *jb_verify_unseen(char words[JB_VERIFY_WORDS], int errnum);

/* Directories yet to be looked at, a page of names at a time: no matter how
 * deep a tree is, the next one lies on top. {0} -> (push, pop)* -> fini. */
#define JB_VERIFY_PAGE 500

struct jb_verify_dir {
	uint64_t key; /* the catalog's, or the replica's number of the copy */
	uint64_t rid; /* that number, where the key is the catalog's */
	char *path;   /* owned */
	char *after;  /* owned; names up to this one are done */
};

struct jb_verify_dirs {
	struct jb_verify_dir *v; /* owned */
	size_t n, cap;
};

int jb_verify_push(struct jb_verify_dirs *dirs, uint64_t key, const char *path,
		   const char *after, struct jb_error *err);
/* False: none is left. *ret is the caller's, until it is dropped. */
bool jb_verify_pop(struct jb_verify_dirs *dirs, struct jb_verify_dir *ret);
void jb_verify_drop(struct jb_verify_dir *dir);
/* Those pushed since there were @from come back in that order. */
void jb_verify_in_order(struct jb_verify_dirs *dirs, size_t from);
void jb_verify_dirs_fini(struct jb_verify_dirs *dirs);

/* Open the journal and the catalog, if there are any yet. */
int jb_verify_open_journal(struct jb_delivery *d, struct jb_error *err);

/* Read what changes of its root the policy has not carried out, from *@cursor
 * on. Those of other roots are none of its: when there are no others, *@cursor
 * is the journal's end. */
int jb_verify_unread(struct jb_delivery *d, int64_t *cursor, int64_t *ret,
		     struct jb_error *err);

/* What differs between the attributes of the copy @o at @p and its source's, or
 * NULL. With --content also xattrs and ACLs. */
const char *jb_verify_attrs(const struct jb_verify *v, struct jb_delivery *d,
			    struct jb_place p, const struct jb_node_row *row,
			    const struct jb_object *o);

/* The names of the replica against those of the catalog that the policy
 * selects, when it follows every change and has read them all: what differs,
 * and is neither pending nor owed, would stay so. Databases alone are read. */
int jb_verify_names(struct jb_verify *v, struct jb_delivery *d,
		    struct jb_error *err);

#endif
