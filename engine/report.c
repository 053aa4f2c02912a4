/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `status` shows of a running daemon. */
#include "engine/daemon_priv.h"

#include "engine/base/clock.h"
#include "jb/version.h"
#include "journal/catalog.h"

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

/* Where the root ends because something else is mounted there. */
static json_t *report_mounts(struct jb_daemon *d, const struct jb_root *root)
{
	json_t *list = json_array();
	struct jb_catalog *catalog = NULL;
	struct jb_store *store = NULL;
	sqlite3_stmt *st = NULL;
	struct jb_entry e;
	const char *path;
	char *full;
	size_t len;

	if (jb_store_open(d->config->state_dir, JB_STORE_READ, &store, NULL) ==
		    JB_OK &&
	    jb_catalog_open(store, &catalog, NULL) == JB_OK &&
	    jb_store_prepare(store,
			     "SELECT " JB_ENTRY_COLUMNS " FROM entry"
			     " WHERE root = ?1 AND flags & 4",
			     &st, NULL) == JB_OK) {
		sqlite3_bind_int64(st, 1, root->id);
		while (jb_store_step(store, st, NULL) > 0) {
			jb_entry_read(st, &e);
			if (jb_catalog_path(catalog, e.parent, &path, &len,
					    NULL) != JB_OK ||
			    asprintf(&full, "%.*s%s%s", (int)len, path,
				     len > 0 ? "/" : "", e.name) < 0)
				continue;
			json_array_append_new(list, make_text(full));
			free(full);
		}
	}
	sqlite3_finalize(st);
	jb_catalog_close(catalog);
	jb_store_close(store);
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

static json_t *report_root(struct jb_daemon *d, unsigned i)
{
	const struct jb_root *root = &d->roots[i];
	const struct jb_source *s = root->source;
	struct jb_recorder_status st;
	jb_recorder_status(d->recorder, root, &st);
	return json_pack("{s:s, s:s*, s:I, s:o, s:s, s:s, s:s, s:I, s:I, s:I, "
			 "s:o, s:o, s:o, s:b, s:b, "
			 "s:I, s:I}",
			 "name", root->config->name, "network",
			 root->network ? root->fs_type : NULL, "rescan_us",
			 (json_int_t)root->config->rescan_us, "path",
			 make_text(root->config->path), "backend", s->ops->name,
			 "backend_why", root->why, "state",
			 name_state(d->presence[i].state, &st), "complete_us",
			 (json_int_t)(st.complete_ns / NS_PER_US), "dirty",
			 (json_int_t)jb_intake_backlog(d->intake), "detached",
			 (json_int_t)st.detached, "scan", report_scan(d, i),
			 "patrol", report_patrol(d, root, st.drift), "mounts",
			 report_mounts(d, root), "gap_open", st.gap_open,
			 "no_room", st.no_room, "events", (json_int_t)s->events,
			 "overflows", (json_int_t)s->overflows);
}

static int64_t read_number(struct jb_store *store, const char *sql)
{
	sqlite3_stmt *st;
	int64_t n = 0;

	if (jb_store_prepare(store, sql, &st, NULL) != JB_OK)
		return 0;
	if (jb_store_step(store, st, NULL) > 0)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static int64_t file_size(const char *dir, const char *name)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static json_t *report_journal(struct jb_daemon *d)
{
	const char *dir = d->config->state_dir;
	int64_t first = 0;
	struct jb_store *store;

	if (jb_store_open(dir, JB_STORE_READ, &store, NULL) == JB_OK) {
		first = read_number(store,
				    "SELECT ifnull(min(seq), 0) FROM change");
		jb_store_close(store);
	}
	return json_pack("{s:I, s:I, s:I, s:I}", "first_seq", (json_int_t)first,
			 "last_seq",
			 (json_int_t)jb_recorder_last_seq(d->recorder),
			 "size_bytes",
			 (json_int_t)file_size(dir, "journal.db") +
				 (json_int_t)file_size(dir, "journal.db-wal"),
			 "catalog_names",
			 (json_int_t)jb_recorder_names(d->recorder));
}

/* Whose backlog is larger than MaxBacklog=? */
static json_t *report_policies(struct jb_daemon *d)
{
	json_t *list = jb_supervisor_report(d->supervisor), *one;
	const char *name;
	size_t i;

	json_array_foreach(list, i, one)
	{
		name = json_string_value(json_object_get(one, "name"));
		json_object_set_new(one, "gap",
				    json_boolean(jb_retention_is_passed(
					    &d->retention, name)));
	}
	return list;
}

json_t *jb_daemon_report(struct jb_daemon *d)
{
	json_t *roots = json_array();
	char epoch[32];

	for (unsigned i = 0; i < d->n_roots; i++)
		json_array_append_new(roots, report_root(d, i));
	snprintf(epoch, sizeof epoch, "%016" PRIx64, (uint64_t)d->epoch);
	return json_pack("{s:b, s:s, s:i, s:s, s:o, s:o, s:o}", "ok", 1,
			 "version", JB_VERSION, "pid", (int)getpid(), "epoch",
			 epoch, "roots", roots, "journal", report_journal(d),
			 "policies", report_policies(d));
}
