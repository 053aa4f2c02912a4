/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/target.h - the target that a plan is carried out at.
 *
 * The planner's operations are those of transports/transport.h; place 1 is its
 * top (path ""), place 2 its JB_STAGE_DIR. What the planner relies on:
 *
 *  - An outcome other than DONE has changed nothing.
 *  - Every operation checks `expect` as late as it can, and takes back what
 *    turns out to be something else: FOREIGN or LOST.
 *  - After STOPPED the plan is given up as if the process had died: the next
 *    one finds out where things are.
 *  - make() into a directory that itself lies in stage/ is allowed: what is
 *    below a new directory is made in it at once.
 *  - hash() is used to prove, after a crash between attrs() and the commit,
 *    that a file with a new mtime is still ours. */
#ifndef JB_DELIVER_TARGET_H
#define JB_DELIVER_TARGET_H

#include "transports/transport.h"

#endif
