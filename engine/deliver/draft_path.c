/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a directory of a draft is. */
#include "engine/deliver/draft.h"

#include <stdlib.h>
#include <string.h>

bool jb_draft_inside(const struct jb_node *dir, const struct jb_node *top)
{
	while (dir != top) {
		if (dir->places == NULL)
			return false;
		dir = dir->places->dir;
	}
	return true;
}

/* Written from its end, since the walk goes up. */
static bool prepend(struct jb_draft *d, size_t *used, const char *s, size_t len)
{
	size_t need = *used + len + 1, size;
	char *bigger;

	if (need > d->path_size) {
		size = need * 2 < 512 ? 512 : need * 2;
		bigger = malloc(size);
		if (bigger == NULL) {
			d->rv = jb_error_set(&d->err, JB_ENOMEM, 0, "path");
			return false;
		}
		if (*used > 0)
			memcpy(bigger + size - *used,
			       d->path + d->path_size - *used, *used);
		free(d->path);
		d->path = bigger;
		d->path_size = size;
	}
	*used += len;
	memcpy(d->path + d->path_size - *used, s, len);
	return true;
}

const char *jb_draft_path(struct jb_draft *d, const struct jb_node *dir)
{
	const struct jb_slot *s;
	size_t used = 0;

	if (!prepend(d, &used, "", 1))
		return NULL;
	while (dir != d->top) {
		if (used > 1 && !prepend(d, &used, "/", 1))
			return NULL;
		if (dir == d->own)
			return prepend(d, &used, JB_STAGE_DIR,
				       sizeof JB_STAGE_DIR - 1)
				       ? d->path + d->path_size - used
				       : NULL;
		s = dir->places != NULL ? dir->places : dir->staged;
		if (s == NULL || !prepend(d, &used, s->name, s->len))
			return NULL;
		dir = s->dir;
	}
	return d->path + d->path_size - used;
}
