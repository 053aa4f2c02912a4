/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bad spot of a disk and a disk that has died give the same errors. So where
 * one path fails so, stage/ gets another time: when that reaches the disk it is
 * the path alone, and the others go on. */
#include "transports/local_target.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

int jb_local_write_through(struct jb_local *l)
{
	int fd = jb_tree_enter(&l->top, JB_STAGE_DIR, O_RDONLY);
	int rv = 0;

	if (fd < 0)
		return fd;
	if (futimens(fd, NULL) < 0 || (fsync(fd) < 0 && errno != EINVAL))
		rv = -errno;
	close(fd);
	return rv;
}

static bool is_well(struct jb_local *l)
{
	struct jb_local_well *w = &l->well;
	bool well;

	pthread_mutex_lock(&w->lock);
	if (w->asked_ns == 0 ||
	    jb_clock_ns(CLOCK_MONOTONIC) - w->asked_ns > HOLDS_NS) {
		w->is_well = jb_local_write_through(l) == 0;
		w->asked_ns = w->is_well ? jb_clock_ns(CLOCK_MONOTONIC) : 0;
	}
	well = w->is_well;
	pthread_mutex_unlock(&w->lock);
	return well;
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
