/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/deliver/supervisor.h - one worker process per policy.
 *
 * Starts them, wakes them, hands requests over, remembers what they said last,
 * and starts one that died again, with growing waits. The journal does not
 * notice any of it.
 *
 * Lifecycle: open -> (wake, request, report)* -> stop -> `stopped` is called ->
 * close. Belongs to the loop thread. */
#ifndef JB_DELIVER_SUPERVISOR_H
#define JB_DELIVER_SUPERVISOR_H

#include "engine/base/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

struct jb_supervisor;

/* The answer to a request (borrowed); NULL: there will be none. */
typedef void jb_supervisor_reply_fn(void *arg, json_t *reply);

/* Start a worker for each policy of @config that has a root and a target. */
int jb_supervisor_open(uv_loop_t *loop, const struct jb_config *config,
		       struct jb_supervisor **ret, struct jb_error *err);

/* There are changes up to @seq. */
void jb_supervisor_wake(struct jb_supervisor *s, int64_t seq);

/* Something was mounted or unmounted at @path: the workers whose target or root
 * it concerns look whether they can work. Follows no path itself: one may lead
 * to where nobody answers. */
void jb_supervisor_mounted(struct jb_supervisor *s, const char *path);

/* Is there a worker for this policy? */
bool jb_supervisor_has(struct jb_supervisor *s, const char *policy);

/* Send @request (taken over) to the worker of @policy. A worker that dies
 * meanwhile gets it again. JB_ENOENT: no such policy. */
int jb_supervisor_request(struct jb_supervisor *s, const char *policy,
			  json_t *request, jb_supervisor_reply_fn *done,
			  void *arg, struct jb_error *err);
/* Its answer is not wanted any more: `done` will not be called with @arg. */
void jb_supervisor_forget(struct jb_supervisor *s, const void *arg);

/* End the workers of this root's policies and start none until told to go on:
 * they keep its file system busy. @quiet (may be NULL) is called whenever one
 * of them has ended. */
typedef void jb_supervisor_quiet_fn(void *arg);
void jb_supervisor_let_go(struct jb_supervisor *s, const char *root,
			  jb_supervisor_quiet_fn *quiet, void *arg);
/* Does no worker of this root run? */
bool jb_supervisor_is_quiet(struct jb_supervisor *s, const char *root);
void jb_supervisor_go_on(struct jb_supervisor *s, const char *root);

/* What is known of each policy: an array of objects. */
json_t *jb_supervisor_report(struct jb_supervisor *s);

/* End all workers, within bounds. No request is answered any more. */
typedef void jb_supervisor_stopped_fn(void *arg);
void jb_supervisor_stop(struct jb_supervisor *s,
			jb_supervisor_stopped_fn *stopped, void *arg);
/* After `stopped`, or before any loop ran. Accepts NULL. */
void jb_supervisor_close(struct jb_supervisor *s);

#endif
