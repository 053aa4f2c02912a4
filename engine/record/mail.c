/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What other threads tell the recorder, and what they may ask: under the mutex.
 * The recorder reads it at the start of its next batch. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>

void jb_recorder_scan_ended(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->mail[root->index].scan_ended = true;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_owe_scan(struct jb_recorder *r, const struct jb_root *root,
			  const char *reason)
{
	pthread_mutex_lock(&r->mutex);
	r->mail[root->index].owed_reason = reason;
	pthread_mutex_unlock(&r->mutex);
}

int jb_recorder_retain(struct jb_recorder *r,
		       const struct jb_retain_order *order, void *waiting,
		       struct jb_error *err)
{
	return jb_upkeep_take(&r->upkeep, order, waiting, err);
}

int jb_recorder_look_at_path(struct jb_recorder *r, const struct jb_root *root,
			     const char *path, struct jb_error *err)
{
	size_t len = strlen(path) + 1;
	struct jb_wanted_path *p = malloc(sizeof *p + len);

	if (p == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "path");
	p->root = root->index;
	memcpy(p->path, path, len);
	pthread_mutex_lock(&r->mutex);
	p->next = r->paths;
	r->paths = p;
	pthread_mutex_unlock(&r->mutex);
	return JB_OK;
}

void jb_recorder_lose_root(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->mail[root->index].lost = true;
	r->mail[root->index].back = false;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_release_root(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->mail[root->index].let_go = true;
	r->mail[root->index].back = false;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_root_back(struct jb_recorder *r, const struct jb_root *root)
{
	pthread_mutex_lock(&r->mutex);
	r->mail[root->index].back = true;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_patrolled(struct jb_recorder *r, const struct jb_root *root,
			   const struct jb_patrol_row *row)
{
	pthread_mutex_lock(&r->mutex);
	r->mail[root->index].patrol = *row;
	r->mail[root->index].patrolled = true;
	pthread_mutex_unlock(&r->mutex);
}

void jb_recorder_status(struct jb_recorder *r, const struct jb_root *root,
			struct jb_recorder_status *ret)
{
	pthread_mutex_lock(&r->mutex);
	*ret = r->mail[root->index].status;
	pthread_mutex_unlock(&r->mutex);
}

int64_t jb_recorder_last_seq(struct jb_recorder *r)
{
	int64_t seq;

	pthread_mutex_lock(&r->mutex);
	seq = r->last_seq;
	pthread_mutex_unlock(&r->mutex);
	return seq;
}

int64_t jb_recorder_names(struct jb_recorder *r)
{
	int64_t names;

	pthread_mutex_lock(&r->mutex);
	names = r->names;
	pthread_mutex_unlock(&r->mutex);
	return names;
}
