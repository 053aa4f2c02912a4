/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The threads of a scan take pages of directories from a common cursor, which
 * goes by key. A directory that is made while the scan runs has a higher key
 * than the last one at its beginning, and was listed when it was made.
 *
 * Failure: a thread that can't read the catalog ends the scan early; one that
 * can't open a directory for trouble (it may be there: see jb_root_is_trouble)
 * goes on with the others. Either way the scan is owed again, and said, and it
 * ends, for the recorder, only after a wait that grows with each failure. So
 * the gap stays open as long as the trouble lasts, and nothing that may lie in
 * such a directory is taken for deleted. */
#include "engine/scan/scan.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/scan/walk.h"
#include "journal/gap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE_DIRS    64
#define MAX_CREDITS  48u
#define FIRST_WAIT_S 1u /* before a scan that failed is done again */
#define LAST_WAIT_S  300u

static const char SQL_DIRS[] =
	"SELECT dirkey FROM dir WHERE dirkey > ?1 AND dirkey <= ?2"
	" AND root = ?3 ORDER BY dirkey LIMIT ?4";
static const char SQL_COUNT[] =
	"SELECT count(*), ifnull(max(dirkey), 0) FROM dir WHERE root = ?1";

/* One thread's own. */
struct walker {
	struct jb_scan *scan;
	struct jb_store *store;
	struct jb_catalog *catalog;
	sqlite3_stmt *dirs;
	struct jb_walk walk;
	uint64_t from;		 /* its page is behind this key */
	struct jb_error trouble; /* of the first directory that had some */
	struct jb_map_dir to_map[PAGE_DIRS];
};

/* ---- credits */

void jb_scan_credits_init(struct jb_scan_credits *c)
{
	memset(c, 0, sizeof *c);
	pthread_mutex_init(&c->mutex, NULL);
	pthread_cond_init(&c->cond, NULL);
}

void jb_scan_credits_return(struct jb_scan_credits *c, unsigned n)
{
	pthread_mutex_lock(&c->mutex);
	c->out = c->out > n ? c->out - n : 0;
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->mutex);
}

void jb_scan_credits_stop(struct jb_scan_credits *c)
{
	pthread_mutex_lock(&c->mutex);
	c->stopping = true;
	pthread_cond_broadcast(&c->cond);
	pthread_mutex_unlock(&c->mutex);
}

bool jb_scan_credits_take(struct jb_scan_credits *c)
{
	bool ok;

	pthread_mutex_lock(&c->mutex);
	while (c->out >= MAX_CREDITS && !c->stopping)
		pthread_cond_wait(&c->cond, &c->mutex);
	ok = !c->stopping;
	c->out += ok;
	pthread_mutex_unlock(&c->mutex);
	return ok;
}

/* ---- walking */

static int send_places(void *arg, struct jb_walk_places *places,
		       struct jb_error *err)
{
	struct walker *w = arg;

	if (!jb_scan_credits_take(w->scan->credits))
		return jb_error_set(err, JB_ECANCELED, 0, "scan");
	return jb_intake_mark_places(w->scan->intake, places->bytes,
				     places->size, false, err);
}

/* The next page of keys, moved past by whoever takes it. */
static int take_page(struct walker *w, uint64_t keys[PAGE_DIRS], size_t *n,
		     struct jb_error *err)
{
	struct jb_scan *s = w->scan;
	int rv = 0;

	*n = 0;
	pthread_mutex_lock(&s->mutex);
	w->from = s->next;
	sqlite3_bind_int64(w->dirs, 1, (int64_t)s->next);
	sqlite3_bind_int64(w->dirs, 2, (int64_t)s->last);
	sqlite3_bind_int64(w->dirs, 3, s->root->id);
	sqlite3_bind_int64(w->dirs, 4, PAGE_DIRS);
	while ((rv = jb_store_step(w->store, w->dirs, err)) > 0)
		keys[(*n)++] = (uint64_t)sqlite3_column_int64(w->dirs, 0);
	if (*n > 0)
		s->next = keys[*n - 1];
	s->done += *n;
	pthread_mutex_unlock(&s->mutex);
	return rv;
}

/* A source that goes by descriptors has to know them before they are read. */
static int map_page(struct walker *w, const struct jb_dir *dirs, const int *fds,
		    size_t n, struct jb_error *err)
{
	size_t m = 0;

	if (!w->scan->root->source->needs_fd)
		return JB_OK;
	for (size_t i = 0; i < n; i++) {
		struct jb_map_dir *d = &w->to_map[m];

		if (fds[i] < 0)
			continue;
		*d = (struct jb_map_dir){.root = w->scan->root,
					 .key = dirs[i].key,
					 .fd = fds[i]};
		d->handle.len = dirs[i].handle_len;
		memcpy(d->handle.bytes, dirs[i].handle, dirs[i].handle_len);
		m++;
	}
	return m > 0 ? jb_intake_add_dirs(w->scan->intake, w->to_map, m, err)
		     : JB_OK;
}

/* The page is to be walked again. */
static void note_unfinished(struct walker *w)
{
	struct jb_scan *s = w->scan;

	pthread_mutex_lock(&s->mutex);
	if (w->from < s->halted_at)
		s->halted_at = w->from;
	pthread_mutex_unlock(&s->mutex);
}

/* The directory can't be opened: nobody knows what it holds. */
static void note_trouble(struct walker *w, struct jb_dir *dir, int error)
{
	const char *path = "";
	size_t len = 0;

	if (w->trouble.code == JB_OK) {
		jb_catalog_path(w->catalog, dir->key, &path, &len, NULL);
		jb_error_errno(&w->trouble, error, "%.*s",
			       len > 0 ? (int)len : 1, len > 0 ? path : ".");
	}
	note_unfinished(w);
	dir->key = 0;
}

static int open_dir(struct walker *w, uint64_t key, struct jb_dir *dir, int *fd,
		    struct jb_error *err)
{
	int rv = jb_catalog_dir(w->catalog, key, dir, err);

	if (rv <= 0)
		return rv;
	errno = 0;
	*fd = jb_walk_open(&w->walk, dir);
	if (*fd < 0 && jb_root_is_trouble(errno))
		note_trouble(w, dir, errno);
	return JB_OK;
}

static int walk_page(struct walker *w, const uint64_t *keys, size_t n,
		     struct jb_error *err)
{
	static const struct jb_dir none;
	struct jb_dir *dirs = calloc(n, sizeof *dirs);
	int fds[PAGE_DIRS], rv = JB_OK;
	size_t opened = 0;

	if (dirs == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "scan");
	jb_catalog_reset(w->catalog); /* it caches; others write */
	for (; opened < n && rv == JB_OK; opened++) {
		fds[opened] = -1;
		dirs[opened] = none;
		rv = open_dir(w, keys[opened], &dirs[opened], &fds[opened],
			      err);
	}
	if (rv == JB_OK)
		rv = map_page(w, dirs, fds, n, err);
	for (size_t i = 0; i < opened; i++) {
		/* A detached one too: it may be found where nothing else has
		 * it listed. */
		if (atomic_load(&w->scan->stopping))
			rv = JB_ECANCELED;
		if (rv == JB_OK && dirs[i].key != 0)
			rv = jb_walk_compare(&w->walk, &dirs[i], fds[i], err);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(dirs);
	return rv;
}

static int open_walker(struct walker *w, struct jb_error *err)
{
	struct jb_known_root known = {0};
	int rv = jb_store_open(w->scan->state_dir, JB_STORE_READ, &w->store,
			       err);

	if (rv == JB_OK)
		rv = jb_catalog_open(w->store, &w->catalog, err);
	if (rv == JB_OK)
		rv = jb_store_prepare(w->store, SQL_DIRS, &w->dirs, err);
	if (rv == JB_OK)
		rv = jb_known_root_find(w->store, w->scan->root->config->name,
					&known, err);
	if (rv < 0)
		return rv;
	w->walk.root = w->scan->root;
	w->walk.catalog = w->catalog;
	w->walk.complete = known.complete;
	w->walk.full = send_places;
	w->walk.arg = w;
	return JB_OK;
}

static void close_walker(struct walker *w)
{
	jb_walk_fini(&w->walk);
	sqlite3_finalize(w->dirs);
	jb_catalog_close(w->catalog);
	jb_store_close(w->store);
	free(w);
}

static int walk_all(struct walker *w, struct jb_error *err)
{
	uint64_t keys[PAGE_DIRS];
	size_t n;
	int rv = open_walker(w, err);

	while (rv == JB_OK && !atomic_load(&w->scan->stopping)) {
		rv = take_page(w, keys, &n, err);
		if (rv != JB_OK || n == 0)
			break;
		rv = walk_page(w, keys, n, err);
		if (rv != JB_OK)
			note_unfinished(w);
	}
	if (rv == JB_OK || rv == JB_ECANCELED)
		rv = jb_walk_flush(&w->walk, err);
	if (rv == JB_OK && w->trouble.code != JB_OK &&
	    !atomic_load(&w->scan->stopping)) {
		*err = w->trouble;
		rv = err->code;
	}
	return rv;
}

/* It is owed again, but not at once: what fails now and takes no time would
 * fail again and again. */
static void fail(struct jb_scan *s, const struct jb_error *why)
{
	struct timespec until;
	unsigned wait_s = FIRST_WAIT_S;

	pthread_mutex_lock(&s->mutex);
	s->failures += !s->failed;
	s->failed = true;
	for (unsigned i = 1; i < s->failures && wait_s < LAST_WAIT_S; i++)
		wait_s *= 2;
	wait_s = wait_s < LAST_WAIT_S ? wait_s : LAST_WAIT_S;
	pthread_mutex_unlock(&s->mutex);
	jb_log_error("root '%s': scan: %s; done again in %u s",
		     s->root->config->name, why->text, wait_s);
	jb_recorder_owe_scan(s->recorder, s->root, JB_GAP_UNFINISHED);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_s;
	pthread_mutex_lock(&s->mutex);
	while (!atomic_load(&s->stopping) &&
	       pthread_cond_clockwait(&s->cond, &s->mutex, CLOCK_MONOTONIC,
				      &until) == 0)
		;
	pthread_mutex_unlock(&s->mutex);
}

static void *run(void *arg)
{
	struct walker *w = arg;
	struct jb_scan *s = w->scan;
	jb_scan_idle_fn *idle = NULL;
	struct jb_error err;
	bool last;
	int rv = walk_all(w, &err);

	close_walker(w);
	if (rv != JB_OK && rv != JB_ECANCELED)
		fail(s, &err);
	pthread_mutex_lock(&s->mutex);
	last = --s->active == 0;
	if (last) {
		s->running = false;
		idle = s->idle;
		if (!s->failed)
			s->failures = 0;
	}
	pthread_mutex_unlock(&s->mutex);
	if (idle != NULL)
		idle(s->arg);
	if (last && !atomic_load(&s->stopping)) {
		jb_recorder_scan_ended(s->recorder, s->root);
		jb_intake_poke(s->intake, &err);
	}
	return NULL;
}

/* ---- life */

void jb_scan_init(struct jb_scan *s, struct jb_root *root,
		  const char *state_dir, struct jb_intake *intake,
		  struct jb_recorder *recorder, struct jb_scan_credits *credits)
{
	memset(s, 0, sizeof *s);
	s->root = root;
	s->intake = intake;
	s->recorder = recorder;
	s->state_dir = state_dir;
	s->credits = credits;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->cond, NULL);
}

static int count_dirs(struct jb_scan *s, struct jb_error *err)
{
	struct jb_store *store;
	sqlite3_stmt *st;
	int rv = jb_store_open(s->state_dir, JB_STORE_READ, &store, err);

	if (rv != JB_OK)
		return rv;
	rv = jb_store_prepare(store, SQL_COUNT, &st, err);
	if (rv == JB_OK) {
		sqlite3_bind_int64(st, 1, s->root->id);
		rv = jb_store_step(store, st, err);
		if (rv > 0) {
			s->total = (uint64_t)sqlite3_column_int64(st, 0);
			s->last = (uint64_t)sqlite3_column_int64(st, 1);
		}
		sqlite3_finalize(st);
	}
	jb_store_close(store);
	return rv < 0 ? rv : JB_OK;
}

static void join(struct jb_scan *s)
{
	for (unsigned i = 0; i < s->n_threads; i++)
		pthread_join(s->threads[i], NULL);
	s->n_threads = 0;
}

/* As many as can be had; under the mutex, so that none of them is the last one
 * before all are counted. */
static void start_threads(struct jb_scan *s)
{
	while (s->n_threads < JB_SCAN_THREADS) {
		struct walker *w = calloc(1, sizeof *w);

		if (w == NULL)
			break;
		w->scan = s;
		if (pthread_create(&s->threads[s->n_threads], NULL, run, w) !=
		    0) {
			free(w);
			break;
		}
		s->n_threads++;
	}
	s->active = s->n_threads;
	s->running = s->n_threads > 0;
}

int jb_scan_start(struct jb_scan *s, uint64_t from, struct jb_error *err)
{
	int rv;

	join(s); /* the threads of the last one have ended */
	rv = count_dirs(s, err);
	if (rv != JB_OK)
		return rv;
	pthread_mutex_lock(&s->mutex);
	s->next = from;
	s->halted_at = UINT64_MAX;
	s->done = 0;
	s->began_us = jb_clock_us(CLOCK_REALTIME);
	s->running = s->failed = false;
	if (!s->halted) {
		start_threads(s);
		if (!s->running)
			rv = jb_error_set(err, JB_ENOMEM, 0, "scan threads");
	}
	pthread_mutex_unlock(&s->mutex);
	return rv;
}

void jb_scan_halt(struct jb_scan *s, jb_scan_idle_fn *idle, void *arg)
{
	pthread_mutex_lock(&s->mutex);
	s->halted = true;
	s->idle = idle;
	s->arg = arg;
	atomic_store(&s->stopping, true);
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->mutex);
}

void jb_scan_go_on(struct jb_scan *s)
{
	join(s);
	pthread_mutex_lock(&s->mutex);
	s->halted = false;
	pthread_mutex_unlock(&s->mutex);
	atomic_store(&s->stopping, false);
}

bool jb_scan_is_idle(struct jb_scan *s)
{
	bool idle;

	pthread_mutex_lock(&s->mutex);
	idle = !s->running;
	pthread_mutex_unlock(&s->mutex);
	return idle;
}

uint64_t jb_scan_halted_at(struct jb_scan *s)
{
	uint64_t at;

	pthread_mutex_lock(&s->mutex);
	at = s->halted_at < s->next ? s->halted_at : s->next;
	pthread_mutex_unlock(&s->mutex);
	return at;
}

void jb_scan_stop(struct jb_scan *s)
{
	pthread_mutex_lock(&s->mutex);
	atomic_store(&s->stopping, true);
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->mutex);
	join(s);
}

void jb_scan_fini(struct jb_scan *s)
{
	pthread_cond_destroy(&s->cond);
	pthread_mutex_destroy(&s->mutex);
}

void jb_scan_progress(struct jb_scan *s, struct jb_scan_progress *ret)
{
	pthread_mutex_lock(&s->mutex);
	ret->running = s->running;
	ret->done = s->done;
	ret->total = s->total;
	ret->began_us = s->began_us;
	pthread_mutex_unlock(&s->mutex);
}
