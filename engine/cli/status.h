/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/status.h - what `status` shows: the daemon's answer, what the
 * journal says, and what the configuration asks for. */
#ifndef JB_CLI_STATUS_H
#define JB_CLI_STATUS_H

#include "jb/error.h"
#include "journal/overview.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct jb_config;

struct jb_status {
	const struct jb_config *config; /* borrowed */
	json_t *reply;			/* owned; NULL: no answer */
	json_t *policies;		/* owned; in it, or from databases */
	bool is_running;
	struct jb_error daemon_error; /* if not */
	struct jb_overview journal;   /* owned */
	bool has_journal;
	struct jb_error journal_error; /* if not */
};

/* For people: figures, a table of roots, then a line for each thing that is
 * worth a word. */
void jb_status_print(const struct jb_status *s, FILE *f);

/* One object: the daemon's answer with "running", "state_dir", "gaps_open" and
 * "backlog"; without an answer the same keys as far as they are known. */
void jb_status_print_json(const struct jb_status *s, FILE *f);

#endif
