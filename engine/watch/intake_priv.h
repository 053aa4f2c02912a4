/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/intake_priv.h - the intake's inside, for intake.c (reading and
 * handing over) and intake_mail.c (messages of other threads). */
#ifndef JB_WATCH_INTAKE_PRIV_H
#define JB_WATCH_INTAKE_PRIV_H

#include "engine/watch/intake.h"

#include <pthread.h>

enum jb_message_type { MSG_ADD, MSG_REMOVE, MSG_MARK, MSG_PLACES, MSG_POKE };

struct jb_message {
	struct jb_message *next;
	enum jb_message_type type;
	/* ADD: in the sender's memory, it waits. REMOVE: owned. */
	struct jb_map_dir *dirs;
	size_t n;
	bool *answered; /* ADD; under the mutex */
	int result;
	struct jb_error *err;
	struct jb_mark *mark; /* MARK: one reference */
	size_t size;	      /* PLACES */
	bool patrol;	      /* PLACES */
	uint8_t places[];     /* PLACES */
};

struct jb_polled {
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
	struct jb_polled sources[JB_SOURCES];
	unsigned n_sources;
	uv_async_t wake;
	uv_timer_t nap, due;
	bool running, napping, hurry;
	bool paused;	 /* nothing is read any more */
	bool draining;	 /* it stops when nothing is left */
	uint64_t nap_ms; /* how long the next nap is */
	struct jb_dirty sets[2];
	struct jb_dirty *front;
	uint64_t batch; /* number of the last set handed over */
	uint64_t paid;	/* when it would have been, had all come evenly */
	uint64_t gathers_until; /* ns, 0: nothing has come yet */
	uint64_t at_once; /* when one was last handed over for its marks */
	uint64_t target[JB_SOURCES]; /* counts of answered marks */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t cond;
	struct jb_message *first, **last;
	struct jb_dirty *given; /* for the recorder to take */
	uint64_t gave;		/* when the last set was given, ns */
	uint64_t batch_ns;	/* how long the recorder took for it */
	bool waiting, stopped, released;
	enum jb_want want;
};

/* intake.c */
bool jb_intake_marks_reached(const struct jb_intake *in);
void jb_intake_hand_over(struct jb_intake *in);

/* intake_mail.c: handle what lies there, in its order. */
void jb_intake_read_mail(struct jb_intake *in);
/* Drop it unread. */
void jb_intake_drop_mail(struct jb_intake *in);

#endif
