/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/patrol.h - how far the slow scan of a root is, and what it found.
 *
 * Written by the recorder inside its transactions; read by anybody. Times in
 * us. */
#ifndef JB_JOURNAL_PATROL_H
#define JB_JOURNAL_PATROL_H

#include "jb/error.h"
#include "journal/store.h"

#include <stdint.h>

struct jb_patrol_row {
	int64_t began; /* the present round; 0: none yet */
	uint64_t at;   /* directories up to this key are done */
	int64_t ended; /* the last round; 0: none yet */
	int64_t drift; /* changes found by all rounds */
};

/* A zeroed row if there is none. */
int jb_patrol_row_read(struct jb_store *s, uint32_t root,
		       struct jb_patrol_row *ret, struct jb_error *err);

/* Store all but drift. */
int jb_patrol_row_write(struct jb_store *s, uint32_t root,
			const struct jb_patrol_row *row, struct jb_error *err);

/* @found changes raised no event: add them up, and write the gap in which they
 * happened. */
int jb_patrol_row_add_drift(struct jb_store *s, uint32_t root, int64_t found,
			    int64_t now, struct jb_error *err);

#endif
