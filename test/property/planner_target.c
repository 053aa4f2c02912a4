/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "property/planner_target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const struct jb_target_ops sim_ops;

static struct sim *sim_of(struct jb_target *t)
{
	return (struct sim *)t;
}

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

/* ---- names */

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

bool sim_path(const struct sim *s, unsigned dir, const char *name,
	      char path[W_DEPTH + 1])
{
	char back[W_DEPTH];
	unsigned len = 0, i;

	back[len++] = *name;
	while (dir != SIM_TOP) {
		for (i = 0; i < s->n_names && s->names[i].object != dir; i++)
			;
		if (i == s->n_names || len == W_DEPTH || dir == SIM_OWN)
			return false;
		back[len++] = s->names[i].name[0];
		dir = s->names[i].dir;
	}
	for (i = 0; i < len; i++)
		path[i] = back[len - 1 - i];
	path[len] = '\0';
	return true;
}

static unsigned count_names(const struct sim *s, unsigned object)
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

/* The directory at a path; 0: there is none, or @link: a symlink is on the way
 * to it. */
static unsigned walk(const struct sim *s, const char *path, bool *link)
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

static unsigned resolve(const struct sim *s, const char *path)
{
	bool link;

	return walk(s, path, &link);
}

static void add_name(struct sim *s, unsigned dir, const char *name,
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
	add_name(s, dir, name, no);
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
	if (count_names(s, no) > 0)
		return;
	s->removed[s->n_removed++] = no;
	give_room(s);
	if (o->type != 'd' && !o->trashed)
		sim_break(s, "object %u lost without trash", no);
}

/* ---- every operation begins and ends here */

static enum jb_outcome lack_room(struct jb_error *err)
{
	jb_error_set(err, JB_ENOSPC, 28, "full");
	return JB_OUTCOME_NO_SPACE;
}

static enum jb_outcome start(struct sim *s, struct jb_error *err)
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
			return lack_room(err);
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

__attribute__((format(printf, 2, 3))) static void done(struct sim *s,
						       const char *fmt, ...)
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

static void check_ours(struct sim *s, struct jb_place p)
{
	unsigned dir = resolve(s, p.dir), no = sim_at(s, dir, p.name);

	if (dir != 0 && !s->objects[dir].ours)
		sim_break(s, "worked in a foreign directory: %s", p.dir);
	if (no != 0 && dir != SIM_OWN && !s->objects[no].ours)
		sim_break(s, "foreign entry touched: %s/%s", p.dir, p.name);
}

/* ---- looks */

static void describe(const struct sim *s, unsigned no, struct jb_object *ret)
{
	const struct sim_object *o = &s->objects[no];

	*ret = (struct jb_object){.ino = no,
				  .birth = 7,
				  .mtime = o->mtime,
				  .uid = (uint32_t)o->meta,
				  .nlink = count_names(s, no)};
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
	unsigned no, dir = walk(s, p.dir, &link);

	if (link) {
		jb_error_set(err, JB_ESTALE, 0, "a symlink is on the way");
		return JB_OUTCOME_FOREIGN;
	}
	no = *p.name == '\0' ? dir : sim_at(s, dir, p.name);
	if (dir == 0 || no == 0) {
		jb_error_set(err, JB_ENOENT, 2, "not there");
		return JB_OUTCOME_LOST;
	}
	describe(s, no, ret);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_list(struct jb_target *t, const char *dir,
				jb_list_fn *fn, void *arg, struct jb_error *err)
{
	struct sim *s = sim_of(t);
	unsigned at = resolve(s, dir);
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
		describe(s, names[i].object, &o);
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

/* The object at a place, if it is the expected one; else 0. */
static unsigned expect(struct sim *s, struct jb_place p,
		       const struct jb_stamp *e, struct jb_error *err)
{
	unsigned dir = resolve(s, p.dir), no;

	no = dir != 0 ? sim_at(s, dir, p.name) : 0;
	if (no != 0 && fits(s, no, e))
		return no;
	jb_error_set(err, JB_ESTALE, 0, "not what was expected");
	return 0;
}

/* ---- making */

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
	unsigned dir = resolve(s, w->to.dir), no;
	const struct w_entry *e = find_source(s, w);
	enum jb_outcome out;

	if (e == NULL)
		return JB_OUTCOME_MOVED;
	if (e->type != 'd' && world_may(s->world, s->p_fail))
		return JB_OUTCOME_TORN;
	out = start(s, &w->err);
	if (out != JB_OUTCOME_DONE)
		return out;
	if (dir == 0)
		return JB_OUTCOME_LOST;
	if (sim_at(s, dir, w->to.name) != 0)
		return JB_OUTCOME_FOREIGN;
	check_ours(s, w->to);
	if (s->room == 0)
		return lack_room(&w->err);
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
	}
	fill_source(e, &w->source);
	describe(s, no, &w->target);
	done(s, "make %s/%s %c = object %u, copy of %u", w->to.dir, w->to.name,
	     e->type, no, (unsigned)w->birth);
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

static enum jb_outcome sim_make(struct jb_target *t, struct jb_work *work,
				size_t n, struct jb_error *err)
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
		describe(s, SIM_TOP, &w->target);
		return JB_OUTCOME_DONE;
	}
	e = find_source(s, w);
	if (e == NULL)
		return JB_OUTCOME_MOVED;
	if (w->ctime != 0 && w->ctime != e->ctime)
		return JB_OUTCOME_TORN;
	out = start(s, &w->err);
	if (out != JB_OUTCOME_DONE)
		return out;
	no = expect(s, w->to, &w->expect, &w->err);
	if (no == 0)
		return JB_OUTCOME_LOST;
	o = &s->objects[no];
	if (!o->ours)
		sim_break(s, "foreign attributes touched");
	o->meta = e->meta;
	o->mtime = e->sig;
	fill_source(e, &w->source);
	describe(s, no, &w->target);
	done(s, "attrs of object %u", no);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_attrs(struct jb_target *t, struct jb_work *work,
				 size_t n, struct jb_error *err)
{
	return run_all(sim_of(t), work, n, attrs_one, err);
}

/* ---- names */

static enum jb_outcome sim_link(struct jb_target *t, struct jb_place from,
				const struct jb_stamp *e, struct jb_place to,
				struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start(s, err);
	unsigned no, dir;

	if (out == JB_OUTCOME_DONE && s->full_names)
		return lack_room(err);
	if (out != JB_OUTCOME_DONE)
		return out;
	no = expect(s, from, e, err);
	dir = resolve(s, to.dir);
	if (no == 0 || dir == 0 || sim_at(s, dir, to.name) != 0)
		return JB_OUTCOME_FOREIGN;
	check_ours(s, from);
	check_ours(s, to);
	add_name(s, dir, to.name, no);
	done(s, "link %s/%s %s/%s", from.dir, from.name, to.dir, to.name);
	return JB_OUTCOME_DONE;
}

static bool is_inside(const struct sim *s, unsigned dir, unsigned top)
{
	while (dir != SIM_TOP && dir != SIM_OWN) {
		if (dir == top)
			return true;
		for (unsigned i = 0;; i++) {
			if (i == s->n_names)
				return false;
			if (s->names[i].object == dir) {
				dir = s->names[i].dir;
				break;
			}
		}
	}
	return false;
}

static enum jb_outcome sim_rename(struct jb_target *t, struct jb_place from,
				  const struct jb_stamp *e, struct jb_place to,
				  struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start(s, err);
	unsigned no, dir;

	if (out == JB_OUTCOME_DONE && s->full_names)
		return lack_room(err);
	if (out != JB_OUTCOME_DONE)
		return out;
	no = expect(s, from, e, err);
	dir = resolve(s, to.dir);
	if (no == 0 || dir == 0)
		return JB_OUTCOME_LOST;
	if (sim_at(s, dir, to.name) != 0)
		return JB_OUTCOME_FOREIGN;
	if (is_inside(s, dir, no)) {
		sim_break(s, "directory into itself: %s", to.dir);
		return JB_OUTCOME_REFUSED;
	}
	check_ours(s, from);
	check_ours(s, to);
	sim_cut(s, sim_find(s, resolve(s, from.dir), from.name));
	add_name(s, dir, to.name, no);
	done(s, "rename %s/%s %s/%s", from.dir, from.name, to.dir, to.name);
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
	enum jb_outcome out = start(s, err);
	unsigned x, y, dir_a, dir_b;

	if (out != JB_OUTCOME_DONE)
		return out;
	x = expect(s, a, ea, err);
	y = expect(s, b, eb, err);
	dir_a = resolve(s, a.dir);
	dir_b = resolve(s, b.dir);
	if (x == 0 || y == 0)
		return JB_OUTCOME_FOREIGN;
	if (is_inside(s, dir_a, y) || is_inside(s, dir_b, x)) {
		sim_break(s, "exchange with what is inside: %s", b.dir);
		return JB_OUTCOME_REFUSED;
	}
	check_ours(s, a);
	check_ours(s, b);
	sim_find(s, dir_a, a.name)->object = y;
	sim_find(s, dir_b, b.name)->object = x;
	s->objects[dir_a].mtime = ++s->stamp;
	s->objects[dir_b].mtime = ++s->stamp;
	if (dir_a != dir_b) {
		move_by_exchange(s, x);
		move_by_exchange(s, y);
	}
	done(s, "exchange %s/%s %s/%s", a.dir, a.name, b.dir, b.name);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_replace(struct jb_target *t, struct jb_place from,
				   const struct jb_stamp *ef,
				   struct jb_place to,
				   const struct jb_stamp *et,
				   const struct jb_place *keep_as,
				   struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start(s, err);
	unsigned no, old, dir;

	if (out != JB_OUTCOME_DONE)
		return out;
	no = expect(s, from, ef, err);
	old = expect(s, to, et, err);
	dir = resolve(s, to.dir);
	if (no == 0 || old == 0)
		return JB_OUTCOME_FOREIGN;
	check_ours(s, from);
	check_ours(s, to);
	if (keep_as != NULL)
		s->objects[old].trashed = true;
	remove_name(s, sim_find(s, dir, to.name));
	sim_cut(s, sim_find(s, resolve(s, from.dir), from.name));
	add_name(s, dir, to.name, no);
	done(s, "replace %s/%s %s/%s", from.dir, from.name, to.dir, to.name);
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_remove(struct jb_target *t, struct jb_place p,
				  const struct jb_stamp *e,
				  const struct jb_place *keep_as,
				  struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start(s, err);
	unsigned no;

	if (out == JB_OUTCOME_DONE && s->full_names && keep_as != NULL)
		return lack_room(err);
	if (out != JB_OUTCOME_DONE)
		return out;
	no = expect(s, p, e, err);
	if (no == 0)
		return JB_OUTCOME_FOREIGN;
	if (!sim_is_empty(s, no))
		return JB_OUTCOME_NOT_EMPTY;
	check_ours(s, p);
	if (keep_as != NULL)
		s->objects[no].trashed = true;
	remove_name(s, sim_find(s, resolve(s, p.dir), p.name));
	done(s, "remove %s/%s", p.dir, p.name);
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
	if (count_names(s, no) == 0)
		give_room(s);
	if (!s->objects[no].ours && count_names(s, no) == 0)
		sim_break(s, "foreign entry swept: object %u", no);
}

static enum jb_outcome sim_sweep(struct jb_target *t, const char *name,
				 struct jb_error *err)
{
	struct sim *s = sim_of(t);
	enum jb_outcome out = start(s, err);

	if (out != JB_OUTCOME_DONE)
		return out;
	if (sim_at(s, SIM_OWN, name) != 0)
		discard(s, SIM_OWN, name);
	done(s, "sweep %s", name);
	return JB_OUTCOME_DONE;
}

static int sim_sync(struct jb_target *t, struct jb_error *err)
{
	struct sim *s = sim_of(t);

	if (s->crashed)
		sim_break(s, "sync after the target had failed");
	if (!world_may(s->world, s->p_crash))
		return JB_OK;
	s->crashed = true;
	return jb_error_set(err, JB_EIO, 5, "target: sync failed");
}

/* Contents are numbers: they are their own hashes. */
static enum jb_outcome sim_hash(struct jb_target *t, struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_hash *ret, struct jb_error *err)
{
	struct sim *s = sim_of(t);
	unsigned no = sim_at(s, resolve(s, p.dir), p.name);

	(void)err;
	if (no == 0 || no != expect->ino)
		return JB_OUTCOME_FOREIGN;
	*ret = (struct jb_hash){.low = (uint64_t)s->objects[no].data};
	return JB_OUTCOME_DONE;
}

static enum jb_outcome sim_hash_source(struct jb_target *t, struct jb_place p,
				       const struct jb_stamp *expect,
				       struct jb_hash *ret,
				       struct jb_error *err)
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

static const struct jb_target_ops sim_ops = {
	.abi = JB_TARGET_ABI,
	.size = sizeof sim_ops,
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
