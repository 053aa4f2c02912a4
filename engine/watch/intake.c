/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Happy path: a source becomes readable -> on_readable reads until it is empty
 * (or until a bound, so that messages are not kept waiting) -> hand_over gives
 * the front set to the recorder, if it waits for one and it is time -> the
 * recorder comes back with the emptied set.
 *
 * Failure: a source that can't be read any more, or memory that runs out for a
 * message, is reported once through `failed`; the daemon ends and a scan makes
 * up for it. */
#include "engine/watch/intake_priv.h"

#include <stdlib.h>

#define NAP_MIN_MS     1
#define NAP_MAX_MS     8
#define READS_PER_TURN 64      /* then messages have their turn */
#define BUSY_EVENTS    32      /* fewer in one turn: no reason to nap */
#define FEW_EVENTS     1000    /* fewer after a nap: the next may be longer */
#define MANY_EVENTS    4000    /* more: it must be shorter */
#define LARGE_SET      131072u /* handed over before its time */
#define LOAD_FACTOR    4 /* under load: times the last batch, at most ... */
#define MAX_WAIT_NS    2000000000u
#define NS_PER_US      1000u
#define NS_PER_MS      1000000u
#define BURST	       4 /* batches that may follow at once after a quiet time */
#define GATHER_NS      NS_PER_MS

/* ---- reading */

bool jb_intake_marks_reached(const struct jb_intake *in)
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
		struct jb_polled *p = &in->sources[i];

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

	if (in->paused)
		return 0;
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

static void on_nap_end(uv_timer_t *timer);

/* As long as one read then takes a good many: each wake-up costs the writers
 * more than a longer queue does. */
static void nap(struct jb_intake *in, int n)
{
	if (n < FEW_EVENTS && in->nap_ms < NAP_MAX_MS)
		in->nap_ms *= 2;
	else if (n > MANY_EVENTS && in->nap_ms > NAP_MIN_MS)
		in->nap_ms /= 2;
	in->napping = true;
	uv_timer_start(&in->nap, on_nap_end, in->nap_ms, 0);
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
	jb_intake_hand_over(in);
	if (n >= BUSY_EVENTS && jb_intake_marks_reached(in))
		nap(in, n);
	else
		set_polling(in, !in->paused);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct jb_polled *p = poll->data;
	struct jb_intake *in = p->in;
	int n;

	(void)status;
	(void)events;
	n = read_source(in, p->source);
	jb_intake_hand_over(in);
	if (n >= BUSY_EVENTS && !in->hurry && jb_intake_marks_reached(in)) {
		set_polling(in, false);
		in->nap_ms = NAP_MIN_MS;
		nap(in, n);
	}
}

/* ---- handing over */

static void on_due(uv_timer_t *timer)
{
	jb_intake_hand_over(timer->data);
}

/* Between two batches. A large batch costs less for each name than many small
 * ones, so under load the wait grows with the work. */
static uint64_t interval(const struct jb_intake *in)
{
	uint64_t wait = LOAD_FACTOR * in->batch_ns;

	wait = wait < MAX_WAIT_NS ? wait : MAX_WAIT_NS;
	return wait > in->flush_ns ? wait : in->flush_ns;
}

/* One batch an interval, but who was quiet for some may hand over as many at
 * once: what is written now and then never waits. */
static void count_batch(struct jb_intake *in, uint64_t now)
{
	uint64_t step = interval(in), saved = BURST * step;

	in->paid += step;
	if (in->paid + saved < now)
		in->paid = now - saved;
	if (in->paid > now)
		in->paid = now;
}

/* A file that is made, written and closed is three events within a moment:
 * gather them, it is one look and one batch. When that is over. */
static uint64_t gather(struct jb_intake *in, uint64_t now)
{
	if (in->gathers_until == 0)
		in->gathers_until = now + GATHER_NS;
	return in->gathers_until;
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
	if (jb_dirty_any(set))
		count_batch(in, now);
	in->gathers_until = 0;
	uv_timer_stop(&in->due);
	pthread_mutex_lock(&in->mutex);
	in->given = set;
	in->gave = now;
	in->waiting = false;
	pthread_cond_broadcast(&in->cond);
	pthread_mutex_unlock(&in->mutex);
}

/* Give the front set to the recorder, if it waits and it is time. */
void jb_intake_hand_over(struct jb_intake *in)
{
	uint64_t now = uv_hrtime(), due, ms;
	bool waiting, any = jb_dirty_any(in->front);
	enum jb_want want;

	pthread_mutex_lock(&in->mutex);
	waiting = in->waiting;
	want = in->want;
	due = (any ? in->paid : in->gave) + interval(in);
	pthread_mutex_unlock(&in->mutex);
	if (!waiting || !in->running)
		return;
	if (in->draining) {
		if (any)
			give(in, now);
		else
			jb_intake_stop(in);
		return;
	}
	if (!any && want == JB_WANT_EVENTS)
		return;
	if (want == JB_WANT_MORE) {
		give(in, now);
	} else if (want == JB_WANT_NOW && jb_intake_marks_reached(in) &&
		   (in->hurry || now >= in->at_once + in->flush_ns)) {
		in->at_once = now;
		give(in, now);
	} else if (in->front->n_places >= LARGE_SET || (in->hurry && any)) {
		give(in, now);
	} else if (now >= due && (!any || now >= gather(in, now))) {
		give(in, now);
	} else {
		if (now >= due)
			due = in->gathers_until;
		ms = (due - now + NS_PER_MS - 1) / NS_PER_MS;
		uv_timer_start(&in->due, on_due, ms, 0);
	}
}

struct jb_dirty *jb_intake_take(struct jb_intake *in, enum jb_want want)
{
	struct jb_dirty *set;

	pthread_mutex_lock(&in->mutex);
	in->want = want;
	in->waiting = true;
	in->batch_ns = uv_hrtime() - in->gave;
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

/* ---- life */

static void on_wake(uv_async_t *async)
{
	struct jb_intake *in = async->data;

	jb_intake_read_mail(in);
	if (!jb_intake_marks_reached(in) && in->napping) {
		uv_timer_stop(&in->nap);
		on_nap_end(&in->nap);
		return;
	}
	jb_intake_hand_over(in);
}

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
	struct jb_polled *p = &in->sources[in->n_sources++];

	p->in = in;
	p->source = s;
	p->poll.data = p;
}

int jb_intake_start(struct jb_intake *in, struct jb_error *err)
{
	for (unsigned i = 0; i < in->n_sources; i++) {
		struct jb_polled *p = &in->sources[i];
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

void jb_intake_pause(struct jb_intake *in)
{
	in->paused = true;
	if (in->running)
		set_polling(in, false);
	jb_intake_hurry(in, true);
}

void jb_intake_drain(struct jb_intake *in)
{
	in->draining = true;
	jb_intake_read_mail(in);
	jb_intake_hand_over(in);
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
	pthread_mutex_lock(&in->mutex);
	in->released = true;
	pthread_mutex_unlock(&in->mutex);
	jb_intake_read_mail(in); /* answer who still waits */
	for (unsigned i = 0; i < in->n_sources; i++)
		if (in->sources[i].poll.loop != NULL)
			uv_close((uv_handle_t *)&in->sources[i].poll, NULL);
	uv_close((uv_handle_t *)&in->wake, NULL);
	uv_close((uv_handle_t *)&in->nap, NULL);
	uv_close((uv_handle_t *)&in->due, NULL);
}

void jb_intake_free(struct jb_intake *in)
{
	jb_intake_drop_mail(in);
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
		jb_intake_hand_over(in);
}

size_t jb_intake_backlog(const struct jb_intake *in)
{
	return in->front->n_places + in->front->n_inos;
}
