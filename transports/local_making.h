/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local_making.h - one entry on its way from the source to the
 * target: what regular files and the other kinds have in common. */
#ifndef JB_TRANSPORTS_LOCAL_MAKING_H
#define JB_TRANSPORTS_LOCAL_MAKING_H

#include "transports/local_target.h"

struct jb_making {
	struct jb_local_hand *h; /* borrowed */
	struct jb_work *w;	 /* borrowed; gets outcome and error */
	int from_dir, to_dir;	 /* borrowed from the hand */
	int from, to, old;	 /* owned, -1: not open */
	bool is_unnamed;	 /* `to` came from O_TMPFILE */
	bool is_named;		 /* the name in to_dir is ours */
	bool is_proved;		 /* w->source is just what was copied */
};

/* Find the source's entry, make sure that it is the one of the plan, and note
 * it in w->source. */
enum jb_outcome jb_making_find(struct jb_making *m);
/* The same version of the same file? */
bool jb_making_is_same(const struct jb_object *a, const struct jb_object *b);
/* Is it still as it was then? @name in from_dir, "" when `from` is open. */
enum jb_outcome jb_making_check(struct jb_making *m, const char *name);
/* Give `to` the attributes of `from`. @fresh: it was made just now. */
enum jb_outcome jb_making_attrs(struct jb_making *m, bool fresh);
void jb_making_close(struct jb_making *m);
/* Take the name away again. */
void jb_making_drop(struct jb_making *m);

/* Errors, which name the place of their side. @rv: a negative errno. */
enum jb_outcome jb_making_fail_source(struct jb_making *m, int rv);
enum jb_outcome jb_making_fail_target(struct jb_making *m, int rv,
				      const char *what);
enum jb_outcome jb_making_say(struct jb_making *m, enum jb_outcome outcome,
			      const char *words);

/* local_file.c: a regular file. Where @unnamed files can't be linked it begins
 * again under the name. */
enum jb_outcome jb_making_file(struct jb_making *m, bool unnamed);

#endif
