/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/pending.h - what a plan leaves for a later one. */
#ifndef JB_DELIVER_PENDING_H
#define JB_DELIVER_PENDING_H

#include "engine/deliver/draft.h"

/* No wait is longer than this, but for those that are meant to: of what is to
 * settle, or what the target can't keep. */
#define JB_PENDING_MOST_WAIT_US (INT64_C(900) * 1000000)
/* The next try of what a person has asked for; in SQL JB_DUE_NOW. */
#define JB_PENDING_AT_ONCE_US INT64_C(1)

#endif
