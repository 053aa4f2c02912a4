/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/rules.h - switch one rule of the planner off, to see in a test
 * what it is for.
 *
 * Only in a build with JB_PLANNER_RULES (test/property/test_planner_model.c);
 * else every rule is on and costs nothing. */
#ifndef JB_DELIVER_RULES_H
#define JB_DELIVER_RULES_H

/* X(name, what it does) */
#define JB_PLANNER_RULE_LIST(X)                                                \
	X(SAMENAME, "list below a directory that the target lacks")            \
	X(DESCEND, "descend where a pattern can tell paths apart")             \
	X(MOVED, "what moved on at the source stays pending")                  \
	X(CSEQ, "believe the journal's word on content, not size and time")    \
	X(STAGE, "make durable what was staged before names change")           \
	X(EXCHANGE, "replace by exchange")                                     \
	X(VACATE, "take ours out of a directory before it goes")               \
	X(OLDSTAYS, "an old version stays while its newcomer is blocked")      \
	X(INVERSE, "never a directory into itself")                            \
	X(LOOK, "look at the target before believing a row")                   \
	X(REBIND, "a failed copy leaves the old node its identity")            \
	X(COUNT, "count deletions over the window")                            \
	X(WAITS, "an entry that waits for its directory is pending")           \
	X(AWAY, "a detached entry is not deleted")                             \
	X(FRESH, "list in pages only below what is new by its name too")       \
	X(FORGOOD, "empty in pages only what nobody can be matched with")      \
	X(PARENT, "look at the directory before a name in it is changed")

enum jb_planner_rule {
#define X(name, text) JB_RULE_##name,
	JB_PLANNER_RULE_LIST(X)
#undef X
		JB_RULE_COUNT_OF
};

#ifdef JB_PLANNER_RULES
extern unsigned jb_planner_without; /* bits 1 << JB_RULE_* */
#define JB_WITHOUT(rule) ((jb_planner_without & 1u << JB_RULE_##rule) != 0)
#else
#define JB_WITHOUT(rule) 0
#endif

#endif
