/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/delivery.h"

#include "engine/base/clock.h"
#include "engine/base/pattern.h"
#include "engine/deliver/compare.h"
#include "engine/deliver/delivery_priv.h"
#include "engine/deliver/host.h"
#include "journal/damage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define US_PER_S      INT64_C(1000000)
#define GONE_AT_ONCE  1000
#define LOCK_PAUSE_NS 10000000
#define LOCK_TRIES    300
#define SCAN_LOOK_US  100000
#define RETRY_US      US_PER_S
#define MOST_RETRY_US (60 * US_PER_S)
/* A write sets the times when it begins and is told of when it ends: a copy
 * that was made in between looks complete. What was this young when it was
 * copied is copied again if the journal then tells of a write. */
#define LONG_WRITE_NS INT64_C(10000000000)
/* Least and most of MaxDelete= and MaxReplace= as a share. */
#define LEAST_LIMIT 100
#define MOST_LIMIT  100000

const char *jb_phase_name(enum jb_delivery_phase phase)
{
	static const char *const names[] = {
		[JB_PHASE_WAITING] = "waiting",
		[JB_PHASE_FIRST] = "first copy",
		[JB_PHASE_FULL] = "full pass",
		[JB_PHASE_FOLLOWING] = "following",
	};

	return names[phase];
}

/* ---- open and close */

/* The worker of a daemon that was killed ends a moment after it, and the next
 * one may be there by then. */
static bool wait_for_lock(int fd)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (errno != EWOULDBLOCK)
			return false;
		nanosleep(&pause, NULL);
	}
	errno = EWOULDBLOCK;
	return false;
}

/* The state directory can't be written to. */
static int refuse_state(const struct jb_delivery *d, int errnum,
			struct jb_error *err)
{
	const char *dir = d->config->state_dir;

	if (errnum == ENOENT)
		return jb_error_set(err, JB_ENOENT, errnum,
				    "%s: no such directory: the daemon has "
				    "never run with this configuration",
				    dir);
	if (errnum == EACCES)
		return jb_error_set(err, JB_EACCES, errnum,
				    "%s: permission denied: run as root, or "
				    "as the user of the daemon",
				    dir);
	return jb_error_errno(err, errnum, "%s", dir);
}

static int take_lock(struct jb_delivery *d, struct jb_error *err)
{
	char path[4096], text[32] = "?";
	ssize_t n;
	int busy;

	snprintf(path, sizeof path, "%s/policy-%s.lock", d->config->state_dir,
		 d->policy->name);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->lock_fd < 0)
		return refuse_state(d, errno, err);
	if (!wait_for_lock(d->lock_fd)) {
		busy = errno;
		n = pread(d->lock_fd, text, sizeof text - 1, 0);
		if (n > 0)
			text[n] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return jb_error_set(err, JB_EBUSY, busy,
				    "policy '%s': another process (pid %s) "
				    "works for it",
				    d->policy->name, text);
	}
	n = snprintf(text, sizeof text, "%d\n", (int)getpid());
	if (ftruncate(d->lock_fd, 0) != 0 ||
	    pwrite(d->lock_fd, text, (size_t)n, 0) < 0)
		return jb_error_errno(err, errno, "%s", path);
	return JB_OK;
}

static int find_sections(struct jb_delivery *d, const char *policy,
			 struct jb_error *err)
{
	const char *root, *target;

	d->policy = jb_config_policy(d->config, policy);
	if (d->policy == NULL)
		return jb_error_set(err, JB_ECONFIG, 0,
				    "there is no [Policy %s]", policy);
	root = jb_config_text(d->policy, "Root");
	target = jb_config_text(d->policy, "Target");
	d->root = root != NULL ? jb_config_root(d->config, root) : NULL;
	d->section =
		target != NULL ? jb_config_target(d->config, target) : NULL;
	if (d->root == NULL || d->section == NULL)
		return jb_error_set(err, JB_ENOTSUP, 0,
				    "policy '%s': has no Root= and Target= of "
				    "its own to deliver to",
				    policy);
	return JB_OK;
}

static struct jb_limit read_limit(const struct jb_config_section *policy,
				  const char *key)
{
	struct jb_config_limit l = jb_config_limit(policy, key);

	if (l.is_percent && l.value > 0)
		return (struct jb_limit){
			.on = !l.is_off && l.value < 10000,
			.share = (uint32_t)l.value,
			.least = LEAST_LIMIT,
			.most = MOST_LIMIT,
		};
	return (struct jb_limit){
		.on = !l.is_off,
		.least = (int64_t)l.value,
		.most = (int64_t)l.value,
	};
}

static void read_options(struct jb_delivery *d)
{
	const struct jb_config_section *p = d->policy;
	struct jb_planner_options *o = &d->options;

	d->keep_us = (int64_t)jb_config_duration(p, "KeepDeleted");
	if (d->keep_us > JB_FOR_EVER / 2) /* a time to come must have room */
		d->keep_us = JB_FOR_EVER;
	jb_delivery_begin_trash(d);
	*o = (struct jb_planner_options){
		.policy = p->name,
		.patterns = d->patterns,
		.delete_window_us =
			(int64_t)jb_config_duration(p, "DeleteWindow"),
		.max_delete = read_limit(p, "MaxDelete"),
		.max_replace = read_limit(p, "MaxReplace"),
		.preserve = jb_delivery_preserve(p),
		.settle_us = (int64_t)jb_config_duration(p, "Settle"),
		.keep_deleted = d->keep_us > 0,
		.keep_hashes = true,
		.racy_ns = LONG_WRITE_NS,
		.rests = &d->rests,
		.is_own = jb_delivery_is_own_dir,
		.own_arg = d,
	};
	if (o->settle_us > JB_FOR_EVER / 2)
		o->settle_us = JB_FOR_EVER / 2;
}

/* What a worker may be writing just now is only read. */
static int open_to_look(struct jb_delivery *d, struct jb_error *err)
{
	const char *name = d->policy->name;
	int rv = jb_replica_open_to_read(d->config->state_dir, name,
					 &d->replica, err);

	return rv == JB_ENOENT ? jb_replica_open(NULL, name, &d->replica, err)
			       : rv;
}

static int open_replica(struct jb_delivery *d, struct jb_error *err)
{
	const char *dir = d->config->state_dir, *name = d->policy->name;
	char path[4096], aside[160];
	struct jb_error why;
	int rv;

	if (d->dry)
		return open_to_look(d, err);
	rv = jb_replica_open(dir, name, &d->replica, &why);
	if (rv != JB_OK && err != NULL)
		*err = why;
	if (rv != JB_ECORRUPT)
		return rv;
	snprintf(path, sizeof path, "policy-%s.db", name);
	rv = jb_damage_set_aside(dir, path, &why, aside, sizeof aside, err);
	if (rv != JB_OK)
		return rv;
	return jb_error_set(err, JB_EHELD, 0, "%s; it is set aside as %s/%s",
			    why.text, dir, aside);
}

int jb_delivery_open(const struct jb_config *config, const char *policy,
		     bool dry, struct jb_delivery **ret, struct jb_error *err)
{
	struct jb_delivery *d = calloc(1, sizeof *d);
	int rv;

	if (d == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "policy '%s'", policy);
	d->config = config;
	d->lock_fd = -1;
	d->dry = dry;
	d->retry_wait_us = RETRY_US;
	rv = find_sections(d, policy, err);
	if (rv == JB_OK && !dry)
		rv = take_lock(d, err);
	if (rv == JB_OK)
		rv = jb_config_patterns(d->policy, &d->patterns, err);
	if (rv == JB_OK)
		rv = open_replica(d, err);
	if (rv == JB_OK) {
		read_options(d);
		rv = jb_delivery_load(d, err);
	}
	if (rv == JB_OK && !dry)
		rv = jb_delivery_wait_no_longer(d, err);
	if (rv == JB_OK)
		rv = jb_delivery_open_target(d, err);
	if (rv == JB_OK)
		rv = jb_plugin_load(config, d->policy, &d->plugin, err);
	if (rv == JB_OK) {
		jb_delivery_lend(d);
		rv = jb_plugin_open(&d->plugin, &d->host, err);
	}
	if (rv != JB_OK) {
		jb_delivery_close(d);
		return rv;
	}
	*ret = d;
	return JB_OK;
}

static void close_journal(struct jb_delivery *d)
{
	jb_compare_free(d->compare); /* it reads the view */
	d->compare = NULL;
	d->pass.is_running = false;
	if (d->view != NULL)
		d->view->ops->close(d->view);
	jb_feed_close(d->feed);
	d->view = NULL;
	d->feed = NULL;
}

void jb_delivery_close(struct jb_delivery *d)
{
	if (d == NULL)
		return;
	jb_plugin_unload(&d->plugin);
	if (d->target != NULL)
		d->target->ops->close(d->target);
	close_journal(d);
	jb_replica_close(d->replica);
	jb_patterns_free(d->patterns);
	jb_sink_fini(&d->sink);
	free(d->outcomes);
	jb_delivery_fini_partial(d);
	free(d->under);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	free(d);
}

/* ---- steps */

int jb_delivery_open_journal(struct jb_delivery *d, struct jb_error *err)
{
	const char *dir = d->config->state_dir, *root = d->root->name;
	int rv = JB_OK;

	if (d->feed == NULL)
		rv = jb_feed_open(dir, root, &d->feed, err);
	if (rv == JB_OK && d->view == NULL)
		rv = jb_catalog_view_open(dir, root, &d->view, err);
	if (rv == JB_OK)
		rv = jb_feed_state(d->feed, &d->journal, err);
	if (rv != JB_OK)
		close_journal(d);
	return rv;
}

int jb_delivery_owe_full(struct jb_delivery *d, struct jb_error *err)
{
	d->is_full = true;
	d->pass = (struct jb_pass){.is_running = false};
	return jb_delivery_note(d, JB_KEY_FULL, 1, err);
}

/* Was the change at the cursor written by the session that we read it of? If
 * not, the journal was put back to an earlier state since. */
static int check_session(struct jb_delivery *d, bool *lost,
			 struct jb_error *err)
{
	int64_t known = 0, now = 0;
	int rv = jb_replica_get(d->replica, JB_KEY_SESSION, 0, &known, err);

	if (rv == JB_OK && known != 0)
		rv = jb_feed_session(d->feed, d->stored, &now, err);
	*lost = *lost || known != now;
	return rv;
}

/* Has what the cursor counts from gone, or is too much of it there? */
static int is_cursor_lost(struct jb_delivery *d, bool *lost,
			  struct jb_error *err)
{
	const struct jb_feed_state *j = &d->journal;
	int64_t epoch = 0, most = (int64_t)d->config->max_backlog;
	int rv;

	rv = jb_replica_get(d->replica, JB_KEY_EPOCH, 0, &epoch, err);
	if (rv != JB_OK)
		return rv;
	*lost = (uint64_t)epoch != j->epoch || d->cursor > j->last_seq ||
		(j->first_seq > d->cursor + 1 && j->last_seq > d->cursor) ||
		(most > 0 && j->last_seq - d->cursor > most);
	return *lost ? JB_OK : check_session(d, lost, err);
}

int jb_delivery_check_cursor(struct jb_delivery *d, struct jb_error *err)
{
	bool lost = false;
	int rv;

	if (d->is_full)
		return JB_OK;
	rv = is_cursor_lost(d, &lost, err);
	return rv == JB_OK && lost ? jb_delivery_owe_full(d, err) : rv;
}

/* Before a full pass begins the journal is followed to its end, if that can be:
 * a directory that is renamed while the pass walks may be missed by it, with
 * what had changed below. */
static int follows_first(struct jb_delivery *d, bool *ret, struct jb_error *err)
{
	bool lost = true;
	int rv = JB_OK;

	*ret = false;
	if (d->pass.is_running || d->adopt != 0 || d->cursor == 0 ||
	    d->cursor >= d->journal.last_seq)
		return JB_OK;
	rv = is_cursor_lost(d, &lost, err);
	*ret = rv == JB_OK && !lost;
	return rv;
}

struct gone {
	struct jb_plan_sink *sink; /* borrowed */
	struct jb_error *err;
};

/* What is pending and no longer has a place in the tree is over: a tree that
 * goes is one change, which does not name what was below. */
static int add_gone(void *arg, const struct jb_unsynced_item *item)
{
	const struct gone *g = arg;
	const struct jb_policy_entry e = {.id = item->id};

	if (!item->is_gone || jb_sink_look(g->sink, &e) == JB_OK)
		return 0;
	return jb_error_set(g->err, JB_ENOMEM, 0, "plan");
}

static int try_again(struct jb_delivery *d, struct jb_error *err)
{
	struct gone gone = {.sink = &d->sink, .err = err};
	int rv = jb_delivery_look_for_room(d, err);

	if (rv == JB_OK)
		rv = jb_delivery_catch_up(d, err);
	return rv == JB_OK
		       ? jb_unsynced_pending(d->feed, d->replica, GONE_AT_ONCE,
					     add_gone, &gone, err)
		       : rv;
}

static int work(struct jb_delivery *d, bool retry, struct jb_step *ret,
		struct jb_error *err)
{
	bool follow = false;
	int rv = d->is_full ? follows_first(d, &follow, err) : JB_OK;

	if (rv != JB_OK)
		return rv;
	if (d->is_full && !follow)
		return jb_delivery_pass(d, ret, err);
	if (d->cursor < d->journal.last_seq) {
		d->retry_wait_us = RETRY_US;
		rv = jb_delivery_follow(d, ret, err);
		ret->more = ret->more || d->is_full;
		return rv;
	}
	if (!d->more && !d->again && !retry)
		return JB_OK;
	rv = retry ? try_again(d, err) : JB_OK;
	if (rv == JB_OK)
		rv = jb_delivery_plan(d, 0, err);
	ret->more = d->more || d->again;
	ret->worked = true;
	if (retry && d->retry_wait_us < MOST_RETRY_US)
		d->retry_wait_us *= 2;
	return rv;
}

int jb_delivery_step(struct jb_delivery *d, bool retry, struct jb_step *ret,
		     struct jb_error *err)
{
	int rv = jb_delivery_open_journal(d, err);

	*ret = (struct jb_step){.more = false};
	if (rv == JB_ENOENT || rv == JB_ESTALE ||
	    (rv == JB_OK && !d->journal.complete)) {
		ret->due_us = jb_clock_us(CLOCK_REALTIME) + SCAN_LOOK_US;
		return JB_OK;
	}
	if (rv != JB_OK || d->paused)
		return rv;
	rv = jb_delivery_check_source(d, err);
	if (rv == JB_OK)
		rv = jb_delivery_check_cursor(d, err);
	if (rv == JB_OK)
		rv = work(d, retry, ret, err);
	if (rv == JB_OK && !d->is_full)
		atomic_store(&d->phase, JB_PHASE_FOLLOWING);
	if (rv == JB_OK && !ret->more)
		rv = jb_delivery_find_due(d, &ret->due_us, err);
	if (rv == JB_OK && !ret->more)
		jb_delivery_add_trash_due(d, &ret->due_us);
	return rv;
}

/* ---- what a person asks for */

int jb_delivery_pause(struct jb_delivery *d, bool on, struct jb_error *err)
{
	int rv = jb_delivery_note(d, JB_KEY_PAUSED, on, err);

	if (rv == JB_OK)
		d->paused = on;
	return rv;
}

int jb_delivery_release(struct jb_delivery *d, int64_t seq,
			struct jb_released *ret, struct jb_error *err)
{
	return jb_planner_release(d->replica, seq, ret, err);
}

int jb_delivery_reset(struct jb_delivery *d, struct jb_error *err)
{
	struct jb_store *store = jb_replica_store(d->replica);
	int rv = jb_replica_begin(d->replica, err);

	if (rv == JB_OK)
		rv = jb_store_exec(store,
				   "UPDATE pending SET next = 0, attempts = 0;"
				   "UPDATE owed SET next = 0, attempts = 0"
				   " WHERE next IS NOT NULL",
				   err);
	if (rv == JB_OK)
		rv = jb_replica_set(d->replica, JB_KEY_FULL, 1, err);
	if (rv == JB_OK)
		rv = jb_replica_commit(d->replica, err);
	if (rv != JB_OK) {
		jb_replica_rollback(d->replica);
		return rv;
	}
	d->is_full = true;
	d->pass = (struct jb_pass){.is_running = false};
	return JB_OK;
}
