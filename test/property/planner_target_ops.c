/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of the simulated target: how each begins and ends, and those
 * on names. */
#include "property/planner_target_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- every operation begins and ends here */

enum jb_outcome sim_lack_room(struct jb_error *err)
{
	jb_error_set(err, JB_ENOSPC, 28, "full");
	return JB_OUTCOME_NO_SPACE;
}

enum jb_outcome sim_start(struct sim *s, struct jb_error *err)
{
	if (s->crashed)
		sim_break(s, "an operation after the target had failed");
	if (world_may(s->world, s->p_crash)) {
		s->crashed = true;
		jb_error_set(err, JB_EIO, 5, "target: gone");
		return JB_OUTCOME_STOPPED;
	}
	if ((s->fail_in > 0 && --s->fail_in == 0) ||
	    world_may(s->world, s->p_fail)) {
		if (s->p_fail > 0 && world_below(s->world, 2) == 0)
			return sim_lack_room(err);
		jb_error_set(err, JB_EACCES, 13, "no");
		return JB_OUTCOME_REFUSED;
	}
	return JB_OUTCOME_DONE;
}

static void check_watched(struct sim *s)
{
	for (unsigned i = 0; i < s->n_watched; i++)
		if (sim_at(s, s->watched[i].dir, s->watched[i].name) == 0)
			sim_break(s, "absent: %s in object %u",
				  s->watched[i].name, s->watched[i].dir);
}

void sim_done(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	s->n_operations++;
	if (s->verbose) {
		printf("  ");
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		printf("\n");
	}
	check_watched(s);
	if (world_may(s->world, s->p_other))
		sim_somebody(s);
	if (world_may(s->world, s->p_live))
		world_step(s->world);
}

void sim_check_ours(struct sim *s, struct jb_place p)
{
	unsigned dir = sim_resolve(s, p.dir), no = sim_at(s, dir, p.name);

	if (dir != 0 && !s->objects[dir].ours)
		sim_break(s, "worked in a foreign directory: %s", p.dir);
	if (no != 0 && dir != SIM_OWN && !s->objects[no].ours)
		sim_break(s, "foreign entry touched: %s/%s", p.dir, p.name);
}

/* ---- looks */

void sim_describe(const struct sim *s, unsigned no, struct jb_object *ret)
{
	const struct sim_object *o = &s->objects[no];

	*ret = (struct jb_object){.ino = no,
				  .birth = 7,
				  .mtime = o->mtime,
				  .uid = (uint32_t)o->meta,
				  .nlink = sim_count_names(s, no)};
	ret->size = o->type == 'd' ? 0 : 7;
	ret->mode = o->type == 'd'   ? S_IFDIR
		    : o->type == 'l' ? S_IFLNK
				     : S_IFREG;
}

static enum jb_outcome sim_look(struct jb_target *t, struct jb_place p,
				struct jb_object *ret, struct jb_error *err)
{
	struct sim *s = sim_of(t);
	bool link;
	unsigned no, dir = sim_walk(s, p.dir, &link);

	if (link) {
		jb_error_set(err, JB_ESTALE, 0, "a symlink is on the way");
		return JB_OUTCOME_FOREIGN;
	}
	no = *p.name == '\0' ? dir : sim_at(s, dir, p.name);
	if (dir == 0 || no == 0) {
		jb_error_set(err, JB_ENOENT, 2, "not there");
		return JB_OUTCOME_LOST;
	}
	sim_describe(s, no, ret);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_list(struct jb_target *t, const char *dir,
				jb_list_fn *fn, void *arg, struct jb_error *err)
{
	struct sim *s = sim_of(t);
	unsigned at = sim_resolve(s, dir);
	struct sim_name names[SIM_NAMES];
	struct jb_object o;
	unsigned n = 0;

	if (at == 0) {
		jb_error_set(err, JB_ENOENT, 2, "not there");
		return JB_OUTCOME_LOST;
	}
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == at)
			names[n++] = s->names[i];
	for (unsigned i = 0; i < n; i++) {
		sim_describe(s, names[i].object, &o);
		if (fn(arg, names[i].name, &o) != 0)
			break;
	}
	return JB_OUTCOME_DONE;
}

static bool fits(const struct sim *s, unsigned no, const struct jb_stamp *e)
{
	return no == e->ino &&
	       (s->objects[no].type == 'd' || s->objects[no].mtime == e->mtime);
}

unsigned sim_expect(struct sim *s, struct jb_place p, const struct jb_stamp *e,
		    struct jb_error *err)
{
	unsigned dir = sim_resolve(s, p.dir), no;

	no = dir != 0 ? sim_at(s, dir, p.name) : 0;
	if (no != 0 && fits(s, no, e))
		return no;
	jb_error_set(err, JB_ESTALE, 0, "not what was expected");
	return 0;
}

/* ---- names */

/* Of an operation that needs room for a name. */
static enum jb_outcome start_name(struct sim *s, struct jb_error *err)
{
	enum jb_outcome out = sim_start(s, err);

	return out == JB_OUTCOME_DONE && s->full_names ? sim_lack_room(err)
						       : out;
}

static enum jb_outcome sim_link(struct jb_target *t, struct jb_place from,
				const struct jb_stamp *e, struct jb_place to,
				struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start_name(s, err);
	unsigned no, dir;

	if (out != JB_OUTCOME_DONE)
		return out;
	no = sim_expect(s, from, e, err);
	dir = sim_resolve(s, to.dir);
	if (no == 0 || dir == 0 || sim_at(s, dir, to.name) != 0)
		return JB_OUTCOME_FOREIGN;
	sim_check_ours(s, from);
	sim_check_ours(s, to);
	sim_add_name(s, dir, to.name, no);
	sim_done(s, "link %s/%s %s/%s", from.dir, from.name, to.dir, to.name);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_rename(struct jb_target *t, struct jb_place from,
				  const struct jb_stamp *e, struct jb_place to,
				  struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start_name(s, err);
	unsigned no, dir;

	if (out != JB_OUTCOME_DONE)
		return out;
	no = sim_expect(s, from, e, err);
	dir = sim_resolve(s, to.dir);
	if (no == 0 || dir == 0)
		return JB_OUTCOME_LOST;
	if (sim_at(s, dir, to.name) != 0)
		return JB_OUTCOME_FOREIGN;
	if (sim_is_inside(s, dir, no)) {
		sim_break(s, "directory into itself: %s", to.dir);
		return JB_OUTCOME_REFUSED;
	}
	sim_check_ours(s, from);
	sim_check_ours(s, to);
	sim_cut(s, sim_find(s, sim_resolve(s, from.dir), from.name));
	sim_add_name(s, dir, to.name, no);
	sim_done(s, "rename %s/%s %s/%s", from.dir, from.name, to.dir, to.name);
	return JB_OUTCOME_DONE;
}

/* As on xfs: a directory that comes into another one by an exchange has '..'
 * written anew, and a new mtime. A rename leaves it. */
static void move_by_exchange(struct sim *s, unsigned no)
{
	if (s->objects[no].type == 'd')
		s->objects[no].mtime = ++s->stamp;
}

static enum jb_outcome
sim_exchange(struct jb_target *t, struct jb_place a, const struct jb_stamp *ea,
	     struct jb_place b, const struct jb_stamp *eb, struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = sim_start(s, err);
	unsigned x, y, dir_a, dir_b;

	if (out != JB_OUTCOME_DONE)
		return out;
	x = sim_expect(s, a, ea, err);
	y = sim_expect(s, b, eb, err);
	dir_a = sim_resolve(s, a.dir);
	dir_b = sim_resolve(s, b.dir);
	if (x == 0 || y == 0)
		return JB_OUTCOME_FOREIGN;
	if (sim_is_inside(s, dir_a, y) || sim_is_inside(s, dir_b, x)) {
		sim_break(s, "exchange with what is inside: %s", b.dir);
		return JB_OUTCOME_REFUSED;
	}
	sim_check_ours(s, a);
	sim_check_ours(s, b);
	sim_find(s, dir_a, a.name)->object = y;
	sim_find(s, dir_b, b.name)->object = x;
	s->objects[dir_a].mtime = ++s->stamp;
	s->objects[dir_b].mtime = ++s->stamp;
	if (dir_a != dir_b) {
		move_by_exchange(s, x);
		move_by_exchange(s, y);
	}
	sim_done(s, "exchange %s/%s %s/%s", a.dir, a.name, b.dir, b.name);
	return JB_OUTCOME_DONE;
}

static void give_room(struct sim *s)
{
	if (s->room >= 0)
		s->room++;
}

/* The last name of what is ours may go only when it is in the trash. */
static void remove_name(struct sim *s, struct sim_name *n)
{
	unsigned no = n->object;
	struct sim_object *o = &s->objects[no];
	struct sim_foreign *at = &s->removed_at[s->n_removed];

	at->dir = n->dir;
	strcpy(at->name, n->name);
	s->removed_in_place[s->n_removed] = sim_has_begun_there(s, n);
	s->removed_before[s->n_removed] = s->first_new;
	sim_cut(s, n);
	if (sim_count_names(s, no) > 0)
		return;
	s->removed[s->n_removed++] = no;
	give_room(s);
	if (o->type != 'd' && !o->trashed)
		sim_break(s, "object %u lost without trash", no);
}

static enum jb_outcome sim_replace(struct jb_target *t, struct jb_place from,
				   const struct jb_stamp *ef,
				   struct jb_place to,
				   const struct jb_stamp *et,
				   const struct jb_place *keep_as,
				   struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = sim_start(s, err);
	unsigned no, old, dir;

	if (out != JB_OUTCOME_DONE)
		return out;
	no = sim_expect(s, from, ef, err);
	old = sim_expect(s, to, et, err);
	dir = sim_resolve(s, to.dir);
	if (no == 0 || old == 0)
		return JB_OUTCOME_FOREIGN;
	sim_check_ours(s, from);
	sim_check_ours(s, to);
	if (keep_as != NULL)
		s->objects[old].trashed = true;
	remove_name(s, sim_find(s, dir, to.name));
	sim_cut(s, sim_find(s, sim_resolve(s, from.dir), from.name));
	sim_add_name(s, dir, to.name, no);
	sim_done(s, "replace %s/%s %s/%s", from.dir, from.name, to.dir,
		 to.name);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_remove(struct jb_target *t, struct jb_place p,
				  const struct jb_stamp *e,
				  const struct jb_place *keep_as,
				  struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out =
		keep_as != NULL ? start_name(s, err) : sim_start(s, err);
	unsigned no;

	if (out != JB_OUTCOME_DONE)
		return out;
	no = sim_expect(s, p, e, err);
	if (no == 0)
		return JB_OUTCOME_FOREIGN;
	if (!sim_is_empty(s, no))
		return JB_OUTCOME_NOT_EMPTY;
	sim_check_ours(s, p);
	if (keep_as != NULL)
		s->objects[no].trashed = true;
	remove_name(s, sim_find(s, sim_resolve(s, p.dir), p.name));
	sim_done(s, "remove %s/%s", p.dir, p.name);
	return JB_OUTCOME_DONE;
}

static void discard(struct sim *s, unsigned dir, const char *name)
{
	unsigned no = sim_at(s, dir, name);
	char below[SIM_NAME];

	for (unsigned i = 0; i < s->n_names;) {
		if (s->names[i].dir != no) {
			i++;
			continue;
		}
		strcpy(below, s->names[i].name);
		discard(s, no, below);
		i = 0;
	}
	sim_cut(s, sim_find(s, dir, name));
	if (sim_count_names(s, no) == 0)
		give_room(s);
	if (!s->objects[no].ours && sim_count_names(s, no) == 0)
		sim_break(s, "foreign entry swept: object %u", no);
}

static enum jb_outcome sim_sweep(struct jb_target *t, const char *name,
				 struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = sim_start(s, err);

	if (out != JB_OUTCOME_DONE)
		return out;
	if (sim_at(s, SIM_OWN, name) != 0)
		discard(s, SIM_OWN, name);
	sim_done(s, "sweep %s", name);
	return JB_OUTCOME_DONE;
}

static int sim_sync(struct jb_target *t, bool all, struct jb_error *err)
{
	struct sim *s = sim_of(t);

	(void)all;
	if (s->crashed)
		sim_break(s, "sync after the target had failed");
	if (!world_may(s->world, s->p_crash))
		return JB_OK;
	s->crashed = true;
	return jb_error_set(err, JB_EIO, 5, "target: sync failed");
}

const struct jb_target_ops sim_ops = {
	.name = "simulated",
	.look = sim_look,
	.list = sim_list,
	.make = sim_make,
	.attrs = sim_attrs,
	.link = sim_link,
	.rename = sim_rename,
	.exchange = sim_exchange,
	.replace = sim_replace,
	.remove = sim_remove,
	.sweep = sim_sweep,
	.sync = sim_sync,
	.hash = sim_hash,
	.hash_source = sim_hash_source,
};
