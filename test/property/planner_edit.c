/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A world changed by hand, for tests that tell a story. Each edit is a state of
 * its own, and the rows that a recorder would have written. */
#include "property/planner_world_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void insist(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "the test asks for what can't be: %s\n", what);
	abort();
}

struct w_state *world_edit(struct world *w)
{
	return world_add_state(w, world_live(w));
}

static struct w_entry *entry_of(struct w_state *s, unsigned no)
{
	struct w_entry *e = (struct w_entry *)state_entry(s, no);

	insist(e != NULL, "no such entry");
	return e;
}

static struct w_place place_of(const struct w_state *s, const char *path)
{
	size_t len = strlen(path);
	char dir[W_DEPTH + 1];
	unsigned no;

	snprintf(dir, sizeof dir, "%.*s", (int)len - 1, path);
	no = state_find(s, dir);
	insist(no != 0, path);
	return (struct w_place){no, path[len - 1]};
}

static struct w_name *name_at(struct w_state *s, const char *path)
{
	struct w_place p = place_of(s, path);
	struct w_name *n = (struct w_name *)state_name(s, p.dir, p.name);

	insist(n != NULL, path);
	return n;
}

static void add_row(struct world *w, unsigned no, struct w_place a,
		    struct w_place b)
{
	world_add_row(w, &(struct w_row){.no = no,
					 .n_places = b.dir != 0 ? 2 : 1,
					 .places = {a, b}});
	entry_of(world_live(w), a.dir)->sig = world_tick(w);
	if (b.dir != 0)
		entry_of(world_live(w), b.dir)->sig = world_tick(w);
}

static const struct w_place nowhere;

unsigned world_make(struct world *w, const char *path, char type)
{
	struct w_state *s = world_edit(w);
	struct w_place p = place_of(s, path);
	struct w_entry e;

	insist(s->n_entries < W_ENTRIES && s->n_names < W_NAMES, path);
	e = world_new_entry(w, type);
	s->entries[s->n_entries++] = e;
	s->names[s->n_names++] = (struct w_name){p.dir, p.name, e.no, false};
	add_row(w, e.no, p, nowhere);
	return e.no;
}

unsigned world_write(struct world *w, const char *path)
{
	struct w_state *s = world_edit(w);
	struct w_entry *e = entry_of(s, name_at(s, path)->no);

	e->data = e->sig = e->ctime = e->cctime = e->cseq = world_tick(w);
	add_row(w, e->no, place_of(s, path), nowhere);
	return e->no;
}

unsigned world_chmod(struct world *w, const char *path)
{
	struct w_state *s = world_edit(w);
	struct w_entry *e = entry_of(s, name_at(s, path)->no);

	e->meta = e->ctime = world_tick(w);
	add_row(w, e->no, place_of(s, path), nowhere);
	return e->no;
}

unsigned world_rename(struct world *w, const char *from, const char *to)
{
	struct w_state *s = world_edit(w);
	struct w_place a = place_of(s, from), b = place_of(s, to);
	struct w_name *n = name_at(s, from);

	insist(state_name(s, b.dir, b.name) == NULL, to);
	n->dir = b.dir;
	n->name = b.name;
	entry_of(s, n->no)->ctime = world_tick(w);
	add_row(w, n->no, a, b);
	return n->no;
}

unsigned world_swap(struct world *w, const char *a, const char *b)
{
	struct w_state *s = world_edit(w);
	struct w_name *x = name_at(s, a), *y = name_at(s, b);
	struct w_place pa = place_of(s, a), pb = place_of(s, b);
	unsigned no = x->no;

	x->no = y->no;
	y->no = no;
	add_row(w, y->no, pa, pb);
	add_row(w, x->no, pb, pa);
	return no;
}

unsigned world_link(struct world *w, const char *from, const char *to)
{
	struct w_state *s = world_edit(w);
	unsigned no = name_at(s, from)->no;
	struct w_place p = place_of(s, to);

	s->names[s->n_names++] = (struct w_name){p.dir, p.name, no, false};
	entry_of(s, no)->ctime = world_tick(w);
	add_row(w, no, p, nowhere);
	return no;
}

static void remove_below(struct w_state *s, struct w_name *n)
{
	unsigned no = n->no, left = 0;

	*n = s->names[--s->n_names];
	for (unsigned i = 0; i < s->n_names; i++) {
		left += s->names[i].no == no;
		if (s->names[i].dir == no) {
			remove_below(s, &s->names[i]);
			i = UINT32_MAX;
			left = 0;
		}
	}
	for (unsigned i = 0; left == 0 && i < s->n_entries; i++)
		if (s->entries[i].no == no) {
			s->entries[i] = s->entries[--s->n_entries];
			return;
		}
}

unsigned world_remove(struct world *w, const char *path)
{
	struct w_state *s = world_edit(w);
	struct w_place p = place_of(s, path);
	struct w_name *n = name_at(s, path);
	unsigned no = n->no;

	remove_below(s, n);
	add_row(w, no, p, nowhere);
	return no;
}

unsigned world_detach(struct world *w, const char *path)
{
	struct w_name *n = name_at(world_edit(w), path);

	n->det = true;
	return n->no;
}

unsigned world_attach(struct world *w, unsigned no, const char *to)
{
	struct w_state *s = world_edit(w);
	struct w_place b = place_of(s, to);

	for (unsigned i = 0; i < s->n_names; i++) {
		struct w_name *n = &s->names[i];
		struct w_place a = {n->dir, n->name};

		if (n->no != no || !n->det)
			continue;
		n->det = false;
		n->dir = b.dir;
		n->name = b.name;
		if (a.dir != b.dir || a.name != b.name)
			add_row(w, no, a, b);
		return no;
	}
	insist(false, to);
	return 0;
}

void world_restore(struct world *w)
{
	struct w_state *s = world_edit(w);
	unsigned first = w->n_entries, was;

	for (unsigned i = 0; i < s->n_entries; i++) {
		was = s->entries[i].no;
		if (was == W_TOP)
			continue;
		s->entries[i].no = ++w->n_entries;
		s->entries[i].ctime = s->entries[i].cctime = world_tick(w);
		for (unsigned k = 0; k < s->n_names; k++) {
			if (s->names[k].no == was)
				s->names[k].no = w->n_entries;
			if (s->names[k].dir == was)
				s->names[k].dir = w->n_entries;
		}
	}
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].no > first)
			add_row(w, s->names[i].no,
				(struct w_place){s->names[i].dir,
						 s->names[i].name},
				nowhere);
}
