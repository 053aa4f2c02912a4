/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/keep.h - the queue of events that outlives the process.
 *
 * The service manager holds a copy of the fanotify descriptor (sd_notify(3),
 * FDSTORE=1), so the kernel goes on queueing while no daemon runs, and the next
 * one reads on. Nothing was missed if the last one stopped in order, which is
 * what the mark in the journal says (journal/rest.h). The descriptor's name in
 * the store is "fanotify-QUEUELIMIT", after a stop in order with "-TOKEN" of
 * that stop: so a mark and a descriptor that don't belong together are told
 * apart.
 *
 * Lifecycle: begin -> (the source takes fd) -> store -> [mark -> seal]. Loop
 * thread. */
#ifndef JB_ENGINE_KEEP_H
#define JB_ENGINE_KEEP_H

#include "engine/base/config.h"
#include "engine/tree/root.h"
#include "journal/rest.h"

#include <stdbool.h>

#define JB_KEEP_NAME_SIZE 64

struct jb_keep {
	int fd; /* owned until a source takes it over; -1: none */
	char name[JB_KEEP_NAME_SIZE]; /* in the store; "": not there */
	uint32_t queue_limit;
	const char *missed; /* why scans are owed, NULL: nothing was missed */
	struct jb_rest_mark mark; /* of this process's stop in order */
};

/* What did the last process leave? To be called before roots are opened. */
void jb_keep_begin(struct jb_keep *k, const struct jb_config *config);

/* Is there a service manager that could hold a descriptor? */
bool jb_keep_can(void);

/* Hold the descriptor @fd (borrowed) from now on; one that was adopted is held
 * already. */
void jb_keep_store(struct jb_keep *k, int fd);

/* A new mark, for the recorder to leave. */
const struct jb_rest_mark *jb_keep_mark(struct jb_keep *k);

/* The mark is durable: give @fd (borrowed) the name that belongs to it. */
void jb_keep_seal(struct jb_keep *k, int fd);

/* What must be the same at the next start for the queue to be of use to this
 * root; never 0. */
uint64_t jb_keep_fingerprint(const struct jb_root *root);

#endif
