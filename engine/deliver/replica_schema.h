/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/replica_schema.h - the tables of policy-<name>.db, and how
 * they came to be. */
#ifndef JB_DELIVER_REPLICA_SCHEMA_H
#define JB_DELIVER_REPLICA_SCHEMA_H

#include "journal/migrate.h"

extern const struct jb_schema jb_replica_schema;

#endif
