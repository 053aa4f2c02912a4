/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/status_policies.h"

#include "engine/base/duration.h"
#include "engine/base/time.h"
#include "engine/cli/cli.h"
#include "engine/cli/output.h"
#include "engine/cli/reply.h"
#include "engine/cli/table.h"
#include "engine/deliver/delivery.h"

#include <inttypes.h>
#include <string.h>

/* ---- for people */

static void add_policy(struct jb_table *t, const json_t *p)
{
	int64_t lag = jb_reply_int(p, "last_seq") - jb_reply_int(p, "cursor");

	jb_table_row(t);
	jb_table_text(t, jb_reply_text(p, "name"));
	jb_table_text(t, jb_reply_text(p, "root"));
	jb_table_text(t, jb_reply_text(p, "target"));
	jb_table_text(t, jb_reply_text(p, "state"));
	jb_table_count(t, lag > 0 ? lag : 0);
	jb_table_count(t, jb_reply_int(p, "pending"));
	jb_table_count(t, jb_reply_int(p, "owed"));
	jb_table_count(t, jb_reply_int(p, "entries"));
	jb_table_time(t, jb_reply_int(p, "last_us"));
	jb_table_time(t, jb_reply_int(p, "next_us"));
}

static void print_progress(const json_t *p, FILE *f)
{
	const json_t *progress = json_object_get(p, "progress");
	char done[JB_OUT_COUNT_MAX], total[JB_OUT_COUNT_MAX];
	char left[JB_DURATION_TEXT_MAX];
	int64_t left_s = jb_reply_int(progress, "left_s");

	/* What is held does not go on. */
	if (progress == NULL || strcmp(jb_reply_text(p, "error"), "-") != 0)
		return;
	fprintf(f, "%s: %s: %s of %s entries, %.0f a second",
		jb_reply_text(p, "name"), jb_reply_text(p, "state"),
		jb_out_count(jb_reply_int(progress, "done"), done),
		jb_out_count(jb_reply_int(progress, "total"), total),
		json_number_value(json_object_get(progress, "rate")));
	if (left_s > 0)
		fprintf(f, ", about %s left",
			jb_duration_format((uint64_t)left_s * JB_USEC_PER_SEC,
					   left, sizeof left));
	fputc('\n', f);
}

/* The command approves what is shown here, and nothing that comes later. */
static void print_holding(const json_t *p, const char *name, FILE *f)
{
	int64_t deletions = jb_reply_int(p, "held_count");
	int64_t overwrites = jb_reply_int(p, "held_overwrites");
	char n[JB_OUT_COUNT_MAX];

	if (deletions > 0)
		fprintf(f, "%s: %s deletion%s held (MaxDelete=)\n", name,
			jb_out_count(deletions, n),
			deletions == 1 ? " is" : "s are");
	if (overwrites > 0)
		fprintf(f, "%s: %s overwrite%s held (MaxReplace=)\n", name,
			jb_out_count(overwrites, n),
			overwrites == 1 ? " is" : "s are");
	if (deletions + overwrites > 0)
		fprintf(f,
			"%s: '" JB_PROGRAM " release %s --seq %" PRId64
			"' approves them\n",
			name, name, jb_reply_int(p, "held_seq"));
}

/* Has the target all? If not, since when, and how to see what it lacks. */
static void print_synced(const json_t *p, const char *name, FILE *f)
{
	int64_t synced_us = jb_reply_int(p, "synced_us");
	char text[JB_TIME_TEXT_MAX];

	if (jb_reply_int(p, "pending") <= 0 && jb_reply_int(p, "owed") <= 0 &&
	    jb_reply_int(p, "last_seq") <= jb_reply_int(p, "cursor"))
		return;
	fprintf(f, "%s: ", name);
	if (synced_us != 0)
		fprintf(f, "its target had it all at %s; ",
			jb_time_format(synced_us, false, text, sizeof text));
	fprintf(f, "'query --policy %s --unsynced' says what it lacks\n", name);
}

static void print_notes(const json_t *p, FILE *f)
{
	const char *name = jb_reply_text(p, "name");
	const char *error = jb_reply_text(p, "error");
	char n[JB_OUT_COUNT_MAX];

	print_progress(p, f);
	if (strcmp(error, "-") != 0)
		fprintf(f, "%s: %s\n", name, error);
	if (strcmp(jb_reply_text(p, "state"), "paused") == 0)
		fprintf(f, "%s: '" JB_PROGRAM " resume %s' lets it go on\n",
			name, name);
	if (json_is_true(json_object_get(p, "gap")))
		fprintf(f,
			"%s: GAP: more than MaxBacklog= changes behind, it "
			"owes a full pass\n",
			name);
	if (json_is_true(json_object_get(p, "full")))
		fprintf(f, "%s: it owes a full pass\n", name);
	print_synced(p, name, f);
	print_holding(p, name, f);
	if (jb_reply_int(p, "no_space") > 0)
		fprintf(f,
			"%s: no space at target '%s' for %s of its entries, "
			"the others go on: make room there, or leave some out "
			"by Exclude=\n",
			name, jb_reply_text(p, "target"),
			jb_out_count(jb_reply_int(p, "no_space"), n));
	if (jb_reply_int(p, "failed") > 0 &&
	    jb_reply_int(p, "pending") + jb_reply_int(p, "owed") > 0)
		fprintf(f,
			"%s: %s of its tries failed since its worker began\n",
			name, jb_out_count(jb_reply_int(p, "failed"), n));
	if (jb_reply_int(p, "torn") > 0)
		fprintf(f,
			"%s: files changed while they were copied, %s %s: "
			"such copies are dropped and made again\n",
			name, jb_out_count(jb_reply_int(p, "torn"), n),
			jb_reply_int(p, "torn") == 1 ? "time" : "times");
	if (jb_reply_int(p, "restarts") > 0)
		fprintf(f, "%s: its worker was started again %s %s\n", name,
			jb_out_count(jb_reply_int(p, "restarts"), n),
			jb_reply_int(p, "restarts") == 1 ? "time" : "times");
}

void jb_status_print_policies(const json_t *policies, FILE *f)
{
	static const char *const columns[] = {
		"POLICY",   "ROOT",	"TARGET", "STATE",
		">LAG",	    ">PENDING", ">OWED",  ">ENTRIES",
		"LAST RUN", "NEXT RUN", NULL};
	struct jb_table *t;

	if (json_array_size(policies) == 0)
		return;
	t = jb_table_new(columns);
	if (t == NULL)
		return;
	for (size_t i = 0; i < json_array_size(policies); i++)
		add_policy(t, json_array_get(policies, i));
	fputc('\n', f);
	jb_table_print(t, f);
	jb_table_free(t);
	for (size_t i = 0; i < json_array_size(policies); i++)
		print_notes(json_array_get(policies, i), f);
}

/* ---- without a daemon */

/* Why nothing is known of it; with a database that is another version's or
 * damaged the text says what to do. */
static json_t *make_unknown(const struct jb_error *err)
{
	if (err->code == JB_ENOENT)
		return json_pack("{s:s}", "state", "never ran");
	return json_pack("{s:s, s:s, s:s}", "state", "not known", "code",
			 jb_error_name(err->code), "error", err->text);
}

static json_t *make_still(const struct jb_config *config,
			  const struct jb_config_section *policy, bool is_down,
			  int64_t last_seq)
{
	struct jb_delivery_status s;
	struct jb_error err = {0};

	if (jb_delivery_status_read(config, policy->name, &s, &err) != JB_OK)
		return make_unknown(&err);
	return json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:b}",
		"state",
		s.paused  ? "paused"
		: is_down ? "not running"
			  : "not known",
		"cursor", (json_int_t)s.cursor, "last_seq",
		(json_int_t)last_seq, "pending", (json_int_t)s.pending, "owed",
		(json_int_t)s.owed, "entries", (json_int_t)s.entries, "held",
		s.holding.on, "held_count", (json_int_t)s.holding.deletions,
		"held_overwrites", (json_int_t)s.holding.overwrites, "held_seq",
		(json_int_t)s.holding.seq, "last_us", (json_int_t)s.last_us,
		"full", s.is_full);
}

json_t *jb_status_still_policies(const struct jb_config *config, bool is_down,
				 int64_t last_seq)
{
	json_t *list = json_array(), *one;
	const struct jb_config_section *p;
	const char *root, *target;

	for (size_t i = 0; i < config->n_policies; i++) {
		p = &config->policies[i];
		root = jb_config_text(p, "Root");
		target = jb_config_text(p, "Target");
		if (root == NULL || target == NULL)
			continue;
		one = make_still(config, p, is_down, last_seq);
		json_object_set_new(one, "name", json_string(p->name));
		json_object_set_new(one, "root", json_string(root));
		json_object_set_new(one, "target", json_string(target));
		json_array_append_new(list, one);
	}
	return list;
}
