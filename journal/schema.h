/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/schema.h - the tables of journal.db, and how they came to be.
 *
 * docs/journal-format.md explains each column. Everything that the database
 * holds is defined here and nowhere else; the version is `user_version`. */
#ifndef JB_JOURNAL_SCHEMA_H
#define JB_JOURNAL_SCHEMA_H

#include "jb/error.h"

#include <sqlite3.h>

#define JB_SCHEMA_VERSION 1

/* "JBJ1", so that file(1) and we know our own files (PRAGMA application_id). */
#define JB_APPLICATION_ID 0x4a424a31

/* Bring the database to JB_SCHEMA_VERSION, each step in a transaction of its
 * own; an empty one is created. JB_ENEWER: written by a newer version, left
 * untouched. JB_ECORRUPT: not a database, or not ours. */
int jb_schema_migrate(sqlite3 *db, const char *path, struct jb_error *err);

/* Check only: what a reader does. JB_ENOENT: no schema in it yet. */
int jb_schema_check(sqlite3 *db, const char *path, struct jb_error *err);

#endif
