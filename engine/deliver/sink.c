/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/deliver/sink.h"

#include "engine/base/grow.h"

#include <stdlib.h>
#include <string.h>

void jb_sink_fini(struct jb_plan_sink *sink)
{
	free(sink->looks);
	free(sink->rids);
	free(sink->deferred);
}

void jb_sink_empty(struct jb_plan_sink *sink)
{
	sink->n_looks = sink->n_rids = sink->n_deferred = 0;
	sink->page = NULL;
	sink->entries = NULL;
	sink->n_entries = 0;
	sink->err.code = JB_OK;
}

void jb_sink_looked(struct jb_plan_sink *sink, size_t n)
{
	size_t left = sink->n_looks - n;

	if (left > 0)
		memmove(sink->looks, sink->looks + n,
			left * sizeof *sink->looks);
	jb_sink_empty(sink);
	sink->n_looks = left;
}

static const char *last_name(const char *path)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;

	return slash != NULL ? slash + 1 : path;
}

static void add_place(struct jb_plan_look *look, struct jb_identity dir,
		      const char *path)
{
	const char *name = last_name(path);
	size_t len = name != NULL ? strlen(name) : 0;

	if (len == 0 || len > JB_NAME_MAX || dir.ino == 0)
		return;
	look->places[look->n_places].dir = (struct jb_id){dir.ino, dir.birth};
	look->places[look->n_places].name = name;
	look->places[look->n_places++].len = (uint8_t)len;
}

static int defer(struct jb_plan_sink *sink, const struct jb_operation *op)
{
	struct jb_pending_row *rows =
		jb_grow(sink->deferred, sink->n_deferred, &sink->cap_deferred,
			sizeof *rows);

	if (rows == NULL)
		return JB_ENOMEM;
	sink->deferred = rows;
	rows[sink->n_deferred++] = (struct jb_pending_row){
		.id = {op->change->id.ino, op->change->id.birth},
		.reason = JB_REASON_SETTLING,
		.since_us = op->change->time_us,
		.next_us = op->until_us,
	};
	return JB_OK;
}

/* Room for one more, with nothing but who it is; NULL without memory. */
static struct jb_plan_look *add_look(struct jb_plan_sink *sink,
				     struct jb_identity id)
{
	struct jb_plan_look *looks = jb_grow(sink->looks, sink->n_looks,
					     &sink->cap_looks, sizeof *looks);

	if (looks == NULL)
		return NULL;
	sink->looks = looks;
	looks += sink->n_looks++;
	*looks = (struct jb_plan_look){.id = {id.ino, id.birth}};
	return looks;
}

int jb_sink_look(struct jb_plan_sink *sink, const struct jb_policy_entry *e)
{
	uint64_t *rids;

	if (e->rid != 0) {
		rids = jb_grow(sink->rids, sink->n_rids, &sink->cap_rids,
			       sizeof *rids);
		if (rids == NULL)
			return JB_ENOMEM;
		sink->rids = rids;
		rids[sink->n_rids++] = e->rid;
		return JB_OK;
	}
	return add_look(sink, e->id) != NULL ? JB_OK : JB_ENOMEM;
}

/* Is it one of an array's members? Pointers of the plugin's may be anything. */
static bool is_member(const void *p, const void *array, size_t n, size_t size)
{
	uintptr_t at = (uintptr_t)p, first = (uintptr_t)array;

	return array != NULL && at >= first && at - first < n * size &&
	       (at - first) % size == 0;
}

static int refuse(struct jb_plan_sink *sink, const char *what)
{
	return jb_error_set(&sink->err, JB_EPROTO, 0, "asked for %s", what);
}

static int look_at_change(struct jb_plan_sink *sink,
			  const struct jb_policy_change *c)
{
	struct jb_plan_look *look = add_look(sink, c->id);
	size_t i = (size_t)(c - sink->page->changes);

	if (look == NULL)
		return JB_ENOMEM;
	add_place(look, sink->page->dirs[i], c->path);
	add_place(look, sink->page->old_dirs[i], c->old_path);
	return JB_OK;
}

int jb_sink_emit(struct jb_plan_sink *sink, const struct jb_operation *op)
{
	const struct jb_feed_page *page = sink->page;

	if (op == NULL || (op->change != NULL) == (op->entry != NULL))
		return refuse(sink, "neither a change nor an entry");
	if (op->kind != JB_OPERATION_FOLLOW && op->kind != JB_OPERATION_DEFER)
		return refuse(sink, "an operation that there is not");
	if (op->entry != NULL) {
		if (op->kind != JB_OPERATION_FOLLOW)
			return refuse(sink, "an entry to be deferred");
		if (!is_member(op->entry, sink->entries, sink->n_entries,
			       sizeof *op->entry))
			return refuse(sink, "an entry that it was not given");
		return jb_sink_look(sink, op->entry);
	}
	if (page == NULL ||
	    !is_member(op->change, page->changes, page->n, sizeof *op->change))
		return refuse(sink, "a change that it was not given");
	if (op->kind == JB_OPERATION_DEFER)
		return defer(sink, op);
	return look_at_change(sink, op->change);
}
