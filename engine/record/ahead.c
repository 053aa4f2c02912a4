/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wishes lie in an array in the order of their keys. The thread takes the
 * first, reads it without the mutex, and keeps the result, as long as there is
 * room. What the recorder has read for itself is crossed out. */
#include "engine/record/ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WISHES  131072u /* more are read by the recorder */
#define MAX_HANDLE  24	    /* longer handles too */
#define MAX_READY   64u
#define MAX_NAMES   4096u /* ready, about; in a larger directory only these */
#define KEEP_WISHES 1024u

struct wish {
	uint64_t key;
	const struct jb_root *root; /* borrowed */
	uint8_t len;		    /* 0: crossed out */
	uint8_t handle[MAX_HANDLE];
};

struct jb_ahead {
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t work, done;
	struct wish *wishes; /* owned; [first .. n) */
	size_t first, n, cap;
	struct jb_ahead_dir *ready[MAX_READY]; /* owned; oldest first */
	unsigned n_ready;
	size_t ready_names;
	uint64_t reading; /* key; 0: none */
	uint64_t batch;	  /* which set is being recorded */
	bool sleeping, stopping;
};

void jb_ahead_dir_free(struct jb_ahead_dir *dir)
{
	if (dir == NULL)
		return;
	jb_names_fini(&dir->names);
	free(dir->looks);
	free(dir);
}

/* ---- the thread */

static void look_at_names(struct jb_ahead_dir *dir, int fd)
{
	size_t n = dir->names.n < MAX_NAMES ? dir->names.n : MAX_NAMES;

	dir->looks = calloc(dir->names.n + 1, sizeof *dir->looks);
	for (size_t i = 0; dir->looks != NULL && i < n; i++) {
		struct jb_look *look = &dir->looks[i];

		if (jb_look_at(fd, jb_names_get(&dir->names, i), look, NULL) <=
		    0)
			look->id.ino = 0;
	}
}

/* NULL: whatever is wrong, the recorder will meet it. */
static struct jb_ahead_dir *read_dir(const struct wish *w)
{
	const struct jb_handle_ref handle = {w->handle, w->len};
	struct jb_ahead_dir *dir = calloc(1, sizeof *dir);
	int fd = jb_root_open_handle(w->root, handle, NULL);

	if (dir == NULL || fd < 0 ||
	    jb_names_read(fd, &dir->names, NULL) != JB_OK) {
		jb_ahead_dir_free(dir);
		dir = NULL;
	} else {
		dir->key = w->key;
		dir->clock = jb_look_clock();
		look_at_names(dir, fd);
	}
	if (fd >= 0)
		close(fd);
	return dir;
}

static bool has_room(const struct jb_ahead *a)
{
	return a->n_ready < MAX_READY && a->ready_names < MAX_NAMES;
}

static void put_ready(struct jb_ahead *a, struct jb_ahead_dir *dir)
{
	a->ready[a->n_ready++] = dir;
	a->ready_names += dir->names.n;
}

static void *run(void *arg)
{
	struct jb_ahead *a = arg;
	struct jb_ahead_dir *dir;
	struct wish w;
	uint64_t batch;

	pthread_mutex_lock(&a->mutex);
	while (!a->stopping) {
		if (a->first == a->n || !has_room(a)) {
			a->sleeping = true;
			pthread_cond_wait(&a->work, &a->mutex);
			a->sleeping = false;
			continue;
		}
		w = a->wishes[a->first++];
		if (w.len == 0)
			continue;
		a->reading = w.key;
		batch = a->batch;
		pthread_mutex_unlock(&a->mutex);
		dir = read_dir(&w);
		pthread_mutex_lock(&a->mutex);
		a->reading = 0;
		if (dir != NULL && batch == a->batch)
			put_ready(a, dir);
		else
			jb_ahead_dir_free(dir);
		pthread_cond_signal(&a->done);
	}
	pthread_mutex_unlock(&a->mutex);
	return NULL;
}

/* ---- the recorder's side */

/* Each wake-up costs more than a directory does: not before there is half of
 * the room again. */
static void wake(struct jb_ahead *a)
{
	if (a->sleeping && a->first < a->n && a->n_ready <= MAX_READY / 2 &&
	    a->ready_names <= MAX_NAMES / 2)
		pthread_cond_signal(&a->work);
}

static struct jb_ahead_dir *take_ready(struct jb_ahead *a, unsigned i)
{
	struct jb_ahead_dir *dir = a->ready[i];

	a->n_ready--;
	a->ready_names -= dir->names.n;
	memmove(a->ready + i, a->ready + i + 1,
		(a->n_ready - i) * sizeof(struct jb_ahead_dir *));
	return dir;
}

void jb_ahead_begin(struct jb_ahead *a)
{
	pthread_mutex_lock(&a->mutex);
	a->batch++;
	while (a->n_ready > 0)
		jb_ahead_dir_free(take_ready(a, a->n_ready - 1));
	wake(a);
	pthread_mutex_unlock(&a->mutex);
}

static bool make_room(struct jb_ahead *a)
{
	size_t cap = a->cap != 0 ? a->cap * 2 : KEEP_WISHES;
	void *v;

	if (a->first == a->n)
		a->first = a->n = 0;
	if (a->n < a->cap)
		return true;
	if (a->first > a->cap / 2) {
		a->n -= a->first;
		memmove(a->wishes, a->wishes + a->first,
			a->n * sizeof *a->wishes);
		a->first = 0;
		return true;
	}
	if (cap > MAX_WISHES)
		return false;
	v = reallocarray(a->wishes, cap, sizeof *a->wishes);
	if (v == NULL)
		return false;
	a->wishes = v;
	a->cap = cap;
	return true;
}

void jb_ahead_want(struct jb_ahead *a, uint64_t key, const struct jb_root *root,
		   struct jb_handle_ref handle)
{
	struct wish *w;

	if (handle.len == 0 || handle.len > MAX_HANDLE || !root->by_handle)
		return;
	pthread_mutex_lock(&a->mutex);
	if (make_room(a)) {
		w = &a->wishes[a->n++];
		w->key = key;
		w->root = root;
		w->len = handle.len;
		memcpy(w->handle, handle.bytes, handle.len);
		wake(a);
	}
	pthread_mutex_unlock(&a->mutex);
}

static void cross_out(struct jb_ahead *a, uint64_t key)
{
	size_t low = a->first, high = a->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->wishes[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < a->n && a->wishes[low].key == key)
		a->wishes[low].len = 0;
	while (a->first < a->n && a->wishes[a->first].len == 0)
		a->first++;
	if (a->first < a->n || a->cap <= KEEP_WISHES)
		return;
	/* What a large tree has made large is given back. */
	free(a->wishes);
	a->wishes = NULL;
	a->first = a->n = a->cap = 0;
}

struct jb_ahead_dir *jb_ahead_take(struct jb_ahead *a, uint64_t key)
{
	struct jb_ahead_dir *dir = NULL;

	pthread_mutex_lock(&a->mutex);
	while (a->reading == key)
		pthread_cond_wait(&a->done, &a->mutex);
	for (unsigned i = 0; i < a->n_ready && dir == NULL; i++)
		if (a->ready[i]->key == key)
			dir = take_ready(a, i);
	if (dir == NULL)
		cross_out(a, key);
	wake(a);
	pthread_mutex_unlock(&a->mutex);
	return dir;
}

/* ---- life */

int jb_ahead_start(struct jb_ahead **ret, struct jb_error *err)
{
	struct jb_ahead *a = calloc(1, sizeof *a);

	if (a == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "look-ahead");
	pthread_mutex_init(&a->mutex, NULL);
	pthread_cond_init(&a->work, NULL);
	pthread_cond_init(&a->done, NULL);
	if (pthread_create(&a->thread, NULL, run, a) != 0) {
		free(a);
		return jb_error_set(err, JB_ENOMEM, 0, "look-ahead thread");
	}
	*ret = a;
	return JB_OK;
}

void jb_ahead_stop(struct jb_ahead *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->mutex);
	a->stopping = true;
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->mutex);
	pthread_join(a->thread, NULL);
	while (a->n_ready > 0)
		jb_ahead_dir_free(take_ready(a, a->n_ready - 1));
	free(a->wishes);
	pthread_mutex_destroy(&a->mutex);
	pthread_cond_destroy(&a->work);
	pthread_cond_destroy(&a->done);
	free(a);
}
