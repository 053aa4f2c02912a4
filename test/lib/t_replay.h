/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_replay.h - the journal's rows, played over a listing.
 *
 * Played over the listing of before, the rows must give the listing of after:
 * created adds a name, renamed moves one with all below it, deleted removes
 * one with all below it. By identity, so two entries may hold one name for a
 * moment. On the way each row is held to what it says: its name must be there,
 * its path must be the directory's path at that point, `entries` must be the
 * number of names that went with it. */
#ifndef JB_LIB_T_REPLAY_H
#define JB_LIB_T_REPLAY_H

#include "lib/t_judge.h"

/* What is judged: the rows of one root with seq > @after, between listings. */
struct t_span {
	const char *root; /* its name */
	int64_t after;
	const char *first, *last; /* listings of before and after */
};

/* Play the rows over the first listing; what comes out is in table `played`.
 * Returns how many rows were wrong, with the first of them in *text (owned by
 * the caller). */
int t_replay_play(struct t_judge *j, const struct t_span *span, char **text);

/* Play the rows over the first listing (left as it is) and compare with the
 * last. */
void t_replay(struct t_judge *j, const struct t_span *span);

/* No object is created twice, none that was there, none is deleted that still
 * is: but for those in table `exempt` (several names once), and those in table
 * `outsider` (out of the root once) with all that was ever below them. */
void t_replay_check_counts(struct t_judge *j, const struct t_span *span);

/* The last content row of each file tells the size and time that it has; each
 * file of table `written` that is still there has one. */
void t_replay_check_content(struct t_judge *j, const struct t_span *span);

/* Whatever has other facts than before has a row; a directory, at least one
 * about a name in it. */
void t_replay_check_told(struct t_judge *j, const struct t_span *span);

#endif
