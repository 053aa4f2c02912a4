/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/query_match.h"

#include "engine/base/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX  1000000 /* remembered */
#define SLOTS_FIRST 1024    /* a power of two */

static const char SQL_ROOTS[] = "SELECT id, name, path FROM root ORDER BY id";
static const char SQL_PLACE[] = "SELECT root, path FROM place WHERE id = ?1";

struct slot {
	int64_t id;
	struct jb_match_place *place; /* owned; NULL: empty */
};

struct jb_match {
	struct jb_store *store; /* borrowed */
	sqlite3_stmt *place;	/* owned */
	char **wanted_roots;	/* owned, NULL: all */
	size_t n_wanted_roots;
	char **wanted; /* owned; patterns as they were given */
	size_t n_wanted;
	struct jb_match_root **roots; /* owned */
	size_t n_roots;
	struct slot *slots; /* owned; by id, linear probing */
	size_t n_slots, n_places;
	char *path; /* owned; scratch */
	size_t path_size;
};

static int no_memory(struct jb_error *err)
{
	return jb_error_set(err, JB_ENOMEM, 0, "query: out of memory");
}

static void free_strings(char **strings, size_t n)
{
	for (size_t i = 0; strings != NULL && i < n; i++)
		free(strings[i]);
	free(strings);
}

static char **copy_strings(const char *const *strings, size_t n)
{
	char **copy = calloc(n + 1, sizeof *copy);

	for (size_t i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(strings[i]);
		if (copy[i] == NULL) {
			free_strings(copy, n);
			return NULL;
		}
	}
	return copy;
}

static bool is_wanted_root(const struct jb_match *m, const char *name)
{
	for (size_t i = 0; i < m->n_wanted_roots; i++)
		if (strcmp(m->wanted_roots[i], name) == 0)
			return true;
	return m->n_wanted_roots == 0;
}

/* What is left of an absolute path below @root, NULL if it is elsewhere. */
static const char *strip_root(const char *pattern,
			      const struct jb_match_root *root)
{
	size_t len = strlen(root->path);

	if (len < 2 || strncmp(pattern, root->path, len) != 0)
		return NULL;
	return pattern[len] == '\0' || pattern[len] == '/' ? pattern + len
							   : NULL;
}

static int add_pattern(struct jb_match_root *r, const char *pattern,
		       struct jb_error *err)
{
	if (strcmp(pattern, "/") == 0 || strcmp(pattern, "/***") == 0) {
		r->takes_all = true;
		return JB_OK;
	}
	return jb_patterns_add(r->patterns, true, pattern, err);
}

/* Each pattern as it stands, and what is behind the root's own path. */
static int make_patterns(const struct jb_match *m, struct jb_match_root *r,
			 struct jb_error *err)
{
	const char *rest;
	int rv;

	r->takes_all = m->n_wanted == 0;
	rv = jb_patterns_new(&r->patterns, err);
	for (size_t i = 0; rv == JB_OK && i < m->n_wanted; i++) {
		rv = add_pattern(r, m->wanted[i], err);
		rest = strip_root(m->wanted[i], r);
		if (rv == JB_OK && rest != NULL)
			rv = add_pattern(r, *rest != '\0' ? rest : "/", err);
	}
	return rv;
}

static void free_root(struct jb_match_root *r)
{
	jb_patterns_free(r->patterns);
	free(r->name);
	free(r->path);
	free(r);
}

/* NULL: no memory. */
static char *copy_column(sqlite3_stmt *st, int i)
{
	const void *bytes = sqlite3_column_blob(st, i);
	size_t len = (size_t)sqlite3_column_bytes(st, i);

	return strndup(bytes != NULL ? bytes : "", len);
}

static int add_root(struct jb_match *m, sqlite3_stmt *st, struct jb_error *err)
{
	struct jb_match_root **grown, *r;

	for (size_t i = 0; i < m->n_roots; i++)
		if (m->roots[i]->id == sqlite3_column_int64(st, 0))
			return JB_OK;
	grown = reallocarray(m->roots, m->n_roots + 1,
			     sizeof(struct jb_match_root *));
	if (grown == NULL)
		return no_memory(err);
	m->roots = grown;
	r = calloc(1, sizeof *r);
	if (r == NULL)
		return no_memory(err);
	m->roots[m->n_roots++] = r;
	r->id = sqlite3_column_int64(st, 0);
	r->name = copy_column(st, 1);
	r->path = copy_column(st, 2);
	if (r->name == NULL || r->path == NULL)
		return no_memory(err);
	r->selected = is_wanted_root(m, r->name);
	return make_patterns(m, r, err);
}

static int load_roots(struct jb_match *m, struct jb_error *err)
{
	sqlite3_stmt *st;
	int rv;

	rv = jb_store_prepare(m->store, SQL_ROOTS, &st, err);
	if (rv != JB_OK)
		return rv;
	while ((rv = jb_store_step(m->store, st, err)) > 0) {
		rv = add_root(m, st, err);
		if (rv != JB_OK)
			break;
	}
	sqlite3_finalize(st);
	return rv;
}

static int check_wanted_roots(const struct jb_match *m, struct jb_error *err)
{
	char known[256] = "";
	size_t k, len = 0;

	for (size_t i = 0; i < m->n_wanted_roots; i++) {
		for (k = 0; k < m->n_roots; k++)
			if (strcmp(m->roots[k]->name, m->wanted_roots[i]) == 0)
				break;
		if (k < m->n_roots)
			continue;
		for (k = 0; k < m->n_roots && len < sizeof known; k++)
			len += (size_t)snprintf(known + len, sizeof known - len,
						" %s", m->roots[k]->name);
		return jb_error_set(err, JB_ENOENT, 0,
				    "root '%s': not in this journal, which "
				    "knows:%s",
				    m->wanted_roots[i],
				    known[0] != '\0' ? known : " none");
	}
	return JB_OK;
}

int jb_match_open(struct jb_store *store, const struct jb_query_filter *filter,
		  struct jb_match **ret, struct jb_error *err)
{
	struct jb_match *m;
	int rv;

	m = calloc(1, sizeof *m);
	if (m == NULL)
		return no_memory(err);
	m->store = store;
	m->n_wanted_roots = filter->n_roots;
	m->n_wanted = filter->n_patterns;
	m->wanted_roots = copy_strings(filter->roots, filter->n_roots);
	m->wanted = copy_strings(filter->patterns, filter->n_patterns);
	m->n_slots = SLOTS_FIRST;
	m->slots = calloc(m->n_slots, sizeof *m->slots);
	rv = m->wanted_roots != NULL && m->wanted != NULL && m->slots != NULL
		     ? JB_OK
		     : no_memory(err);
	if (rv == JB_OK)
		rv = jb_store_prepare(store, SQL_PLACE, &m->place, err);
	if (rv == JB_OK)
		rv = load_roots(m, err);
	if (rv == JB_OK)
		rv = check_wanted_roots(m, err);
	if (rv != JB_OK) {
		jb_match_close(m);
		return rv;
	}
	*ret = m;
	return JB_OK;
}

static void drop_places(struct jb_match *m)
{
	for (size_t i = 0; m->slots != NULL && i < m->n_slots; i++) {
		free(m->slots[i].place);
		m->slots[i].place = NULL;
	}
	m->n_places = 0;
}

void jb_match_trim(struct jb_match *m)
{
	if (m->n_places > PLACES_MAX)
		drop_places(m);
}

static struct slot *find_slot(const struct jb_match *m, int64_t id)
{
	size_t i = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 32) &
		   (m->n_slots - 1);

	while (m->slots[i].place != NULL && m->slots[i].id != id)
		i = (i + 1) & (m->n_slots - 1);
	return &m->slots[i];
}

static int grow_slots(struct jb_match *m, struct jb_error *err)
{
	struct slot *old = m->slots;
	size_t n_old = m->n_slots;

	m->slots = calloc(n_old * 4, sizeof *m->slots);
	if (m->slots == NULL) {
		m->slots = old;
		return no_memory(err);
	}
	m->n_slots = n_old * 4;
	for (size_t i = 0; i < n_old; i++)
		if (old[i].place != NULL)
			*find_slot(m, old[i].id) = old[i];
	free(old);
	return JB_OK;
}

/* Is @path itself taken, whatever its parents are? */
static bool takes_path(const struct jb_match_root *root, const char *path,
		       size_t len, bool is_dir)
{
	return jb_patterns_verdict(root->patterns, path, len, is_dir) ==
	       JB_PATTERN_INCLUDED;
}

static enum jb_match_verdict judge_place(const struct jb_match_place *p)
{
	if (!p->root->selected)
		return JB_MATCH_NONE;
	if (p->root->takes_all)
		return JB_MATCH_ALL;
	for (size_t i = 1; i <= p->len; i++)
		if ((i == p->len || p->path[i] == '/') &&
		    takes_path(p->root, p->path, i, true))
			return JB_MATCH_ALL;
	return JB_MATCH_BY_NAME;
}

static const struct jb_match_root *find_root(const struct jb_match *m,
					     int64_t id)
{
	for (size_t i = 0; i < m->n_roots; i++)
		if (m->roots[i]->id == id)
			return m->roots[i];
	return NULL;
}

static int read_place(struct jb_match *m, int64_t id,
		      struct jb_match_place **ret, struct jb_error *err)
{
	struct jb_match_place *p;
	size_t len;
	int rv;

	sqlite3_bind_int64(m->place, 1, id);
	rv = jb_store_step(m->store, m->place, err);
	if (rv < 0)
		return rv;
	if (rv == 0)
		return jb_error_set(err, JB_ECORRUPT, 0,
				    "%s: place %lld is missing", m->store->path,
				    (long long)id);
	len = (size_t)sqlite3_column_bytes(m->place, 1);
	p = calloc(1, sizeof *p + len + 1);
	if (p == NULL)
		return no_memory(err);
	p->id = id;
	p->len = len;
	if (len > 0)
		memcpy(p->path, sqlite3_column_blob(m->place, 1), len);
	p->root = find_root(m, sqlite3_column_int64(m->place, 0));
	*ret = p;
	return JB_OK;
}

int jb_match_find_place(struct jb_match *m, int64_t id,
			const struct jb_match_place **ret, struct jb_error *err)
{
	struct slot *slot = find_slot(m, id);
	struct jb_match_place *p = NULL;
	int64_t root;
	int rv;

	if (slot->place != NULL) {
		*ret = slot->place;
		return JB_OK;
	}
	if (m->n_places >= m->n_slots / 2) {
		rv = grow_slots(m, err);
		if (rv != JB_OK)
			return rv;
	}
	rv = read_place(m, id, &p, err);
	root = rv == JB_OK ? sqlite3_column_int64(m->place, 0) : 0;
	sqlite3_reset(m->place);
	if (rv == JB_OK && p->root == NULL) { /* a root added meanwhile */
		rv = load_roots(m, err);
		p->root = find_root(m, root);
		if (rv == JB_OK && p->root == NULL)
			rv = jb_error_set(err, JB_ECORRUPT, 0,
					  "%s: root %lld is missing",
					  m->store->path, (long long)root);
	}
	if (rv != JB_OK) {
		free(p);
		return rv;
	}
	p->verdict = judge_place(p);
	*find_slot(m, id) = (struct slot){id, p};
	m->n_places++;
	*ret = p;
	return JB_OK;
}

int jb_match_takes(struct jb_match *m, const struct jb_match_end *end,
		   bool is_dir, bool *ret, struct jb_error *err)
{
	const struct jb_match_place *p = end->place;
	size_t need = p->len + end->len + 2, len = 0;
	char *grown;

	*ret = p->verdict == JB_MATCH_ALL;
	if (p->verdict != JB_MATCH_BY_NAME)
		return JB_OK;
	if (need > m->path_size) {
		grown = realloc(m->path, need * 2);
		if (grown == NULL)
			return no_memory(err);
		m->path = grown;
		m->path_size = need * 2;
	}
	if (p->len > 0) {
		memcpy(m->path, p->path, p->len);
		m->path[p->len] = '/';
		len = p->len + 1;
	}
	memcpy(m->path + len, end->name, end->len);
	len += end->len;
	m->path[len] = '\0';
	*ret = takes_path(p->root, m->path, len, is_dir);
	return JB_OK;
}

size_t jb_match_n_roots(const struct jb_match *m)
{
	return m->n_roots;
}

const struct jb_match_root *jb_match_root(const struct jb_match *m, size_t i)
{
	return m->roots[i];
}

void jb_match_close(struct jb_match *m)
{
	if (m == NULL)
		return;
	sqlite3_finalize(m->place);
	drop_places(m);
	for (size_t i = 0; i < m->n_roots; i++)
		free_root(m->roots[i]);
	free(m->roots);
	free_strings(m->wanted_roots, m->n_wanted_roots);
	free_strings(m->wanted, m->n_wanted);
	free(m->slots);
	free(m->path);
	free(m);
}
