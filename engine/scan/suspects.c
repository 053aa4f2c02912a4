/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the places that differ has no event told of? Their rows are kept as
 * they were; after a barrier, who told of them has changed them. What is
 * there is kept, too: where it changed meanwhile, events will tell. */
#include "engine/scan/patrol_priv.h"

#include <string.h>
#include <unistd.h>

/* Until all that was queued now is in the journal. */
static int wait_for_barrier(struct jb_patrol *p, struct jb_error *err)
{
	struct jb_mark *mark = jb_mark_new();
	bool stopping;
	int rv;

	if (mark == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "patrol");
	pthread_mutex_lock(&p->mutex);
	p->flushed = false;
	pthread_mutex_unlock(&p->mutex);
	rv = jb_intake_ask(p->intake, mark, err);
	if (rv != JB_OK) {
		jb_mark_unref(mark);
		return rv;
	}
	rv = jb_recorder_flush(p->recorder, mark, p, err);
	if (rv == JB_OK)
		rv = jb_intake_poke(p->intake, err);
	pthread_mutex_lock(&p->mutex);
	while (rv == JB_OK && !p->flushed && !p->stopping)
		pthread_cond_wait(&p->cond, &p->mutex);
	stopping = p->stopping;
	pthread_mutex_unlock(&p->mutex);
	if (rv == JB_OK && stopping)
		return jb_error_set(err, JB_ECANCELED, 0, "patrol");
	return rv;
}

static bool is_same_row(const struct jb_suspect *s, const struct jb_entry *row)
{
	return jb_id_equal(s->id, row->id) &&
	       memcmp(&s->facts, &row->facts, sizeof s->facts) == 0;
}

/* Is it still what was seen? Who changes it now has an event that may not have
 * been read. */
static bool is_same_live(struct jb_patrolman *m, const struct jb_suspect *s)
{
	struct jb_look live;
	struct jb_dir dir;
	int fd = -1, rv;

	if (jb_catalog_dir(m->catalog, s->dir, &dir, NULL) > 0)
		fd = jb_walk_open(&m->walk, &dir);
	if (fd < 0)
		return false;
	rv = jb_look_at(fd, s->name, &live, NULL);
	close(fd);
	if (rv <= 0)
		return rv == 0 && !s->was_there;
	return s->was_there && jb_id_equal(live.id, s->live_id) &&
	       memcmp(&live.facts, &s->live, sizeof s->live) == 0;
}

/* Has nobody touched the row since, nor what is there? 1, 0 or an error. */
static int is_drift(struct jb_patrolman *m, const struct jb_suspect *s,
		    struct jb_error *err)
{
	struct jb_entry row;
	int rv = jb_catalog_get(m->catalog, s->dir, s->name, s->len, &row, err);

	if (rv < 0)
		return rv;
	if (rv == 0 ? s->had_row : !s->had_row || !is_same_row(s, &row))
		return 0;
	return is_same_live(m, s);
}

static int send_places(struct jb_patrolman *m, struct jb_error *err)
{
	struct jb_walk_places *places = &m->walk.places;
	int rv = JB_OK;

	if (places->size == 0)
		return JB_OK;
	if (jb_scan_credits_take(m->patrol->credits))
		rv = jb_intake_mark_places(m->patrol->intake, places->bytes,
					   places->size, true, err);
	places->size = 0;
	return rv;
}

static int mark(struct jb_patrolman *m, const struct jb_suspect *s,
		struct jb_error *err)
{
	struct jb_walk_places *places = &m->walk.places;
	int rv = JB_OK;

	if (places->size + sizeof s->dir + 1 + s->len > sizeof places->bytes)
		rv = send_places(m, err);
	memcpy(places->bytes + places->size, &s->dir, sizeof s->dir);
	places->size += sizeof s->dir;
	places->bytes[places->size++] = (uint8_t)s->len;
	memcpy(places->bytes + places->size, s->name, s->len);
	places->size += s->len;
	return rv;
}

int jb_patrol_settle(struct jb_patrolman *m, struct jb_error *err)
{
	bool inside = m->patrol->at != NULL; /* only we set it */
	int rv = JB_OK;

	if (m->n == 0)
		return JB_OK;
	rv = wait_for_barrier(m->patrol, err);
	if (rv == JB_OK && !jb_patrol_enter(m->patrol, m->walk.root))
		rv = JB_ECANCELED;
	for (size_t i = 0; i < m->n && rv == JB_OK; i++) {
		rv = is_drift(m, &m->suspects[i], err);
		if (rv > 0)
			rv = mark(m, &m->suspects[i], err);
	}
	if (!inside)
		jb_patrol_leave(m->patrol);
	m->n = 0;
	return rv == JB_OK ? send_places(m, err) : rv;
}

int jb_patrol_found(void *arg, uint64_t dir, const char *name, size_t len,
		    const struct jb_entry *row, const struct jb_look *live,
		    struct jb_error *err)
{
	struct jb_patrolman *m = arg;
	struct jb_suspect *s;
	int rv = m->n == JB_SUSPECTS ? jb_patrol_settle(m, err) : JB_OK;

	if (rv != JB_OK || len > JB_NAME_MAX)
		return rv;
	s = &m->suspects[m->n++];
	*s = (struct jb_suspect){.dir = dir,
				 .len = len,
				 .had_row = row != NULL,
				 .was_there = live != NULL};
	memcpy(s->name, name, len);
	if (row != NULL) {
		s->id = row->id;
		s->facts = row->facts;
	}
	if (live != NULL) {
		s->live_id = live->id;
		s->live = live->facts;
	}
	return JB_OK;
}
