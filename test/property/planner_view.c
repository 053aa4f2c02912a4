/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The catalog of one state of a world, and what a policy takes of it. */
#include "property/planner_world.h"

#include <string.h>
#include <sys/stat.h>

/* ---- selection */

static bool begins(const char *path, const char *with)
{
	return with != NULL && strncmp(path, with, strlen(with)) == 0;
}

bool select_takes(const struct w_select *sel, const char *path, bool is_dir)
{
	if (sel->levels != 0 && strlen(path) > sel->levels)
		return false;
	if (begins(path, sel->exclude[0]) || begins(path, sel->exclude[1]))
		return false;
	if (sel->include[0] == NULL)
		return true;
	for (int i = 0; i < 2; i++)
		if (sel->include[i] != NULL &&
		    (begins(path, sel->include[i]) ||
		     (is_dir && begins(sel->include[i], path))))
			return true;
	return false;
}

bool select_wants(const struct w_select *sel, const struct w_state *s,
		  const struct w_name *n)
{
	char path[W_DEPTH + 1];

	return state_path(s, n, path) > 0 &&
	       select_takes(sel, path, state_entry(s, n->no)->type == 'd');
}

/* ---- rows */

static uint32_t mode_of(char type)
{
	return type == 'd'   ? S_IFDIR | 0755
	       : type == 'l' ? S_IFLNK | 0777
			     : S_IFREG | 0644;
}

static void fill(const struct w_state *s, unsigned no, struct jb_entry *ret)
{
	const struct w_entry *e = state_entry(s, no);

	ret->root = 1;
	ret->dirkey = e->type == 'd' ? no : 0;
	ret->id = world_id(no);
	ret->facts.mode = mode_of(e->type);
	ret->facts.uid = (uint32_t)e->meta;
	ret->facts.size = e->type == 'd' ? 0 : 7;
	ret->facts.mtime = e->sig;
	ret->facts.ctime = e->ctime;
	ret->facts.nlink = 0;
	for (unsigned i = 0; i < s->n_names; i++)
		ret->facts.nlink += s->names[i].no == no;
	ret->cseq = e->cseq;
	ret->cctime = e->cctime;
}

void world_row(const struct w_state *s, const struct w_name *n,
	       struct jb_entry *ret)
{
	memset(ret, 0, sizeof *ret);
	fill(s, n->no, ret);
	ret->parent = n->dir;
	ret->name[0] = n->name;
	ret->name_len = 1;
	ret->det = n->det ? (int64_t)(n - s->names) + 1 : 0;
}

/* ---- the operations */

static const struct w_state *state_of(struct jb_catalog_view *v)
{
	return ((struct w_view *)v)->state;
}

static int begin_view(struct jb_catalog_view *v, struct jb_error *err)
{
	(void)v;
	(void)err;
	return JB_OK;
}

static void end_view(struct jb_catalog_view *v)
{
	(void)v;
}

static int read_top(struct jb_catalog_view *v, struct jb_entry *ret,
		    struct jb_error *err)
{
	(void)err;
	memset(ret, 0, sizeof *ret);
	fill(state_of(v), W_TOP, ret);
	return 1;
}

static int read_names(struct jb_catalog_view *v, struct jb_id id,
		      jb_catalog_row_fn *fn, void *arg, struct jb_error *err)
{
	const struct w_state *s = state_of(v);
	struct jb_entry row;
	int rv = 0;

	(void)err;
	for (unsigned i = 0; i < s->n_names && rv == 0; i++) {
		if (s->names[i].no != world_no(id))
			continue;
		world_row(s, &s->names[i], &row);
		rv = fn(arg, &row);
	}
	return rv;
}

static int read_at(struct jb_catalog_view *v, uint64_t dirkey, const char *name,
		   size_t len, struct jb_entry *ret, struct jb_error *err)
{
	const struct w_name *n;

	(void)err;
	n = len == 1 ? state_name(state_of(v), (unsigned)dirkey, *name) : NULL;
	if (n == NULL)
		return 0;
	world_row(state_of(v), n, ret);
	return 1;
}

static int read_dir(struct jb_catalog_view *v, uint64_t dirkey,
		    struct jb_entry *ret, struct jb_error *err)
{
	const struct w_state *s = state_of(v);

	if (dirkey == W_TOP)
		return read_top(v, ret, err);
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].no == dirkey) {
			world_row(s, &s->names[i], ret);
			return 1;
		}
	return 0;
}

static int read_children(struct jb_catalog_view *v, uint64_t dirkey,
			 const char *after, size_t after_len, size_t max,
			 jb_catalog_row_fn *fn, void *arg, struct jb_error *err)
{
	const struct w_state *s = state_of(v);
	const struct w_name *n;
	struct jb_entry row;
	int rv = 0;

	(void)err;
	for (int c = after_len > 0 ? *after + 1 : 'a';
	     c <= 'z' && max > 0 && rv == 0; c++) {
		n = state_name(s, (unsigned)dirkey, (char)c);
		if (n == NULL)
			continue;
		world_row(s, n, &row);
		rv = fn(arg, &row);
		max--;
	}
	return rv;
}

static int read_detached(struct jb_catalog_view *v, jb_catalog_row_fn *fn,
			 void *arg, struct jb_error *err)
{
	const struct w_state *s = state_of(v);
	struct jb_entry row;
	int rv = 0;

	(void)err;
	for (unsigned i = 0; i < s->n_names && rv == 0; i++) {
		if (!s->names[i].det)
			continue;
		world_row(s, &s->names[i], &row);
		rv = fn(arg, &row);
	}
	return rv;
}

static void close_view(struct jb_catalog_view *v)
{
	(void)v;
}

static const struct jb_catalog_view_ops view_ops = {
	.begin = begin_view,
	.end = end_view,
	.top = read_top,
	.names = read_names,
	.at = read_at,
	.dir = read_dir,
	.children = read_children,
	.detached = read_detached,
	.close = close_view,
};

void view_init(struct w_view *v)
{
	*v = (struct w_view){.base.ops = &view_ops};
}
