/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody else at the simulated target: anywhere but in OWN. */
#include "property/planner_target.h"

#include <stdio.h>
#include <string.h>

static bool is_below_own(const struct sim *s, unsigned dir)
{
	const struct sim_name *n;

	while (dir != SIM_TOP && dir != SIM_OWN) {
		n = sim_name_of(s, dir);
		if (n == NULL)
			return true;
		dir = n->dir;
	}
	return dir == SIM_OWN;
}

static void somebody_creates(struct sim *s)
{
	struct world *w = s->world;
	unsigned dirs[SIM_NAMES + 1], n = 1, no;
	char name[2] = {(char)('a' + world_below(w, 3)), '\0'};
	struct sim_foreign *f;

	dirs[0] = SIM_TOP;
	for (unsigned i = 0; i < s->n_names; i++)
		if (!is_below_own(s, s->names[i].dir) &&
		    s->objects[s->names[i].object].ours &&
		    s->objects[s->names[i].object].type == 'd')
			dirs[n++] = s->names[i].object;
	n = dirs[world_below(w, n)];
	if (sim_at(s, n, name) != 0 || s->n_foreign == SIM_NAMES)
		return;
	no = sim_create(s, n, name, world_below(w, 2) ? 'f' : 'd', -1, false);
	s->objects[no].old_copy = true;
	f = &s->foreign[s->n_foreign++];
	f->object = no;
	f->dir = n;
	strcpy(f->name, name);
}

static void somebody_changes(struct sim *s, struct sim_name *n, bool removes)
{
	unsigned no = n->object;
	struct sim_object *o = &s->objects[no];

	if (removes) {
		if (sim_is_empty(s, no))
			sim_cut(s, n);
		return;
	}
	if (o->type == 'd')
		return;
	o->data = -2;
	o->meta = 0;
	o->mtime = ++s->stamp;
	o->ours = o->old_copy = false;
	for (unsigned i = 0; i < s->n_names; i++) {
		if (s->names[i].object != no ||
		    is_below_own(s, s->names[i].dir) ||
		    s->n_foreign == SIM_NAMES)
			continue;
		s->foreign[s->n_foreign].object = no;
		s->foreign[s->n_foreign].dir = s->names[i].dir;
		strcpy(s->foreign[s->n_foreign++].name, s->names[i].name);
	}
}

/* Where our empty directory was, or our file, there is his now. */
static void somebody_replaces(struct sim *s, struct sim_name *n)
{
	struct sim_name was = *n;
	struct sim_foreign *f = &s->foreign[s->n_foreign];

	if (!sim_is_empty(s, n->object) || s->n_foreign == SIM_NAMES)
		return;
	f->dir = was.dir;
	strcpy(f->name, was.name);
	f->object = sim_create(s, was.dir, "~", s->objects[was.object].type, -1,
			       false);
	sim_cut(s, sim_find(s, was.dir, "~"));
	sim_find(s, was.dir, was.name)->object = f->object;
	s->objects[f->object].old_copy = true;
	s->n_foreign++;
}

void sim_somebody(struct sim *s)
{
	unsigned at[SIM_NAMES], n = 0, k = world_below(s->world, 5);

	s->n_watched = 0;
	s->had_foreign = true;
	if (s->verbose)
		printf("  somebody %u\n", k);
	if (k < 2) {
		somebody_creates(s);
		return;
	}
	for (unsigned i = 0; i < s->n_names; i++)
		if (!is_below_own(s, s->names[i].dir) &&
		    s->objects[s->names[i].object].ours)
			at[n++] = i;
	if (n == 0)
		return;
	n = at[world_below(s->world, n)];
	if (k == 4)
		somebody_replaces(s, &s->names[n]);
	else
		somebody_changes(s, &s->names[n], k == 3);
}

void sim_take_over(struct sim *s, unsigned no)
{
	s->objects[no].ours = true;
	for (unsigned i = 0; i < s->n_foreign;)
		if (s->foreign[i].object == no)
			s->foreign[i] = s->foreign[--s->n_foreign];
		else
			i++;
}

void sim_clean(struct sim *s)
{
	bool again = true;

	while (again) {
		again = false;
		for (unsigned i = 0; i < s->n_names; i++) {
			if (s->objects[s->names[i].object].ours ||
			    !sim_is_empty(s, s->names[i].object))
				continue;
			sim_cut(s, &s->names[i]);
			again = true;
			break;
		}
	}
	s->n_foreign = 0;
}
