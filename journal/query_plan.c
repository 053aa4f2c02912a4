/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An anchored pattern has a literal beginning. All paths that begin with it
 * are in places whose path begins with it, or in its last directory under a
 * name that begins with the rest: two or three ranges of the index on
 * place(root, path), joined with the indexes on the changes' two ends. What
 * they give is a superset, which jb_match_takes() narrows. */
#include "journal/query_plan.h"

#include "engine/base/clock.h"
#include "engine/base/pattern.h"

#include <stdlib.h>
#include <string.h>

#define SLICE_NS 100000000 /* a read transaction's longest life */

/* ?1 root, ?2 ?3 range of the place's path, ?4 ?5 range of the name, ?6 ?7
 * range of seq. CROSS JOIN: places first; '+': not by seq. */
#define SQL_RANGE(place, name)                                                 \
	"SELECT c.seq, p.path FROM place p CROSS JOIN change c"                \
	" ON c." place " = p.id"                                               \
	" WHERE p.root = ?1 AND p.path >= ?2 AND p.path < ?3"                  \
	" AND c." name " >= ?4 AND c." name " < ?5"                            \
	" AND +c.seq BETWEEN ?6 AND ?7 ORDER BY p.path"

static const char *const sql_ranges[] = {
	SQL_RANGE("place", "name"),
	SQL_RANGE("old_place", "old_name"),
};

#define N_ENDS (sizeof sql_ranges / sizeof sql_ranges[0])

/* Bytes, not text: [lo, hi). */
struct bytes {
	char *data;
	size_t len;
};

struct range {
	struct bytes path_lo, path_hi, name_lo, name_hi;
};

struct collector {
	struct jb_store *store; /* borrowed */
	sqlite3_stmt *ends[N_ENDS];
	int64_t low, high;
	size_t max, size;
	struct jb_query_plan *plan;
	bool full;
};

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "query: out of memory");
}

static void set_bytes(struct bytes *b, const char *data, size_t len)
{
	free(b->data);
	b->data = malloc(len + 1);
	b->len = len;
	if (b->data != NULL && len > 0)
		memcpy(b->data, data, len);
}

/* The first string behind all that begin with @data; behind every name, and
 * every path, where @data is empty. */
static void set_behind(struct bytes *b, const char *data, size_t len)
{
	char last[JB_NAME_MAX + 1];

	while (len > 0 && (unsigned char)data[len - 1] == 0xff)
		len--;
	if (len == 0) {
		memset(last, 0xff, sizeof last);
		set_bytes(b, last, sizeof last);
		return;
	}
	set_bytes(b, data, len);
	if (b->data != NULL)
		b->data[len - 1]++;
}

/* The first string behind @data alone. */
static void set_after(struct bytes *b, const char *data, size_t len)
{
	set_bytes(b, data, len);
	if (b->data != NULL)
		b->data[b->len++] = '\0';
}

static void fini_range(struct range *r)
{
	free(r->path_lo.data);
	free(r->path_hi.data);
	free(r->name_lo.data);
	free(r->name_hi.data);
}

static bool is_complete(const struct range *r)
{
	return r->path_lo.data != NULL && r->path_hi.data != NULL &&
	       r->name_lo.data != NULL && r->name_hi.data != NULL;
}

static int add_seq(struct collector *c, int64_t seq, struct jb_error *err)
{
	int64_t *grown;

	if (c->plan->n == c->max) {
		c->full = true;
		return JB_OK;
	}
	if (c->plan->n == c->size) {
		c->size = c->size == 0 ? 1024 : c->size * 2;
		grown = reallocarray(c->plan->seqs, c->size, sizeof *grown);
		if (grown == NULL)
			return no_memory(err);
		c->plan->seqs = grown;
	}
	c->plan->seqs[c->plan->n++] = seq;
	return JB_OK;
}

static void bind_bytes(sqlite3_stmt *st, int i, const struct bytes *b)
{
	sqlite3_bind_blob(st, i, b->data, (int)b->len, SQLITE_STATIC);
}

/* One read transaction: collect from path_lo on; *more if time was up, then
 * path_lo is where to go on. */
static int collect_slice(struct collector *c, sqlite3_stmt *st, struct range *r,
			 bool *more, struct jb_error *err)
{
	int64_t stop = jb_clock_ns(CLOCK_MONOTONIC) + SLICE_NS;
	const void *path;
	size_t len, visited = 0;
	int rv;

	*more = false;
	bind_bytes(st, 2, &r->path_lo);
	while ((rv = jb_store_step(c->store, st, err)) > 0) {
		rv = add_seq(c, sqlite3_column_int64(st, 0), err);
		if (rv != JB_OK || c->full)
			break;
		if (++visited % 1024 != 0 ||
		    jb_clock_ns(CLOCK_MONOTONIC) < stop)
			continue;
		/* Only where the path changes: else there is no way on. */
		path = sqlite3_column_blob(st, 1);
		len = (size_t)sqlite3_column_bytes(st, 1);
		if (len == r->path_lo.len &&
		    (len == 0 || memcmp(path, r->path_lo.data, len) == 0))
			continue;
		set_bytes(&r->path_lo, path, len);
		*more = true;
		break;
	}
	sqlite3_reset(st);
	if (*more && r->path_lo.data == NULL)
		return no_memory(err);
	return rv < 0 ? rv : JB_OK;
}

static int collect_range(struct collector *c, int64_t root, struct range *r,
			 struct jb_error *err)
{
	char *lo = NULL;
	size_t len = r->path_lo.len;
	bool more;
	int rv = JB_OK;

	if (!is_complete(r) || (lo = malloc(len + 1)) == NULL)
		return no_memory(err);
	memcpy(lo, r->path_lo.data, len);
	for (size_t i = 0; rv == JB_OK && i < N_ENDS && !c->full; i++) {
		sqlite3_bind_int64(c->ends[i], 1, root);
		bind_bytes(c->ends[i], 3, &r->path_hi);
		bind_bytes(c->ends[i], 4, &r->name_lo);
		bind_bytes(c->ends[i], 5, &r->name_hi);
		sqlite3_bind_int64(c->ends[i], 6, c->low);
		sqlite3_bind_int64(c->ends[i], 7, c->high);
		set_bytes(&r->path_lo, lo, len);
		do {
			rv = collect_slice(c, c->ends[i], r, &more, err);
		} while (rv == JB_OK && more && !c->full);
	}
	free(lo);
	return rv;
}

/* All names in the places [path_lo, path_hi). */
static int collect_places(struct collector *c, int64_t root, struct range *r,
			  struct jb_error *err)
{
	int rv;

	set_bytes(&r->name_lo, "", 0);
	set_behind(&r->name_hi, "", 0);
	rv = collect_range(c, root, r, err);
	fini_range(r);
	return rv;
}

/* Names [name_lo, name_hi) in the directory @dir. */
static int collect_names(struct collector *c, int64_t root, const char *dir,
			 size_t len, struct range *r, struct jb_error *err)
{
	int rv;

	set_bytes(&r->path_lo, dir, len);
	set_after(&r->path_hi, dir, len);
	rv = collect_range(c, root, r, err);
	fini_range(r);
	return rv;
}

/* @path itself and all below it. */
static int collect_tree(struct collector *c, int64_t root, const char *path,
			size_t len, struct jb_error *err)
{
	const char *slash = memrchr(path, '/', len);
	size_t dir_len = slash != NULL ? (size_t)(slash - path) : 0;
	const char *name = slash != NULL ? slash + 1 : path;
	size_t name_len = len - (size_t)(name - path);
	struct range at = {0}, in = {0}, below = {0};
	char *sep;
	int rv;

	set_bytes(&at.name_lo, name, name_len);
	set_after(&at.name_hi, name, name_len);
	rv = collect_names(c, root, path, dir_len, &at, err);
	if (rv != JB_OK)
		return rv;
	set_bytes(&in.path_lo, path, len);
	set_after(&in.path_hi, path, len);
	rv = collect_places(c, root, &in, err);
	if (rv != JB_OK)
		return rv;
	sep = malloc(len + 1);
	if (sep == NULL)
		return no_memory(err);
	memcpy(sep, path, len);
	sep[len] = '/';
	set_bytes(&below.path_lo, sep, len + 1);
	set_behind(&below.path_hi, sep, len + 1);
	free(sep);
	return collect_places(c, root, &below, err);
}

/* All whose path begins with @prefix, which is not empty. */
static int collect_prefix(struct collector *c, int64_t root, const char *prefix,
			  size_t len, struct jb_error *err)
{
	const char *slash = memrchr(prefix, '/', len);
	size_t dir_len = slash != NULL ? (size_t)(slash - prefix) : 0;
	const char *name = slash != NULL ? slash + 1 : prefix;
	size_t name_len = len - (size_t)(name - prefix);
	struct range at = {0}, below = {0};
	int rv;

	set_bytes(&at.name_lo, name, name_len);
	set_behind(&at.name_hi, name, name_len);
	rv = collect_names(c, root, prefix, dir_len, &at, err);
	if (rv != JB_OK)
		return rv;
	set_bytes(&below.path_lo, prefix, len);
	set_behind(&below.path_hi, prefix, len);
	return collect_places(c, root, &below, err);
}

/* Cut a pattern down to its literal beginning, without the leading slash;
 * *tree if it means nothing but a tree: /a/b, with a slash or a slash and three
 * asterisks behind it. The length is 0 where there is no beginning. */
static const char *literal_part(const char *pattern, size_t *len, bool *tree)
{
	size_t n;

	*len = 0;
	*tree = false;
	if (pattern == NULL || pattern[0] != '/')
		return NULL;
	pattern++;
	n = strcspn(pattern, "*?[\\");
	if (pattern[n] == '\0' ||
	    (n > 0 && pattern[n - 1] == '/' && strcmp(pattern + n, "***") == 0))
		*tree = true;
	while (*tree && n > 0 && pattern[n - 1] == '/')
		n--;
	*len = n;
	return pattern;
}

static bool is_plannable(const struct jb_match_root *root)
{
	const char *pattern;
	size_t len;
	bool include, tree;

	if (root->takes_all)
		return false;
	for (size_t i = 0;
	     (pattern = jb_patterns_at(root->patterns, i, &include)) != NULL;
	     i++) {
		literal_part(pattern, &len, &tree);
		if (len == 0)
			return false;
	}
	return true;
}

static int collect_root(struct collector *c, const struct jb_match_root *root,
			struct jb_error *err)
{
	const char *pattern, *text;
	bool include, tree;
	size_t len;
	int rv = JB_OK;

	for (size_t i = 0;
	     rv == JB_OK && !c->full &&
	     (pattern = jb_patterns_at(root->patterns, i, &include)) != NULL;
	     i++) {
		text = literal_part(pattern, &len, &tree);
		rv = tree ? collect_tree(c, root->id, text, len, err)
			  : collect_prefix(c, root->id, text, len, err);
	}
	return rv;
}

static int by_seq(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void sort_once(struct jb_query_plan *plan)
{
	size_t n = 0;

	if (plan->n == 0)
		return;
	qsort(plan->seqs, plan->n, sizeof plan->seqs[0], by_seq);
	for (size_t i = 1; i < plan->n; i++)
		if (plan->seqs[i] != plan->seqs[n])
			plan->seqs[++n] = plan->seqs[i];
	plan->n = n + 1;
}

int jb_query_plan_collect(struct jb_store *store, const struct jb_match *match,
			  int64_t low, int64_t high, size_t max,
			  struct jb_query_plan *plan, bool *found,
			  struct jb_error *err)
{
	struct collector c = {.store = store,
			      .low = low,
			      .high = high,
			      .max = max,
			      .plan = plan};
	const struct jb_match_root *root;
	int rv = JB_OK;

	*found = false;
	for (size_t i = 0; i < jb_match_n_roots(match); i++) {
		root = jb_match_root(match, i);
		if (root->selected && !is_plannable(root))
			return JB_OK;
	}
	for (size_t i = 0; rv == JB_OK && i < N_ENDS; i++)
		rv = jb_store_prepare(store, sql_ranges[i], &c.ends[i], err);
	for (size_t i = 0; rv == JB_OK && i < jb_match_n_roots(match); i++) {
		root = jb_match_root(match, i);
		if (root->selected)
			rv = collect_root(&c, root, err);
	}
	for (size_t i = 0; i < N_ENDS; i++)
		sqlite3_finalize(c.ends[i]);
	if (rv != JB_OK || c.full) {
		jb_query_plan_fini(plan);
		return rv;
	}
	sort_once(plan);
	*found = true;
	return JB_OK;
}

void jb_query_plan_fini(struct jb_query_plan *plan)
{
	free(plan->seqs);
	plan->seqs = NULL;
	plan->n = 0;
}
