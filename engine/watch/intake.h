/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/watch/intake.h - the loop thread's half: reads the sources, fills the
 * dirty set, hands it to the recorder.
 *
 * The loop reads late and much: under load it naps a millisecond between
 * reads, so that the kernel merges events and one read takes many. It hands
 * the set over at once when things are idle, else every flush interval or when
 * the set is large; and without naps while somebody waits for a barrier.
 *
 * Loop and other threads exchange messages. Lifecycle: open (loop thread) ->
 * start -> stop -> release -> free. Each function says which thread may call
 * it. */
#ifndef JB_WATCH_INTAKE_H
#define JB_WATCH_INTAKE_H

#include "engine/watch/barrier.h"
#include "engine/watch/dirty.h"
#include "engine/watch/source.h"

#include <uv.h>

struct jb_intake;

/* When the recorder wants its next set. */
enum jb_want {
	JB_WANT_EVENTS, /* when there is something to look at */
	JB_WANT_SOON,	/* also an empty one, after the flush interval */
	JB_WANT_NOW,	/* also an empty one, when the marks are reached */
	JB_WANT_MORE,	/* at once: there is work left over */
};

/* A directory for the map; copied by who sends it. */
struct jb_map_dir {
	const struct jb_root *root;
	uint64_t key;
	int fd; /* owned by the message, or -1 */
	struct jb_handle handle;
};

/* Called on the loop thread when a source or memory fails for good. */
typedef void jb_intake_failed_fn(void *arg, const struct jb_error *err);

int jb_intake_open(uv_loop_t *loop, uint64_t flush_us,
		   jb_intake_failed_fn *failed, void *arg,
		   struct jb_intake **ret, struct jb_error *err);

/* Loop thread: take over a source (owned from now on) and poll it once
 * started. */
void jb_intake_add_source(struct jb_intake *in, struct jb_source *s);
int jb_intake_start(struct jb_intake *in, struct jb_error *err);

/* Loop thread: read no more; what was read is still handed over. What the
 * kernel queues from now on is for the next reader of the same descriptor. */
void jb_intake_pause(struct jb_intake *in);

/* Loop thread, paused, and nobody else marks places: stop by itself as soon as
 * all that was read is recorded. */
void jb_intake_drain(struct jb_intake *in);

/* Loop thread: stop reading; the recorder's jb_intake_take returns NULL. */
void jb_intake_stop(struct jb_intake *in);

/* Loop thread, after stop and after the recorder has ended: the handles are
 * closed while the loop runs on. Accepts NULL. */
void jb_intake_release(struct jb_intake *in);

/* After the loop has ended: messages that come still are not read. Closes the
 * sources. */
void jb_intake_free(struct jb_intake *in);

/* Loop thread: answer a mark now (for `flush`). */
void jb_intake_answer(struct jb_intake *in, struct jb_mark *m);

/* Loop thread: somebody waits: do not nap, hand over at once. */
void jb_intake_hurry(struct jb_intake *in, bool on);

/* Loop thread: read-only figures for status. */
size_t jb_intake_backlog(const struct jb_intake *in);

/* Recorder thread: give back the last set (cleared), wait for the next one.
 * NULL: stopped. */
struct jb_dirty *jb_intake_take(struct jb_intake *in, enum jb_want want);

/* Any other thread than the loop's: know these directories; returns when the
 * loop has said so. JB_ECANCELED: stopped meanwhile. */
int jb_intake_add_dirs(struct jb_intake *in, struct jb_map_dir *dirs, size_t n,
		       struct jb_error *err);

/* Any thread; returns at once. @dirs is copied; errors are memory only. */
int jb_intake_remove_dirs(struct jb_intake *in, const struct jb_map_dir *dirs,
			  size_t n, struct jb_error *err);
int jb_intake_ask(struct jb_intake *in, struct jb_mark *m,
		  struct jb_error *err);

/* Any thread: places that a scan, or a @patrol, found to differ. Each message
 * counts one credit of the set that takes it. @places: for each the directory's
 * key (8 bytes, host order), the length of the name (1 byte), the name; length
 * 0: the whole directory. */
int jb_intake_mark_places(struct jb_intake *in, const uint8_t *places,
			  size_t size, bool patrol, struct jb_error *err);

/* Any thread: give the recorder a set, though it may be empty: it has messages
 * to read. */
int jb_intake_poke(struct jb_intake *in, struct jb_error *err);

#endif
