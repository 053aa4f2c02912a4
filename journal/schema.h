/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/schema.h - the tables of journal.db, and how they came to be.
 *
 * docs/journal-format.md explains each column. Everything that the database
 * holds is defined here and nowhere else. */
#ifndef JB_JOURNAL_SCHEMA_H
#define JB_JOURNAL_SCHEMA_H

#include "journal/migrate.h"

extern const struct jb_schema jb_journal_schema;

#endif
