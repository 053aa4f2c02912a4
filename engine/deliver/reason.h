/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/reason.h - why something is not done yet. The numbers are
 * stored: never change one. */
#ifndef JB_DELIVER_REASON_H
#define JB_DELIVER_REASON_H

/* X(name, number, does it count as an attempt, text) */
#define JB_REASONS(X)                                                          \
	X(NONE, 0, 0, "nothing")                                               \
	X(AGAIN, 1, 0, "a plan was cut short")                                 \
	X(LOST, 2, 0, "our copy is gone or was changed at the target")         \
	X(WAITS, 3, 0, "waits for its directory")                              \
	X(MOVED, 4, 0, "moved on at the source")                               \
	X(AWAY, 5, 0, "its place at the source is not known at the moment")    \
	X(PARKED, 6, 0, "parked, its place is not free")                       \
	X(TORN, 7, 1, "changed while it was copied")                           \
	X(FOREIGN, 8, 1,                                                       \
	  "the name is taken by an entry that is not ours: move that away")    \
	X(FAILED, 9, 1, "failed at the target")                                \
	X(UNREADABLE, 10, 1, "can't be read at the source")                    \
	X(REFUSED, 11, 1, "the target can't hold it")                          \
	X(HELD, 12, 0, "held, waits for release")                              \
	X(NOT_EMPTY, 13, 1, "the directory holds what is not ours or stays")   \
	X(OLD_VERSION, 14, 1, "an old version, until the new one is there")    \
	X(SETTLING, 15, 0, "waits until it is quiet")                          \
	X(RELEASED, 16, 0, "released, its turn comes")                         \
	X(ROTTEN, 17, 0, "its copy's content is wrong, it is made again")      \
	X(NO_SPACE, 18, 1, "no space at the target")                           \
	X(PARTIAL, 19, 0,                                                      \
	  "the target can't keep all its attributes: leave them out of "       \
	  "Preserve=, or use another target")                                  \
	X(RESERVED, 20, 0,                                                     \
	  "the name is reserved at the target: rename it, or exclude it")      \
	X(WORN, 21, 0, "its copy's attributes are wrong, they are set again")  \
	X(HIDDEN, 22, 1,                                                       \
	  "hidden at the target by a mount or a symlink that is not ours")     \
	X(DENIED, 23, 1,                                                       \
	  "not allowed at the target: see its rights, and lsattr for +i, +a")  \
	X(DAMAGED, 24, 1,                                                      \
	  "the target's disk is damaged there: check its file system")         \
	X(RESTING, 25, 0, "rests after a copy that took long")                 \
	X(TOO_DEEP, 26, 0,                                                     \
	  "lies too deep to be copied: 2048 directories, or a path of 16 "     \
	  "KiB, are the most")

enum jb_reason {
#define X(name, number, counts, text) JB_REASON_##name = number,
	JB_REASONS(X)
#undef X
};

/* One line for people; never NULL. */
const char *jb_reason_text(int reason);

/* Does a try that ends so count, and make the next one wait longer? */
int jb_reason_counts(int reason);

#endif
