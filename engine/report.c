/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `status` shows of a running daemon. */
#include "engine/daemon_priv.h"

#include "engine/base/clock.h"
#include "jb/version.h"
#include "journal/catalog.h"
#include "journal/overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_US 1000

static json_t *make_text(const char *text)
{
	json_t *value = json_string(text);

	return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *report_scan(struct jb_daemon *d, unsigned i)
{
	struct jb_scan_progress p;
	int64_t left = 0, spent;

	jb_scan_progress(&d->scans[i], &p);
	spent = (jb_clock_us(CLOCK_REALTIME) - p.began_us) / 1000000;
	if (p.running && p.done > 0 && p.total > p.done)
		left = spent * (int64_t)(p.total - p.done) / (int64_t)p.done;
	return json_pack("{s:b, s:I, s:I, s:I}", "running", p.running, "done",
			 (json_int_t)p.done, "total", (json_int_t)p.total,
			 "left_s", (json_int_t)left);
}

static json_t *report_patrol(struct jb_daemon *d, const struct jb_root *root,
			     int64_t drift)
{
	struct jb_patrol_progress p;

	jb_patrol_progress(&d->patrol, root, &p);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "done",
			 (json_int_t)p.done, "total", (json_int_t)p.total,
			 "began_us", (json_int_t)p.row.began, "ended_us",
			 (json_int_t)p.row.ended, "drift", (json_int_t)drift);
}

/* The journal as a reader sees it; what can't be read is left out. */
struct reader {
	struct jb_store *store;
	struct jb_catalog *catalog;
};

static void open_reader(struct jb_daemon *d, struct reader *r)
{
	*r = (struct reader){NULL, NULL};
	if (jb_store_open(d->config->state_dir, JB_STORE_READ, &r->store,
			  NULL) == JB_OK)
		(void)jb_catalog_open(r->store, &r->catalog, NULL);
}

static void close_reader(struct reader *r)
{
	jb_catalog_close(r->catalog);
	jb_store_close(r->store);
}

/* Where the root ends because something else is mounted there. */
static json_t *report_mounts(struct reader *r, const struct jb_root *root)
{
	json_t *list = json_array();
	struct jb_entries mounts = {0};
	const char *path;
	char *full;
	size_t len;

	if (r->catalog != NULL)
		(void)jb_catalog_mounts(r->catalog, root->id, &mounts, NULL);
	for (size_t i = 0; i < mounts.n; i++) {
		if (jb_catalog_path(r->catalog, mounts.v[i].parent, &path, &len,
				    NULL) != JB_OK ||
		    asprintf(&full, "%.*s%s%s", (int)len, path,
			     len > 0 ? "/" : "", mounts.v[i].name) < 0)
			continue;
		json_array_append_new(list, make_text(full));
		free(full);
	}
	jb_entries_fini(&mounts);
	return list;
}

static const char *name_state(enum jb_root_state state,
			      const struct jb_recorder_status *st)
{
	static const char *const away[] = {
		[JB_ROOT_LEAVING] = "leaving",
		[JB_ROOT_RELEASED] = "released",
		[JB_ROOT_MISSING] = "missing",
	};

	if (state != JB_ROOT_HERE)
		return away[state];
	if (st->no_room)
		return "no room";
	if (st->scanning)
		return "scanning";
	return st->gap_open ? "catching up" : "watching";
}

static json_t *report_root(struct jb_daemon *d, struct reader *r, unsigned i)
{
	const struct jb_root *root = &d->roots[i];
	const struct jb_source *s = root->source;
	struct jb_recorder_status st;

	jb_recorder_status(d->recorder, root, &st);
	return json_pack(
		"{s:s, s:s*, s:b, s:I, s:o, s:s, s:s, s:s, s:I, s:I, s:I, "
		"s:o, s:o, s:o, s:b, s:b, "
		"s:I, s:I}",
		"name", root->config->name, "network",
		root->network ? root->fs_type : NULL, "whole_seconds",
		root->whole_seconds, "rescan_us",
		(json_int_t)root->config->rescan_us, "path",
		make_text(root->config->path), "backend", s->ops->name,
		"backend_why", root->why, "state",
		name_state(d->presence[i].state, &st), "complete_us",
		(json_int_t)(st.complete_ns / NS_PER_US), "dirty",
		(json_int_t)jb_intake_backlog(d->intake), "detached",
		(json_int_t)st.detached, "scan", report_scan(d, i), "patrol",
		report_patrol(d, root, st.drift), "mounts",
		report_mounts(r, root), "gap_open", st.gap_open, "no_room",
		st.no_room, "events", (json_int_t)s->events, "overflows",
		(json_int_t)s->overflows);
}

static int64_t file_size(const char *dir, const char *name)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static json_t *report_journal(struct jb_daemon *d, struct reader *r)
{
	const char *dir = d->config->state_dir;
	int64_t first = 0;

	if (r->store != NULL)
		(void)jb_overview_first_seq(r->store, &first, NULL);
	return json_pack("{s:I, s:I, s:I, s:I}", "first_seq", (json_int_t)first,
			 "last_seq",
			 (json_int_t)jb_recorder_last_seq(d->recorder),
			 "size_bytes",
			 (json_int_t)file_size(dir, "journal.db") +
				 (json_int_t)file_size(dir, "journal.db-wal"),
			 "catalog_names",
			 (json_int_t)jb_recorder_names(d->recorder));
}

/* As the workers said it last; but where the journal ends now, and whose
 * backlog is larger than MaxBacklog=, is known here: a worker that hangs knows
 * neither.
 */
static json_t *report_policies(struct jb_daemon *d)
{
	json_t *list = jb_supervisor_report(d->supervisor), *one;
	json_int_t last = jb_recorder_last_seq(d->recorder);
	const char *name;
	size_t i;

	json_array_foreach(list, i, one)
	{
		name = json_string_value(json_object_get(one, "name"));
		if (json_object_get(one, "last_seq") != NULL)
			json_object_set_new(one, "last_seq",
					    json_integer(last));
		json_object_set_new(one, "gap",
				    json_boolean(jb_retention_is_passed(
					    &d->retention, name)));
	}
	return list;
}

json_t *jb_daemon_report(struct jb_daemon *d)
{
	json_t *roots = json_array(), *all;
	struct reader r;
	char epoch[32];

	open_reader(d, &r);
	for (unsigned i = 0; i < d->n_roots; i++)
		json_array_append_new(roots, report_root(d, &r, i));
	snprintf(epoch, sizeof epoch, "%016" PRIx64, (uint64_t)d->epoch);
	all = json_pack("{s:b, s:s, s:i, s:s, s:o, s:o, s:o}", "ok", 1,
			"version", JB_VERSION, "pid", (int)getpid(), "epoch",
			epoch, "roots", roots, "journal", report_journal(d, &r),
			"policies", report_policies(d));
	close_reader(&r);
	return all;
}
