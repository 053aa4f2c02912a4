/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the trash is looked through: after a plan, and by itself when what is
 * oldest in it was kept long enough, or once a day while there is any: a clock
 * may have been set. An idle policy wakes for nothing else. What a process that
 * has just begun does not know is found by its first plan, or within the hour.
 */
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/deliver/delivery_priv.h"

#include <stdio.h>
#include <string.h>

#define S_US	INT64_C(1000000)
#define HOUR_US (3600 * S_US)
#define DAY_US	(24 * HOUR_US)

/* When what was put there at @since_us is to go. */
static int64_t end_of(const struct jb_delivery *d, int64_t since_us)
{
	return since_us + d->keep_us + S_US; /* its date is in seconds */
}

void jb_delivery_begin_trash(struct jb_delivery *d)
{
	bool soon = d->keep_us > 0 && d->keep_us < HOUR_US;

	d->trash_is_known = false;
	d->trash_due_us = d->keep_us == JB_FOR_EVER
				  ? 0
				  : jb_clock_us(CLOCK_REALTIME) +
					    (soon ? d->keep_us : HOUR_US);
}

/* What could not be removed is no reason to come again and again; what came
 * after it is. */
static void find_oldest(struct jb_delivery *d, int64_t now)
{
	const struct jb_target_ops *ops = d->target->ops;
	bool failed = d->trash_failed[0] != '\0';
	int64_t since_s = failed ? (now - d->keep_us) / S_US : 0;
	int64_t oldest_s = 0;

	d->trash_is_known =
		ops->trash_oldest(d->target, since_s, &oldest_s, NULL) == JB_OK;
	if (!d->trash_is_known)
		d->trash_due_us = now + HOUR_US;
	else
		d->trash_due_us =
			oldest_s != 0 ? end_of(d, oldest_s * S_US) : 0;
	if (failed && (d->trash_due_us == 0 || d->trash_due_us > now + HOUR_US))
		d->trash_due_us = now + HOUR_US;
}

uint64_t jb_delivery_take_from_trash(struct jb_delivery *d, int64_t before_s,
				     uint64_t room_bytes)
{
	struct jb_target *t = d->target;
	uint64_t removed = 0;
	struct jb_error err;

	if (t->ops->expire(t, before_s, room_bytes, &removed, &err) == JB_OK) {
		d->trash_failed[0] = '\0';
	} else if (strcmp(d->trash_failed, err.text) != 0) {
		jb_log(JB_LOG_WARNING,
		       "policy '%s': %s: what is in the trash there stays, "
		       "though it was kept long enough or its room is needed",
		       d->policy->name, err.text);
		snprintf(d->trash_failed, sizeof d->trash_failed, "%s",
			 err.text);
	}
	return removed;
}

void jb_delivery_say_unswept(struct jb_delivery *d,
			     const struct jb_error *unswept)
{
	const char *text = unswept->code != JB_OK ? unswept->text : "";

	if (text[0] != '\0' && strcmp(d->unswept, text) != 0)
		jb_log(JB_LOG_WARNING,
		       "policy '%s': %s: what was left unfinished there, or is "
		       "to go, stays",
		       d->policy->name, text);
	snprintf(d->unswept, sizeof d->unswept, "%s", text);
}

void jb_delivery_expire_trash(struct jb_delivery *d, const struct jb_report *r)
{
	int64_t now = jb_clock_us(CLOCK_REALTIME);

	if (d->keep_us == JB_FOR_EVER)
		return;
	if (!d->trash_is_known ||
	    (d->trash_due_us != 0 && d->trash_due_us <= now))
		jb_delivery_take_from_trash(d, (now - d->keep_us) / S_US, 0);
	else if (r->operations == 0 ||
		 (d->trash_due_us != 0 && d->trash_failed[0] == '\0'))
		return; /* nothing came, or what came is not the oldest */
	find_oldest(d, now);
}

void jb_delivery_add_trash_due(const struct jb_delivery *d, int64_t *due_us)
{
	int64_t now = jb_clock_us(CLOCK_REALTIME), due = d->trash_due_us;

	if (due == 0)
		return;
	if (due <= now)
		due = now + d->retry_wait_us;
	else if (due > now + DAY_US)
		due = now + DAY_US;
	if (*due_us == 0 || due < *due_us)
		*due_us = due;
}
