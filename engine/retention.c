/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy's cursor is read from its own database, whether its worker runs or
 * not. Where that can't be read, nothing is dropped: the next time is soon. */
#include "engine/retention.h"

#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "journal/cursor.h"

#include <stdlib.h>
#include <string.h>

#define LOOKS	  16 /* within the time that is kept */
#define LEAST_MS  100
#define MOST_MS	  (10 * 60 * 1000)
#define US_PER_MS 1000u

static bool reads_journal(const struct jb_config_section *policy)
{
	return jb_config_text(policy, "Root") != NULL &&
	       jb_config_text(policy, "Target") != NULL;
}

/* ---- who holds it back */

static bool is_too_far_behind(const struct jb_retention *r,
			      const struct jb_cursor *c)
{
	int64_t most = (int64_t)r->config->max_backlog;

	return most > 0 && jb_recorder_last_seq(r->recorder) - c->seq > most;
}

/* Which changes the policy still needs: those above *upto. False: none, or
 * what it needs is not to be had any more. */
static bool find_need(struct jb_retention *r, size_t i, int64_t *upto)
{
	const char *name = r->config->policies[i].name;
	struct jb_cursor c;
	struct jb_error err;
	int rv = jb_cursor_read(r->config->state_dir, name, &c, &err);
	bool passed;

	if (rv < 0) {
		jb_log_debug("retention: policy '%s': %s", name, err.text);
		*upto = 0;
		return true;
	}
	if (rv == 0 || c.is_full || c.epoch != r->epoch)
		return false;
	passed = is_too_far_behind(r, &c);
	if (passed && !r->passed[i])
		jb_log_warning("policy '%s': more than MaxBacklog= changes "
			       "behind: it owes a full pass",
			       name);
	r->passed[i] = passed;
	*upto = c.seq;
	return !passed;
}

static struct jb_retention_bound find_bound(struct jb_retention *r)
{
	struct jb_retention_bound bound = {.upto = INT64_MAX};
	int64_t upto;

	for (size_t i = 0; i < r->config->n_policies; i++) {
		if (!reads_journal(&r->config->policies[i]) ||
		    !find_need(r, i, &upto) || upto >= bound.upto)
			continue;
		bound.upto = upto;
		bound.policy = r->config->policies[i].name;
	}
	return bound;
}

bool jb_retention_is_passed(struct jb_retention *r, const char *policy)
{
	struct jb_cursor c;

	return jb_cursor_read(r->config->state_dir, policy, &c, NULL) > 0 &&
	       c.epoch == r->epoch && !c.is_full && is_too_far_behind(r, &c);
}

/* ---- orders */

static int64_t kept_since(const struct jb_retention *r)
{
	return r->config->retain_us > 0 ? jb_clock_us(CLOCK_REALTIME) -
						  (int64_t)r->config->retain_us
					: INT64_MIN;
}

static void on_timer(uv_timer_t *timer)
{
	struct jb_retention *r = timer->data;
	struct jb_retain_order order = {
		.before_us = kept_since(r),
		.upto = find_bound(r).upto,
	};
	struct jb_error err;

	if (jb_recorder_retain(r->recorder, &order, NULL, &err) != JB_OK)
		jb_log_warning("%s", err.text);
	else
		jb_intake_poke(r->intake, NULL);
}

int jb_retention_vacuum(struct jb_retention *r, const struct jb_vacuum *what,
			void *waiting, struct jb_retention_bound *ret,
			struct jb_error *err)
{
	struct jb_retention_bound bound = find_bound(r);
	struct jb_retain_order order = {
		.before_us = what->before_us != INT64_MIN ? what->before_us
							  : kept_since(r),
		.max_bytes = what->max_bytes,
		.upto = bound.upto,
		.shrink = true,
	};
	int rv = jb_recorder_retain(r->recorder, &order, waiting, err);

	*ret = bound;
	if (rv == JB_OK)
		jb_intake_poke(r->intake,
			       NULL); /* else the next set takes it */
	return rv;
}

/* ---- life */

int jb_retention_start(struct jb_retention *r, uv_loop_t *loop,
		       const struct jb_config *config,
		       struct jb_recorder *recorder, struct jb_intake *intake,
		       uint64_t epoch, struct jb_error *err)
{
	uint64_t ms = config->retain_us > 0
			      ? config->retain_us / US_PER_MS / LOOKS
			      : MOST_MS; /* only MaxBacklog= lets go */

	*r = (struct jb_retention){.config = config,
				   .recorder = recorder,
				   .intake = intake,
				   .epoch = epoch};
	r->passed = calloc(config->n_policies + 1, sizeof *r->passed);
	if (r->passed == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "retention");
	uv_timer_init(loop, &r->timer);
	r->timer.data = r;
	if (config->retain_us == 0 && config->max_backlog == 0)
		return JB_OK; /* nothing goes by itself */
	if (ms < LEAST_MS)
		ms = LEAST_MS;
	if (ms > MOST_MS)
		ms = MOST_MS;
	uv_timer_start(&r->timer, on_timer, ms, ms);
	return JB_OK;
}

void jb_retention_stop(struct jb_retention *r)
{
	if (r->timer.loop != NULL && !uv_is_closing((uv_handle_t *)&r->timer))
		uv_close((uv_handle_t *)&r->timer, NULL);
	free(r->passed);
	r->passed = NULL;
}
