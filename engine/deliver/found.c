/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/found.h"

#include "engine/base/grow.h"

#include <stdlib.h>

/* All is handed out: from the beginning again. */
static void rewind_lists(struct jb_found *f)
{
	if (jb_found_count(f) == 0)
		f->n_ids = f->n_rids = f->next_id = f->next_rid = 0;
}

bool jb_found_add_entry(struct jb_found *f, struct jb_id id)
{
	struct jb_id *ids;

	rewind_lists(f);
	ids = jb_grow(f->ids, f->n_ids, &f->cap_ids, sizeof *ids);
	if (ids == NULL)
		return false;
	f->ids = ids;
	ids[f->n_ids++] = id;
	return true;
}

bool jb_found_add_copy(struct jb_found *f, uint64_t rid)
{
	uint64_t *rids;

	rewind_lists(f);
	rids = jb_grow(f->rids, f->n_rids, &f->cap_rids, sizeof *rids);
	if (rids == NULL)
		return false;
	f->rids = rids;
	rids[f->n_rids++] = rid;
	return true;
}

size_t jb_found_count(const struct jb_found *f)
{
	return f->n_ids - f->next_id + f->n_rids - f->next_rid;
}

void jb_found_hand_out(struct jb_found *f, size_t max, const struct jb_id **ids,
		       size_t *n_ids, const uint64_t **rids, size_t *n_rids)
{
	*n_ids = f->n_ids - f->next_id;
	*n_ids = *n_ids < max ? *n_ids : max;
	max -= *n_ids;
	*n_rids = f->n_rids - f->next_rid;
	*n_rids = *n_rids < max ? *n_rids : max;
	*ids = *n_ids > 0 ? f->ids + f->next_id : NULL;
	*rids = *n_rids > 0 ? f->rids + f->next_rid : NULL;
	f->next_id += *n_ids;
	f->next_rid += *n_rids;
}

void jb_found_fini(struct jb_found *f)
{
	free(f->ids);
	free(f->rids);
	*f = (struct jb_found){0};
}
