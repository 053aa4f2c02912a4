/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/status.h"

#include "engine/base/config.h"
#include "engine/base/duration.h"
#include "engine/base/size.h"
#include "engine/base/time.h"
#include "engine/cli/cli.h"
#include "engine/cli/output.h"
#include "engine/cli/reply.h"
#include "engine/cli/status_policies.h"
#include "engine/cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is known of a root, wherever from ---- */

static const struct jb_overview_root *
find_journal_root(const struct jb_status *s, const char *name)
{
	for (size_t i = 0; i < s->journal.n_roots; i++)
		if (strcmp(s->journal.roots[i].name, name) == 0)
			return &s->journal.roots[i];
	return NULL;
}

static int64_t backlog_of(const json_t *root)
{
	return jb_reply_int(root, "dirty") + jb_reply_int(root, "detached");
}

static int64_t count_gaps(const struct jb_status *s, const json_t *root)
{
	const struct jb_overview_root *r;

	r = find_journal_root(s, jb_reply_text(root, "name"));
	if (r != NULL)
		return r->gaps_open;
	return json_is_true(json_object_get(root, "gap_open"));
}

/* ---- for people ---- */

static void print_daemon(const struct jb_status *s, FILE *f)
{
	if (s->is_running)
		fprintf(f, "daemon   running, pid %" PRId64 ", version %s\n",
			jb_reply_int(s->reply, "pid"),
			jb_reply_text(s->reply, "version"));
	else
		fprintf(f, "daemon   %s\n", s->daemon_error.text);
}

static void print_extent(FILE *f, int64_t first, int64_t last, int64_t names)
{
	char a[JB_OUT_COUNT_MAX], b[JB_OUT_COUNT_MAX], c[JB_OUT_COUNT_MAX];

	if (last == 0)
		fputs(", no change yet", f);
	else if (first == last)
		fprintf(f, ", change %s", jb_out_count(last, b));
	else
		fprintf(f, ", changes %s to %s", jb_out_count(first, a),
			jb_out_count(last, b));
	if (names >= 0)
		fprintf(f, ", %s name%s", jb_out_count(names, c),
			names == 1 ? "" : "s");
}

static void print_journal(const struct jb_status *s, FILE *f)
{
	const json_t *j = json_object_get(s->reply, "journal");
	char size[JB_SIZE_TEXT_MAX];
	int64_t bytes;

	if (!s->has_journal && !s->is_running) {
		fprintf(f, "journal  %s\n", s->journal_error.text);
		return;
	}
	bytes = s->is_running ? jb_reply_int(j, "size_bytes")
			      : s->journal.size_bytes;
	fprintf(f, "journal  %s/journal.db, %s", s->config->state_dir,
		jb_size_format((uint64_t)bytes, size, sizeof size));
	if (s->is_running)
		print_extent(f, jb_reply_int(j, "first_seq"),
			     jb_reply_int(j, "last_seq"),
			     jb_reply_int(j, "catalog_names"));
	else
		print_extent(f, s->journal.first_seq, s->journal.last_seq, -1);
	fputc('\n', f);
}

static void add_running_root(const struct jb_status *s, struct jb_table *t,
			     const json_t *root)
{
	const char *path = jb_reply_text(root, "path");

	jb_table_row(t);
	jb_table_text(t, jb_reply_text(root, "name"));
	jb_table_bytes(t, path, strlen(path));
	jb_table_text(t, jb_reply_text(root, "state"));
	jb_table_text(t, jb_reply_text(root, "backend"));
	jb_table_time(t, jb_reply_int(root, "complete_us"));
	jb_table_count(t, backlog_of(root));
	jb_table_count(t, count_gaps(s, root));
}

static void add_still_root(struct jb_table *t, const char *name,
			   const char *path, const char *state,
			   const struct jb_overview_root *r)
{
	jb_table_row(t);
	jb_table_text(t, name);
	jb_table_bytes(t, path, strlen(path));
	jb_table_text(t, state);
	jb_table_text(t, "-");
	jb_table_time(t, r != NULL ? r->complete_us : 0);
	jb_table_text(t, "-");
	if (r != NULL)
		jb_table_count(t, r->gaps_open);
	else
		jb_table_text(t, "-");
}

/* A daemon that does not answer, or may not be asked, can watch all the same.
 */
static const char *still_state(const struct jb_status *s,
			       const struct jb_overview_root *r)
{
	if (s->daemon_error.code != JB_ENOTRUN ||
	    (!s->has_journal && s->journal_error.code != JB_ENOENT))
		return "not known";
	return r != NULL ? "not watched" : "never watched";
}

/* No daemon: what is configured, then what only the journal knows. */
static void add_still_roots(const struct jb_status *s, struct jb_table *t)
{
	const struct jb_config *c = s->config;
	const struct jb_overview_root *r;

	for (size_t i = 0; i < c->n_roots; i++) {
		r = find_journal_root(s, c->roots[i].name);
		add_still_root(t, c->roots[i].name, c->roots[i].path,
			       still_state(s, r), r);
	}
	for (size_t i = 0; i < s->journal.n_roots; i++) {
		r = &s->journal.roots[i];
		if (jb_config_root(c, r->name) == NULL)
			add_still_root(t, r->name, r->path, "not configured",
				       r);
	}
}

static void print_scan(const json_t *root, const char *name, FILE *f)
{
	const json_t *scan = json_object_get(root, "scan");
	char done[JB_OUT_COUNT_MAX], total[JB_OUT_COUNT_MAX];
	char left[JB_DURATION_TEXT_MAX];
	int64_t n_total = jb_reply_int(scan, "total"), left_s;

	if (!json_is_true(json_object_get(scan, "running")))
		return;
	fprintf(f, "%s: scan running: %s", name,
		jb_out_count(jb_reply_int(scan, "done"), done));
	if (n_total > 0)
		fprintf(f, " of %s", jb_out_count(n_total, total));
	fputs(" names", f);
	left_s = jb_reply_int(scan, "left_s");
	if (left_s > 0)
		fprintf(f, ", about %s left",
			jb_duration_format((uint64_t)left_s * JB_USEC_PER_SEC,
					   left, sizeof left));
	fputc('\n', f);
}

static void print_patrol(const json_t *root, const char *name, FILE *f)
{
	const json_t *patrol = json_object_get(root, "patrol");
	char n[JB_OUT_COUNT_MAX];

	if (jb_reply_int(patrol, "drift") > 0)
		fprintf(f,
			"%s: patrols found %s changes that raised no event; "
			"see 'query --gaps'\n",
			name, jb_out_count(jb_reply_int(patrol, "drift"), n));
}

static void print_mounts(const json_t *root, const char *name, FILE *f)
{
	const json_t *mounts = json_object_get(root, "mounts");
	const char *path;

	for (size_t i = 0; i < json_array_size(mounts); i++) {
		path = json_string_value(json_array_get(mounts, i));
		if (path == NULL)
			continue;
		fprintf(f, "%s: ends at ", name);
		jb_out_text(f, path, strlen(path));
		fputs(": another file system is mounted there\n", f);
	}
}

static void print_network(const json_t *root, const char *name, FILE *f)
{
	const char *type = json_string_value(json_object_get(root, "network"));
	uint64_t every = (uint64_t)jb_reply_int(root, "rescan_us");
	char text[JB_DURATION_TEXT_MAX];

	if (type == NULL)
		return;
	fprintf(f,
		"%s: a network mount (%s): what others change raises no "
		"event; ",
		name, type);
	if (every == 0)
		fputs("nobody looks for it (RescanInterval=off)\n", f);
	else
		fprintf(f, "it is scanned every %s\n",
			jb_duration_format(every, text, sizeof text));
}

static void print_seconds(const json_t *root, const char *name, FILE *f)
{
	if (json_is_true(json_object_get(root, "whole_seconds")))
		fprintf(f,
			"%s: times are whole seconds there: a second change "
			"within one of them may be missed\n",
			name);
}

static void print_notes(const struct jb_status *s, const json_t *root, FILE *f)
{
	const char *name = jb_reply_text(root, "name");
	const char *why = jb_reply_text(root, "backend_why");
	char n[JB_OUT_COUNT_MAX];
	int64_t overflows = jb_reply_int(root, "overflows");

	if (strcmp(why, "-") != 0 && *why != '\0')
		fprintf(f, "%s: %s: %s\n", name, jb_reply_text(root, "backend"),
			why);
	print_network(root, name, f);
	print_seconds(root, name, f);
	print_scan(root, name, f);
	print_patrol(root, name, f);
	if (json_is_true(json_object_get(root, "no_room")))
		fprintf(f,
			"%s: there is no room for the journal: nothing is "
			"recorded, a scan makes up for it later\n",
			name);
	if (count_gaps(s, root) > 0)
		fprintf(f,
			"%s: a gap is open until its scan is done; see "
			"'query --gaps'\n",
			name);
	if (overflows > 0)
		fprintf(f,
			"%s: the kernel's queue overflowed %s %s since the "
			"start\n",
			name, jb_out_count(overflows, n),
			overflows == 1 ? "time" : "times");
	print_mounts(root, name, f);
}

void jb_status_print(const struct jb_status *s, FILE *f)
{
	static const char *const columns[] = {"ROOT",		"PATH",
					      "STATE",		"BACKEND",
					      "COMPLETE UNTIL", ">BACKLOG",
					      ">GAPS",		NULL};
	const json_t *roots = json_object_get(s->reply, "roots");
	struct jb_table *t = jb_table_new(columns);

	print_daemon(s, f);
	print_journal(s, f);
	if (t == NULL)
		return;
	for (size_t i = 0; i < json_array_size(roots); i++)
		add_running_root(s, t, json_array_get(roots, i));
	if (!s->is_running)
		add_still_roots(s, t);
	fputc('\n', f);
	jb_table_print(t, f);
	jb_table_free(t);
	for (size_t i = 0; i < json_array_size(roots); i++)
		print_notes(s, json_array_get(roots, i), f);
	jb_status_print_policies(s->policies, f);
}

/* ---- for programs ---- */

/* JSON knows no bytes: what is not UTF-8 is escaped. */
static json_t *make_text(const char *bytes)
{
	char *text = jb_out_text_dup(bytes, strlen(bytes));
	json_t *value = json_string(
		jb_out_is_utf8(bytes, strlen(bytes)) ? bytes : text);

	free(text);
	return value;
}

static json_t *make_still_roots(const struct jb_status *s)
{
	json_t *roots = json_array();

	for (size_t i = 0; i < s->journal.n_roots; i++) {
		const struct jb_overview_root *r = &s->journal.roots[i];

		json_array_append_new(
			roots,
			json_pack("{s:o, s:o, s:s, s:I, s:i}", "name",
				  make_text(r->name), "path",
				  make_text(r->path), "state",
				  jb_config_root(s->config, r->name)
					  ? still_state(s, r)
					  : "not configured",
				  "complete_us", (json_int_t)r->complete_us,
				  "gaps_open", (int)r->gaps_open));
	}
	return roots;
}

static json_t *make_still(const struct jb_status *s)
{
	char epoch[32];
	json_t *all;

	snprintf(epoch, sizeof epoch, "%016" PRIx64, s->journal.epoch);
	all = json_pack("{s:o, s:O}", "error", make_text(s->daemon_error.text),
			"policies", s->policies);
	if (!s->has_journal) {
		json_object_set_new(all, "journal_error",
				    make_text(s->journal_error.text));
		return all;
	}
	json_object_set_new(all, "epoch", json_string(epoch));
	json_object_set_new(all, "roots", make_still_roots(s));
	json_object_set_new(
		all, "journal",
		json_pack("{s:I, s:I, s:I}", "first_seq",
			  (json_int_t)s->journal.first_seq, "last_seq",
			  (json_int_t)s->journal.last_seq, "size_bytes",
			  (json_int_t)s->journal.size_bytes));
	return all;
}

void jb_status_print_json(const struct jb_status *s, FILE *f)
{
	json_t *all = s->is_running ? json_incref(s->reply) : make_still(s);
	json_t *roots = json_object_get(all, "roots"), *root;
	json_int_t gaps = 0, backlog = 0;
	size_t i;

	json_object_del(all, "ok");
	json_array_foreach(roots, i, root)
	{
		gaps += count_gaps(s, root);
		backlog += backlog_of(root);
		json_object_set_new(root, "gaps_open",
				    json_integer(count_gaps(s, root)));
	}
	json_object_set_new(all, "running", json_boolean(s->is_running));
	json_object_set_new(all, "state_dir", make_text(s->config->state_dir));
	json_object_set_new(all, "gaps_open", json_integer(gaps));
	if (s->is_running)
		json_object_set_new(all, "backlog", json_integer(backlog));
	json_dumpf(all, f, JSON_INDENT(2));
	fputc('\n', f);
	json_decref(all);
}
