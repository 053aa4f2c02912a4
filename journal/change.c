/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/change.h"

#include <string.h>
#include <sys/stat.h>

static const char *const kinds[] = {
	[JB_KIND_CREATED] = "created", [JB_KIND_MODIFIED] = "modified",
	[JB_KIND_ATTRIB] = "attrib",   [JB_KIND_RENAMED] = "renamed",
	[JB_KIND_DELETED] = "deleted",
};

#define N_KINDS ((int)(sizeof kinds / sizeof kinds[0]))

const char *jb_kind_name(int kind)
{
	return kind > 0 && kind < N_KINDS ? kinds[kind] : NULL;
}

int jb_kind_parse(const char *name)
{
	for (int i = 1; i < N_KINDS; i++)
		if (strcmp(kinds[i], name) == 0)
			return i;
	return 0;
}

const char *jb_type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "char";
	case S_IFBLK:
		return "block";
	default:
		return "unknown";
	}
}
