/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/compare_priv.h"

#define SNAPSHOT 1000 /* rows of the catalog in one */

static void *list_target(void *arg)
{
	struct jb_compare_lister *l = arg;
	struct jb_compare *c = l->compare;
	struct jb_compare_turn *t;
	size_t i;

	l->rv = JB_OK;
	while (l->rv == JB_OK &&
	       (i = atomic_fetch_add(&c->next_listed, 1)) < c->n_turns) {
		t = &c->turns[i];
		if (t->there != NULL)
			l->rv = jb_listed_read_target(&t->listed, &l->arena,
						      c->target, t->there,
						      &l->err);
	}
	return NULL;
}

/* No snapshot is held for long. */
static int read_catalog(struct jb_compare *c, struct jb_error *err)
{
	size_t left = SNAPSHOT, n, i = 0;
	int rv = c->view->ops->begin(c->view, err);

	if (rv != JB_OK)
		return rv;
	while (i < c->n_turns) {
		rv = jb_listed_read_catalog(&c->turns[i].listed, &c->arena,
					    c->view, left, &n, err);
		if (rv != JB_OK)
			break;
		if (n < left) {
			left -= n;
			i++;
			continue;
		}
		c->view->ops->end(c->view);
		left = SNAPSHOT;
		rv = c->view->ops->begin(c->view, err);
		if (rv != JB_OK)
			return rv;
	}
	c->view->ops->end(c->view);
	return rv;
}

static int read_replica(struct jb_compare *c, struct jb_error *err)
{
	int rv = JB_OK;

	for (size_t i = 0; i < c->n_turns && rv == JB_OK; i++)
		if (!c->turns[i].is_new)
			rv = jb_listed_read_replica(&c->turns[i].listed,
						    &c->arena, c->replica, err);
	return rv;
}

static void start_listing(struct jb_compare *c)
{
	struct jb_compare_lister *l;

	atomic_store(&c->next_listed, 0);
	for (unsigned i = 1; i < c->n_listers; i++) {
		l = &c->listers[i];
		l->rv = JB_OK;
		l->is_thread =
			i < c->n_turns + 1 &&
			pthread_create(&l->thread, NULL, list_target, l) == 0;
	}
}

/* What is left is listed here, by the first lister. */
static int end_listing(struct jb_compare *c, struct jb_error *err)
{
	struct jb_compare_lister *l;
	int rv = JB_OK;

	list_target(&c->listers[0]);
	for (unsigned i = 0; i < c->n_listers; i++) {
		l = &c->listers[i];
		if (l->is_thread)
			pthread_join(l->thread, NULL);
		if (l->rv != JB_OK && rv == JB_OK) {
			rv = l->rv;
			if (err != NULL)
				*err = l->err;
		}
	}
	return rv;
}

int jb_compare_read(struct jb_compare *c, struct jb_error *err)
{
	int rv, listed;

	start_listing(c);
	rv = read_catalog(c, err);
	if (rv == JB_OK)
		rv = read_replica(c, err);
	listed = end_listing(c, rv == JB_OK ? err : NULL);
	return rv == JB_OK ? listed : rv;
}
