/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/clock_step.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define US_PER_S  1000000
#define NS_PER_US 1000
#define NEVER_S	  4102444800 /* in 2100 */
#define MIN_US	  10000 /* below it the doubt about young files covers it */

int64_t jb_clock_step_offset(void)
{
	return jb_clock_us(CLOCK_REALTIME) - jb_clock_us(CLOCK_BOOTTIME);
}

bool jb_clock_step_is_one(int64_t moved_us)
{
	return moved_us >= MIN_US || moved_us <= -MIN_US;
}

/* A time that never comes: only a step ends the wait. */
static int arm(int fd)
{
	const struct itimerspec never = {.it_value.tv_sec = NEVER_S};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
			       &never, NULL);
}

static void on_step(uv_poll_t *poll, int status, int events)
{
	struct jb_clock_step *c = poll->data;
	int64_t offset, moved;
	uint64_t ticks;

	(void)status;
	(void)events;
	if (read(c->fd, &ticks, sizeof ticks) >= 0 || errno == ECANCELED)
		arm(c->fd);
	offset = jb_clock_step_offset();
	moved = offset - c->offset_us;
	c->offset_us = offset;
	if (jb_clock_step_is_one(moved))
		c->fn(c->arg, moved);
}

int jb_clock_step_start(struct jb_clock_step *c, uv_loop_t *loop,
			jb_clock_step_fn *fn, void *arg, struct jb_error *err)
{
	memset(c, 0, sizeof *c);
	c->fn = fn;
	c->arg = arg;
	c->offset_us = jb_clock_step_offset();
	c->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (c->fd < 0 || arm(c->fd) != 0 ||
	    uv_poll_init(loop, &c->poll, c->fd) != 0) {
		int rv = jb_error_errno(err, errno, "watch the clock");

		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		return rv;
	}
	c->poll.data = c;
	uv_poll_start(&c->poll, UV_READABLE, on_step);
	return JB_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct jb_clock_step *c = handle->data;

	close(c->fd);
	c->fd = -1;
}

void jb_clock_step_stop(struct jb_clock_step *c)
{
	if (c->fd >= 0 && !uv_is_closing((uv_handle_t *)&c->poll))
		uv_close((uv_handle_t *)&c->poll, on_closed);
}
