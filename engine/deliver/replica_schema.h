/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/replica_schema.h - the tables of policy-<name>.db, and how
 * they came to be. The version is `user_version`. */
#ifndef JB_DELIVER_REPLICA_SCHEMA_H
#define JB_DELIVER_REPLICA_SCHEMA_H

#include "jb/error.h"

#include <sqlite3.h>

#define JB_REPLICA_VERSION 1

/* "JBR1" (PRAGMA application_id). */
#define JB_REPLICA_APPLICATION_ID 0x4a425231

/* Bring the database to JB_REPLICA_VERSION; an empty one is created.
 * JB_ENEWER: left untouched. JB_ECORRUPT: not a database, or not ours. */
int jb_replica_migrate(sqlite3 *db, const char *path, struct jb_error *err);

#endif
