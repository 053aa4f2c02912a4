/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the places that differ has no event told of? Their rows are kept as
 * they were; after a barrier, who told of them has changed them.
 *
 * A barrier is not enough for what was changed just now: a write sets the times
 * when it begins and is told of when it ends, and whoever makes, moves or
 * deletes a name may be kept waiting by the system before he comes to tell. So
 * a difference that is young is looked at again, after a second barrier, when
 * it is old. */
#include "engine/scan/patrol_priv.h"

#include "engine/base/clock.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONG_DELAY_US  INT64_C(10000000)
#define SHORT_DELAY_US INT64_C(1000000)

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

/* Is it still there, or still not? What came or went since then has an event
 * that may not have been read. */
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
	return s->was_there && jb_id_equal(live.id, s->live_id);
}

/* Has nobody touched the row since? 1, 0 or an error. */
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

/* After a barrier: keep those that no event read until now told of. */
static int sift(struct jb_patrolman *m, struct jb_error *err)
{
	bool inside = m->patrol->at != NULL; /* only we set it */
	size_t kept = 0;
	int rv = wait_for_barrier(m->patrol, err);

	if (rv == JB_OK && !jb_patrol_enter(m->patrol, m->walk.root))
		rv = JB_ECANCELED;
	for (size_t i = 0; i < m->n && rv >= 0; i++) {
		rv = is_drift(m, &m->suspects[i], err);
		if (rv > 0)
			m->suspects[kept++] = m->suspects[i];
	}
	if (!inside)
		jb_patrol_leave(m->patrol);
	m->n = rv >= 0 ? kept : 0;
	return rv < 0 ? rv : JB_OK;
}

/* How long may an event come after what it tells of can be seen? No longer
 * than this, us, and no longer than is right for the length of a round. */
static int64_t longest_delay(const struct jb_root *root)
{
	int64_t delay = (int64_t)root->config->patrol_us / 10;

	if (delay < SHORT_DELAY_US)
		return SHORT_DELAY_US;
	return delay < LONG_DELAY_US ? delay : LONG_DELAY_US;
}

/* Until the event of each would have come. */
static int wait_for_events(struct jb_patrolman *m, struct jb_error *err)
{
	int64_t delay = longest_delay(m->walk.root), wait = 0, age;

	for (size_t i = 0; i < m->n; i++) {
		age = (m->suspects[i].seen - m->suspects[i].changed) / 1000;
		age = age < 0 ? 0 : age;
		if (delay - age > wait)
			wait = delay - age;
	}
	if (wait == 0)
		return JB_OK;
	m->waited_us += wait;
	if (!jb_patrol_wait(m->patrol, m->walk.root,
			    jb_clock_us(CLOCK_MONOTONIC) + wait))
		return JB_ECANCELED;
	return sift(m, err);
}

int jb_patrol_send(void *arg, struct jb_walk_places *places,
		   struct jb_error *err)
{
	struct jb_patrolman *m = arg;

	if (!jb_scan_credits_take(m->patrol->credits))
		return JB_OK; /* it is stopping */
	return jb_intake_mark_places(m->patrol->intake, places->bytes,
				     places->size, true, err);
}

int jb_patrol_settle(struct jb_patrolman *m, struct jb_error *err)
{
	int rv = JB_OK;

	if (m->n > 0)
		rv = sift(m, err);
	if (rv == JB_OK)
		rv = wait_for_events(m, err);
	for (size_t i = 0; i < m->n && rv == JB_OK; i++)
		rv = jb_walk_mark(&m->walk, m->suspects[i].dir,
				  m->suspects[i].name, m->suspects[i].len, err);
	m->n = 0;
	return rv == JB_OK ? jb_walk_flush(&m->walk, err) : rv;
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
				 .was_there = live != NULL,
				 .seen = jb_look_clock()};
	memcpy(s->name, name, len);
	if (row != NULL) {
		s->id = row->id;
		s->facts = row->facts;
	}
	if (live != NULL) {
		s->live_id = live->id;
		s->changed = live->facts.ctime;
	} else {
		s->changed = s->seen; /* who knows */
	}
	return JB_OK;
}
