/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/record/detached.h"

#include <stdlib.h>
#include <string.h>

#define START_INOS 256u
#define MAX_INOS   (1u << 20)

void jb_detached_init(struct jb_detached *d)
{
	memset(d, 0, sizeof *d);
}

static void drop_groups(struct jb_detached *d)
{
	for (size_t i = 0; i < d->n_groups; i++)
		jb_mark_unref(d->groups[i].mark);
	d->n_groups = 0;
}

void jb_detached_fini(struct jb_detached *d)
{
	drop_groups(d);
	free(d->groups);
	free(d->inos);
	memset(d, 0, sizeof *d);
}

void jb_detached_reset(struct jb_detached *d)
{
	free(d->inos);
	d->inos = NULL;
	d->n_inos = d->size_inos = 0;
	d->inexact = false;
	d->count = 0;
	drop_groups(d);
}

static size_t slot_of(const struct jb_detached *d, uint64_t ino)
{
	size_t i = (size_t)((ino * 0x9e3779b97f4a7c15u) >> 20);

	for (;; i++) {
		i &= d->size_inos - 1;
		if (d->inos[i] == 0 || d->inos[i] == ino)
			return i;
	}
}

static bool grow(struct jb_detached *d)
{
	size_t size = d->size_inos != 0 ? d->size_inos * 2 : START_INOS;
	size_t old_size = d->size_inos;
	uint64_t *old = d->inos;

	if (size > MAX_INOS * 2)
		return false;
	d->inos = calloc(size, sizeof *d->inos);
	if (d->inos == NULL) {
		d->inos = old;
		return false;
	}
	d->size_inos = size;
	for (size_t i = 0; i < old_size; i++)
		if (old[i] != 0)
			d->inos[slot_of(d, old[i])] = old[i];
	free(old);
	return true;
}

void jb_detached_note(struct jb_detached *d, uint64_t ino)
{
	size_t i;

	d->count++;
	if (d->inexact || ino == 0)
		return;
	if (d->n_inos * 2 >= d->size_inos && !grow(d)) {
		d->inexact = true;
		return;
	}
	i = slot_of(d, ino);
	if (d->inos[i] == 0) {
		d->inos[i] = ino;
		d->n_inos++;
	}
}

bool jb_detached_may_hold(const struct jb_detached *d, uint64_t ino)
{
	if (d->inexact)
		return true;
	if (d->n_inos == 0 || ino == 0)
		return false;
	return d->inos[slot_of(d, ino)] == ino;
}

int jb_detached_group_add(struct jb_detached *d, uint64_t batch, int64_t upto,
			  struct jb_error *err)
{
	if (d->n_groups == d->cap_groups) {
		size_t cap = d->cap_groups != 0 ? d->cap_groups * 2 : 8;
		void *v = reallocarray(d->groups, cap, sizeof *d->groups);

		if (v == NULL)
			return jb_error_set(err, JB_ENOMEM, 0, "detached");
		d->groups = v;
		d->cap_groups = cap;
	}
	d->groups[d->n_groups++] =
		(struct jb_detached_group){.batch = batch, .upto = upto};
	return JB_OK;
}

int jb_detached_regroup(struct jb_detached *d, uint64_t batch, int64_t upto,
			struct jb_error *err)
{
	drop_groups(d);
	d->passed = 0;
	return jb_detached_group_add(d, batch, upto, err);
}

void jb_detached_advance(struct jb_detached *d, const struct jb_dirty *set,
			 uint64_t oldest_left)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_groups; i++) {
		bool passed =
			jb_mark_passed(d->groups[i].mark, set, oldest_left);

		if (!passed || n < i)
			continue; /* in their order */
		d->passed = d->groups[i].upto;
		jb_mark_unref(d->groups[i].mark);
		n++;
	}
	if (n == 0)
		return;
	d->n_groups -= n;
	memmove(d->groups, d->groups + n, d->n_groups * sizeof *d->groups);
}
