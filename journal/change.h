/* SPDX-License-Identifier: GPL-2.0-or-later */
/* journal/change.h - one change: what the recorder appends, and its words. */
#ifndef JB_JOURNAL_CHANGE_H
#define JB_JOURNAL_CHANGE_H

#include "jb/error.h"
#include "journal/entry.h"

#include <stddef.h>
#include <stdint.h>

enum jb_kind {
	JB_KIND_CREATED = 1,
	JB_KIND_MODIFIED = 2,
	JB_KIND_ATTRIB = 3,
	JB_KIND_RENAMED = 4,
	JB_KIND_DELETED = 5,
};

enum jb_change_source {
	JB_SOURCE_EVENT = 0,
	JB_SOURCE_SCAN = 1, /* looked at because of a gap, or found by a scan */
};

/* What changed, bits of change.what. */
enum jb_what {
	JB_WHAT_CONTENT = 1,
	JB_WHAT_METADATA = 2,
	JB_WHAT_PLACE = 4,
};

/* "created" ...; NULL for an unknown kind. */
const char *jb_kind_name(int kind);
/* JB_KIND_* or 0. */
int jb_kind_parse(const char *name);

/* "file", "directory", "symlink", "fifo", "socket", "char", "block". */
const char *jb_type_name(uint32_t mode);

#endif
