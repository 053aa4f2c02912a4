/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/reader.h - open the journal to read it, beside the daemon or
 * without one, and say what to do when that fails. */
#ifndef JB_CLI_READER_H
#define JB_CLI_READER_H

#include "jb/error.h"
#include "journal/store.h"

#include <stdbool.h>
#include <sys/types.h>

/* Which file was opened: a journal may be set aside and begun anew. */
struct jb_reader {
	struct jb_store *store; /* owned */
	dev_t dev;
	ino_t ino;
};

/* Is there a journal that may be read? JB_ENOENT, JB_EACCES: the text says what
 * to do. */
int jb_reader_check(const char *state_dir, struct jb_error *err);

/* Open STATE_DIR/journal.db. JB_ENOENT: there is none (yet). The text says
 * what to do. */
int jb_reader_open(struct jb_reader *r, const char *state_dir,
		   struct jb_error *err);

/* Has the file been replaced since? */
bool jb_reader_is_stale(const struct jb_reader *r);

/* Put into @err what to do about a journal that is damaged, locked or not
 * ours to read. Returns its code. */
int jb_reader_explain(const char *path, struct jb_error *err);

/* Accepts a zeroed one. */
void jb_reader_close(struct jb_reader *r);

#endif
