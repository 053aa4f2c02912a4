/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Happy path: the thread sleeps until the next page of some root is due ->
 * compares its directories, and keeps what differs with the row as it was ->
 * waits for a barrier -> marks those places whose row is still the same ->
 * tells the recorder how far it is.
 *
 * Failure: a page that can't be read is logged and left for the next round. */
#include "engine/scan/patrol_priv.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE_DIRS   16
#define DUTY	    9 /* rest as many times as long as a page took */
#define WAIT_US	    INT64_C(1000000) /* while a gap is open */
#define US_PER_S    INT64_C(1000000)
#define LOWEST	    19
#define IOPRIO_ME   1
#define IOPRIO_IDLE (3 << 13)

static const char SQL_DIRS[] =
	"SELECT dirkey FROM dir WHERE dirkey > ?1 AND root = ?2 AND det = 0"
	" ORDER BY dirkey LIMIT ?3";
static const char SQL_COUNT[] =
	"SELECT count(*) FILTER (WHERE dirkey <= ?2), count(*) FROM dir"
	" WHERE root = ?1";

struct jb_patrol_beat {
	struct jb_root *root; /* borrowed; NULL: no patrol */
	struct jb_patrol_row row;
	uint64_t done, total;
	int64_t due; /* us */
};

/* ---- a page */

static int take_page(struct jb_patrolman *m, const struct jb_patrol_beat *b,
		     uint64_t keys[PAGE_DIRS], size_t *n, struct jb_error *err)
{
	int rv;

	*n = 0;
	sqlite3_bind_int64(m->dirs, 1, (int64_t)b->row.at);
	sqlite3_bind_int64(m->dirs, 2, b->root->id);
	sqlite3_bind_int64(m->dirs, 3, PAGE_DIRS);
	while ((rv = jb_store_step(m->store, m->dirs, err)) > 0)
		keys[(*n)++] = (uint64_t)sqlite3_column_int64(m->dirs, 0);
	return rv;
}

static int count_dirs(struct jb_patrolman *m, struct jb_patrol_beat *b,
		      struct jb_error *err)
{
	int rv;

	sqlite3_bind_int64(m->count, 1, b->root->id);
	sqlite3_bind_int64(m->count, 2, (int64_t)b->row.at);
	rv = jb_store_step(m->store, m->count, err);
	if (rv <= 0)
		return rv;
	b->done = (uint64_t)sqlite3_column_int64(m->count, 0);
	b->total = (uint64_t)sqlite3_column_int64(m->count, 1);
	sqlite3_reset(m->count);
	return JB_OK;
}

static int compare_dir(struct jb_patrolman *m, uint64_t key,
		       struct jb_error *err)
{
	struct jb_dir dir;
	int fd, rv;

	jb_catalog_reset(m->catalog); /* it caches; others write */
	rv = jb_catalog_dir(m->catalog, key, &dir, err);
	if (rv <= 0 || dir.det != 0)
		return rv < 0 ? rv : JB_OK;
	fd = jb_walk_open(&m->walk, &dir);
	rv = jb_walk_compare(&m->walk, &dir, fd, err);
	if (fd >= 0)
		close(fd);
	return rv;
}

/* Does a scan do this, or is there nothing to look at? */
static bool has_to_wait(struct jb_patrolman *m, const struct jb_patrol_beat *b)
{
	struct jb_recorder_status st;

	jb_recorder_status(m->patrol->recorder, b->root, &st);
	return st.gap_open || st.scanning || st.no_room || st.complete_ns == 0;
}

static bool is_kept_out(struct jb_patrol *p, const struct jb_root *root)
{
	bool is;

	pthread_mutex_lock(&p->mutex);
	is = p->kept_out[root->index];
	pthread_mutex_unlock(&p->mutex);
	return is;
}

static void begin_round(struct jb_patrolman *m, struct jb_patrol_beat *b)
{
	struct jb_error err;

	b->row.began = jb_clock_us(CLOCK_REALTIME);
	b->row.at = 0;
	if (count_dirs(m, b, &err) != JB_OK)
		jb_log_warning("patrol: %s", err.text);
}

static void tell(struct jb_patrolman *m, const struct jb_patrol_beat *b)
{
	struct jb_patrol *p = m->patrol;

	pthread_mutex_lock(&p->mutex);
	p->progress[b->root->index] = (struct jb_patrol_progress){
		.row = b->row, .done = b->done, .total = b->total};
	pthread_mutex_unlock(&p->mutex);
	jb_recorder_patrolled(p->recorder, b->root, &b->row);
	jb_intake_poke(p->intake, NULL);
}

/* When is the next page due? The rest of the round is spread over the rest of
 * the time; a round that is late works a tenth of the time. */
static void plan_next(struct jb_patrol_beat *b, int64_t took)
{
	int64_t now = jb_clock_us(CLOCK_REALTIME), rest = took * DUTY;
	int64_t end = b->row.began + (int64_t)b->root->config->patrol_us;
	uint64_t left =
		b->total > b->done ? (b->total - b->done) / PAGE_DIRS + 1 : 1;
	int64_t spread = (end - now) / (int64_t)left;

	if (b->row.began > now) /* the clock was set back */
		spread = rest;
	b->due = jb_clock_us(CLOCK_MONOTONIC) + (spread > rest ? spread : rest);
}

bool jb_patrol_enter(struct jb_patrol *p, const struct jb_root *root)
{
	bool may;

	pthread_mutex_lock(&p->mutex);
	may = !p->kept_out[root->index];
	p->at = may ? root : NULL;
	pthread_mutex_unlock(&p->mutex);
	return may;
}

void jb_patrol_leave(struct jb_patrol *p)
{
	jb_patrol_left_fn *left;

	pthread_mutex_lock(&p->mutex);
	p->at = NULL;
	left = p->left;
	pthread_mutex_unlock(&p->mutex);
	if (left != NULL)
		left(p->left_arg);
}

/* The first page of a round waits for nothing: a tree of a few directories is
 * done at once, then rests. */
static int walk_page(struct jb_patrolman *m, struct jb_patrol_beat *b,
		     struct jb_error *err)
{
	uint64_t keys[PAGE_DIRS];
	size_t n;
	int rv = take_page(m, b, keys, &n, err);

	m->walk.root = b->root;
	m->waited_us = 0;
	for (size_t i = 0; i < n && rv == JB_OK; i++)
		rv = jb_patrol_enter(m->patrol, b->root)
			     ? compare_dir(m, keys[i], err)
			     : JB_ECANCELED;
	jb_patrol_leave(m->patrol);
	if (rv == JB_OK)
		rv = jb_patrol_settle(m, err);
	m->n = m->walk.places.size = 0;
	if (rv == JB_ECANCELED)
		return rv;
	if (n > 0)
		b->row.at = keys[n - 1];
	b->done += n;
	if (n < PAGE_DIRS) {
		b->row.ended = jb_clock_us(CLOCK_REALTIME);
		b->row.at = INT64_MAX; /* until the next one begins */
		b->done = b->total;
	}
	return rv;
}

static void do_beat(struct jb_patrolman *m, struct jb_patrol_beat *b)
{
	int64_t start = jb_clock_us(CLOCK_MONOTONIC);
	struct jb_error err;
	int rv;

	if (has_to_wait(m, b) || is_kept_out(m->patrol, b->root)) {
		b->due = start + WAIT_US;
		return;
	}
	if (b->row.began == 0 || b->row.at == INT64_MAX)
		begin_round(m, b);
	rv = walk_page(m, b, &err);
	if (rv == JB_ECANCELED)
		return;
	if (rv != JB_OK)
		jb_log_warning("root '%s': patrol: %s", b->root->config->name,
			       err.text);
	plan_next(b, jb_clock_us(CLOCK_MONOTONIC) - start - m->waited_us);
	tell(m, b);
}

/* ---- the thread */

static bool is_stopping(struct jb_patrol *p)
{
	bool stopping;

	pthread_mutex_lock(&p->mutex);
	stopping = p->stopping;
	pthread_mutex_unlock(&p->mutex);
	return stopping;
}

static int open_patrolman(struct jb_patrolman *m, struct jb_error *err)
{
	int rv = jb_store_open(m->patrol->state_dir, JB_STORE_READ, &m->store,
			       err);

	if (rv == JB_OK)
		rv = jb_catalog_open(m->store, &m->catalog, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(m->store, SQL_DIRS, &m->dirs, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(m->store, SQL_COUNT, &m->count, err);
	m->walk.catalog = m->catalog;
	m->walk.complete = INT64_MAX; /* doubt is for gaps */
	m->walk.found = jb_patrol_found;
	m->walk.full = jb_patrol_send;
	m->walk.arg = m;
	return rv;
}

static void close_patrolman(struct jb_patrolman *m)
{
	jb_walk_fini(&m->walk);
	sqlite3_finalize(m->dirs);
	sqlite3_finalize(m->count);
	jb_catalog_close(m->catalog);
	jb_store_close(m->store);
	free(m);
}

/* Where each root's round was. */
static int load_beats(struct jb_patrolman *m, struct jb_error *err)
{
	struct jb_patrol *p = m->patrol;
	int rv = JB_OK;

	for (unsigned i = 0; i < p->n_roots && rv == JB_OK; i++) {
		struct jb_patrol_beat *b = &p->beats[i];

		if (p->roots[i].config->patrol_us == 0)
			continue;
		b->root = &p->roots[i];
		rv = jb_patrol_row_read(m->store, b->root->id, &b->row, err);
		if (rv == JB_OK)
			rv = count_dirs(m, b, err);
		if (b->row.began != 0)
			plan_next(b, 0);
		pthread_mutex_lock(&p->mutex);
		p->progress[i] = (struct jb_patrol_progress){.row = b->row,
							     .done = b->done,
							     .total = b->total};
		pthread_mutex_unlock(&p->mutex);
	}
	return rv;
}

static struct jb_patrol_beat *find_next(struct jb_patrol *p)
{
	struct jb_patrol_beat *next = NULL;

	for (unsigned i = 0; i < p->n_roots; i++)
		if (p->beats[i].root != NULL &&
		    (next == NULL || p->beats[i].due < next->due))
			next = &p->beats[i];
	return next;
}

bool jb_patrol_wait(struct jb_patrol *p, const struct jb_root *root,
		    int64_t due)
{
	struct timespec at = {.tv_sec = due / US_PER_S,
			      .tv_nsec = due % US_PER_S * 1000};
	bool go;

	pthread_mutex_lock(&p->mutex);
	do {
		go = !p->stopping &&
		     (root == NULL || !p->kept_out[root->index]);
	} while (go &&
		 pthread_cond_timedwait(&p->cond, &p->mutex, &at) != ETIMEDOUT);
	pthread_mutex_unlock(&p->mutex);
	return go;
}

static void *run(void *arg)
{
	struct jb_patrolman *m = arg;
	struct jb_patrol *p = m->patrol;
	struct jb_patrol_beat *next;
	struct jb_error err;
	int rv;

	setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST);
	syscall(SYS_ioprio_set, IOPRIO_ME, 0, IOPRIO_IDLE);
	rv = open_patrolman(m, &err);
	if (rv == JB_OK)
		rv = load_beats(m, &err);
	if (rv != JB_OK)
		jb_log_error("patrol: %s", err.text);
	while (rv == JB_OK && !is_stopping(p)) {
		next = find_next(p);
		if (next == NULL || !jb_patrol_wait(p, NULL, next->due))
			break;
		do_beat(m, next);
	}
	close_patrolman(m);
	return NULL;
}

/* ---- life */

int jb_patrol_init(struct jb_patrol *p, struct jb_root *roots, unsigned n_roots,
		   const char *state_dir, struct jb_intake *intake,
		   struct jb_recorder *recorder,
		   struct jb_scan_credits *credits, struct jb_error *err)
{
	pthread_condattr_t clock;

	*p = (struct jb_patrol){.roots = roots,
				.n_roots = n_roots,
				.state_dir = state_dir,
				.intake = intake,
				.recorder = recorder,
				.credits = credits};
	pthread_mutex_init(&p->mutex, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&p->cond, &clock);
	pthread_condattr_destroy(&clock);
	p->beats = calloc(n_roots, sizeof *p->beats);
	p->progress = calloc(n_roots, sizeof *p->progress);
	p->kept_out = calloc(n_roots, sizeof *p->kept_out);
	if (p->beats == NULL || p->progress == NULL || p->kept_out == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "patrol");
	return JB_OK;
}

int jb_patrol_start(struct jb_patrol *p, struct jb_error *err)
{
	struct jb_patrolman *m;
	bool any = false;

	for (unsigned i = 0; i < p->n_roots; i++)
		any = any || p->roots[i].config->patrol_us > 0;
	if (!any)
		return JB_OK;
	m = calloc(1, sizeof *m);
	if (m == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "patrol");
	m->patrol = p;
	if (pthread_create(&p->thread, NULL, run, m) != 0) {
		free(m);
		return jb_error_set(err, JB_ENOMEM, 0, "patrol's thread");
	}
	p->started = true;
	return JB_OK;
}

bool jb_patrol_flushed(struct jb_patrol *p, const void *flush)
{
	if (flush != p)
		return false;
	pthread_mutex_lock(&p->mutex);
	p->flushed = true;
	pthread_cond_broadcast(&p->cond);
	pthread_mutex_unlock(&p->mutex);
	return true;
}

void jb_patrol_keep_out(struct jb_patrol *p, const struct jb_root *root,
			jb_patrol_left_fn *left, void *arg)
{
	pthread_mutex_lock(&p->mutex);
	p->kept_out[root->index] = true;
	p->left = left;
	p->left_arg = arg;
	pthread_cond_broadcast(&p->cond);
	pthread_mutex_unlock(&p->mutex);
}

bool jb_patrol_is_at(struct jb_patrol *p, const struct jb_root *root)
{
	bool is;

	pthread_mutex_lock(&p->mutex);
	is = p->at == root;
	pthread_mutex_unlock(&p->mutex);
	return is;
}

void jb_patrol_let_in(struct jb_patrol *p, const struct jb_root *root)
{
	pthread_mutex_lock(&p->mutex);
	p->kept_out[root->index] = false;
	pthread_mutex_unlock(&p->mutex);
}

void jb_patrol_halt(struct jb_patrol *p)
{
	if (p->roots == NULL)
		return;
	pthread_mutex_lock(&p->mutex);
	p->stopping = true;
	pthread_cond_broadcast(&p->cond);
	pthread_mutex_unlock(&p->mutex);
}

void jb_patrol_stop(struct jb_patrol *p)
{
	jb_patrol_halt(p);
	if (p->started)
		pthread_join(p->thread, NULL);
	p->started = false;
}

void jb_patrol_fini(struct jb_patrol *p)
{
	if (p->roots == NULL)
		return;
	free(p->beats);
	free(p->progress);
	free(p->kept_out);
	pthread_cond_destroy(&p->cond);
	pthread_mutex_destroy(&p->mutex);
	*p = (struct jb_patrol){0};
}

void jb_patrol_progress(struct jb_patrol *p, const struct jb_root *root,
			struct jb_patrol_progress *ret)
{
	pthread_mutex_lock(&p->mutex);
	*ret = p->progress[root->index];
	pthread_mutex_unlock(&p->mutex);
}
