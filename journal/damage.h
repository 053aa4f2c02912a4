/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/damage.h - a database that is damaged, or only seems to be.
 *
 * Nothing is ever deleted to repair it: it is moved aside under a name that
 * says so, and begun anew. A disk that fails is no damage: SQLite calls a file
 * malformed, too, when a read of it gives EIO. */
#ifndef JB_JOURNAL_DAMAGE_H
#define JB_JOURNAL_DAMAGE_H

#include "jb/error.h"

#include <stddef.h>

/* Move DIR/FILE (and its WAL) aside, if it is what @why (JB_ECORRUPT) says; we
 * have no connection to it. @name (of @size bytes) receives the new name.
 * Else nothing is moved: JB_EIO, it can't be read, or was read again and is
 * sound. It is read whole, which takes a while. */
int jb_damage_set_aside(const char *dir, const char *file,
			const struct jb_error *why, char *name, size_t size,
			struct jb_error *err);

#endif
