/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "property/planner_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define N_ROWS 512

/* The test's own bugs. */
static void insist(bool ok)
{
	if (!ok)
		abort();
}

/* The replica's rows, read whole. */
struct node {
	uint64_t rid;
	struct jb_node_row row;
	unsigned n_names;
};

struct name {
	struct jb_name_row row;
	const struct node *dir, *node; /* NULL: no such row */
};

struct rows {
	struct node nodes[N_ROWS];
	struct name names[N_ROWS];
	unsigned n_nodes, n_names;
};

static struct rows rows; /* too large for the stack */

int64_t policy_number(struct policy *p, const char *sql)
{
	struct jb_store *s = jb_replica_store(p->replica);
	sqlite3_stmt *st;
	int64_t n = 0;
	int rv;

	rv = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
	insist(rv == SQLITE_OK);
	rv = sqlite3_step(st);
	if (rv == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

static const struct node *find_node(const struct rows *all, uint64_t rid)
{
	static struct node fixed[3] = {
		{0},
		{.rid = 1, .row = {.type = S_IFDIR, .at.ino = SIM_TOP}},
		{.rid = 2, .row = {.type = S_IFDIR, .at.ino = SIM_OWN}},
	};

	if (rid == 1 || rid == 2)
		return &fixed[rid];
	for (unsigned i = 0; i < all->n_nodes; i++)
		if (all->nodes[i].rid == rid)
			return &all->nodes[i];
	return NULL;
}

static int on_name(void *arg, const struct jb_name_row *row)
{
	struct rows *all = arg;

	insist(all->n_names < N_ROWS);
	all->names[all->n_names++].row = *row;
	return 0;
}

static void read_rows(struct policy *p, struct rows *all)
{
	struct jb_store *s = jb_replica_store(p->replica);
	sqlite3_stmt *st;
	struct node *n;
	int rv;

	all->n_nodes = all->n_names = 0;
	rv = sqlite3_prepare_v2(s->db,
				"SELECT rid FROM node WHERE rid > 2"
				" ORDER BY rid",
				-1, &st, NULL);
	insist(rv == SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		insist(all->n_nodes < N_ROWS);
		n = &all->nodes[all->n_nodes++];
		n->rid = (uint64_t)sqlite3_column_int64(st, 0);
		rv = jb_replica_node(p->replica, n->rid, &n->row, NULL);
		insist(rv > 0);
		n->n_names = all->n_names;
		jb_replica_names_of(p->replica, n->rid, on_name, all, NULL);
		n->n_names = all->n_names - n->n_names;
	}
	sqlite3_finalize(st);
	for (unsigned i = 0; i < all->n_names; i++) {
		all->names[i].dir = find_node(all, all->names[i].row.dir);
		all->names[i].node = find_node(all, all->names[i].row.rid);
	}
}

/* ---- while a plan runs */

/* Is there a true row of a node that has this content already: the entry's own,
 * or one that has its place and whose own entry is gone? */
static bool is_true(const struct policy *p, const struct rows *all,
		    const struct node *n)
{
	bool any = false;

	for (unsigned i = 0; i < all->n_names; i++) {
		const struct name *x = &all->names[i];

		if (x->node != n)
			continue;
		any = true;
		if (x->dir == NULL ||
		    sim_at(p->sim, (unsigned)x->dir->row.at.ino, x->row.name) !=
			    n->row.at.ino)
			return false;
	}
	return any && p->sim->objects[n->row.at.ino].mtime == n->row.at.mtime;
}

/* The path of a node, a byte per name; false: it has none. */
static bool node_path(const struct rows *all, const struct node *n,
		      char path[W_DEPTH + 1])
{
	char back[W_DEPTH];
	unsigned len = 0, i;

	while (n->rid != JB_RID_TOP) {
		if (n->rid == JB_RID_OWN || len == W_DEPTH)
			return false;
		for (i = 0; i < all->n_names && all->names[i].node != n; i++)
			;
		if (i == all->n_names || all->names[i].dir == NULL)
			return false;
		back[len++] = all->names[i].row.name[0];
		n = all->names[i].dir;
	}
	for (i = 0; i < len; i++)
		path[i] = back[len - 1 - i];
	path[len] = '\0';
	return true;
}

static bool wants_path(const struct policy *p, unsigned no, const char *path)
{
	const struct w_state *s = p->view.state;
	char its[W_DEPTH + 1];

	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].no == no &&
		    select_wants(p->sel, s, &s->names[i]) &&
		    state_path(s, &s->names[i], its) >= 0 &&
		    strcmp(its, path) == 0)
			return true;
	return false;
}

bool judge_is_needless(void *arg, unsigned no, int64_t data)
{
	struct policy *p = arg;
	const struct w_state *live = world_live(p->world);
	char path[W_DEPTH + 1];
	unsigned src;

	read_rows(p, &rows);
	for (unsigned i = 0; i < rows.n_nodes; i++) {
		const struct node *n = &rows.nodes[i];

		src = world_no(n->row.src);
		if (n->row.src.ino == 0 || n->row.type == S_IFDIR ||
		    p->sim->objects[n->row.at.ino].data != data ||
		    !is_true(p, &rows, n))
			continue;
		if (src == no)
			return true;
		if (state_entry(live, src) == NULL &&
		    n->row.mtime == state_entry(live, no)->sig &&
		    node_path(&rows, n, path) && wants_path(p, no, path))
			return true;
	}
	return false;
}

/* ---- the judge */

/* What a plan has removed of that which the guard had counted. */
void judge_count(struct policy *p)
{
	struct sim *s = p->sim;
	unsigned n = 0;

	for (; p->seen_counted < s->n_removed; p->seen_counted++)
		n += p->counting[s->removed[p->seen_counted]];
	memset(p->counting, 0, sizeof p->counting);
	if (n > 0 && p->n_truth < P_PLANS) {
		p->truth[p->n_truth].time = p->now;
		p->truth[p->n_truth++].deleted = n;
	}
}

/* No more deletions in any window than the guard allows. */
static void check_window(struct policy *p)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < p->n_truth; i++)
		if (p->truth[i].time > p->now - 4 * p->step)
			sum += p->truth[i].deleted;
	if (sum > p->max_deleted)
		sim_break(p->sim, "%u deletions, %d are allowed", sum,
			  (int)p->max_deleted);
}

/* Approved deletions count no longer. */
static bool has_other_node(const struct rows *all, unsigned src,
			   unsigned object)
{
	for (unsigned i = 0; i < all->n_nodes; i++)
		if (world_no(all->nodes[i].row.src) == src &&
		    all->nodes[i].row.at.ino != object)
			return true;
	return false;
}

/* No content goes that the catalog, as the plan saw it, still had; nor what is
 * only detached. */
static void check_needless(struct policy *p)
{
	struct sim *s = p->sim;
	const struct w_state *cat = p->doomed;
	const struct w_entry *e;

	for (unsigned i = p->seen_removed; i < s->n_removed; i++) {
		unsigned no = s->removed[i], src = s->objects[no].src;
		bool wanted = false;

		e = cat != NULL ? state_entry(cat, src) : NULL;
		if (e == NULL || e->type == 'd' ||
		    e->data != s->objects[no].data)
			continue;
		for (unsigned k = 0; k < cat->n_names; k++) {
			char path[W_DEPTH + 1];

			if (cat->names[k].no != src)
				continue;
			wanted = wanted ||
				 select_wants(p->sel, cat, &cat->names[k]) ||
				 state_path(cat, &cat->names[k], path) < 0;
		}
		if (wanted && !has_other_node(&rows, src, no))
			sim_break(s, "needless deletion of %u, object %u", src,
				  no);
	}
}

/* Nor is there a new copy, or none, of what an entry with another identity
 * could have had by its name; one that it came to on the way to its end is
 * none. */
static void check_same_name(struct policy *p)
{
	struct sim *s = p->sim;
	const struct w_state *cat = p->doomed;
	char path[W_DEPTH + 1], its[W_DEPTH + 1];

	for (unsigned i = p->seen_removed; i < s->n_removed; i++) {
		const struct sim_object *o = &s->objects[s->removed[i]];
		const struct sim_foreign *at = &s->removed_at[i];
		unsigned now = sim_at(s, at->dir, at->name);

		if (o->type == 'd' || !s->removed_in_place[i] ||
		    (now != 0 && now < s->removed_before[i]) ||
		    state_entry(cat, o->src) != NULL ||
		    !sim_path(s, at->dir, at->name, path))
			continue;
		for (unsigned k = 0; k < cat->n_names; k++) {
			const struct w_name *n = &cat->names[k];

			if (select_wants(p->sel, cat, n) &&
			    state_path(cat, n, its) > 0 &&
			    strcmp(path, its) == 0 &&
			    state_entry(cat, n->no)->data == o->data &&
			    state_entry(cat, n->no)->sig == o->mtime)
				sim_break(s, "%s: needless replacement of %u",
					  path, s->removed[i]);
		}
	}
}

/* A directory that goes does not take along what is somebody else's. */
static void check_taken_along(struct policy *p)
{
	struct sim *s = p->sim;

	for (unsigned i = 0; i < s->n_names; i++) {
		const struct sim_name *n = &s->names[i];

		if (n->dir == SIM_OWN && s->objects[n->object].type == 'd' &&
		    state_entry(p->view.state, s->objects[n->object].src) ==
			    NULL &&
		    !sim_has_begun_there(s, n) &&
		    sim_holds_foreign(s, n->object))
			sim_break(s,
				  "object %u taken away with what is foreign",
				  n->object);
	}
}

static bool is_name_of(const struct w_state *cat, unsigned no,
		       const struct name *x)
{
	const struct w_name *n = state_name(cat,
					    x->dir->rid == JB_RID_TOP
						    ? W_TOP
						    : world_no(x->dir->row.src),
					    x->row.name[0]);

	return n != NULL && n->no == no;
}

/* Has the target the entry, and under no name that it has? */
static bool is_elsewhere(const struct rows *all, const struct w_state *cat,
			 unsigned no)
{
	bool any = false;

	for (unsigned i = 0; i < all->n_names; i++) {
		if (world_no(all->names[i].node->row.src) != no)
			continue;
		any = true;
		if (is_name_of(cat, no, &all->names[i]))
			return false;
	}
	return any;
}

/* A row that says `what` of the entry or node @no. */
static bool is_left(struct policy *p, const char *what, uint64_t no)
{
	char sql[96];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s = %llu", what,
		 (unsigned long long)no);
	return policy_number(p, sql) != 0;
}

enum fate { GOES, STAYS, AWAY }; /* away: detached, and not selected */

static enum fate fate_of(const struct policy *p, unsigned no)
{
	const struct w_state *cat = p->view.state;
	enum fate fate = GOES;
	char path[W_DEPTH + 1];

	for (unsigned i = 0; i < cat->n_names; i++) {
		if (cat->names[i].no != no)
			continue;
		if (select_wants(p->sel, cat, &cat->names[i]))
			return STAYS;
		if (state_path(cat, &cat->names[i], path) < 0)
			fate = AWAY;
	}
	return fate;
}

/* Will a later plan come to it: by itself, with what is parked, or with the
 * directory in which it goes? */
static bool is_remembered(struct policy *p, const struct node *n)
{
	unsigned no = world_no(n->row.src);

	if (n->rid == JB_RID_OWN || is_left(p, "pending WHERE birth", no) ||
	    is_left(p, "owed WHERE rid", n->rid))
		return true;
	if (n->rid == JB_RID_TOP || fate_of(p, no) != GOES)
		return false;
	for (unsigned i = 0; i < rows.n_names; i++)
		if (rows.names[i].node == n &&
		    is_remembered(p, rows.names[i].dir))
			return true;
	return false;
}

/* Has a plan ended that had read all which this catalog is made of? */
static bool has_read_all(struct policy *p)
{
	const struct world *w = p->world;
	unsigned state = 0;

	while (state < w->n_states && w->states[state] != p->view.state)
		state++;
	return state < w->n_states && !p->sim->crashed && !p->more &&
	       (p->cursor == w->n_rows || w->rows[p->cursor].state > state) &&
	       policy_number(p, "SELECT count(*) FROM intent") == 0;
}

/* What is not where it is to be, or not to be at all, is not forgotten: no
 * change that is yet to be read need tell of it again. */
static void check_forgotten(struct policy *p)
{
	const struct node *n;
	enum fate fate;
	unsigned no;

	if (!has_read_all(p))
		return;
	for (unsigned i = 0; i < rows.n_nodes; i++) {
		n = &rows.nodes[i];
		if (n->row.src.ino == 0)
			continue;
		no = world_no(n->row.src);
		fate = fate_of(p, no);
		if (fate == AWAY ||
		    (fate == STAYS && !is_elsewhere(&rows, p->view.state, no)))
			continue;
		if (!is_remembered(p, n))
			sim_break(p->sim, "entry %u is forgotten: object %u",
				  no, (unsigned)n->row.at.ino);
	}
}

static void check_always(struct policy *p)
{
	struct sim *s = p->sim;

	check_window(p);
	check_needless(p);
	check_same_name(p);
	check_taken_along(p);
	check_forgotten(p);
	p->seen_removed = s->n_removed;
	for (unsigned i = 0; i < s->n_foreign; i++)
		if (sim_at(s, s->foreign[i].dir, s->foreign[i].name) !=
		    s->foreign[i].object)
			sim_break(s, "foreign entry gone: %s in object %u",
				  s->foreign[i].name, s->foreign[i].dir);
	for (unsigned i = 0; i < rows.n_names; i++)
		if (rows.names[i].dir == NULL || rows.names[i].node == NULL)
			sim_break(s, "a name row without node");
	for (unsigned i = 0; i < rows.n_nodes; i++)
		if (rows.nodes[i].n_names == 0 &&
		    policy_number(p, "SELECT count(*) FROM intent") == 0)
			sim_break(s, "a node without place");
}

/* What there is, and what there should be. */
struct held {
	char path[W_DEPTH + 1];
	char type;
	int64_t data, meta, times;
	unsigned id;
};

struct holding {
	struct held v[SIM_NAMES];
	unsigned n;
};

static void walk_target(const struct sim *s, unsigned dir, const char *path,
			struct holding *all)
{
	for (unsigned i = 0; i < s->n_names; i++) {
		const struct sim_object *o = &s->objects[s->names[i].object];
		struct held *h = &all->v[all->n];

		if (s->names[i].dir != dir || !o->ours)
			continue;
		if (strlen(path) + 1 > W_DEPTH)
			continue;
		snprintf(h->path, sizeof h->path, "%s%c", path,
			 s->names[i].name[0]);
		h->type = o->type;
		h->data = o->type == 'd' ? 0 : o->data;
		h->meta = o->meta;
		h->times = o->mtime;
		h->id = s->names[i].object;
		all->n++;
		if (o->type == 'd')
			walk_target(s, s->names[i].object, h->path, all);
	}
}

static void list_wanted(const struct policy *p, const struct w_state *cat,
			struct holding *all)
{
	for (unsigned i = 0; i < cat->n_names; i++) {
		const struct w_name *n = &cat->names[i];
		const struct w_entry *e = state_entry(cat, n->no);
		struct held *h = &all->v[all->n];

		if (!select_wants(p->sel, cat, n) ||
		    state_path(cat, n, h->path) < 0)
			continue;
		h->type = e->type;
		h->data = e->type == 'd' ? 0 : e->data;
		h->meta = e->meta;
		h->times = e->sig;
		h->id = e->no;
		all->n++;
	}
}

static const struct held *find_held(const struct holding *all, const char *path)
{
	for (unsigned i = 0; i < all->n; i++)
		if (strcmp(all->v[i].path, path) == 0)
			return &all->v[i];
	return NULL;
}

static bool agree(const struct policy *p, const struct held *a,
		  const struct held *b)
{
	return a != NULL && a->type == b->type && a->data == b->data &&
	       a->meta == b->meta &&
	       (p->sim->had_foreign || a->times == b->times);
}

static struct holding have, must;

static void check_full(struct policy *p)
{
	struct sim *s = p->sim;

	for (unsigned i = 0; i < must.n; i++) {
		const struct held *h = find_held(&have, must.v[i].path);

		if (!agree(p, h, &must.v[i]))
			sim_break(s,
				  "%s: entry %u is %s (data %ld, %ld; meta "
				  "%ld, %ld; times %ld, %ld)",
				  must.v[i].path, must.v[i].id,
				  h == NULL ? "not there" : "another",
				  h ? (long)h->data : 0, (long)must.v[i].data,
				  h ? (long)h->meta : 0, (long)must.v[i].meta,
				  h ? (long)h->times : 0,
				  (long)must.v[i].times);
	}
	for (unsigned i = 0; i < have.n; i++)
		if (find_held(&must, have.v[i].path) == NULL)
			sim_break(s, "%s: surplus, object %u", have.v[i].path,
				  have.v[i].id);
	/* Two names are one file here if and only if they are there. */
	for (unsigned i = 0; i < must.n && s->broken[0] == '\0'; i++)
		for (unsigned k = 0; k < i; k++) {
			bool same = must.v[i].id == must.v[k].id;

			if ((find_held(&have, must.v[i].path)->id ==
			     find_held(&have, must.v[k].path)->id) != same)
				sim_break(s, "hard links %s %s", must.v[i].path,
					  must.v[k].path);
		}
	if (policy_number(p, "SELECT count(*) FROM pending") != 0)
		sim_break(s, "still pending: reason %d",
			  (int)policy_number(p, "SELECT reason FROM pending"));
	if (policy_number(p, "SELECT count(*) FROM owed") != 0)
		sim_break(s, "still owed: reason %d",
			  (int)policy_number(p, "SELECT reason FROM owed"));
	if (policy_number(p, "SELECT count(*) FROM listing") != 0)
		sim_break(s, "still to be listed");
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == SIM_OWN)
			sim_break(s, "left in OWN: %s", s->names[i].name);
	if (rows.n_names != must.n)
		sim_break(s, "%u names in the replica, %u wanted", rows.n_names,
			  must.n);
	if (policy_number(p, "SELECT value FROM meta WHERE key = 'nodes'") !=
	    (int64_t)rows.n_nodes)
		sim_break(s, "the count of nodes is wrong");
}

/* Is the entry, or a directory above it, pending? What the target has elsewhere
 * must be so itself: it is seen there. */
static bool waits(struct policy *p, const struct w_state *cat, unsigned no)
{
	if (no == W_TOP)
		return false;
	if (is_left(p, "pending WHERE birth", no))
		return true;
	if (is_elsewhere(&rows, cat, no))
		return false;
	for (unsigned i = 0; i < cat->n_names; i++)
		if (cat->names[i].no == no && waits(p, cat, cat->names[i].dir))
			return true;
	return false;
}

static void check_partly(struct policy *p, const struct w_state *cat)
{
	for (unsigned i = 0; i < must.n; i++) {
		const struct held *h = find_held(&have, must.v[i].path);

		if ((h == NULL || h->type != must.v[i].type ||
		     h->data != must.v[i].data || h->meta != must.v[i].meta) &&
		    !waits(p, cat, must.v[i].id))
			sim_break(p->sim, "%s: not applied, not pending",
				  must.v[i].path);
	}
}

bool policy_check(struct policy *p, enum exactness exactness)
{
	const struct w_state *cat = world_live(p->world);

	read_rows(p, &rows);
	check_always(p);
	if (exactness != P_ANYHOW) {
		have.n = must.n = 0;
		walk_target(p->sim, SIM_TOP, "", &have);
		list_wanted(p, cat, &must);
		if (exactness == P_FULLY)
			check_full(p);
		else
			check_partly(p, cat);
	}
	return p->sim->broken[0] == '\0';
}
