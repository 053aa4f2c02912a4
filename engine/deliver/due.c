/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When what is pending or owed is tried again: each by itself when its time has
 * come, and all of it at once when a person waits for it.
 *
 * Times are those of the wall clock, since they outlive the process. A clock
 * that is set back leaves them in a far future: a try that is further away than
 * any wait lasts is due. What is to settle, or what the target can't keep, may
 * wait that long: it is due when its beginning lies ahead of the clock, too. */
#include "engine/base/clock.h"
#include "engine/deliver/delivery_priv.h"
#include "engine/deliver/pending.h"

#include <assert.h>
#include <stdio.h>

#define ROOM_LOOK_US INT64_C(60000000)

static_assert(JB_REASON_HELD == 12 && JB_REASON_SETTLING == 15 &&
		      JB_REASON_PARTIAL == 19 && JB_REASON_HIDDEN == 22,
	      "their numbers are stored");

/* All but what waits by intention: other commands and keys hurry that. */
static const char SQL_ALL[] =
	"UPDATE pending SET next = " JB_DUE_NOW " WHERE next > " JB_DUE_NOW
	" AND reason NOT IN (12, 15, 19);"
	"UPDATE owed SET next = " JB_DUE_NOW " WHERE next > " JB_DUE_NOW;
static const char SQL_UNTRIED[] =
	"SELECT (SELECT count(*) FROM pending WHERE next = " JB_DUE_NOW ") +"
	" (SELECT count(*) FROM owed WHERE next = " JB_DUE_NOW ")";
/* Each with the latest next that a wait can come to, and now. */
#define LEFT_BEHIND                                                            \
	"next > %1$lld AND (reason NOT IN (15, 19) OR since > %2$lld)"
static const char SQL_CATCH_UP[] =
	"UPDATE pending SET next = " JB_DUE_NOW " WHERE " LEFT_BEHIND ";"
	"UPDATE owed SET next = " JB_DUE_NOW " WHERE next > %1$lld";
static const char SQL_ANY_DUE[] =
	"SELECT EXISTS(SELECT 1 FROM pending WHERE next <= %2$lld) OR"
	" EXISTS(SELECT 1 FROM owed WHERE next <= %2$lld OR next > %1$lld) OR"
	" EXISTS(SELECT 1 FROM pending WHERE " LEFT_BEHIND ")";
static const char SQL_LATER[] =
	"SELECT ifnull(min(next), 0) FROM"
	" (SELECT min(next) AS next FROM pending WHERE next > %1$lld"
	" UNION ALL SELECT min(next) FROM owed WHERE next > %1$lld)";

int jb_delivery_mark_due(struct jb_delivery *d, const char *sql,
			 struct jb_error *err)
{
	int rv = jb_replica_begin(d->replica, err);

	if (rv == JB_OK)
		rv = jb_store_exec(jb_replica_store(d->replica), sql, err);
	if (rv == JB_OK)
		rv = jb_replica_commit(d->replica, err);
	if (rv != JB_OK)
		jb_replica_rollback(d->replica);
	return rv;
}

int jb_delivery_retry_all(struct jb_delivery *d, struct jb_error *err)
{
	int rv = jb_delivery_mark_due(d, SQL_ALL, err);

	if (rv == JB_OK)
		rv = jb_delivery_number(d, SQL_UNTRIED, &d->untried, err);
	if (rv == JB_OK && d->untried > 0)
		d->again = true;
	return rv;
}

int jb_delivery_retry_hidden(struct jb_delivery *d, struct jb_error *err)
{
	static const char sql[] =
		"UPDATE pending SET next = " JB_DUE_NOW " WHERE reason = 22;"
		"UPDATE owed SET next = " JB_DUE_NOW " WHERE reason = 22";

	return jb_delivery_mark_due(d, sql, err);
}

int jb_delivery_try_rest(struct jb_delivery *d, struct jb_error *err)
{
	int64_t before = d->untried;
	int rv;

	if (before == 0)
		return JB_OK;
	rv = jb_delivery_number(d, SQL_UNTRIED, &d->untried, err);
	if (rv == JB_OK && d->untried < before && d->untried > 0)
		d->again = true;
	else
		d->untried = 0;
	return rv;
}

int jb_delivery_catch_up(struct jb_delivery *d, struct jb_error *err)
{
	int64_t now = jb_clock_us(CLOCK_REALTIME);
	int64_t latest = now + JB_PENDING_MOST_WAIT_US;
	char sql[320];

	snprintf(sql, sizeof sql, SQL_CATCH_UP, (long long)latest,
		 (long long)now);
	return jb_delivery_mark_due(d, sql, err);
}

int jb_delivery_wait_no_longer(struct jb_delivery *d, struct jb_error *err)
{
	int64_t latest = jb_clock_us(CLOCK_REALTIME) + d->options.settle_us;
	char sql[128];

	snprintf(sql, sizeof sql,
		 "UPDATE pending SET next = " JB_DUE_NOW
		 " WHERE reason = 15 AND next > %lld",
		 (long long)latest);
	return jb_delivery_mark_due(d, sql, err);
}

int jb_delivery_find_due(struct jb_delivery *d, int64_t *ret,
			 struct jb_error *err)
{
	int64_t now = jb_clock_us(CLOCK_REALTIME), any = 0, later = 0;
	int64_t latest = now + JB_PENDING_MOST_WAIT_US;
	char sql[480];
	int rv;

	snprintf(sql, sizeof sql, SQL_ANY_DUE, (long long)latest,
		 (long long)now);
	rv = jb_delivery_number(d, sql, &any, err);
	if (rv != JB_OK)
		return rv;
	snprintf(sql, sizeof sql, SQL_LATER, (long long)now);
	rv = jb_delivery_number(d, sql, &later, err);
	*ret = any != 0 ? now + d->retry_wait_us : later;
	if (later != 0 && later < *ret)
		*ret = later;
	if (d->lacking > 0 && *ret > now + ROOM_LOOK_US)
		*ret = now + ROOM_LOOK_US;
	return rv;
}
