/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "property/planner_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- states */

const struct w_entry *state_entry(const struct w_state *s, unsigned no)
{
	for (unsigned i = 0; i < s->n_entries; i++)
		if (s->entries[i].no == no)
			return &s->entries[i];
	return NULL;
}

static struct w_entry *entry_of(struct w_state *s, unsigned no)
{
	return (struct w_entry *)state_entry(s, no);
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

/* Any name of the entry. */
static const struct w_name *name_of(const struct w_state *s, unsigned no)
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
		n = name_of(s, n->dir);
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

static bool is_under(const struct w_state *s, unsigned no, unsigned dir)
{
	const struct w_name *n;

	while (dir != W_TOP) {
		if (dir == no)
			return true;
		n = name_of(s, dir);
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

static int64_t tick(struct world *w)
{
	return ++w->clock * 10;
}

/* One step in the making: the next state and its rows. */
struct step {
	struct world *w;
	struct w_state s;
	struct w_row rows[2 * W_NAMES];
	unsigned n_rows;
	bool ok;
};

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
		e->sig = e->ctime = tick(t->w);
}

static void push(struct step *t, const char *what)
{
	struct world *w = t->w;
	struct w_state *s;

	if (w->n_states == w->cap_states) {
		w->cap_states *= 2;
		w->states = realloc(w->states,
				    w->cap_states * sizeof(struct w_state *));
	}
	s = malloc(sizeof *s);
	*s = t->s;
	s->epoch = w->epoch;
	w->states[w->n_states++] = s;
	if (w->n_rows + t->n_rows > w->cap_rows) {
		w->cap_rows = (w->n_rows + t->n_rows) * 2;
		w->rows = realloc(w->rows, w->cap_rows * sizeof *w->rows);
	}
	for (unsigned i = 0; i < t->n_rows; i++) {
		t->rows[i].state = w->n_states - 1;
		w->rows[w->n_rows++] = t->rows[i];
		if (w->verbose)
			printf("%s %u (%u,%c) (%u,%c)\n", i == 0 ? what : "  +",
			       t->rows[i].no, t->rows[i].places[0].dir,
			       t->rows[i].places[0].name,
			       t->rows[i].places[1].dir,
			       t->rows[i].n_places > 1
				       ? t->rows[i].places[1].name
				       : ' ');
	}
	if (w->verbose && t->n_rows == 0)
		printf("%s\n", what);
	t->n_rows = 0;
}

/* ---- what can happen; each changes t->s, or leaves t->ok false */

static unsigned put(struct step *t, struct w_place p, char type)
{
	struct w_state *s = &t->s;
	int64_t now = tick(t->w);
	unsigned no = ++t->w->n_entries;

	s->entries[s->n_entries++] = (struct w_entry){
		.no = no,
		.type = type,
		.data = now,
		.sig = now,
		.ctime = now,
		.meta = now,
		.cseq = now,
		.cctime = now,
		.epoch = t->w->epoch,
	};
	s->names[s->n_names++] = (struct w_name){p.dir, p.name, no, false};
	change_dir(t, p.dir);
	return no;
}

static void make(struct step *t, struct w_place p, char type)
{
	if (t->s.n_entries + 2 > W_ENTRIES || t->s.n_names + 2 > W_NAMES)
		return;
	add_row(t, put(t, p, type), p);
	t->ok = true;
}

static struct w_name *find_name(struct step *t, struct w_place p)
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
		if (s->names[i].det &&
		    (s->names[i].no == no || is_under(s, no, s->names[i].dir)))
			return true;
	return false;
}

/* The name, and all below it. One row for a whole tree. */
static void drop_name(struct step *t, struct w_place p)
{
	struct w_state *s = &t->s;
	const struct w_name *n = find_name(t, p);
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
	if (name_of(s, no) == NULL)
		for (unsigned i = 0; i < s->n_entries; i++)
			if (s->entries[i].no == no) {
				s->entries[i] = s->entries[--s->n_entries];
				break;
			}
}

static void drop(struct step *t, struct w_place p)
{
	const struct w_name *n = find_name(t, p);

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

static void move(struct step *t, struct w_place a, struct w_place b)
{
	struct w_state *s = &t->s;
	struct w_name *n = find_name(t, a), *m = find_name(t, b);
	unsigned no = n->no;
	bool dir = entry_of(s, no)->type == 'd';

	t->ok = false;
	if ((a.dir == b.dir && a.name == b.name) ||
	    (dir && is_under(s, no, b.dir)))
		return;
	if (m != NULL) {
		if (m->no == no || dir != (entry_of(s, m->no)->type == 'd') ||
		    has_below(s, m->no))
			return;
		drop(t, b);
		if (!t->ok)
			return;
		n = find_name(t, a);
	}
	n->dir = b.dir;
	n->name = b.name;
	entry_of(s, no)->ctime = tick(t->w);
	change_dir(t, a.dir);
	change_dir(t, b.dir);
	add_move(t, no, a, b);
	t->ok = true;
}

static void write_file(struct step *t, unsigned no, struct w_place p,
		       bool quiet)
{
	struct w_entry *e = entry_of(&t->s, no);
	int64_t now = tick(t->w);

	e->data = now;
	if (!quiet || !t->w->may_repeat)
		e->sig = now;
	e->ctime = e->cctime = e->cseq = now;
	e->epoch = t->w->epoch;
	add_row(t, no, p);
	t->ok = true;
}

static void change_mode(struct step *t, struct w_place p)
{
	struct w_entry *e = entry_of(&t->s, find_name(t, p)->no);

	e->meta = e->ctime = tick(t->w);
	add_row(t, e->no, p);
	t->ok = true;
}

/* touch: another mtime, the same content. */
static void touch(struct step *t, struct w_place p)
{
	struct w_entry *e = entry_of(&t->s, find_name(t, p)->no);

	if (e->type == 'd')
		return;
	e->sig = e->ctime = tick(t->w);
	add_row(t, e->no, p);
	t->ok = true;
}

/* Two or three entries take each other's places. */
static void rotate(struct step *t, const struct w_place *p, unsigned n)
{
	struct w_name *names[3];
	unsigned nos[3];

	for (unsigned i = 0; i < n; i++) {
		names[i] = find_name(t, p[i]);
		nos[i] = names[i]->no;
		for (unsigned k = 0; k < i; k++)
			if (nos[k] == nos[i])
				return;
	}
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < n; k++)
			if (entry_of(&t->s, nos[i])->type == 'd' &&
			    is_under(&t->s, nos[i], p[k].dir))
				return;
	for (unsigned i = 0; i < n; i++) {
		names[(i + 1) % n]->no = nos[i];
		entry_of(&t->s, nos[i])->ctime = tick(t->w);
		change_dir(t, p[i].dir);
	}
	for (unsigned i = 0; i < n; i++)
		add_move(t, nos[i], p[i], p[(i + 1) % n]);
	t->ok = true;
}

static void link_name(struct step *t, struct w_place from, struct w_place to)
{
	struct w_name *n = find_name(t, from);

	if (n == NULL || entry_of(&t->s, n->no)->type == 'd' ||
	    find_name(t, to) != NULL || t->s.n_names >= W_NAMES)
		return;
	t->s.names[t->s.n_names++] =
		(struct w_name){to.dir, to.name, n->no, false};
	entry_of(&t->s, n->no)->ctime = tick(t->w);
	change_dir(t, to.dir);
	add_row(t, n->no, to);
	t->ok = true;
}

/* mv a/b c; mv a c/a */
static void invert(struct step *t, struct w_place p)
{
	struct w_name *n = find_name(t, p), *above;
	struct w_place a, c;
	unsigned no = n->no, dir = p.dir;

	if (p.dir == W_TOP || entry_of(&t->s, no)->type != 'd' ||
	    state_name(&t->s, no, 'a') != NULL)
		return;
	above = (struct w_name *)name_of(&t->s, p.dir);
	if (above == NULL || above->det)
		return;
	a = (struct w_place){above->dir, above->name};
	c = world_below(t->w, 2) ? a : (struct w_place){a.dir, 'c'};
	if ((c.name != a.name && find_name(t, c) != NULL))
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

/* A restored source: all identities are new. A new epoch: all seqs are. */
static void restore(struct step *t, bool epoch)
{
	struct w_state *s = &t->s;
	unsigned map[W_ENTRIES];
	bool ids = !epoch || world_below(t->w, 2);
	int64_t now;

	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].det)
			return;
	now = tick(t->w);
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

/* Missing from its place, until the recorder knows more: no row. */
static void detach(struct step *t, struct w_place p)
{
	if (!t->w->may_detach)
		return;
	find_name(t, p)->det = true;
	t->ok = true;
}

/* It was renamed, or is back where it was, or was deleted. */
static void attach(struct step *t, unsigned i, struct w_place to)
{
	struct w_name *n = &t->s.names[i];
	struct w_place from = {n->dir, n->name};
	unsigned no = n->no, what = world_below(t->w, 3);

	if (what == 0 || what == 1)
		to = from;
	if (find_name(t, to) != NULL ||
	    (entry_of(&t->s, no)->type == 'd' && is_under(&t->s, no, to.dir)))
		return;
	n->det = false;
	n->dir = to.dir;
	n->name = to.name;
	t->ok = true;
	if (what == 0 && world_below(t->w, 2))
		return; /* back, as if nothing had happened: no row */
	change_dir(t, from.dir);
	change_dir(t, to.dir);
	entry_of(&t->s, no)->ctime = tick(t->w);
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

/* ---- steps */

static struct w_place any_place(struct step *t, struct w_place *none)
{
	unsigned at[W_NAMES], n = 0;

	*none = (struct w_place){0, 0};
	for (unsigned i = 0; i < t->s.n_names; i++)
		if (!t->s.names[i].det)
			at[n++] = i;
	if (n == 0)
		return *none;
	n = at[world_below(t->w, n)];
	return (struct w_place){t->s.names[n].dir, t->s.names[n].name};
}

static struct w_place any_free(struct step *t)
{
	unsigned dirs[W_ENTRIES], n = 0;

	for (unsigned i = 0; i < t->s.n_entries; i++)
		if (t->s.entries[i].type == 'd')
			dirs[n++] = t->s.entries[i].no;
	return (struct w_place){dirs[world_below(t->w, n)],
				(char)('a' + world_below(t->w, 3))};
}

/* Write to a new name, then rename it over: two states. */
static void save(struct step *t, struct w_place p)
{
	struct w_place temp = {p.dir, 't'};

	if (entry_of(&t->s, find_name(t, p)->no)->type == 'd' ||
	    find_name(t, temp) != NULL)
		return;
	make(t, temp, 'f');
	if (!t->ok)
		return;
	push(t, "save");
	move(t, temp, p);
}

static void move_aside(struct step *t, struct w_place p, struct w_place q)
{
	char type = entry_of(&t->s, find_name(t, p)->no)->type;

	move(t, p, q);
	if (!t->ok)
		return;
	t->ok = false;
	make(t, p, type);
}

static void change_type(struct step *t, struct w_place p)
{
	char type = entry_of(&t->s, find_name(t, p)->no)->type;

	drop(t, p);
	if (!t->ok)
		return;
	t->ok = false;
	make(t, p, type == 'd' ? 'f' : 'd');
}

enum kind {
	CREATE,
	CREATE2,
	CREATE3,
	MKDIR,
	MKDIR2,
	WRITE,
	WRITE2,
	QUIET,
	CHMOD,
	TOUCH,
	RENAME,
	RENAME2,
	RENAME3,
	RENAME4,
	SWAP,
	MOVEASIDE,
	SAVE,
	LINK,
	UNLINK,
	RMRF,
	TYPECHANGE,
	CYCLE,
	INVERT,
	RESTORE,
	EPOCH,
	DETACH,
	ATTACH,
	N_KINDS
};

static void step_one(struct step *t, enum kind k, struct w_place p,
		     struct w_place q)
{
	struct w_place none, ps[3] = {p};
	unsigned no = state_name(&t->s, p.dir, p.name)->no;
	bool dir = entry_of(&t->s, no)->type == 'd';

	switch (k) {
	case WRITE:
	case WRITE2:
	case QUIET:
		if (!dir)
			write_file(t, no, p, k == QUIET);
		break;
	case CHMOD:
		change_mode(t, p);
		break;
	case TOUCH:
		touch(t, p);
		break;
	case SWAP:
	case CYCLE:
		ps[1] = any_place(t, &none);
		ps[2] = any_place(t, &none);
		rotate(t, ps, k == SWAP ? 2 : 3);
		break;
	case MOVEASIDE:
		if (find_name(t, q) == NULL)
			move_aside(t, p, q);
		break;
	case SAVE:
		save(t, p);
		break;
	case LINK:
		link_name(t, p, q);
		break;
	case UNLINK:
	case RMRF:
		if (k == RMRF || !dir)
			drop(t, p);
		break;
	case TYPECHANGE:
		change_type(t, p);
		break;
	case INVERT:
		invert(t, p);
		break;
	case DETACH:
		detach(t, p);
		break;
	default:
		move(t, p, q);
		break;
	}
}

static void attach_any(struct step *t, struct w_place q)
{
	for (unsigned i = 0; i < t->s.n_names; i++)
		if (t->s.names[i].det) {
			attach(t, i, q);
			return;
		}
}

static const char *const kind_names[N_KINDS] = {
	"create", "create", "create",	  "mkdir",     "mkdir",	 "write",
	"write",  "quiet",  "chmod",	  "touch",     "rename", "rename",
	"rename", "rename", "swap",	  "moveaside", "save",	 "link",
	"unlink", "rmrf",   "typechange", "cycle",     "invert", "restore",
	"epoch",  "detach", "attach"};

#define N_MOODS 5
#define N_OFTEN 6

/* Half of what happens. */
static const enum kind often[N_MOODS][N_OFTEN] = {
	{CREATE, WRITE, MKDIR, RENAME, SWAP, SAVE},
	{CREATE, CREATE, MKDIR, MKDIR, LINK, CREATE3},
	{UNLINK, RMRF, UNLINK, RMRF, DETACH, TYPECHANGE},
	{RENAME, SWAP, CYCLE, INVERT, MOVEASIDE, SAVE},
	{RENAME, DETACH, ATTACH, WRITE, RESTORE, LINK},
};

void world_turn(struct world *w)
{
	w->mood = world_below(w, N_MOODS);
}

void world_step(struct world *w)
{
	static struct step t;
	enum kind k = world_below(w, 2)
			      ? (enum kind)world_below(w, N_KINDS)
			      : often[w->mood][world_below(w, N_OFTEN)];
	struct w_place p, q, none;

	t.w = w;
	t.s = *world_live(w);
	t.n_rows = 0;
	t.ok = false;
	p = any_place(&t, &none);
	q = any_free(&t);
	if (k <= CREATE3 || k == MKDIR || k == MKDIR2) {
		if (find_name(&t, q) == NULL)
			make(&t, q,
			     (char)(k > CREATE3	   ? 'd'
				    : k == CREATE3 ? 'l'
						   : 'f'));
	} else if (k == RESTORE || k == EPOCH) {
		if (world_may(w, 70) && !w->may_repeat)
			restore(&t, k == EPOCH);
	} else if (k == ATTACH) {
		attach_any(&t, q);
	} else if (p.dir != 0) {
		step_one(&t, k, p, q);
	}
	if (t.ok)
		push(&t, kind_names[k]);
}

void world_settle(struct world *w)
{
	static struct step t;
	struct w_place q;
	bool any;

	do {
		t.w = w;
		t.s = *world_live(w);
		t.n_rows = 0;
		t.ok = any = false;
		for (unsigned i = 0; i < t.s.n_names; i++)
			any = any || t.s.names[i].det;
		q = any_free(&t);
		q.name = (char)('a' + world_below(w, 26));
		attach_any(&t, q);
		if (t.ok)
			push(&t, "attach");
	} while (any);
}
