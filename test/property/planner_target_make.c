/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the simulated target takes from the source: contents, attributes. */
#include "property/planner_target_internal.h"

#include <stdio.h>
#include <sys/stat.h>

/* The right file: the catalog's path in the live tree, and its identity. */
static const struct w_entry *find_source(struct sim *s, const struct jb_work *w)
{
	struct w_state *live = world_live(s->world);
	char path[256];
	unsigned no;

	snprintf(path, sizeof path, "%s/%s", w->from.dir, w->from.name);
	no = state_find(live, path);
	return no != 0 && no == (unsigned)w->birth ? state_entry(live, no)
						   : NULL;
}

static void fill_source(const struct w_entry *e, struct jb_object *ret)
{
	struct jb_id id = world_id(e->no);

	*ret = (struct jb_object){.ino = id.ino,
				  .birth = id.birth,
				  .uid = (uint32_t)e->meta,
				  .mtime = e->sig,
				  .ctime = e->ctime};
	ret->size = e->type == 'd' ? 0 : 7;
	ret->mode = e->type == 'd'   ? S_IFDIR | 0755
		    : e->type == 'l' ? S_IFLNK | 0777
				     : S_IFREG | 0644;
}

static enum jb_outcome make_one(struct sim *s, struct jb_work *w)
{
	unsigned dir = sim_resolve(s, w->to.dir), no;
	const struct w_entry *e = find_source(s, w);
	enum jb_outcome out;

	if (e == NULL)
		return JB_OUTCOME_MOVED;
	if (e->type != 'd' && world_may(s->world, s->p_fail))
		return JB_OUTCOME_TORN;
	out = sim_start(s, &w->err);
	if (out != JB_OUTCOME_DONE)
		return out;
	if (dir == 0)
		return JB_OUTCOME_LOST;
	if (sim_at(s, dir, w->to.name) != 0)
		return JB_OUTCOME_FOREIGN;
	sim_check_ours(s, w->to);
	if (s->room == 0)
		return sim_lack_room(&w->err);
	s->room -= s->room > 0;
	if (e->type != 'd') {
		s->n_copies++;
		if (s->is_needless(s->needless_arg, e->no, e->data))
			sim_break(s, "needless copy of %u", e->no);
	}
	no = sim_create(s, dir, w->to.name, e->type, e->data, true);
	s->objects[no].src = e->no;
	if (e->type != 'd') {
		s->objects[no].meta = e->meta;
		s->objects[no].mtime = e->sig;
		w->bytes = 7;
		w->took_us = s->took_us;
	}
	fill_source(e, &w->source);
	sim_describe(s, no, &w->target);
	sim_done(s, "make %s/%s %c = object %u, copy of %u", w->to.dir,
		 w->to.name, e->type, no, (unsigned)w->birth);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome run_all(struct sim *s, struct jb_work *work, size_t n,
			       enum jb_outcome (*one)(struct sim *,
						      struct jb_work *),
			       struct jb_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (s->crashed) {
			work[i].outcome = JB_OUTCOME_SKIPPED;
			continue;
		}
		work[i].outcome = one(s, &work[i]);
		if (work[i].outcome == JB_OUTCOME_STOPPED)
			*err = work[i].err;
	}
	return s->crashed ? JB_OUTCOME_STOPPED : JB_OUTCOME_DONE;
}

enum jb_outcome sim_make(struct jb_target *t, struct jb_work *work, size_t n,
			 struct jb_error *err)
{
	return run_all(sim_of(t), work, n, make_one, err);
}

static enum jb_outcome attrs_one(struct sim *s, struct jb_work *w)
{
	const struct w_entry *e;
	struct sim_object *o;
	enum jb_outcome out;
	unsigned no;

	if (*w->to.name == '\0') {
		fill_source(state_entry(world_live(s->world), W_TOP),
			    &w->source);
		sim_describe(s, SIM_TOP, &w->target);
		return JB_OUTCOME_DONE;
	}
	e = find_source(s, w);
	if (e == NULL)
		return JB_OUTCOME_MOVED;
	if (w->ctime != 0 && w->ctime != e->ctime)
		return JB_OUTCOME_TORN;
	out = sim_start(s, &w->err);
	if (out != JB_OUTCOME_DONE)
		return out;
	no = sim_expect(s, w->to, &w->expect, &w->err);
	if (no == 0)
		return JB_OUTCOME_LOST;
	o = &s->objects[no];
	if (!o->ours)
		sim_break(s, "foreign attributes touched");
	o->meta = e->meta;
	o->mtime = e->sig;
	fill_source(e, &w->source);
	sim_describe(s, no, &w->target);
	sim_done(s, "attrs of object %u", no);
	return JB_OUTCOME_DONE;
}

enum jb_outcome sim_attrs(struct jb_target *t, struct jb_work *work, size_t n,
			  struct jb_error *err)
{
	return run_all(sim_of(t), work, n, attrs_one, err);
}

enum jb_outcome sim_hash(struct jb_target *t, struct jb_place p,
			 const struct jb_stamp *expect, struct jb_hash *ret,
			 struct jb_error *err)
{
	struct sim *s = sim_of(t);
	unsigned no = sim_at(s, sim_resolve(s, p.dir), p.name);

	(void)err;
	if (no == 0 || no != expect->ino)
		return JB_OUTCOME_FOREIGN;
	*ret = (struct jb_hash){.low = (uint64_t)s->objects[no].data};
	return JB_OUTCOME_DONE;
}

enum jb_outcome sim_hash_source(struct jb_target *t, struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_hash *ret, struct jb_error *err)
{
	const struct w_state *live = world_live(sim_of(t)->world);
	const struct w_entry *e;

	(void)p;
	(void)err;
	e = state_entry(live,
			world_no((struct jb_id){expect->ino, expect->birth}));
	if (e == NULL)
		return JB_OUTCOME_MOVED;
	if (e->sig != expect->mtime)
		return JB_OUTCOME_TORN;
	*ret = (struct jb_hash){.low = (uint64_t)e->data};
	return JB_OUTCOME_DONE;
}
