/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/retention.h - when the journal drops what, and who holds it back.
 *
 * Every so often, and when `vacuum` asks, the recorder gets an order: what is
 * older than Retain=, but nothing that a policy has not read yet. A policy that
 * is further behind than MaxBacklog= does not count: it owes a full pass.
 *
 * Lifecycle: start -> (vacuum, report)* -> stop, which closes the timer while
 * the loop runs on. Belongs to the loop thread. */
#ifndef JB_ENGINE_RETENTION_H
#define JB_ENGINE_RETENTION_H

#include "engine/base/config.h"
#include "engine/record/recorder.h"

#include <jansson.h>
#include <uv.h>

struct jb_retention {
	const struct jb_config *config; /* borrowed */
	struct jb_recorder *recorder;	/* borrowed */
	struct jb_intake *intake;	/* borrowed */
	uint64_t epoch;
	uv_timer_t timer;
	bool *passed; /* owned; one per policy: was said to be too far behind */
};

/* Up to where changes may go, and who says so. */
struct jb_retention_bound {
	int64_t upto;	    /* INT64_MAX: nobody reads */
	const char *policy; /* whose cursor it is, NULL: nobody's */
};

/* What `vacuum` asks for; the rest is as in an order of the recorder. */
struct jb_vacuum {
	int64_t before_us; /* INT64_MIN: as Retain= says */
	int64_t max_bytes; /* 0: no matter */
};

int jb_retention_start(struct jb_retention *r, uv_loop_t *loop,
		       const struct jb_config *config,
		       struct jb_recorder *recorder, struct jb_intake *intake,
		       uint64_t epoch, struct jb_error *err);
/* Accepts one that was never started. */
void jb_retention_stop(struct jb_retention *r);

/* Order it; the recorder hands @waiting back. *ret: who may hold it back. */
int jb_retention_vacuum(struct jb_retention *r, const struct jb_vacuum *what,
			void *waiting, struct jb_retention_bound *ret,
			struct jb_error *err);

/* Is the policy so far behind that it owes a full pass? */
bool jb_retention_is_passed(struct jb_retention *r, const char *policy);

#endif
