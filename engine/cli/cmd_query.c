/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/cli.h"

#include "engine/base/config.h"
#include "engine/base/time.h"
#include "engine/cli/follow.h"
#include "engine/cli/gaps.h"
#include "engine/cli/output.h"
#include "engine/cli/query_options.h"
#include "engine/cli/reader.h"
#include "engine/cli/unsynced.h"

#include <signal.h>
#include <stdlib.h>

/* One run of `query`. */
struct run {
	struct jb_query_options o;
	const char *state_dir; /* borrowed */
	struct jb_reader reader;
	struct jb_query *query;	   /* owned; NULL: not open */
	struct jb_follow follow;   /* if o.filter.follow */
	struct jb_summary summary; /* if o.by */
	struct jb_print print;
	bool stopped; /* the reader went away, or a signal came */
};

static int open_query(struct run *r, struct jb_error *err)
{
	int rv;

	rv = jb_reader_open(&r->reader, r->state_dir, err);
	if (rv != JB_OK)
		return rv;
	rv = jb_query_open(r->reader.store, &r->o.filter, &r->query, err);
	if (rv != JB_OK) {
		jb_reader_explain(r->reader.store->path, err);
		jb_reader_close(&r->reader);
		return rv;
	}
	r->print.with_roots = jb_query_n_roots(r->query) > 1;
	return JB_OK;
}

static void close_query(struct run *r)
{
	jb_query_close(r->query);
	r->query = NULL;
	jb_reader_close(&r->reader);
}

/* Open it; a follower waits until there is a journal. */
static int open_when_there(struct run *r, struct jb_error *err)
{
	bool told = false;
	int rv;

	while ((rv = open_query(r, err)) == JB_ENOENT && r->o.filter.follow &&
	       r->o.filter.n_roots == 0) {
		if (!told)
			fprintf(stderr, JB_PROGRAM " query: %s; waiting\n",
				err->text);
		told = true;
		rv = jb_follow_wait(&r->follow, err);
		if (rv < 0)
			return rv;
		if (rv == 0) {
			r->stopped = true;
			return JB_OK;
		}
	}
	return rv;
}

static int print_page(struct run *r, const struct jb_query_row *rows, size_t n,
		      struct jb_error *err)
{
	int rv = JB_OK;

	for (size_t i = 0; rv == JB_OK && i < n; i++) {
		if (r->o.by != JB_BY_NOTHING)
			rv = jb_summary_add(&r->summary, &rows[i], err);
		else
			r->o.format->print(&r->print, &rows[i]);
	}
	return rv;
}

/* The journal was set aside and begun anew: show the new one, all of it. */
static int reopen(struct run *r, struct jb_error *err)
{
	close_query(r);
	fprintf(stderr, JB_PROGRAM " query: the journal was begun anew; "
				   "following the new one\n");
	r->o.filter.after_cursor = NULL;
	r->o.filter.limit = JB_QUERY_ALL;
	return open_when_there(r, err);
}

/* Nothing more now: wait. */
static int wait_for_more(struct run *r, struct jb_error *err)
{
	int rv;

	rv = jb_follow_wait(&r->follow, err);
	if (rv < 0)
		return rv;
	if (rv == 0)
		r->stopped = true;
	else if (jb_reader_is_stale(&r->reader))
		return reopen(r, err);
	return JB_OK;
}

static int print_changes(struct run *r, struct jb_error *err)
{
	const struct jb_query_row *rows;
	size_t n;
	int rv = JB_OK;

	while (rv == JB_OK && !r->stopped) {
		rv = jb_query_next(r->query, &rows, &n, err);
		if (rv != JB_OK)
			return jb_reader_explain(r->reader.store->path, err);
		if (n == 0 && !r->o.filter.follow)
			break;
		rv = n > 0 ? print_page(r, rows, n, err)
			   : wait_for_more(r, err);
		if (r->o.filter.follow)
			fflush(r->print.f);
		if (jb_out_has_failed(r->print.f))
			r->stopped = true;
	}
	return rv;
}

static void print_cursor(const struct run *r)
{
	char cursor[JB_QUERY_CURSOR_MAX];

	if (!r->o.show_cursor || r->query == NULL)
		return;
	jb_query_cursor(r->query, cursor);
	if (r->o.format->kind == JB_FORMAT_JSON)
		fprintf(r->print.f, "{\"cursor\":\"%s\"}\n", cursor);
	else if (r->o.format->kind == JB_FORMAT_TEXT)
		fprintf(r->print.f, "-- cursor: %s\n", cursor);
	else /* a list stays a list */
		fprintf(stderr, "-- cursor: %s\n", cursor);
}

/* Who asks for a time of which not all is kept is told so. */
static int tell_what_is_kept(const struct run *r, struct jb_error *err)
{
	char text[JB_TIME_TEXT_MAX];
	int64_t since;
	int rv;

	if (r->query == NULL || (r->o.filter.since_us == INT64_MIN &&
				 r->o.filter.until_us == INT64_MAX))
		return JB_OK;
	rv = jb_query_kept_since(r->query, &since, err);
	if (rv == JB_OK && since > 0 && since > r->o.filter.since_us)
		fprintf(stderr,
			JB_PROGRAM " query: what was before %s is no longer "
				   "kept (Retain=)\n",
			jb_time_format(since, false, text, sizeof text));
	return rv;
}

/* ---- the command ---- */

static int print_all(struct run *r, struct jb_error *err)
{
	int rv;

	if (r->o.gaps) {
		rv = jb_reader_open(&r->reader, r->state_dir, err);
		return rv == JB_OK ? jb_gaps_print(r->reader.store, &r->o,
						   r->print.f, err)
				   : rv;
	}
	rv = open_when_there(r, err);
	if (rv == JB_OK)
		rv = tell_what_is_kept(r, err);
	if (rv == JB_OK)
		rv = print_changes(r, err);
	if (rv == JB_OK && r->o.by != JB_BY_NOTHING)
		rv = jb_summary_print(&r->summary, r->o.top,
				      r->print.with_roots,
				      r->o.format->kind == JB_FORMAT_JSON,
				      r->print.f, err);
	if (rv == JB_OK)
		print_cursor(r);
	return rv;
}

static int run_query(struct jb_cli *cli, struct run *r)
{
	struct jb_config *config;
	struct jb_error err;
	int rv = JB_OK, code = JB_EXIT_OK;

	config = jb_cli_load_config(cli);
	if (config == NULL)
		return cli->exit_code;
	if (r->o.unsynced && jb_config_policy(config, r->o.policy) == NULL) {
		code = jb_cli_no_section(cli, config, "Policy", r->o.policy);
		jb_config_free(config);
		return code;
	}
	r->state_dir = config->state_dir;
	r->print = (struct jb_print){.f = stdout,
				     .colour = jb_out_has_colour(stdout)};
	jb_summary_init(&r->summary, r->o.by);
	signal(SIGPIPE, SIG_IGN);
	if (r->o.unsynced)
		rv = jb_unsynced_print(config, &r->o, stdout, &err);
	else if (r->o.filter.follow)
		rv = jb_follow_init(&r->follow, r->state_dir, &err);
	if (rv == JB_OK && !r->o.unsynced) {
		rv = print_all(r, &err);
		if (r->o.filter.follow)
			jb_follow_fini(&r->follow);
	}
	if (rv != JB_OK)
		code = jb_cli_fail(cli, &err);
	close_query(r);
	jb_summary_fini(&r->summary);
	jb_config_free(config);
	return code;
}

static int run(struct jb_cli *cli, int argc, char **argv)
{
	struct run *r = calloc(1, sizeof *r);
	int code;

	if (r == NULL)
		return JB_EXIT_FAILED;
	if (jb_query_options_parse(&r->o, cli, argc, argv))
		code = run_query(cli, r);
	else
		code = cli->exit_code;
	jb_query_options_fini(&r->o);
	free(r);
	return code;
}

const struct jb_command jb_command_query = {
	.name = "query",
	.synopsis = "[OPTION...] [PATTERN...]",
	.summary = "what changed",
	.help = "Show the changes in the journal, oldest first.\n\n"
		"A PATTERN is one of rsync's: /photos/2024/ is that directory "
		"of a root and all\nbelow it, *.jpg any such name. "
		"An absolute path is understood as well.\n\n"
		"  -S, --since TIME     from then on: yesterday, -2h, "
		"'2026-11-23 06:00'\n"
		"  -U, --until TIME     up to then\n"
		"  -n, --lines [N]      the last N (10); +N: the first N\n"
		"  -r, --reverse        newest first\n"
		"  -f, --follow         show the last ones, then what comes\n"
		"      --root NAME      only this root; may be repeated\n"
		"      --kind KIND      created, modified, attrib, renamed, "
		"deleted; a list\n"
		"  -o, --output FORMAT  short, json, paths or paths0\n"
		"      --after-cursor CURSOR\n"
		"                       only what came after it\n"
		"      --show-cursor    end with a cursor for that\n"
		"      --by WHAT        count by dir, hour or kind\n"
		"      --top N          with --by: the N with most changes; "
		"0: all\n"
		"      --gaps           when changes may have been missed\n"
		"      --policy NAME --unsynced\n"
		"                       what its target does not have yet, and "
		"why\n",
	.run = run,
};
