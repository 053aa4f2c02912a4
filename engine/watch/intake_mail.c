/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of other threads lie in a list under a mutex and are handled on the
 * loop thread between reads, in their order; whoever waits for an answer sleeps
 * on the condition. */
#include "engine/watch/intake_priv.h"

#include "engine/tree/look.h"

#include <stdlib.h>
#include <string.h>

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

static void handle_add(struct jb_intake *in, struct jb_message *msg)
{
	int rv = JB_OK;

	for (size_t i = 0; i < msg->n && rv == JB_OK; i++) {
		const struct jb_map_dir *d = &msg->dirs[i];
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

static void handle_remove(const struct jb_message *msg)
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

static void handle_places(struct jb_intake *in, const struct jb_message *msg)
{
	const uint8_t *p = msg->places, *end = p + msg->size;
	unsigned flags = JB_DIRTY_LOSSY | (msg->patrol ? JB_DIRTY_PATROL : 0);
	uint64_t dir;
	uint8_t len;

	while (p < end) {
		memcpy(&dir, p, sizeof dir);
		len = p[sizeof dir];
		p += sizeof dir + 1;
		if (len > 0)
			jb_dirty_add(in->front, dir, (const char *)p, len, 0,
				     flags);
		else
			jb_dirty_add_dir(in->front, dir, JB_DIRTY_LIST | flags);
		p += len;
	}
	in->front->credits++;
}

static void handle(struct jb_intake *in, struct jb_message *msg)
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
	case MSG_POKE:
		in->front->poked = true;
		break;
	}
	free(msg);
}

void jb_intake_read_mail(struct jb_intake *in)
{
	struct jb_message *msg, *next;

	pthread_mutex_lock(&in->mutex);
	msg = in->first;
	in->first = NULL;
	in->last = &in->first;
	pthread_mutex_unlock(&in->mutex);
	for (; msg != NULL; msg = next) {
		next = msg->next;
		handle(in, msg);
	}
}

/* Under the mutex. */
static void append(struct jb_intake *in, struct jb_message *msg)
{
	msg->next = NULL;
	*in->last = msg;
	in->last = &msg->next;
	if (!in->released)
		uv_async_send(&in->wake);
}

static void post(struct jb_intake *in, struct jb_message *msg)
{
	pthread_mutex_lock(&in->mutex);
	append(in, msg);
	pthread_mutex_unlock(&in->mutex);
}

int jb_intake_add_dirs(struct jb_intake *in, struct jb_map_dir *dirs, size_t n,
		       struct jb_error *err)
{
	bool answered = false;
	struct jb_message msg = {.type = MSG_ADD,
				 .dirs = dirs,
				 .n = n,
				 .answered = &answered,
				 .err = err};

	/* It lies on our stack: who posts it is answered, for after the release
	 * nobody reads any more. */
	pthread_mutex_lock(&in->mutex);
	if (in->released) {
		pthread_mutex_unlock(&in->mutex);
		return jb_error_set(err, JB_ECANCELED, 0, "stopping");
	}
	append(in, &msg);
	while (!answered)
		pthread_cond_wait(&in->cond, &in->mutex);
	pthread_mutex_unlock(&in->mutex);
	return msg.result;
}

static struct jb_message *new_message(enum jb_message_type type, size_t more,
				      struct jb_error *err)
{
	struct jb_message *msg = calloc(1, sizeof *msg + more);

	if (msg == NULL)
		jb_error_set(err, JB_ENOMEM, 0, "message to the loop");
	else
		msg->type = type;
	return msg;
}

int jb_intake_remove_dirs(struct jb_intake *in, const struct jb_map_dir *dirs,
			  size_t n, struct jb_error *err)
{
	struct jb_message *msg = new_message(MSG_REMOVE, 0, err);

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
	struct jb_message *msg = new_message(MSG_MARK, 0, err);

	if (msg == NULL)
		return JB_ENOMEM;
	msg->mark = jb_mark_ref(m);
	post(in, msg);
	return JB_OK;
}

int jb_intake_mark_places(struct jb_intake *in, const uint8_t *places,
			  size_t size, bool patrol, struct jb_error *err)
{
	struct jb_message *msg = new_message(MSG_PLACES, size, err);

	if (msg == NULL)
		return JB_ENOMEM;
	msg->size = size;
	msg->patrol = patrol;
	memcpy(msg->places, places, size);
	post(in, msg);
	return JB_OK;
}

int jb_intake_poke(struct jb_intake *in, struct jb_error *err)
{
	struct jb_message *msg = new_message(MSG_POKE, 0, err);

	if (msg == NULL)
		return JB_ENOMEM;
	post(in, msg);
	return JB_OK;
}

static void free_message(struct jb_message *msg)
{
	if (msg->type == MSG_REMOVE)
		free(msg->dirs);
	jb_mark_unref(msg->mark);
	free(msg);
}

void jb_intake_drop_mail(struct jb_intake *in)
{
	struct jb_message *msg, *next;

	for (msg = in->first; msg != NULL; msg = next) {
		next = msg->next;
		free_message(msg);
	}
}
