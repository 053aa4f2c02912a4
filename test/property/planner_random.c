/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens in a world is left to chance. */
#include "property/planner_world_internal.h"

/* Of somebody who is not detached; of nobody, {0, 0}. */
static struct w_place any_place(struct step *t)
{
	unsigned at[W_NAMES], n = 0;

	for (unsigned i = 0; i < t->s.n_names; i++)
		if (!t->s.names[i].det)
			at[n++] = i;
	if (n == 0)
		return (struct w_place){0, 0};
	n = at[world_below(t->w, n)];
	return (struct w_place){t->s.names[n].dir, t->s.names[n].name};
}

/* In any directory; a name of it may be taken. */
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

	if (state_entry(&t->s, step_find(t, p)->no)->type == 'd' ||
	    step_find(t, temp) != NULL)
		return;
	step_make(t, temp, 'f');
	if (!t->ok)
		return;
	step_push(t, "save");
	step_move(t, temp, p);
}

static void move_aside(struct step *t, struct w_place p, struct w_place q)
{
	char type = state_entry(&t->s, step_find(t, p)->no)->type;

	step_move(t, p, q);
	if (!t->ok)
		return;
	t->ok = false;
	step_make(t, p, type);
}

static void change_type(struct step *t, struct w_place p)
{
	char type = state_entry(&t->s, step_find(t, p)->no)->type;

	step_drop(t, p);
	if (!t->ok)
		return;
	t->ok = false;
	step_make(t, p, type == 'd' ? 'f' : 'd');
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

static void happen(struct step *t, enum kind k, struct w_place p,
		   struct w_place q)
{
	struct w_place ps[3] = {p};
	unsigned no = state_name(&t->s, p.dir, p.name)->no;
	bool dir = state_entry(&t->s, no)->type == 'd';

	switch (k) {
	case WRITE:
	case WRITE2:
	case QUIET:
		if (!dir)
			step_write(t, no, p, k == QUIET);
		break;
	case CHMOD:
		step_chmod(t, p);
		break;
	case TOUCH:
		step_touch(t, p);
		break;
	case SWAP:
	case CYCLE:
		ps[1] = any_place(t);
		ps[2] = any_place(t);
		step_rotate(t, ps, k == SWAP ? 2 : 3);
		break;
	case MOVEASIDE:
		if (step_find(t, q) == NULL)
			move_aside(t, p, q);
		break;
	case SAVE:
		save(t, p);
		break;
	case LINK:
		step_link(t, p, q);
		break;
	case UNLINK:
	case RMRF:
		if (k == RMRF || !dir)
			step_drop(t, p);
		break;
	case TYPECHANGE:
		change_type(t, p);
		break;
	case INVERT:
		step_invert(t, p);
		break;
	case DETACH:
		step_detach(t, p);
		break;
	default:
		step_move(t, p, q);
		break;
	}
}

static void attach_any(struct step *t, struct w_place q)
{
	for (unsigned i = 0; i < t->s.n_names; i++)
		if (t->s.names[i].det) {
			step_attach(t, i, q);
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
	struct w_place p, q;

	step_begin(&t, w);
	p = any_place(&t);
	q = any_free(&t);
	if (k <= CREATE3 || k == MKDIR || k == MKDIR2) {
		if (step_find(&t, q) == NULL)
			step_make(&t, q,
				  (char)(k > CREATE3	? 'd'
					 : k == CREATE3 ? 'l'
							: 'f'));
	} else if (k == RESTORE || k == EPOCH) {
		if (world_may(w, 70) && !w->may_repeat)
			step_restore(&t, k == EPOCH);
	} else if (k == ATTACH) {
		attach_any(&t, q);
	} else if (p.dir != 0) {
		happen(&t, k, p, q);
	}
	if (t.ok)
		step_push(&t, kind_names[k]);
}

void world_settle(struct world *w)
{
	static struct step t;
	struct w_place q;
	bool any;

	do {
		step_begin(&t, w);
		any = false;
		for (unsigned i = 0; i < t.s.n_names; i++)
			any = any || t.s.names[i].det;
		q = any_free(&t);
		q.name = (char)('a' + world_below(w, 26));
		attach_any(&t, q);
		if (t.ok)
			step_push(&t, "attach");
	} while (any);
}
