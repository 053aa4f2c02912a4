/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The states of a world: who is where in each of them, and how one more comes
 * about. */
#include "property/planner_world_internal.h"

#include <stdlib.h>

/* ---- states */

const struct w_entry *state_entry(const struct w_state *s, unsigned no)
{
	for (unsigned i = 0; i < s->n_entries; i++)
		if (s->entries[i].no == no)
			return &s->entries[i];
	return NULL;
}

const struct w_name *state_name(const struct w_state *s, unsigned dir,
				char name)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == dir && s->names[i].name == name &&
		    !s->names[i].det)
			return &s->names[i];
	return NULL;
}

const struct w_name *state_name_of(const struct w_state *s, unsigned no)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].no == no)
			return &s->names[i];
	return NULL;
}

int state_path(const struct w_state *s, const struct w_name *n,
	       char path[W_DEPTH + 1])
{
	char back[W_DEPTH];
	int len = 0;

	while (n != NULL && len < W_DEPTH) {
		if (n->det)
			return -1;
		back[len++] = n->name;
		if (n->dir == W_TOP)
			break;
		n = state_name_of(s, n->dir);
	}
	if (n == NULL || n->dir != W_TOP)
		return -1;
	for (int i = 0; i < len; i++)
		path[i] = back[len - 1 - i];
	path[len] = '\0';
	return len;
}

unsigned state_find(const struct w_state *s, const char *path)
{
	unsigned at = W_TOP;
	const struct w_name *n;

	for (; *path != '\0'; path++) {
		if (*path == '/')
			continue;
		n = state_name(s, at, *path);
		if (n == NULL)
			return 0;
		at = n->no;
	}
	return at;
}

bool state_is_under(const struct w_state *s, unsigned no, unsigned dir)
{
	const struct w_name *n;

	while (dir != W_TOP) {
		if (dir == no)
			return true;
		n = state_name_of(s, dir);
		if (n == NULL)
			return false;
		dir = n->dir;
	}
	return false;
}

struct jb_id world_id(unsigned no)
{
	if (no == W_TOP)
		return (struct jb_id){100, 1};
	return (struct jb_id){2 + (no * 7 + no / 5) % 3, (int64_t)no};
}

unsigned world_no(struct jb_id id)
{
	return (unsigned)id.birth;
}

/* ---- the world */

struct w_state *world_live(const struct world *w)
{
	return w->states[w->n_states - 1];
}

void world_init(struct world *w, uint64_t seed)
{
	struct w_state *s = calloc(1, sizeof *s);

	*w = (struct world){.rng.state = seed, .n_entries = W_TOP};
	w->cap_states = 16;
	w->states = malloc(w->cap_states * sizeof(struct w_state *));
	w->epoch = s->epoch = 1;
	s->entries[0] = (struct w_entry){.no = W_TOP, .type = 'd'};
	s->n_entries = 1;
	w->states[w->n_states++] = s;
}

void world_fini(struct world *w)
{
	for (unsigned i = 0; i < w->n_states; i++)
		free(w->states[i]);
	free(w->states);
	free(w->rows);
}

int64_t world_tick(struct world *w)
{
	return ++w->clock * 10;
}

struct w_entry world_new_entry(struct world *w, char type)
{
	int64_t now = world_tick(w);

	return (struct w_entry){
		.no = ++w->n_entries,
		.type = type,
		.data = now,
		.sig = now,
		.ctime = now,
		.meta = now,
		.cseq = now,
		.cctime = now,
		.epoch = w->epoch,
	};
}

struct w_state *world_add_state(struct world *w, const struct w_state *s)
{
	struct w_state *copy = malloc(sizeof *copy);

	if (w->n_states == w->cap_states) {
		w->cap_states *= 2;
		w->states = realloc(w->states,
				    w->cap_states * sizeof(struct w_state *));
	}
	*copy = *s;
	copy->epoch = w->epoch;
	w->states[w->n_states++] = copy;
	return copy;
}

void world_add_row(struct world *w, const struct w_row *row)
{
	if (w->n_rows == w->cap_rows) {
		w->cap_rows = w->cap_rows * 2 + 16;
		w->rows = realloc(w->rows, w->cap_rows * sizeof *w->rows);
	}
	w->rows[w->n_rows] = *row;
	w->rows[w->n_rows++].state = w->n_states - 1;
}
