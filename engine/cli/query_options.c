/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/query_options.h"

#include "engine/base/clock.h"
#include "engine/base/time.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define LINES_DEFAULT 10
#define TOP_DIRS      20

enum {
	OPT_ROOT = JB_CLI_OPTION,
	OPT_KIND,
	OPT_GAPS,
	OPT_AFTER_CURSOR,
	OPT_SHOW_CURSOR,
	OPT_BY,
	OPT_TOP,
	OPT_POLICY,
	OPT_UNSYNCED,
};

static const struct option longs[] = {
	{"since", required_argument, NULL, 'S'},
	{"until", required_argument, NULL, 'U'},
	{"lines", optional_argument, NULL, 'n'},
	{"reverse", no_argument, NULL, 'r'},
	{"follow", no_argument, NULL, 'f'},
	{"output", required_argument, NULL, 'o'},
	{"root", required_argument, NULL, OPT_ROOT},
	{"kind", required_argument, NULL, OPT_KIND},
	{"gaps", no_argument, NULL, OPT_GAPS},
	{"after-cursor", required_argument, NULL, OPT_AFTER_CURSOR},
	{"show-cursor", no_argument, NULL, OPT_SHOW_CURSOR},
	{"by", required_argument, NULL, OPT_BY},
	{"top", required_argument, NULL, OPT_TOP},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"unsynced", no_argument, NULL, OPT_UNSYNCED},
	JB_CLI_COMMON_OPTIONS,
};

static const char shorts[] = ":S:U:n::rfo:h";

/* What must be known of the line as a whole. */
struct line {
	bool has_lines, has_oldest, has_top;
};

static bool is_number(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static bool parse_number(struct jb_cli *cli, const char *option,
			 const char *text, uint64_t *ret)
{
	if (is_number(text) && strlen(text) < 19) {
		*ret = strtoull(text, NULL, 10);
		return true;
	}
	jb_cli_usage(cli, "%s '%s': not a number", option, text);
	return false;
}

static bool parse_time(struct jb_cli *cli, const char *option, int64_t *ret)
{
	struct jb_error err;

	if (jb_time_parse(optarg, jb_clock_us(CLOCK_REALTIME), ret, &err) ==
	    JB_OK)
		return true;
	jb_cli_usage(cli, "%s: %s", option, err.text);
	return false;
}

static bool is_lines(const char *text)
{
	return strcmp(text, "all") == 0 || is_number(text + (*text == '+'));
}

/* -n5, -n 5, -n +5, -n all, and -n alone. */
static bool parse_lines(struct jb_query_options *o, struct line *l,
			struct jb_cli *cli, int argc, char **argv)
{
	const char *text = optarg;

	if (text == NULL && optind < argc && is_lines(argv[optind]))
		text = argv[optind++];
	l->has_lines = true;
	l->has_oldest = false;
	if (text == NULL) {
		o->filter.limit = LINES_DEFAULT;
		return true;
	}
	if (strcmp(text, "all") == 0) {
		o->filter.limit = JB_QUERY_ALL;
		return true;
	}
	l->has_oldest = *text == '+';
	return parse_number(cli, "-n", text + l->has_oldest, &o->filter.limit);
}

static bool parse_kinds(struct jb_query_options *o, struct jb_cli *cli)
{
	char word[16];
	const char *at = optarg;
	size_t len;
	int kind;

	for (;; at += len + 1) {
		len = strcspn(at, ",");
		snprintf(word, sizeof word, "%.*s", (int)len, at);
		kind = len < sizeof word ? jb_kind_parse(word) : 0;
		if (kind == 0) {
			jb_cli_usage(cli,
				     "--kind '%.*s': one of created, modified, "
				     "attrib, renamed, deleted",
				     (int)len, at);
			return false;
		}
		o->filter.kinds |= 1u << kind;
		if (at[len] == '\0')
			return true;
	}
}

static bool parse_format(struct jb_query_options *o, struct jb_cli *cli)
{
	o->format = jb_format_find(optarg);
	if (o->format != NULL)
		return true;
	jb_cli_usage(cli, "-o '%s': one of short, json, paths, paths0", optarg);
	return false;
}

static bool parse_by(struct jb_query_options *o, struct jb_cli *cli)
{
	o->by = jb_summary_parse(optarg);
	if (o->by != JB_BY_NOTHING)
		return true;
	jb_cli_usage(cli, "--by '%s': one of dir, hour, kind", optarg);
	return false;
}

static bool parse_option(struct jb_query_options *o, struct line *l, int c,
			 struct jb_cli *cli, int argc, char **argv)
{
	uint64_t top;

	switch (c) {
	case 'S':
		return parse_time(cli, "--since", &o->filter.since_us);
	case 'U':
		return parse_time(cli, "--until", &o->filter.until_us);
	case 'n':
		return parse_lines(o, l, cli, argc, argv);
	case 'r':
		return o->filter.reverse = true;
	case 'f':
		return o->filter.follow = true;
	case 'o':
		return parse_format(o, cli);
	case OPT_ROOT:
		o->roots[o->filter.n_roots++] = optarg;
		return true;
	case OPT_KIND:
		return parse_kinds(o, cli);
	case OPT_GAPS:
		return o->gaps = true;
	case OPT_AFTER_CURSOR:
		o->filter.after_cursor = optarg;
		return true;
	case OPT_SHOW_CURSOR:
		return o->show_cursor = true;
	case OPT_BY:
		return parse_by(o, cli);
	case OPT_POLICY:
		o->policy = optarg;
		return true;
	case OPT_UNSYNCED:
		return o->unsynced = true;
	default: /* OPT_TOP */
		l->has_top = true;
		if (!parse_number(cli, "--top", optarg, &top))
			return false;
		o->top = (size_t)top;
		return true;
	}
}

/* What does not go together; NULL: all is well. */
static const char *find_conflict(const struct jb_query_options *o,
				 const struct line *l)
{
	const struct jb_query_filter *f = &o->filter;

	if (f->follow && f->reverse)
		return "--follow and --reverse don't go together";
	if (f->follow && f->until_us != INT64_MAX)
		return "--follow and --until don't go together";
	if (f->follow && (o->by != JB_BY_NOTHING || o->gaps))
		return "--follow shows changes, not --by or --gaps";
	if (f->follow && l->has_oldest)
		return "--follow and -n +N don't go together";
	if (o->by != JB_BY_NOTHING && o->gaps)
		return "--by and --gaps don't go together";
	if (l->has_top && o->by == JB_BY_NOTHING)
		return "--top needs --by";
	if (o->format->kind == JB_FORMAT_LIST &&
	    (o->by != JB_BY_NOTHING || o->gaps))
		return "--by and --gaps know -o short and -o json";
	if (o->unsynced != (o->policy != NULL))
		return "--unsynced and --policy NAME go together";
	if (o->unsynced &&
	    (f->follow || f->reverse || o->gaps || o->by != JB_BY_NOTHING ||
	     o->show_cursor || l->has_lines || f->n_patterns > 0 ||
	     f->n_roots > 0 || f->since_us != INT64_MIN ||
	     f->until_us != INT64_MAX || f->after_cursor != NULL))
		return "--unsynced lists all of a policy: only -o goes with it";
	if (o->gaps && f->n_patterns > 0)
		return "--gaps takes no pattern: a gap concerns a whole root";
	if (f->since_us > f->until_us)
		return "--since is later than --until";
	for (size_t i = 0; i < f->n_patterns; i++)
		if (f->patterns[i][0] == '\0')
			return "an empty pattern matches nothing";
	return NULL;
}

static void set_defaults(struct jb_query_options *o, const struct line *l)
{
	struct jb_query_filter *f = &o->filter;

	if (f->follow && !l->has_lines && f->since_us == INT64_MIN &&
	    f->after_cursor == NULL)
		f->limit = LINES_DEFAULT;
	/* As journalctl: from a cursor on, the first ones. */
	f->newest = !l->has_oldest && (f->after_cursor == NULL || f->follow);
	if (o->by == JB_BY_DIR && !l->has_top &&
	    o->format->kind == JB_FORMAT_TEXT)
		o->top = TOP_DIRS;
}

bool jb_query_options_parse(struct jb_query_options *o, struct jb_cli *cli,
			    int argc, char **argv)
{
	struct line l = {0};
	const char *conflict;
	int c;

	*o = (struct jb_query_options){
		.filter = JB_QUERY_FILTER_INIT,
		.format = jb_format_find("short"),
		.roots = calloc((size_t)argc, sizeof(char *)),
	};
	if (o->roots == NULL) {
		cli->exit_code = JB_EXIT_FAILED;
		return false;
	}
	while ((c = jb_cli_option(cli, argc, argv, shorts, longs)) >= 0)
		if (!parse_option(o, &l, c, cli, argc, argv))
			return false;
	if (c == JB_CLI_STOP)
		return false;
	o->filter.roots = o->roots;
	o->filter.patterns = (const char *const *)(argv + optind);
	o->filter.n_patterns = (size_t)(argc - optind);
	conflict = find_conflict(o, &l);
	if (conflict != NULL) {
		jb_cli_usage(cli, "%s", conflict);
		return false;
	}
	set_defaults(o, &l);
	return true;
}

void jb_query_options_fini(struct jb_query_options *o)
{
	free(o->roots);
	o->roots = NULL;
}
