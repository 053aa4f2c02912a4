/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/migrate.h - a database of ours: is it one, and of which version?
 *
 * Each kind of file names itself in `application_id` and its schema in
 * `user_version`. What leads from one version to the next is never changed
 * once it was released; a newer version is refused, and nothing is touched. */
#ifndef JB_JOURNAL_MIGRATE_H
#define JB_JOURNAL_MIGRATE_H

#include "jb/error.h"

#include <sqlite3.h>

struct jb_schema {
	const char *what;	  /* "a journal": for people */
	int application_id;	  /* PRAGMA application_id */
	int version;		  /* the newest; so many steps */
	const char *const *steps; /* steps[n] leads from version n to n + 1 */
};

/* Bring the database to the newest version, in one transaction; an empty one is
 * created. JB_ENEWER: written by a newer program, left
 * untouched. JB_ECORRUPT: not a database, or not of this kind. */
int jb_migrate(sqlite3 *db, const struct jb_schema *schema, const char *path,
	       struct jb_error *err);

/* Check only: what a reader does. JB_ENOENT: no schema in it yet. JB_ENEWER:
 * also where it is an older one, which the writer is to migrate. */
int jb_migrate_check(sqlite3 *db, const struct jb_schema *schema,
		     const char *path, struct jb_error *err);

#endif
