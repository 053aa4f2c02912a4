/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/select.h - which paths of a root a policy takes.
 *
 * Selection belongs to a path, not to an entry: a rename is tested at both
 * ends. Immutable once made. */
#ifndef JB_DELIVER_SELECT_H
#define JB_DELIVER_SELECT_H

#include "engine/base/pattern.h"

#include <stdbool.h>
#include <stddef.h>

/* Is @path (relative to the root) taken, given that the directory it is in is?
 * @patterns may be NULL: everything is. Our own directory at the top never. */
bool jb_select_takes(const struct jb_patterns *patterns, const char *path,
		     size_t len, bool is_dir);

/* Would it be taken, if its name at the top were not that of the target's own
 * directory? */
bool jb_select_reserves(const struct jb_patterns *patterns, const char *path,
			size_t len, bool is_dir);

/* May a pattern tell names below directory @path apart from names below
 * another one? If neither for the old nor for the new path of a directory, its
 * subtree keeps its selection when it is renamed. */
bool jb_select_below(const struct jb_patterns *patterns, const char *path,
		     size_t len);

#endif
