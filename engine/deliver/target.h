/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/target.h - the planner's view of a target: see jb/target.h. */
#ifndef JB_DELIVER_TARGET_H
#define JB_DELIVER_TARGET_H

#include "jb/target.h"

#endif
