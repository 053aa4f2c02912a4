/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/gaps.h"

#include "engine/cli/output.h"
#include "engine/cli/table.h"
#include "journal/overview.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_wanted(const struct jb_query_filter *f,
		      const struct jb_overview_gap *g)
{
	int64_t end = g->closed_us != 0 ? g->closed_us : INT64_MAX;
	size_t i;

	for (i = 0; i < f->n_roots; i++)
		if (strcmp(f->roots[i], g->root) == 0)
			break;
	if (f->n_roots > 0 && i == f->n_roots)
		return false;
	return g->since_us <= f->until_us && end >= f->since_us;
}

/* The gaps to show, in their order; *n of them. To be freed. */
static const struct jb_overview_gap **
pick(const struct jb_query_filter *f, const struct jb_overview *ov, size_t *n)
{
	const struct jb_overview_gap **picked, *swap;
	size_t skip;

	*n = 0;
	picked = calloc(ov->n_gaps + 1, sizeof(struct jb_overview_gap *));
	if (picked == NULL)
		return NULL;
	for (size_t i = 0; i < ov->n_gaps; i++)
		if (is_wanted(f, &ov->gaps[i]))
			picked[(*n)++] = &ov->gaps[i];
	if (f->limit < *n) {
		skip = f->newest ? *n - (size_t)f->limit : 0;
		*n = (size_t)f->limit;
		memmove(picked, picked + skip,
			*n * sizeof(struct jb_overview_gap *));
	}
	for (size_t i = 0; f->reverse && i < *n / 2; i++) {
		swap = picked[i];
		picked[i] = picked[*n - 1 - i];
		picked[*n - 1 - i] = swap;
	}
	return picked;
}

static void put_time(FILE *f, const char *key, int64_t us)
{
	fprintf(f, ",\"%s\":", key);
	if (us != 0)
		jb_out_json_time_us(f, us);
	else
		fputs("null", f);
}

static void print_json(FILE *f, const struct jb_overview_gap *g)
{
	fputs("{\"root\":", f);
	jb_out_json_string(f, g->root, strlen(g->root));
	fputs(",\"reason\":", f);
	jb_out_json_string(f, g->reason, strlen(g->reason));
	put_time(f, "from", g->since_us);
	put_time(f, "to", g->noticed_us);
	put_time(f, "closed", g->closed_us);
	fprintf(f, ",\"found\":%" PRId64 "}\n", g->found);
}

static void add_row(struct jb_table *t, const struct jb_overview_gap *g)
{
	jb_table_row(t);
	jb_table_bytes(t, g->root, strlen(g->root));
	jb_table_bytes(t, g->reason, strlen(g->reason));
	jb_table_time(t, g->since_us);
	jb_table_time(t, g->noticed_us);
	if (g->closed_us != 0)
		jb_table_time(t, g->closed_us);
	else
		jb_table_text(t, "open");
	jb_table_count(t, g->found);
}

static int print_table(const struct jb_overview_gap **gaps, size_t n, FILE *f)
{
	static const char *const columns[] = {"ROOT",	"REASON", "FROM", "TO",
					      "CLOSED", ">FOUND", NULL};
	struct jb_table *t = jb_table_new(columns);

	if (t == NULL)
		return JB_ENOMEM;
	for (size_t i = 0; i < n; i++)
		add_row(t, gaps[i]);
	if (n > 0)
		jb_table_print(t, f);
	jb_table_free(t);
	return JB_OK;
}

int jb_gaps_print(struct jb_store *store, const struct jb_query_options *o,
		  FILE *f, struct jb_error *err)
{
	const struct jb_overview_gap **picked;
	struct jb_overview ov;
	size_t n;
	int rv;

	rv = jb_overview_read(store, &ov, err);
	if (rv != JB_OK)
		return rv;
	picked = pick(&o->filter, &ov, &n);
	if (picked == NULL)
		rv = JB_ENOMEM;
	else if (o->format->kind == JB_FORMAT_TEXT)
		rv = print_table(picked, n, f);
	for (size_t i = 0;
	     rv == JB_OK && o->format->kind == JB_FORMAT_JSON && i < n; i++)
		print_json(f, picked[i]);
	free(picked);
	jb_overview_fini(&ov);
	return rv == JB_OK ? rv
			   : jb_error_set(err, rv, 0, "gaps: out of memory");
}
