/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A regular file is made from the source: look at the source (is it the right
 * one?), open it without following or waiting, write an unnamed file in the
 * directory where it will end up, so that its blocks lie near its neighbours',
 * give it its attributes, look at the source again (did it change meanwhile? A
 * file that grows is followed), and only then link the finished file to its
 * name. What fails on the way leaves nothing. Where there are no unnamed files,
 * or the name lies in the right directory already, it is written under its
 * name: nobody looks into stage/. */
#include "transports/local_making.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A tick of the slowest kernels, and how long one is waited for at most. */
#define TICK_NS	     INT64_C(10000000)
#define TICK_WAIT_NS INT64_C(500000)

/* Smaller ones are copied between two writes. */
#define FOLLOW_MIN   (1 << 20)
#define FOLLOW_MOST  16		/* times to its end */
#define FOLLOW_BYTES (64 << 20) /* at once: a log, not what is made large */

/* A hash takes a second for each 20 GB of zeros that a file doesn't even have:
 * one of terabytes would keep all others waiting for minutes. */
#define HASHED_HOLES (INT64_C(16) << 30)

/* A write in the same tick as the last one would leave the times as they are,
 * and go unseen if it fell into the copy. So let that tick pass first. */
static void let_tick_pass(const struct jb_object *o)
{
	const struct timespec nap = {.tv_nsec = TICK_WAIT_NS};

	while (o->ctime >= jb_clock_ns(CLOCK_REALTIME_COARSE) &&
	       o->ctime - jb_clock_ns(CLOCK_REALTIME_COARSE) < TICK_NS)
		nanosleep(&nap, NULL);
}

static enum jb_outcome open_source(struct jb_making *m)
{
	m->from = jb_tree_open_file(m->from_dir, m->w->from.name);
	return m->from < 0 ? jb_making_fail_source(m, m->from)
			   : JB_OUTCOME_DONE;
}

/* What the new file may be created with: if the mask agrees, it needs no
 * chmod. Bits that depend on the owner come later. */
static mode_t first_mode(const struct jb_making *m)
{
	return m->h->local->preserve & JB_PRESERVE_MODE
		       ? m->w->source.mode & 0777
		       : 0600;
}

/* An unnamed file in the directory where it will end up. A file that is made
 * there, below a new directory, doesn't need that. */
static bool create_unnamed(struct jb_making *m)
{
	struct jb_local *l = m->h->local;
	const char *near = m->w->near;
	int dirfd;

	if (near == NULL || strcmp(near, m->w->to.dir) == 0 ||
	    atomic_load(&l->no_tmpfile))
		return false;
	dirfd = jb_dirs_get(&m->h->near, near);
	if (dirfd < 0)
		return false;
	m->to = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
		       first_mode(m));
	m->is_unnamed = m->to >= 0;
	if (m->to < 0 &&
	    (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		atomic_store(&l->no_tmpfile, true);
	return m->is_unnamed;
}

static enum jb_outcome create_target(struct jb_making *m, bool unnamed)
{
	m->is_unnamed = false;
	if (unnamed && create_unnamed(m))
		return JB_OUTCOME_DONE;
	m->to = openat(m->to_dir, m->w->to.name,
		       O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW,
		       first_mode(m));
	m->is_named = m->to >= 0;
	return m->to < 0 ? jb_making_fail_target(m, -errno, "")
			 : JB_OUTCOME_DONE;
}

/* The version that this one replaces, if it is still the one we know. */
static int open_old(struct jb_making *m)
{
	struct jb_work *w = m->w;
	struct jb_object o;
	int dirfd, fd;

	if (w->old.name == NULL || w->source.size < JB_COPY_BLOCKS_MIN ||
	    atomic_load(&m->h->local->pair.no_own_clone))
		return -1;
	dirfd = jb_dirs_get(&m->h->near, w->old.dir);
	if (dirfd < 0 || jb_tree_look(dirfd, w->old.name, &o) < 0 ||
	    !S_ISREG(o.mode) || !jb_stamp_fits(&w->expect, &o))
		return -1;
	fd = jb_tree_open_file(dirfd, w->old.name);
	return fd < 0 ? -1 : fd;
}

static enum jb_outcome fail_copy(struct jb_making *m, const struct jb_copy *c,
				 int rv)
{
	return c->at_source ? jb_making_fail_source(m, rv)
			    : jb_making_fail_target(m, rv, "");
}

/* A file that is written on and on, as a log is, is another one before and
 * after a copy that takes a while. So follow it to its end, and take the
 * version that it is at that moment: by reading all again afterwards it is
 * proved that what was copied is what it was then. Where that fails the copy is
 * torn. */
static enum jb_outcome follow_growth(struct jb_making *m, struct jb_copy *c)
{
	struct jb_object now;
	int rv;

	if (c->size < FOLLOW_MIN || c->is_sparse)
		return JB_OUTCOME_DONE;
	for (int i = 0; i < FOLLOW_MOST; i++) {
		rv = jb_tree_look(m->from, "", &now);
		if (rv < 0)
			return jb_making_fail_source(m, rv);
		if (jb_making_is_same(&now, &m->w->source) || c->is_short ||
		    now.size < c->size || now.size - c->size > FOLLOW_BYTES)
			return JB_OUTCOME_DONE;
		if (now.size == c->size) {
			rv = jb_copy_prove(c);
			m->is_proved = rv == 1;
			break;
		}
		rv = jb_copy_more(c, now.size);
		if (rv < 0)
			break;
	}
	if (m->is_proved)
		m->w->source = now;
	return rv < 0 ? fail_copy(m, c, rv) : JB_OUTCOME_DONE;
}

static enum jb_outcome copy_content(struct jb_making *m)
{
	enum jb_outcome out;
	struct jb_work *w = m->w;
	struct jb_local *l = m->h->local;
	int64_t on_disk = w->source.blocks * 512;
	struct jb_copy c = {
		.from = m->from,
		.to = m->to,
		.size = w->source.size,
		.need = (uint64_t)(on_disk < w->source.size ? on_disk
							    : w->source.size),
		.is_sparse = on_disk < w->source.size,
		.want_hash =
			w->want_hash && w->source.size - on_disk < HASHED_HOLES,
		.pair = &l->pair,
		.room = &l->room,
		.buffer = m->h->buffer,
		.stopped = &l->stopped,
	};
	int rv;

	c.old = m->old = open_old(m);
	rv = jb_copy_data(&c);
	out = rv < 0 ? fail_copy(m, &c, rv) : follow_growth(m, &c);
	w->bytes = c.written;
	w->hash = c.hash;
	if (out != JB_OUTCOME_DONE)
		return out;
	if (c.is_short)
		return jb_making_say(m, JB_OUTCOME_TORN,
				     "became shorter while it was copied");
	w->has_hash = c.want_hash;
	return JB_OUTCOME_DONE;
}

/* Give the finished file its name. -EXDEV: not from this directory (project
 * quota): the caller begins again under the name. */
static int link_target(struct jb_making *m)
{
	const char *name = m->w->to.name;
	char path[40];

	if (!m->is_unnamed)
		return 0;
	if (linkat(m->to, "", m->to_dir, name, AT_EMPTY_PATH) == 0)
		goto named;
	if (errno != ENOENT && errno != EPERM)
		return -errno;
	snprintf(path, sizeof path, "/proc/self/fd/%d", m->to);
	if (linkat(AT_FDCWD, path, m->to_dir, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
named:
	m->is_named = true;
	return 0;
}

static enum jb_outcome finish_file(struct jb_making *m)
{
	int rv;

	rv = link_target(m);
	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	rv = jb_tree_look(m->to, "", &m->w->target);
	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	jb_local_note_file(m->h->local, m->to);
	jb_local_note_dir(m->h->local, m->to_dir);
	return JB_OUTCOME_DONE;
}

enum jb_outcome jb_making_file(struct jb_making *m, bool unnamed)
{
	enum jb_outcome out;

	let_tick_pass(&m->w->source);
	out = open_source(m);
	if (out == JB_OUTCOME_DONE)
		out = create_target(m, unnamed);
	if (out == JB_OUTCOME_DONE)
		out = copy_content(m);
	if (out == JB_OUTCOME_DONE)
		out = jb_making_attrs(m, true);
	if (out == JB_OUTCOME_DONE)
		out = jb_making_check(m, "");
	if (out == JB_OUTCOME_DONE)
		out = finish_file(m);
	if (out != JB_OUTCOME_DONE)
		jb_making_drop(m);
	if (out != JB_OUTCOME_DONE && m->is_unnamed &&
	    m->w->err.foreign == EXDEV) {
		jb_making_close(m);
		return jb_making_file(m, false);
	}
	return out;
}
