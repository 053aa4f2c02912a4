/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/local_making.h"

#include "transports/local_attrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int jb_local_hand_init(struct jb_local_hand *h, struct jb_local *l)
{
	h->local = l;
	jb_dirs_init(&h->from, &l->source);
	jb_dirs_init(&h->to, &l->top);
	jb_dirs_init(&h->near, &l->top);
	h->buffer = malloc(2 * JB_COPY_BUFFER);
	return h->buffer == NULL ? -ENOMEM : 0;
}

void jb_local_hand_fini(struct jb_local_hand *h)
{
	jb_dirs_fini(&h->from);
	jb_dirs_fini(&h->to);
	jb_dirs_fini(&h->near);
	free(h->buffer);
	h->buffer = NULL;
}

enum jb_outcome jb_making_fail_source(struct jb_making *m, int rv)
{
	return jb_local_fail_source(&m->w->err, -rv, &m->h->local->source,
				    m->w->from);
}

enum jb_outcome jb_making_fail_target(struct jb_making *m, int rv,
				      const char *what)
{
	if (rv == -ECANCELED)
		return jb_local_fail_words(&m->w->err, JB_OUTCOME_SKIPPED,
					   &m->h->local->top, m->w->to,
					   "stopped");
	return jb_local_fail(m->h->local, m->w->to, -rv, what, &m->w->err);
}

enum jb_outcome jb_making_say(struct jb_making *m, enum jb_outcome outcome,
			      const char *words)
{
	return jb_local_fail_words(&m->w->err, outcome, &m->h->local->source,
				   m->w->from, words);
}

bool jb_making_is_same(const struct jb_object *a, const struct jb_object *b)
{
	return a->ino == b->ino && a->birth == b->birth && a->size == b->size &&
	       a->mtime == b->mtime && a->ctime == b->ctime;
}

/* Find the source's entry and make sure that it is the one of the plan. */
enum jb_outcome jb_making_find(struct jb_making *m)
{
	struct jb_work *w = m->w;
	int rv;

	m->from_dir = jb_dirs_get(&m->h->from, w->from.dir);
	if (m->from_dir < 0)
		return jb_making_fail_source(m, m->from_dir);
	rv = jb_tree_look(m->from_dir, w->from.name, &w->source);
	if (rv < 0)
		return jb_making_fail_source(m, rv);
	if (w->mount && S_ISDIR(w->source.mode))
		return JB_OUTCOME_DONE;
	if (w->source.ino != w->ino || w->source.birth != w->birth ||
	    (w->source.mode & S_IFMT) != (w->mode & S_IFMT))
		return jb_making_say(m, JB_OUTCOME_MOVED,
				     "another entry has this name now");
	return JB_OUTCOME_DONE;
}

/* Did the source stay as it was when it was found? */
enum jb_outcome jb_making_check(struct jb_making *m, const char *name)
{
	struct jb_object now;
	int rv;

	if (m->is_proved)
		return JB_OUTCOME_DONE;
	rv = jb_tree_look(m->from >= 0 ? m->from : m->from_dir, name, &now);
	if (rv < 0)
		return jb_making_fail_source(m, rv);
	if (now.ino != m->w->source.ino || now.birth != m->w->source.birth)
		return jb_making_say(m, JB_OUTCOME_MOVED,
				     "another entry has this name now");
	if (!jb_making_is_same(&now, &m->w->source))
		return jb_making_say(m, JB_OUTCOME_TORN,
				     "changed while it was copied");
	return JB_OUTCOME_DONE;
}

enum jb_outcome jb_making_attrs(struct jb_making *m, bool fresh)
{
	struct jb_work *w = m->w;
	bool is_path = !S_ISREG(w->source.mode) || !fresh;
	struct jb_object now, source = w->source;
	struct jb_attrs a = {
		.preserve = m->h->local->preserve,
		.umask = m->h->local->umask,
		.from = {m->from, is_path},
		.to = {m->to, is_path},
		.source = &source,
		.target = &now,
		.fresh = fresh,
	};
	int rv;

	/* a new directory is still to be filled; attrs() comes after that */
	if (fresh && S_ISDIR(source.mode))
		source.mode |= S_IRWXU;
	rv = jb_tree_look(m->to, "", &now);
	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	rv = jb_attrs_apply(&a);
	w->partial = a.partial;
	if (a.partial)
		jb_error_set(&w->err, JB_ENOTSUP, 0, "%s", a.what);
	if (rv < 0)
		return a.at_source ? jb_making_fail_source(m, rv)
				   : jb_making_fail_target(m, rv, a.what);
	return JB_OUTCOME_DONE;
}

void jb_making_close(struct jb_making *m)
{
	if (m->from >= 0)
		close(m->from);
	if (m->to >= 0)
		close(m->to);
	if (m->old >= 0)
		close(m->old);
	m->from = m->to = m->old = -1;
}

void jb_making_drop(struct jb_making *m)
{
	if (m->is_named)
		unlinkat(m->to_dir, m->w->to.name,
			 S_ISDIR(m->w->mode) ? AT_REMOVEDIR : 0);
	m->is_named = false;
}
