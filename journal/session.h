/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/session.h - which start of the daemon wrote a change.
 *
 * A journal may be put back to an earlier state: a disk image, a backup. Then
 * it gives numbers again that somebody has already read. Each start of the
 * daemon is therefore a session with a number drawn at random, and whoever
 * keeps a seq keeps the session of that change with it: as long as the journal
 * names the same session there, it is the same change. */
#ifndef JB_JOURNAL_SESSION_H
#define JB_JOURNAL_SESSION_H

#include "jb/error.h"
#include "journal/store.h"

/* The writer, before its first change: what comes now belongs to a new
 * session. */
int jb_session_begin(struct jb_store *store, struct jb_error *err);

/* The session of change @seq; 0: none is known (before the first). */
int jb_session_at(struct jb_store *store, int64_t seq, int64_t *ret,
		  struct jb_error *err);

#endif
