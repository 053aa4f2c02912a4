/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `flush`: a mark is passed, then no gap is open, then whoever is detached at
 * that moment is settled. */
#include "engine/record/recorder_priv.h"

#include <stdlib.h>

static bool any_gap(const struct jb_recorder *r)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++)
		if (jb_gaps_is_open(&r->roots[i]) && !r->roots[i].lost)
			return true;
	return false;
}

static bool is_detached(struct jb_recorder *r, int64_t from, int64_t upto)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		if (r->roots[i].lost || r->roots[i].detached.count == 0)
			continue;
		if (jb_catalog_detached(r->catalog, r->roots[i].root->id,
					from - 1, upto, 1, &r->below,
					NULL) != JB_OK ||
		    r->below.n > 0)
			return true;
	}
	return false;
}

static bool flush_done(struct jb_recorder *r, struct jb_flush *f)
{
	if (!f->captured) {
		if (!jb_mark_passed(f->mark, r->set,
				    jb_recorder_oldest_left(r)) ||
		    any_gap(r))
			return false;
		f->captured = true;
		f->upto = r->next_det - 1;
	}
	if (is_detached(r, 1, f->upto))
		return false;
	for (size_t i = 0; i < f->n_renewed; i++)
		if (is_detached(r, f->renewed[i], f->renewed[i]))
			return false;
	return true;
}

static void free_flush(struct jb_flush *f)
{
	jb_mark_unref(f->mark);
	free(f->renewed);
	free(f);
}

void jb_flushes_settle(struct jb_recorder *r)
{
	struct jb_flush **p = &r->flushes, *f;

	while ((f = *p) != NULL) {
		if (!flush_done(r, f)) {
			p = &f->next;
			continue;
		}
		*p = f->next;
		r->events.flushed(r->events.arg, f->user,
				  jb_changes_last(r->changes));
		free_flush(f);
	}
}

void jb_flushes_take(struct jb_recorder *r)
{
	struct jb_flush *f, *next;

	pthread_mutex_lock(&r->mutex);
	f = r->new_flushes;
	r->new_flushes = NULL;
	pthread_mutex_unlock(&r->mutex);
	for (; f != NULL; f = next) {
		next = f->next;
		f->next = r->flushes;
		r->flushes = f;
	}
}

bool jb_flushes_want_set(struct jb_recorder *r)
{
	for (struct jb_flush *f = r->flushes; f != NULL; f = f->next)
		if (!f->captured &&
		    !jb_mark_passed(f->mark, r->set, UINT64_MAX))
			return true;
	return false;
}

void jb_flushes_drop(struct jb_recorder *r)
{
	struct jb_flush *f;

	jb_flushes_take(r);
	while ((f = r->flushes) != NULL) {
		r->flushes = f->next;
		free_flush(f);
	}
}

int jb_recorder_flush(struct jb_recorder *r, struct jb_mark *mark, void *flush,
		      struct jb_error *err)
{
	struct jb_flush *f = calloc(1, sizeof *f);

	if (f == NULL) {
		jb_mark_unref(mark);
		return jb_error_set(err, JB_ENOMEM, 0, "flush");
	}
	f->mark = mark;
	f->user = flush;
	pthread_mutex_lock(&r->mutex);
	f->next = r->new_flushes;
	r->new_flushes = f;
	pthread_mutex_unlock(&r->mutex);
	return JB_OK;
}
