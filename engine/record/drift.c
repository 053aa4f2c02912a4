/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a patrol does is written by the recorder: how far it is, and how many
 * changes it found that no event had told. */
#include "engine/record/recorder_priv.h"

void jb_drift_note(struct jb_record_root *root, unsigned dirty)
{
	if ((dirty & JB_DIRTY_WHO) == JB_DIRTY_PATROL && !jb_gaps_is_open(root))
		root->found++;
}

int jb_drift_write(struct jb_recorder *r, struct jb_error *err)
{
	int rv = JB_OK;

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++) {
		struct jb_record_root *root = &r->roots[i];
		struct jb_patrol_row row;
		bool told;

		pthread_mutex_lock(&r->mutex);
		told = r->mail[i].patrolled;
		r->mail[i].patrolled = false;
		row = r->mail[i].patrol;
		pthread_mutex_unlock(&r->mutex);
		if (told)
			rv = jb_patrol_row_write(r->store, root->root->id, &row,
						 err);
		if (rv != JB_OK || root->found == 0)
			continue;
		rv = jb_patrol_row_add_drift(r->store, root->root->id,
					     root->found, r->now_us, err);
		root->drift += root->found;
		root->found = 0;
		r->wrote = true;
	}
	return rv;
}
