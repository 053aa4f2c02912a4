/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Happy path: a source becomes readable -> on_readable reads until it is empty
 * (or until a bound, so that messages are not kept waiting) -> hand_over gives
 * the front set to the recorder, if it waits for one and it is time -> the
 * recorder comes back with the emptied set.
 *
 * Messages of other threads lie in a list under a mutex and are handled between
 * reads, in their order; a reader of the answer sleeps on the condition.
 *
 * Failure: a source that can't be read any more, or memory that runs out for a
 * message, is reported once through `failed`; the daemon ends and a scan makes
 * up for it. */
#include "engine/watch/intake.h"

#include "engine/look.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAP_MS	       1
#define READS_PER_TURN 64     /* then messages have their turn */
#define BUSY_EVENTS    32     /* fewer in one turn: no reason to nap */
#define LARGE_SET      32768u /* handed over before its time */
#define NS_PER_US      1000u
#define NS_PER_MS      1000000u

enum message_type {
	MSG_ADD,
	MSG_REMOVE,
	MSG_MARK,
	MSG_PLACES,
	MSG_LOSE,
	MSG_POKE
};

struct message {
	struct message *next;
	enum message_type type;
	/* ADD: in the sender's memory, it waits. REMOVE: owned. */
	struct jb_map_dir *dirs;
	size_t n;
	bool *answered; /* ADD; under the mutex */
	int result;
	struct jb_error *err;
	struct jb_mark *mark; /* MARK: one reference */
	enum jb_loss loss;    /* LOSE */
	size_t size;	      /* PLACES */
	uint8_t places[];     /* PLACES */
};

struct polled {
	struct jb_intake *in;
	struct jb_source *source; /* owned */
	uv_poll_t poll;
	bool polling;
};

struct jb_intake {
	uv_loop_t *loop; /* borrowed */
	uint64_t flush_ns;
	jb_intake_failed_fn *failed;
	void *failed_arg;
	struct polled sources[JB_SOURCES];
	unsigned n_sources;
	uv_async_t wake;
	uv_timer_t nap, due;
	bool running, napping, hurry;
	struct jb_dirty sets[2];
	struct jb_dirty *front;
	uint64_t batch;	  /* number of the last set handed over */
	uint64_t handed;  /* when, ns of uv_hrtime */
	uint64_t at_once; /* when one was last handed over for its marks */
	uint64_t target[JB_SOURCES]; /* counts of answered marks */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t cond;
	struct message *first, **last;
	struct jb_dirty *given; /* for the recorder to take */
	bool waiting, stopped, released;
	enum jb_want want;
};

static void hand_over(struct jb_intake *in);

/* ---- reading */

static bool marks_reached(const struct jb_intake *in)
{
	for (unsigned i = 0; i < in->n_sources; i++) {
		const struct jb_source *s = in->sources[i].source;

		if (s->done < in->target[s->index])
			return false;
	}
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void set_polling(struct jb_intake *in, bool on)
{
	for (unsigned i = 0; i < in->n_sources; i++) {
		struct polled *p = &in->sources[i];

		if (p->polling == on)
			continue;
		if (on)
			uv_poll_start(&p->poll, UV_READABLE, on_readable);
		else
			uv_poll_stop(&p->poll);
		p->polling = on;
	}
}

/* Read what is there, within bounds. Returns the number of events. */
static int read_source(struct jb_intake *in, struct jb_source *s)
{
	struct jb_error err;
	int total = 0, n = 0;

	for (int i = 0; i < READS_PER_TURN; i++) {
		n = s->ops->read(s, in->front, &err);
		if (n <= 0)
			break;
		total += n;
		if (in->front->n_places >= LARGE_SET)
			break;
	}
	if (n < 0) {
		in->failed(in->failed_arg, &err);
		return 0;
	}
	return total;
}

static void on_nap_end(uv_timer_t *timer)
{
	struct jb_intake *in = timer->data;
	int n = 0;

	in->napping = false;
	if (!in->running)
		return;
	for (unsigned i = 0; i < in->n_sources; i++)
		n += read_source(in, in->sources[i].source);
	hand_over(in);
	if (n >= BUSY_EVENTS && marks_reached(in)) {
		in->napping = true;
		uv_timer_start(&in->nap, on_nap_end, NAP_MS, 0);
	} else {
		set_polling(in, true);
	}
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct polled *p = poll->data;
	struct jb_intake *in = p->in;
	int n;

	(void)status;
	(void)events;
	n = read_source(in, p->source);
	hand_over(in);
	if (n >= BUSY_EVENTS && !in->hurry && marks_reached(in)) {
		set_polling(in, false);
		in->napping = true;
		uv_timer_start(&in->nap, on_nap_end, NAP_MS, 0);
	}
}

/* ---- handing over */

static void on_due(uv_timer_t *timer)
{
	hand_over(timer->data);
}

static void give(struct jb_intake *in, uint64_t now)
{
	struct jb_dirty *set = in->front;

	set->no = ++in->batch;
	for (unsigned i = 0; i < in->n_sources; i++) {
		const struct jb_source *s = in->sources[i].source;

		set->upto[s->index] = s->done;
	}
	in->front = set == &in->sets[0] ? &in->sets[1] : &in->sets[0];
	in->handed = now;
	uv_timer_stop(&in->due);
	pthread_mutex_lock(&in->mutex);
	in->given = set;
	in->waiting = false;
	pthread_cond_broadcast(&in->cond);
	pthread_mutex_unlock(&in->mutex);
}

/* Give the front set to the recorder, if it waits and it is time. */
static void hand_over(struct jb_intake *in)
{
	uint64_t now = uv_hrtime(), due = in->handed + in->flush_ns;
	bool waiting, any = jb_dirty_any(in->front);
	enum jb_want want;

	pthread_mutex_lock(&in->mutex);
	waiting = in->waiting;
	want = in->want;
	pthread_mutex_unlock(&in->mutex);
	if (!waiting || !in->running || (!any && want == JB_WANT_EVENTS))
		return;
	if (want == JB_WANT_MORE) {
		give(in, now);
	} else if (want == JB_WANT_NOW && marks_reached(in) &&
		   (in->hurry || now >= in->at_once + in->flush_ns)) {
		in->at_once = now;
		give(in, now);
	} else if (now >= due || in->front->n_places >= LARGE_SET ||
		   (in->hurry && any)) {
		give(in, now);
	} else {
		uint64_t ms = (due - now + NS_PER_MS - 1) / NS_PER_MS;

		uv_timer_start(&in->due, on_due, ms, 0);
	}
}

struct jb_dirty *jb_intake_take(struct jb_intake *in, enum jb_want want)
{
	struct jb_dirty *set;

	pthread_mutex_lock(&in->mutex);
	in->want = want;
	in->waiting = true;
	pthread_mutex_unlock(&in->mutex);
	uv_async_send(&in->wake);
	pthread_mutex_lock(&in->mutex);
	while (in->given == NULL && !in->stopped)
		pthread_cond_wait(&in->cond, &in->mutex);
	set = in->given;
	in->given = NULL;
	pthread_mutex_unlock(&in->mutex);
	return set;
}

/* ---- messages */

void jb_intake_answer(struct jb_intake *in, struct jb_mark *m)
{
	for (unsigned i = 0; i < in->n_sources; i++) {
		struct jb_source *s = in->sources[i].source;
		uint64_t count = s->done + s->ops->queued(s);

		m->count[s->index] = count;
		if (count > in->target[s->index])
			in->target[s->index] = count;
	}
	m->batch = in->batch;
	m->clock = jb_look_clock();
	atomic_store(&m->answered, true);
}

static void handle_add(struct jb_intake *in, struct message *msg)
{
	int rv = JB_OK;

	for (size_t i = 0; i < msg->n && rv == JB_OK; i++) {
		struct jb_map_dir *d = &msg->dirs[i];
		struct jb_source *s = d->root->source;

		rv = s->ops->add_dir(s, d->root,
				     (struct jb_handle_ref){d->handle.bytes,
							    d->handle.len},
				     d->key, d->fd, msg->err);
	}
	pthread_mutex_lock(&in->mutex);
	msg->result = rv;
	*msg->answered = true;
	pthread_cond_broadcast(&in->cond);
	pthread_mutex_unlock(&in->mutex);
}

static void handle_remove(const struct message *msg)
{
	for (size_t i = 0; i < msg->n; i++) {
		const struct jb_map_dir *d = &msg->dirs[i];
		struct jb_source *s = d->root->source;

		s->ops->remove_dir(s, d->root,
				   (struct jb_handle_ref){d->handle.bytes,
							  d->handle.len},
				   d->key);
	}
}

static void handle_places(struct jb_intake *in, const struct message *msg)
{
	const uint8_t *p = msg->places, *end = p + msg->size;
	uint64_t dir;
	uint8_t len;

	while (p < end) {
		memcpy(&dir, p, sizeof dir);
		len = p[sizeof dir];
		p += sizeof dir + 1;
		if (len > 0)
			jb_dirty_add(in->front, dir, (const char *)p, len,
				     JB_DIRTY_LOSSY);
		else
			jb_dirty_add_dir(in->front, dir,
					 JB_DIRTY_LIST | JB_DIRTY_LOSSY);
		p += len;
	}
	in->front->credits++;
}

static void handle(struct jb_intake *in, struct message *msg)
{
	switch (msg->type) {
	case MSG_ADD:
		handle_add(in, msg);
		return; /* the sender's memory */
	case MSG_REMOVE:
		handle_remove(msg);
		free(msg->dirs);
		break;
	case MSG_MARK:
		jb_intake_answer(in, msg->mark);
		jb_mark_unref(msg->mark);
		break;
	case MSG_PLACES:
		handle_places(in, msg);
		break;
	case MSG_LOSE:
		jb_dirty_lose(in->front, msg->loss);
		break;
	case MSG_POKE:
		in->front->poked = true;
		break;
	}
	free(msg);
}

static void on_wake(uv_async_t *async)
{
	struct jb_intake *in = async->data;
	struct message *msg, *next;

	pthread_mutex_lock(&in->mutex);
	msg = in->first;
	in->first = NULL;
	in->last = &in->first;
	pthread_mutex_unlock(&in->mutex);
	for (; msg != NULL; msg = next) {
		next = msg->next;
		handle(in, msg);
	}
	if (!marks_reached(in) && in->napping) {
		uv_timer_stop(&in->nap);
		on_nap_end(&in->nap);
		return;
	}
	hand_over(in);
}

static void post(struct jb_intake *in, struct message *msg)
{
	msg->next = NULL;
	pthread_mutex_lock(&in->mutex);
	*in->last = msg;
	in->last = &msg->next;
	pthread_mutex_unlock(&in->mutex);
	uv_async_send(&in->wake);
}

int jb_intake_add_dirs(struct jb_intake *in, struct jb_map_dir *dirs, size_t n,
		       struct jb_error *err)
{
	bool answered = false;
	struct message msg = {.type = MSG_ADD,
			      .dirs = dirs,
			      .n = n,
			      .answered = &answered,
			      .err = err};

	post(in, &msg);
	pthread_mutex_lock(&in->mutex);
	while (!answered && !in->released)
		pthread_cond_wait(&in->cond, &in->mutex);
	pthread_mutex_unlock(&in->mutex);
	return answered ? msg.result
			: jb_error_set(err, JB_ECANCELED, 0, "stopping");
}

static struct message *new_message(enum message_type type, size_t more,
				   struct jb_error *err)
{
	struct message *msg = calloc(1, sizeof *msg + more);

	if (msg == NULL)
		jb_error_set(err, JB_ENOMEM, 0, "message to the loop");
	else
		msg->type = type;
	return msg;
}

int jb_intake_remove_dirs(struct jb_intake *in, const struct jb_map_dir *dirs,
			  size_t n, struct jb_error *err)
{
	struct message *msg = new_message(MSG_REMOVE, 0, err);

	if (msg == NULL)
		return JB_ENOMEM;
	msg->dirs = reallocarray(NULL, n, sizeof *dirs);
	if (msg->dirs == NULL) {
		free(msg);
		return jb_error_set(err, JB_ENOMEM, 0, "message to the loop");
	}
	memcpy(msg->dirs, dirs, n * sizeof *dirs);
	msg->n = n;
	post(in, msg);
	return JB_OK;
}

int jb_intake_ask(struct jb_intake *in, struct jb_mark *m, struct jb_error *err)
{
	struct message *msg = new_message(MSG_MARK, 0, err);

	if (msg == NULL)
		return JB_ENOMEM;
	msg->mark = jb_mark_ref(m);
	post(in, msg);
	return JB_OK;
}

int jb_intake_mark_places(struct jb_intake *in, const uint8_t *places,
			  size_t size, struct jb_error *err)
{
	struct message *msg = new_message(MSG_PLACES, size, err);

	if (msg == NULL)
		return JB_ENOMEM;
	msg->size = size;
	memcpy(msg->places, places, size);
	post(in, msg);
	return JB_OK;
}

int jb_intake_poke(struct jb_intake *in, struct jb_error *err)
{
	struct message *msg = new_message(MSG_POKE, 0, err);

	if (msg == NULL)
		return JB_ENOMEM;
	post(in, msg);
	return JB_OK;
}

int jb_intake_lose(struct jb_intake *in, enum jb_loss why, struct jb_error *err)
{
	struct message *msg = new_message(MSG_LOSE, 0, err);

	if (msg == NULL)
		return JB_ENOMEM;
	msg->loss = why;
	post(in, msg);
	return JB_OK;
}

/* ---- life */

int jb_intake_open(uv_loop_t *loop, uint64_t flush_us,
		   jb_intake_failed_fn *failed, void *arg,
		   struct jb_intake **ret, struct jb_error *err)
{
	struct jb_intake *in = calloc(1, sizeof *in);
	int rv;

	if (in == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "intake");
	in->loop = loop;
	in->flush_ns = flush_us * NS_PER_US;
	in->failed = failed;
	in->failed_arg = arg;
	in->front = &in->sets[0];
	in->last = &in->first;
	rv = jb_dirty_init(&in->sets[0], err);
	if (rv == JB_OK)
		rv = jb_dirty_init(&in->sets[1], err);
	if (rv != JB_OK) {
		jb_dirty_fini(&in->sets[0]);
		free(in);
		return rv;
	}
	pthread_mutex_init(&in->mutex, NULL);
	pthread_cond_init(&in->cond, NULL);
	uv_async_init(loop, &in->wake, on_wake);
	uv_timer_init(loop, &in->nap);
	uv_timer_init(loop, &in->due);
	in->wake.data = in->nap.data = in->due.data = in;
	*ret = in;
	return JB_OK;
}

void jb_intake_add_source(struct jb_intake *in, struct jb_source *s)
{
	struct polled *p = &in->sources[in->n_sources++];

	p->in = in;
	p->source = s;
	p->poll.data = p;
}

int jb_intake_start(struct jb_intake *in, struct jb_error *err)
{
	for (unsigned i = 0; i < in->n_sources; i++) {
		struct polled *p = &in->sources[i];
		int rc = uv_poll_init(in->loop, &p->poll, p->source->fd);

		if (rc != 0)
			return jb_error_set(err, JB_ESYS, rc, "%s: %s",
					    p->source->ops->name,
					    uv_strerror(rc));
	}
	in->running = true;
	set_polling(in, true);
	return JB_OK;
}

void jb_intake_stop(struct jb_intake *in)
{
	if (in->running)
		set_polling(in, false);
	in->running = false;
	uv_timer_stop(&in->nap);
	uv_timer_stop(&in->due);
	pthread_mutex_lock(&in->mutex);
	in->stopped = true;
	pthread_cond_broadcast(&in->cond);
	pthread_mutex_unlock(&in->mutex);
}

void jb_intake_release(struct jb_intake *in)
{
	if (in == NULL)
		return;
	on_wake(&in->wake); /* answer who still waits */
	pthread_mutex_lock(&in->mutex);
	in->released = true;
	pthread_cond_broadcast(&in->cond);
	pthread_mutex_unlock(&in->mutex);
	for (unsigned i = 0; i < in->n_sources; i++)
		if (in->sources[i].poll.loop != NULL)
			uv_close((uv_handle_t *)&in->sources[i].poll, NULL);
	uv_close((uv_handle_t *)&in->wake, NULL);
	uv_close((uv_handle_t *)&in->nap, NULL);
	uv_close((uv_handle_t *)&in->due, NULL);
}

static void free_message(struct message *msg)
{
	if (msg->type == MSG_ADD)
		return; /* the sender's */
	if (msg->type == MSG_REMOVE)
		free(msg->dirs);
	jb_mark_unref(msg->mark);
	free(msg);
}

void jb_intake_free(struct jb_intake *in)
{
	struct message *msg, *next;

	for (msg = in->first; msg != NULL; msg = next) {
		next = msg->next;
		free_message(msg);
	}
	for (unsigned i = 0; i < in->n_sources; i++)
		in->sources[i].source->ops->close(in->sources[i].source);
	jb_dirty_fini(&in->sets[0]);
	jb_dirty_fini(&in->sets[1]);
	pthread_mutex_destroy(&in->mutex);
	pthread_cond_destroy(&in->cond);
	free(in);
}

void jb_intake_hurry(struct jb_intake *in, bool on)
{
	in->hurry = on;
	if (on)
		hand_over(in);
}

size_t jb_intake_backlog(const struct jb_intake *in)
{
	return in->front->n_places + in->front->n_inos;
}
