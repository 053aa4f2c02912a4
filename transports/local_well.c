/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bad spot of a disk and a disk that has died give the same errors. So where
 * one path fails so, something is written to stage/: when that reaches the disk
 * it is the path alone, and the others go on. */
#include "transports/local_target.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#define PROBE	    "probe.well"
#define PROBE_BYTES 4096
/* For so long the answer holds: a damaged directory has many names. */
#define HOLDS_NS INT64_C(1000000000)

void jb_local_well_init(struct jb_local_well *w)
{
	*w = (struct jb_local_well){.asked_ns = 0};
	pthread_mutex_init(&w->lock, NULL);
}

void jb_local_well_fini(struct jb_local_well *w)
{
	pthread_mutex_destroy(&w->lock);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int write_probe(int stage)
{
	static const char zeros[PROBE_BYTES];
	int fd = openat(stage, PROBE,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rv = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, zeros, sizeof zeros) < 0 || fsync(fd) < 0)
		rv = -errno;
	close(fd);
	/* Another process may ask the same, or sweep stage/ meanwhile. */
	if (unlinkat(stage, PROBE, 0) < 0 && errno != ENOENT && rv == 0)
		rv = -errno;
	return rv;
}

static bool is_well(struct jb_local *l)
{
	struct jb_local_well *w = &l->well;
	int stage, rv;

	pthread_mutex_lock(&w->lock);
	if (w->asked_ns == 0 || now_ns() - w->asked_ns > HOLDS_NS) {
		stage = jb_tree_enter(&l->top, JB_STAGE_DIR, O_PATH);
		rv = stage < 0 ? stage : write_probe(stage);
		if (stage >= 0)
			close(stage);
		w->is_well = rv == 0 || rv == -ENOSPC || rv == -EDQUOT;
		w->asked_ns = w->is_well ? now_ns() : 0;
	}
	rv = w->is_well;
	pthread_mutex_unlock(&w->lock);
	return rv;
}

/* What a bad spot, a damaged directory or a stale one gives. */
static bool may_be_path(int errnum)
{
	return errnum == EIO || errnum == EUCLEAN || errnum == EBADMSG ||
	       errnum == ESTALE || errnum == ENXIO || errnum == ENODEV;
}

enum jb_outcome jb_local_fail(struct jb_local *l, struct jb_place p, int errnum,
			      const char *what, struct jb_error *err)
{
	enum jb_outcome out =
		jb_local_fail_target(err, errnum, &l->top, p, what);

	if (out == JB_OUTCOME_STOPPED && may_be_path(errnum) && is_well(l))
		return JB_OUTCOME_DAMAGED;
	return out;
}
