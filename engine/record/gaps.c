/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which gaps are open, when their scans begin, and when they close.
 *
 * A gap is open from the batch that learned of a loss until a barrier taken at
 * the end of its scan is passed: until what the scan marked is recorded, not
 * only until it has walked. 'Complete until' stands still meanwhile. */
#include "engine/base/log.h"
#include "engine/record/recorder_priv.h"

#include <unistd.h>

bool jb_gaps_is_open(const struct jb_record_root *root)
{
	return root->owed || root->running || root->scan_mark != NULL ||
	       root->scan_mark_due;
}

int jb_gaps_owe(struct jb_recorder *r, struct jb_record_root *root,
		const char *reason, struct jb_error *err)
{
	root->owed = true;
	root->gap.progress = 0;
	/* After a step back of the clock its old times are not to be trusted.
	 */
	if (root->complete > r->now_us * 1000)
		root->complete = r->now_us * 1000;
	if (root->gap.id != 0)
		return JB_OK; /* one more scan closes it */
	r->wrote = true;
	jb_log_notice("root '%s': gap: %s", root->root->config->name, reason);
	return jb_gap_open(r->store, root->root->id, reason,
			   root->complete / 1000, r->now_us, &root->gap, err);
}

int jb_gaps_root_lost(struct jb_recorder *r, struct jb_record_root *root,
		      const struct jb_error *why, struct jb_error *err)
{
	root->lost = true;
	r->events.root_lost(r->events.arg, root->root, why);
	return jb_gaps_owe(r, root, JB_GAP_ROOT_LOST, err);
}

static const char *reason_of(enum jb_loss loss)
{
	switch (loss) {
	case JB_LOSS_OVERFLOW:
		return JB_GAP_OVERFLOW;
	case JB_LOSS_TOO_MANY:
		return JB_GAP_TOO_MANY;
	case JB_LOSS_MEMORY:
	case JB_LOSS_NONE:
		break;
	}
	return JB_GAP_NO_MEMORY;
}

/* What other threads said, under the mutex. */
static void take_messages(struct jb_recorder *r, unsigned i, bool *ended,
			  const char **reason)
{
	struct jb_record_root *root = &r->roots[i];
	struct jb_record_mail *mail = &r->mail[i];

	pthread_mutex_lock(&r->mutex);
	*ended = mail->scan_ended;
	*reason = mail->owed_reason;
	if (mail->lost) {
		root->lost = root->let_go = true;
		*reason = JB_GAP_ROOT_LOST;
	}
	if (mail->let_go) {
		root->lost = root->let_go = true;
		*reason = JB_GAP_ROOT_RELEASED;
	}
	if (mail->back)
		root->lost = false;
	mail->scan_ended = mail->lost = mail->back = mail->let_go = false;
	mail->owed_reason = NULL;
	pthread_mutex_unlock(&r->mutex);
}

int jb_gaps_note(struct jb_recorder *r, struct jb_error *err)
{
	const char *reason;
	bool ended;
	int rv = JB_OK;

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++) {
		struct jb_record_root *root = &r->roots[i];

		take_messages(r, i, &ended, &reason);
		if (ended) {
			root->running = false;
			root->scan_mark_due = true;
		}
		if (reason == NULL && r->set != NULL &&
		    r->set->loss != JB_LOSS_NONE)
			reason = reason_of(r->set->loss);
		if (reason != NULL)
			rv = jb_gaps_owe(r, root, reason, err);
	}
	return rv;
}

int jb_gaps_bound_carry(struct jb_recorder *r, struct jb_error *err)
{
	struct jb_record_root *root;
	struct jb_dir dir;
	/* The scan will list what was not, and only asks whether it is there:
	 * its events must be known to be ours by then. */
	int rv = jb_list_map_new(r, err);

	for (size_t i = 0; i < r->carry.n && rv == JB_OK; i++) {
		rv = jb_catalog_dir(r->catalog, r->carry.items[i].dir, &dir,
				    err);
		root = rv > 0 ? jb_record_root_of(r, dir.root) : NULL;
		if (root != NULL && !root->owed)
			rv = jb_gaps_owe(r, root, reason_of(JB_LOSS_TOO_MANY),
					 err);
		rv = rv < 0 ? rv : JB_OK;
	}
	if (rv == JB_OK)
		jb_todo_fini(&r->carry);
	return rv;
}

static int close_gap(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_error *err)
{
	int rv = jb_gap_close(r->store, &root->gap, r->now_us, err);

	jb_log_notice("root '%s': gap closed: %s found: %lld",
		      root->root->config->name,
		      root->gap.baseline ? "entries" : "changes",
		      (long long)root->gap.found);
	root->gap = (struct jb_gap){0};
	root->complete = root->scan_mark->clock;
	if (rv == JB_OK)
		rv = jb_known_root_set_complete(r->store, root->root->id,
						root->complete, err);
	jb_mark_unref(root->scan_mark);
	root->scan_mark = NULL;
	r->wrote = true;
	/* The scan may have seen them moving: who is detached waits anew. */
	if (rv == JB_OK && root->detached.count > 0) {
		rv = jb_detached_regroup(&root->detached, r->set->no,
					 r->next_det - 1, err);
		if (rv == JB_OK && jb_recorder_oldest_left(r) > r->set->no)
			root->detached.groups[0].mark =
				jb_mark_ref(jb_recorder_mark(r));
	}
	return rv;
}

/* The latest clock of a mark that has passed, 0: none has. */
static int64_t passed_clock(struct jb_recorder *r, uint64_t oldest)
{
	int64_t clock = 0;

	for (struct jb_flush *f = r->flushes; f != NULL; f = f->next)
		if (jb_mark_passed(f->mark, r->set, oldest) &&
		    f->mark->clock > clock)
			clock = f->mark->clock;
	if (jb_mark_passed(r->time, r->set, oldest)) {
		if (r->time->clock > clock)
			clock = r->time->clock;
		jb_mark_unref(r->time);
		r->time = NULL;
	}
	return clock;
}

/* Is a mark to be asked for? A batch that wrote asks for one. It is so young
 * that the times of what was looked at are in doubt yet, and would be for good
 * if all is quiet from now on: a scan would take untouched files for changed.
 * So one more follows when two ticks have gone by, and then none. */
static bool want_time(struct jb_recorder *r)
{
	int64_t now = jb_look_clock();

	if (r->wrote)
		r->looked = now;
	if (r->time != NULL || r->looked == 0)
		return false;
	if (r->wrote)
		return true;
	/* Before it: the clock was set back. */
	if (now >= r->looked && jb_look_is_racy(r->looked, now))
		return false;
	r->looked = 0;
	return true;
}

static int settle_time(struct jb_recorder *r, uint64_t oldest,
		       struct jb_error *err)
{
	int64_t clock = passed_clock(r, oldest);
	int rv = JB_OK;

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++) {
		struct jb_record_root *root = &r->roots[i];

		if (!jb_gaps_is_open(root) && root->complete < clock) {
			root->complete = clock;
			rv = jb_known_root_set_complete(r->store,
							root->root->id, clock,
							err);
		}
	}
	if (want_time(r))
		r->time = jb_mark_ref(jb_recorder_mark(r));
	return rv;
}

int jb_gaps_settle(struct jb_recorder *r, struct jb_error *err)
{
	uint64_t oldest = jb_recorder_oldest_left(r);
	int rv = JB_OK;

	for (unsigned i = 0; i < r->settings.n_roots && rv == JB_OK; i++) {
		struct jb_record_root *root = &r->roots[i];

		if (root->scan_mark_due) {
			jb_mark_unref(root->scan_mark);
			root->scan_mark = jb_mark_ref(jb_recorder_mark(r));
			root->scan_mark_due = false;
			rv = jb_gap_update(r->store, &root->gap, err);
		} else if (jb_mark_passed(root->scan_mark, r->set, oldest) &&
			   !root->owed && !root->running) {
			rv = close_gap(r, root, err);
		}
	}
	return rv == JB_OK ? settle_time(r, oldest, err) : rv;
}

/* Directories that the loop was to watch are descriptors there. */
static void close_new_dirs(struct jb_recorder *r, const struct jb_root *root)
{
	for (size_t i = 0; i < r->n_new; i++)
		if (r->new_dirs[i].root == root && r->new_dirs[i].fd >= 0) {
			close(r->new_dirs[i].fd);
			r->new_dirs[i].fd = -1;
		}
}

void jb_gaps_let_go(struct jb_recorder *r)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		struct jb_record_root *root = &r->roots[i];

		if (!root->let_go)
			continue;
		root->let_go = false;
		close_new_dirs(r, root->root);
		r->events.root_released(r->events.arg, root->root);
	}
}

void jb_gaps_start_scans(struct jb_recorder *r)
{
	for (unsigned i = 0; i < r->settings.n_roots; i++) {
		struct jb_record_root *root = &r->roots[i];

		if (!root->owed || root->running || root->lost)
			continue;
		root->owed = false;
		root->running = true;
		r->events.scan_owed(r->events.arg, root->root,
				    (uint64_t)root->gap.progress);
		root->gap.progress = 0; /* the next one begins anew */
	}
}
