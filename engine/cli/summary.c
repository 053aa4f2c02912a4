/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/summary.h"

#include "engine/cli/output.h"
#include "engine/cli/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define HOUR_US INT64_C(3600000000)

enum jb_summary_by jb_summary_parse(const char *word)
{
	if (strcmp(word, "dir") == 0)
		return JB_BY_DIR;
	if (strcmp(word, "hour") == 0)
		return JB_BY_HOUR;
	return strcmp(word, "kind") == 0 ? JB_BY_KIND : JB_BY_NOTHING;
}

void jb_summary_init(struct jb_summary *s, enum jb_summary_by by)
{
	*s = (struct jb_summary){.by = by};
}

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "summary: out of memory");
}

/* The start of the local hour; zones may be half an hour off. */
static int64_t hour_of(int64_t us)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;

	if (localtime_r(&s, &tm) == NULL)
		return us - us % HOUR_US;
	return (s - tm.tm_min * 60 - tm.tm_sec) * INT64_C(1000000);
}

/* The group that @row belongs to, its texts borrowed from the row. */
static struct jb_summary_group key_of(const struct jb_summary *s,
				      const struct jb_query_row *row)
{
	struct jb_summary_group key = {0};
	const char *slash;

	if (s->by == JB_BY_HOUR)
		key.key = hour_of(row->time_us);
	if (s->by == JB_BY_KIND)
		key.key = row->kind;
	if (s->by != JB_BY_DIR)
		return key;
	slash = memrchr(row->path, '/', row->path_len);
	key.root = (char *)(uintptr_t)row->root;
	key.dir = (char *)(uintptr_t)(slash != NULL ? row->path : ".");
	key.dir_len = slash != NULL ? (size_t)(slash - row->path) : 1;
	return key;
}

static uint64_t hash_bytes(uint64_t h, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return h;
}

static size_t hash_group(const struct jb_summary_group *g)
{
	uint64_t h = (uint64_t)g->key * UINT64_C(0x9e3779b97f4a7c15);

	if (g->dir != NULL) {
		h = hash_bytes(h, g->root, strlen(g->root) + 1);
		h = hash_bytes(h, g->dir, g->dir_len);
	}
	return (size_t)(h ^ h >> 32);
}

static bool is_same(const struct jb_summary_group *a,
		    const struct jb_summary_group *b)
{
	if (a->key != b->key || a->dir_len != b->dir_len)
		return false;
	return a->dir == NULL || (memcmp(a->dir, b->dir, a->dir_len) == 0 &&
				  strcmp(a->root, b->root) == 0);
}

static uint32_t *find_slot(struct jb_summary *s,
			   const struct jb_summary_group *key)
{
	size_t i = hash_group(key) & (s->n_slots - 1);

	while (s->slots[i] != 0 && !is_same(&s->groups[s->slots[i] - 1], key))
		i = (i + 1) & (s->n_slots - 1);
	return &s->slots[i];
}

static int grow(struct jb_summary *s, struct jb_error *err)
{
	size_t size = s->size == 0 ? 64 : s->size * 2;
	struct jb_summary_group *groups;

	groups = reallocarray(s->groups, size, sizeof *groups);
	if (groups == NULL)
		return no_memory(err);
	s->groups = groups;
	s->size = size;
	free(s->slots);
	s->n_slots = size * 2;
	s->slots = calloc(s->n_slots, sizeof *s->slots);
	if (s->slots == NULL)
		return no_memory(err);
	for (size_t i = 0; i < s->n; i++)
		*find_slot(s, &s->groups[i]) = (uint32_t)i + 1;
	return JB_OK;
}

static int add_group(struct jb_summary *s, const struct jb_summary_group *key,
		     struct jb_error *err)
{
	struct jb_summary_group *g = &s->groups[s->n];

	*g = *key;
	if (key->dir != NULL) {
		g->root = strdup(key->root);
		g->dir = malloc(key->dir_len + 1);
		if (g->root == NULL || g->dir == NULL) {
			free(g->root);
			free(g->dir);
			return no_memory(err);
		}
		memcpy(g->dir, key->dir, key->dir_len);
		g->dir[key->dir_len] = '\0';
	}
	s->n++;
	return JB_OK;
}

int jb_summary_add(struct jb_summary *s, const struct jb_query_row *row,
		   struct jb_error *err)
{
	struct jb_summary_group key = key_of(s, row), *g;
	uint32_t *slot;
	int rv;

	if (s->n == s->size) {
		rv = grow(s, err);
		if (rv != JB_OK)
			return rv;
	}
	slot = find_slot(s, &key);
	if (*slot == 0) {
		rv = add_group(s, &key, err);
		if (rv != JB_OK)
			return rv;
		*slot = (uint32_t)s->n;
	}
	g = &s->groups[*slot - 1];
	g->count[0]++;
	if (row->kind > 0 && row->kind < JB_SUMMARY_KINDS)
		g->count[row->kind]++;
	if (S_ISREG(row->mode) && row->kind != JB_KIND_DELETED &&
	    (row->kind == JB_KIND_CREATED ||
	     (row->what & JB_WHAT_CONTENT) != 0))
		g->bytes += row->size;
	return JB_OK;
}

static int by_key(const void *a, const void *b)
{
	const struct jb_summary_group *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int by_count(const void *a, const void *b)
{
	const struct jb_summary_group *x = a, *y = b;

	if (x->count[0] != y->count[0])
		return x->count[0] < y->count[0] ? 1 : -1;
	if (x->dir != NULL && strcmp(x->dir, y->dir) != 0)
		return strcmp(x->dir, y->dir);
	return x->dir != NULL && strcmp(x->root, y->root) != 0
		       ? strcmp(x->root, y->root)
		       : by_key(a, b);
}

static void print_json(const struct jb_summary *s,
		       const struct jb_summary_group *g, FILE *f)
{
	if (s->by == JB_BY_HOUR) {
		fputs("{\"hour\":", f);
		jb_out_json_time_us(f, g->key);
	} else if (s->by == JB_BY_KIND) {
		fprintf(f, "{\"kind\":\"%s\"", jb_kind_name((int)g->key));
	} else {
		fputs("{\"root\":", f);
		jb_out_json_string(f, g->root, strlen(g->root));
		jb_out_json_path(f, "dir", g->dir, g->dir_len);
	}
	fprintf(f, ",\"changes\":%" PRId64, g->count[0]);
	for (int k = 1; s->by != JB_BY_KIND && k < JB_SUMMARY_KINDS; k++)
		fprintf(f, ",\"%s\":%" PRId64, jb_kind_name(k), g->count[k]);
	fprintf(f, ",\"bytes\":%" PRId64 "}\n", g->bytes);
}

static void add_label(const struct jb_summary *s,
		      const struct jb_summary_group *g, bool with_roots,
		      struct jb_table *t)
{
	if (s->by == JB_BY_HOUR) {
		jb_table_time(t, g->key);
	} else if (s->by == JB_BY_KIND) {
		jb_table_text(t, jb_kind_name((int)g->key));
	} else {
		if (with_roots)
			jb_table_bytes(t, g->root, strlen(g->root));
		jb_table_bytes(t, g->dir, g->dir_len);
	}
}

static struct jb_table *make_table(const struct jb_summary *s, bool with_roots)
{
	static const char *const dir[] = {">CHANGES", ">CREATED",  ">MODIFIED",
					  ">ATTRIB",  ">RENAMED",  ">DELETED",
					  ">BYTES",   "DIRECTORY", NULL};
	static const char *const root_dir[] = {
		">CHANGES", ">CREATED", ">MODIFIED", ">ATTRIB",	  ">RENAMED",
		">DELETED", ">BYTES",	"ROOT",	     "DIRECTORY", NULL};
	static const char *const hour[] = {">CHANGES", ">CREATED", ">MODIFIED",
					   ">ATTRIB",  ">RENAMED", ">DELETED",
					   ">BYTES",   "HOUR",	   NULL};
	static const char *const kind[] = {">CHANGES", ">BYTES", "KIND", NULL};

	if (s->by == JB_BY_KIND)
		return jb_table_new(kind);
	if (s->by == JB_BY_HOUR)
		return jb_table_new(hour);
	return jb_table_new(with_roots ? root_dir : dir);
}

int jb_summary_print(struct jb_summary *s, size_t top, bool with_roots,
		     bool json, FILE *f, struct jb_error *err)
{
	size_t n = top > 0 && top < s->n ? top : s->n;
	struct jb_table *t;

	if (s->n > 0)
		qsort(s->groups, s->n, sizeof s->groups[0],
		      top > 0 || s->by == JB_BY_DIR ? by_count : by_key);
	for (size_t i = 0; json && i < n; i++)
		print_json(s, &s->groups[i], f);
	if (json || n == 0)
		return JB_OK;
	t = make_table(s, with_roots);
	if (t == NULL)
		return no_memory(err);
	for (size_t i = 0; i < n; i++) {
		jb_table_row(t);
		jb_table_count(t, s->groups[i].count[0]);
		for (int k = 1; s->by != JB_BY_KIND && k < JB_SUMMARY_KINDS;
		     k++)
			jb_table_count(t, s->groups[i].count[k]);
		jb_table_size(t, s->groups[i].bytes);
		add_label(s, &s->groups[i], with_roots, t);
	}
	jb_table_print(t, f);
	jb_table_free(t);
	if (n < s->n)
		fprintf(f, "... and %zu more; --top 0 shows all\n", s->n - n);
	return JB_OK;
}

void jb_summary_fini(struct jb_summary *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->groups[i].root);
		free(s->groups[i].dir);
	}
	free(s->groups);
	free(s->slots);
	*s = (struct jb_summary){0};
}
