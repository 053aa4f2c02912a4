/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the simulated target holds: objects, and their names. */
#include "property/planner_target_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sim_break(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->broken[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(s->broken, sizeof s->broken, fmt, ap);
	va_end(ap);
}

void sim_init(struct sim *s, struct world *w)
{
	memset(s, 0, sizeof *s);
	s->base.ops = &sim_ops;
	s->world = w;
	s->objects[SIM_TOP] = (struct sim_object){.type = 'd', .ours = true};
	s->objects[SIM_OWN] = (struct sim_object){.type = 'd', .ours = true};
	s->n_objects = 10;
	s->room = -1;
	s->stamp = INT64_C(1) << 40;
}

struct sim_name *sim_find(const struct sim *s, unsigned dir, const char *name)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == dir &&
		    strcmp(s->names[i].name, name) == 0)
			return (struct sim_name *)&s->names[i];
	return NULL;
}

unsigned sim_at(const struct sim *s, unsigned dir, const char *name)
{
	const struct sim_name *n = sim_find(s, dir, name);

	return n != NULL ? n->object : 0;
}

bool sim_holds_foreign(const struct sim *s, unsigned dir)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == dir &&
		    (!s->objects[s->names[i].object].ours ||
		     sim_holds_foreign(s, s->names[i].object)))
			return true;
	return false;
}

const struct sim_name *sim_name_of(const struct sim *s, unsigned object)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].object == object)
			return &s->names[i];
	return NULL;
}

bool sim_path(const struct sim *s, unsigned dir, const char *name,
	      char path[W_DEPTH + 1])
{
	const struct sim_name *above;
	char back[W_DEPTH];
	unsigned len = 0;

	back[len++] = *name;
	while (dir != SIM_TOP) {
		above = sim_name_of(s, dir);
		if (above == NULL || len == W_DEPTH || dir == SIM_OWN)
			return false;
		back[len++] = above->name[0];
		dir = above->dir;
	}
	for (unsigned i = 0; i < len; i++)
		path[i] = back[len - 1 - i];
	path[len] = '\0';
	return true;
}

unsigned sim_count_names(const struct sim *s, unsigned object)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_names; i++)
		n += s->names[i].object == object;
	return n;
}

bool sim_is_empty(const struct sim *s, unsigned dir)
{
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == dir)
			return false;
	return true;
}

bool sim_is_inside(const struct sim *s, unsigned dir, unsigned top)
{
	const struct sim_name *n;

	while (dir != SIM_TOP && dir != SIM_OWN) {
		if (dir == top)
			return true;
		n = sim_name_of(s, dir);
		if (n == NULL)
			return false;
		dir = n->dir;
	}
	return false;
}

unsigned sim_walk(const struct sim *s, const char *path, bool *link)
{
	unsigned at = SIM_TOP;
	char name[SIM_NAME];
	size_t len;

	*link = false;
	if (strncmp(path, JB_STAGE_DIR, sizeof JB_STAGE_DIR - 1) == 0) {
		at = SIM_OWN;
		path += sizeof JB_STAGE_DIR - 1;
		path += *path == '/';
	}
	while (*path != '\0' && at != 0) {
		len = strcspn(path, "/");
		if (len >= sizeof name)
			return 0;
		memcpy(name, path, len);
		name[len] = '\0';
		at = sim_at(s, at, name);
		*link = at != 0 && s->objects[at].type == 'l';
		if (at != 0 && s->objects[at].type != 'd')
			at = 0;
		path += len;
		path += *path == '/';
	}
	return at;
}

unsigned sim_resolve(const struct sim *s, const char *path)
{
	bool link;

	return sim_walk(s, path, &link);
}

void sim_add_name(struct sim *s, unsigned dir, const char *name,
		  unsigned object)
{
	struct sim_name *n = &s->names[s->n_names];

	if (s->n_names == SIM_NAMES) {
		sim_break(s, "the simulated target is too small");
		return;
	}
	s->n_names++;
	n->dir = dir;
	n->object = object;
	snprintf(n->name, sizeof n->name, "%s", name);
	s->objects[dir].mtime = ++s->stamp;
}

void sim_cut(struct sim *s, struct sim_name *n)
{
	s->objects[n->dir].mtime = ++s->stamp;
	*n = s->names[--s->n_names];
}

unsigned sim_create(struct sim *s, unsigned dir, const char *name, char type,
		    int64_t data, bool ours)
{
	unsigned no = ++s->n_objects;

	if (no >= SIM_OBJECTS) {
		sim_break(s, "the simulated target is too small");
		return 0;
	}
	s->objects[no] = (struct sim_object){
		.type = type, .ours = ours, .data = data, .mtime = ++s->stamp};
	sim_add_name(s, dir, name, no);
	return no;
}

void sim_begin(struct sim *s)
{
	memcpy(s->begun, s->names, s->n_names * sizeof s->names[0]);
	s->n_begun = s->n_names;
}

bool sim_has_begun_there(const struct sim *s, const struct sim_name *n)
{
	for (unsigned i = 0; i < s->n_begun; i++)
		if (s->begun[i].dir == n->dir &&
		    s->begun[i].object == n->object &&
		    strcmp(s->begun[i].name, n->name) == 0)
			return true;
	return false;
}
