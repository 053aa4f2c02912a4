/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can happen in a world: each changes the step's state, or leaves its `ok`
 * false. */
#include "property/planner_world_internal.h"

#include <stdio.h>

static struct w_entry *entry_of(struct w_state *s, unsigned no)
{
	return (struct w_entry *)state_entry(s, no);
}

void step_begin(struct step *t, struct world *w)
{
	t->w = w;
	t->s = *world_live(w);
	t->n_rows = 0;
	t->ok = false;
}

static void say_row(const struct w_row *r, const char *what)
{
	printf("%s %u (%u,%c) (%u,%c)\n", what, r->no, r->places[0].dir,
	       r->places[0].name, r->places[1].dir,
	       r->n_places > 1 ? r->places[1].name : ' ');
}

void step_push(struct step *t, const char *what)
{
	bool verbose = t->w->verbose;

	world_add_state(t->w, &t->s);
	for (unsigned i = 0; i < t->n_rows; i++) {
		world_add_row(t->w, &t->rows[i]);
		if (verbose)
			say_row(&t->rows[i], i == 0 ? what : "  +");
	}
	if (verbose && t->n_rows == 0)
		printf("%s\n", what);
	t->n_rows = 0;
}

static void add_row(struct step *t, unsigned no, struct w_place a)
{
	t->rows[t->n_rows++] =
		(struct w_row){.no = no, .n_places = 1, .places = {a}};
}

static void add_move(struct step *t, unsigned no, struct w_place a,
		     struct w_place b)
{
	t->rows[t->n_rows++] =
		(struct w_row){.no = no, .n_places = 2, .places = {a, b}};
}

/* A name came or went: the directory's times. */
static void change_dir(struct step *t, unsigned dir)
{
	struct w_entry *e = entry_of(&t->s, dir);

	if (e != NULL)
		e->sig = e->ctime = world_tick(t->w);
}

void step_make(struct step *t, struct w_place p, char type)
{
	struct w_state *s = &t->s;
	struct w_entry e;

	if (s->n_entries + 2 > W_ENTRIES || s->n_names + 2 > W_NAMES)
		return;
	e = world_new_entry(t->w, type);
	s->entries[s->n_entries++] = e;
	s->names[s->n_names++] = (struct w_name){p.dir, p.name, e.no, false};
	change_dir(t, p.dir);
	add_row(t, e.no, p);
	t->ok = true;
}

struct w_name *step_find(struct step *t, struct w_place p)
{
	return (struct w_name *)state_name(&t->s, p.dir, p.name);
}

static void cut_name(struct step *t, const struct w_name *n)
{
	unsigned i = (unsigned)(n - t->s.names);

	change_dir(t, n->dir);
	t->s.names[i] = t->s.names[--t->s.n_names];
}

static bool holds_detached(const struct w_state *s, unsigned no)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].det && (s->names[i].no == no ||
					state_is_under(s, no, s->names[i].dir)))
			return true;
	return false;
}

/* The name, and all below it. One row for a whole tree. */
static void drop_name(struct step *t, struct w_place p)
{
	struct w_state *s = &t->s;
	const struct w_name *n = step_find(t, p);
	unsigned no = n->no;

	cut_name(t, n);
	for (unsigned i = 0; i < s->n_names;) {
		if (s->names[i].dir != no) {
			i++;
			continue;
		}
		drop_name(t, (struct w_place){no, s->names[i].name});
		i = 0;
	}
	if (state_name_of(s, no) == NULL)
		for (unsigned i = 0; i < s->n_entries; i++)
			if (s->entries[i].no == no) {
				s->entries[i] = s->entries[--s->n_entries];
				break;
			}
}

void step_drop(struct step *t, struct w_place p)
{
	const struct w_name *n = step_find(t, p);

	if (n == NULL || holds_detached(&t->s, n->no)) {
		t->ok = false;
		return;
	}
	add_row(t, n->no, p);
	drop_name(t, p);
	t->ok = true;
}

static bool has_below(const struct w_state *s, unsigned dir)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == dir)
			return true;
	return false;
}

void step_move(struct step *t, struct w_place a, struct w_place b)
{
	struct w_state *s = &t->s;
	struct w_name *n = step_find(t, a), *m = step_find(t, b);
	unsigned no = n->no;
	bool dir = entry_of(s, no)->type == 'd';

	t->ok = false;
	if ((a.dir == b.dir && a.name == b.name) ||
	    (dir && state_is_under(s, no, b.dir)))
		return;
	if (m != NULL) {
		if (m->no == no || dir != (entry_of(s, m->no)->type == 'd') ||
		    has_below(s, m->no))
			return;
		step_drop(t, b);
		if (!t->ok)
			return;
		n = step_find(t, a);
	}
	n->dir = b.dir;
	n->name = b.name;
	entry_of(s, no)->ctime = world_tick(t->w);
	change_dir(t, a.dir);
	change_dir(t, b.dir);
	add_move(t, no, a, b);
	t->ok = true;
}

void step_write(struct step *t, unsigned no, struct w_place p, bool quiet)
{
	struct w_entry *e = entry_of(&t->s, no);
	int64_t now = world_tick(t->w);

	e->data = now;
	if (!quiet || !t->w->may_repeat)
		e->sig = now;
	e->ctime = e->cctime = e->cseq = now;
	e->epoch = t->w->epoch;
	add_row(t, no, p);
	t->ok = true;
}

void step_chmod(struct step *t, struct w_place p)
{
	struct w_entry *e = entry_of(&t->s, step_find(t, p)->no);

	e->meta = e->ctime = world_tick(t->w);
	add_row(t, e->no, p);
	t->ok = true;
}

void step_touch(struct step *t, struct w_place p)
{
	struct w_entry *e = entry_of(&t->s, step_find(t, p)->no);

	if (e->type == 'd')
		return;
	e->sig = e->ctime = world_tick(t->w);
	add_row(t, e->no, p);
	t->ok = true;
}

void step_rotate(struct step *t, const struct w_place *p, unsigned n)
{
	struct w_name *names[3];
	unsigned nos[3];

	for (unsigned i = 0; i < n; i++) {
		names[i] = step_find(t, p[i]);
		nos[i] = names[i]->no;
		for (unsigned k = 0; k < i; k++)
			if (nos[k] == nos[i])
				return;
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n; k++)
			if (entry_of(&t->s, nos[i])->type == 'd' &&
			    state_is_under(&t->s, nos[i], p[k].dir))
				return;
	for (unsigned i = 0; i < n; i++) {
		names[(i + 1) % n]->no = nos[i];
		entry_of(&t->s, nos[i])->ctime = world_tick(t->w);
		change_dir(t, p[i].dir);
	}
	for (unsigned i = 0; i < n; i++)
		add_move(t, nos[i], p[i], p[(i + 1) % n]);
	t->ok = true;
}

void step_link(struct step *t, struct w_place from, struct w_place to)
{
	struct w_name *n = step_find(t, from);

	if (n == NULL || entry_of(&t->s, n->no)->type == 'd' ||
	    step_find(t, to) != NULL || t->s.n_names >= W_NAMES)
		return;
	t->s.names[t->s.n_names++] =
		(struct w_name){to.dir, to.name, n->no, false};
	entry_of(&t->s, n->no)->ctime = world_tick(t->w);
	change_dir(t, to.dir);
	add_row(t, n->no, to);
	t->ok = true;
}

void step_invert(struct step *t, struct w_place p)
{
	struct w_name *n = step_find(t, p), *above;
	struct w_place a, c;
	unsigned no = n->no, dir = p.dir;

	if (p.dir == W_TOP || entry_of(&t->s, no)->type != 'd' ||
	    state_name(&t->s, no, 'a') != NULL)
		return;
	above = (struct w_name *)state_name_of(&t->s, p.dir);
	if (above == NULL || above->det)
		return;
	a = (struct w_place){above->dir, above->name};
	c = world_below(t->w, 2) ? a : (struct w_place){a.dir, 'c'};
	if ((c.name != a.name && step_find(t, c) != NULL))
		return;
	n->dir = c.dir;
	n->name = c.name;
	above->dir = no;
	above->name = 'a';
	add_move(t, no, p, c);
	add_move(t, dir, a, (struct w_place){no, 'a'});
	t->ok = true;
}

static unsigned renumber(struct step *t, unsigned no, unsigned *map)
{
	if (no == W_TOP)
		return no;
	for (unsigned i = 0; i < t->s.n_entries; i++)
		if (t->s.entries[i].no == no)
			return map[i];
	return no;
}

void step_restore(struct step *t, bool epoch)
{
	struct w_state *s = &t->s;
	unsigned map[W_ENTRIES];
	bool ids = !epoch || world_below(t->w, 2);
	int64_t now;

	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].det)
			return;
	now = world_tick(t->w);
	t->w->epoch += epoch;
	for (unsigned i = 0; i < s->n_names; i++)
		add_row(t, s->names[i].no,
			(struct w_place){s->names[i].dir, s->names[i].name});
	for (unsigned i = 0; i < s->n_entries; i++)
		map[i] = ids && s->entries[i].no != W_TOP ? ++t->w->n_entries
							  : s->entries[i].no;
	for (unsigned i = 0; i < s->n_names; i++) {
		s->names[i].dir = renumber(t, s->names[i].dir, map);
		s->names[i].no = renumber(t, s->names[i].no, map);
	}
	for (unsigned i = 0; i < s->n_entries; i++) {
		if (map[i] != s->entries[i].no)
			s->entries[i].ctime = s->entries[i].cctime = now;
		s->entries[i].no = map[i];
		s->entries[i].cseq = now;
		s->entries[i].epoch = t->w->epoch;
	}
	for (unsigned i = 0; i < s->n_names && t->n_rows < 2 * W_NAMES; i++)
		add_row(t, s->names[i].no,
			(struct w_place){s->names[i].dir, s->names[i].name});
	t->ok = true;
}

void step_detach(struct step *t, struct w_place p)
{
	if (!t->w->may_detach)
		return;
	step_find(t, p)->det = true;
	t->ok = true;
}

void step_attach(struct step *t, unsigned i, struct w_place to)
{
	struct w_name *n = &t->s.names[i];
	struct w_place from = {n->dir, n->name};
	unsigned no = n->no, what = world_below(t->w, 3);

	if (what == 0 || what == 1)
		to = from;
	if (step_find(t, to) != NULL || (entry_of(&t->s, no)->type == 'd' &&
					 state_is_under(&t->s, no, to.dir)))
		return;
	n->det = false;
	n->dir = to.dir;
	n->name = to.name;
	t->ok = true;
	if (what == 0 && world_below(t->w, 2))
		return; /* back, as if nothing had happened: no row */
	change_dir(t, from.dir);
	change_dir(t, to.dir);
	entry_of(&t->s, no)->ctime = world_tick(t->w);
	if (what == 1) {
		/* deleted, said of the old place */
		if (holds_detached(&t->s, no)) {
			t->ok = false;
			return;
		}
		drop_name(t, to);
		add_row(t, no, from);
	} else {
		add_move(t, no, from, to);
	}
}
