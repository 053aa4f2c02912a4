/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The caller's thread works too; the others wait between batches. Items are
 * handed out a few at a time, so that neighbours of one directory stay with one
 * thread and its open descriptors. */
#include "transports/local_target.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#define CHUNK_MAX   64
#define CHUNKS_EACH 16
/* Fewer items than this are not worth waking anybody. */
#define ALONE_MAX 4

struct batch {
	struct jb_work *work; /* borrowed */
	size_t n, chunk;
	jb_local_work_fn *fn;
	atomic_size_t next;
	atomic_bool failed; /* the target: nothing more is begun */
};

struct jb_local_pool {
	struct jb_local *local; /* borrowed */
	pthread_mutex_t lock;
	pthread_cond_t begin, end;
	struct batch *batch; /* borrowed from the caller's stack */
	unsigned round;	     /* one more for each batch */
	unsigned busy;
	bool quit;
	unsigned n_threads;
	pthread_t threads[];
};

static bool is_dir(const struct jb_work *w)
{
	return S_ISDIR(w->mode);
}

static void do_item(struct jb_local_hand *h, struct batch *b, struct jb_work *w)
{
	if (atomic_load(&b->failed) || atomic_load(&h->local->stopped)) {
		w->outcome = JB_OUTCOME_SKIPPED;
		jb_error_set(&w->err, JB_ECANCELED, 0, "not tried");
		return;
	}
	b->fn(h, w);
	if (w->outcome == JB_OUTCOME_STOPPED)
		atomic_store(&b->failed, true);
}

static void do_dirs(struct jb_local_hand *h, struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (is_dir(&b->work[i]))
			do_item(h, b, &b->work[i]);
}

static void do_batch(struct jb_local_hand *h, struct batch *b)
{
	size_t begin, end;

	while ((begin = atomic_fetch_add(&b->next, b->chunk)) < b->n) {
		end = begin + b->chunk < b->n ? begin + b->chunk : b->n;
		for (size_t i = begin; i < end; i++)
			if (!is_dir(&b->work[i]))
				do_item(h, b, &b->work[i]);
	}
}

static void *run_thread(void *arg)
{
	struct jb_local_pool *p = arg;
	struct jb_local_hand hand;
	struct batch *b;
	unsigned round = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (!p->quit && p->round == round)
			pthread_cond_wait(&p->begin, &p->lock);
		if (p->quit)
			break;
		round = p->round;
		b = p->batch;
		pthread_mutex_unlock(&p->lock);
		if (jb_local_hand_init(&hand, p->local) == 0)
			do_batch(&hand, b);
		jb_local_hand_fini(&hand);
		pthread_mutex_lock(&p->lock);
		if (--p->busy == 0)
			pthread_cond_signal(&p->end);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Threads that take no signals: these are the owner's. */
static void start_threads(struct jb_local_pool *p, unsigned n)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->n_threads < n && pthread_create(&p->threads[p->n_threads],
						  NULL, run_thread, p) == 0)
		p->n_threads++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static struct jb_local_pool *pool_new(struct jb_local *l)
{
	unsigned n = l->threads - 1;
	struct jb_local_pool *p;

	p = calloc(1, sizeof *p + n * sizeof p->threads[0]);
	if (p == NULL)
		return NULL;
	p->local = l;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->begin, NULL);
	pthread_cond_init(&p->end, NULL);
	start_threads(p, n);
	return p;
}

void jb_local_pool_free(struct jb_local_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->begin);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->begin);
	pthread_cond_destroy(&p->end);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static size_t choose_chunk(const struct jb_local *l, size_t n)
{
	size_t chunk = n / (l->threads * (size_t)CHUNKS_EACH);

	if (chunk > CHUNK_MAX)
		return CHUNK_MAX;
	return chunk > 0 ? chunk : 1;
}

static void run_together(struct jb_local *l, struct jb_local_hand *h,
			 struct batch *b)
{
	struct jb_local_pool *p;

	if (b->n > ALONE_MAX && l->threads > 1 && l->pool == NULL)
		l->pool = pool_new(l);
	p = b->n > ALONE_MAX ? l->pool : NULL;
	if (p != NULL) {
		pthread_mutex_lock(&p->lock);
		p->batch = b;
		p->busy = p->n_threads;
		p->round++;
		pthread_cond_broadcast(&p->begin);
		pthread_mutex_unlock(&p->lock);
	}
	do_batch(h, b);
	if (p != NULL) {
		pthread_mutex_lock(&p->lock);
		while (p->busy > 0)
			pthread_cond_wait(&p->end, &p->lock);
		pthread_mutex_unlock(&p->lock);
	}
}

/* The first failure of the target speaks for the batch. */
static enum jb_outcome summary(const struct batch *b, struct jb_error *err)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->work[i].outcome != JB_OUTCOME_STOPPED)
			continue;
		if (err != NULL)
			*err = b->work[i].err;
		return JB_OUTCOME_STOPPED;
	}
	return JB_OUTCOME_DONE;
}

enum jb_outcome jb_local_pool_run(struct jb_local *l, struct jb_work *work,
				  size_t n, jb_local_work_fn *fn,
				  bool dirs_first, struct jb_error *err)
{
	struct batch b = {
		.work = work,
		.n = n,
		.chunk = choose_chunk(l, n),
		.fn = fn,
	};
	struct jb_local_hand hand;

	if (jb_local_hand_init(&hand, l) < 0) {
		jb_local_hand_fini(&hand);
		jb_error_set(err, JB_ENOMEM, 0, "target '%s'", l->name);
		return JB_OUTCOME_STOPPED;
	}
	if (n > JB_LOCAL_SYNC_MAX)
		jb_local_note_many(l);
	if (dirs_first)
		do_dirs(&hand, &b);
	run_together(l, &hand, &b);
	if (!dirs_first)
		do_dirs(&hand, &b);
	jb_local_hand_fini(&hand);
	return summary(&b, err);
}
