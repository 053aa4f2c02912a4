/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transports/local_fail.h - what a failed system call means: for a path, for
 * the source or for the whole target. Errors name "TREE/DIR/NAME". */
#ifndef JB_TRANSPORTS_LOCAL_FAIL_H
#define JB_TRANSPORTS_LOCAL_FAIL_H

#include "transports/tree.h"

/* The source's call failed with @errnum: MOVED, UNREADABLE, or STOPPED when it
 * is this process that can't go on. */
enum jb_outcome jb_local_fail_source(struct jb_error *err, int errnum,
				     const struct jb_tree *tree,
				     struct jb_place p);
/* The target's call failed. @what: "" or what was tried ("xattr user.x"). */
enum jb_outcome jb_local_fail_target(struct jb_error *err, int errnum,
				     const struct jb_tree *tree,
				     struct jb_place p, const char *what);
/* @outcome for a reason of ours, in words. */
enum jb_outcome jb_local_fail_words(struct jb_error *err,
				    enum jb_outcome outcome,
				    const struct jb_tree *tree,
				    struct jb_place p, const char *words);

#endif
