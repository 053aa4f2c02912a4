/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "property/planner_judge.h"

#include "engine/base/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

unsigned jb_planner_without;

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

static int64_t read_number(struct policy *p, const char *sql)
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

/* ---- the policy */

/* Any statement about the commit: some of them fail. */
static int on_commit(void *arg)
{
	struct policy *p = arg;

	if (!p->crash_commits || !world_may(p->world, p->sim->p_crash))
		return 0;
	p->sim->crashed = true;
	return 1;
}

void policy_init(struct policy *p)
{
	struct jb_error err;
	int rv;

	memset(p, 0, sizeof *p);
	rv = jb_replica_open(NULL, "model", &p->replica, &err);
	if (rv != JB_OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	sqlite3_commit_hook(jb_replica_store(p->replica)->db, on_commit, p);
	p->sim = malloc(sizeof *p->sim);
}

void policy_fini(struct policy *p)
{
	jb_patterns_free(p->patterns);
	jb_replica_close(p->replica);
	free(p->sim);
}

static void add_path(struct policy *p, bool include, const char *path)
{
	char text[4 * W_DEPTH], below[4 * W_DEPTH + 8];
	size_t at = 0;
	int rv;

	for (; *path != '\0'; path++) {
		text[at++] = '/';
		text[at++] = *path;
	}
	text[at] = '\0';
	snprintf(below, sizeof below, "%s/***", text);
	rv = jb_patterns_add(p->patterns, include, text, NULL);
	if (rv == JB_OK && include)
		rv = jb_patterns_add(p->patterns, include, below, NULL);
	insist(rv == JB_OK);
}

static void make_patterns(struct policy *p)
{
	const struct w_select *sel = p->sel;
	int rv;

	jb_patterns_free(p->patterns);
	p->patterns = NULL;
	if (jb_patterns_new(&p->patterns, NULL) != JB_OK)
		abort();
	for (int i = 0; i < 2; i++)
		if (sel->exclude[i] != NULL)
			add_path(p, false, sel->exclude[i]);
	for (int i = 0; i < 2; i++)
		if (sel->include[i] != NULL)
			add_path(p, true, sel->include[i]);
	if (sel->include[0] == NULL)
		return;
	if (sel->exclude[0] == NULL)
		rv = jb_patterns_only_included(p->patterns, NULL);
	else
		rv = jb_patterns_add(p->patterns, false, "/*", NULL);
	insist(rv == JB_OK);
}

static bool is_needless(void *arg, unsigned no, int64_t data);

void policy_reset(struct policy *p, struct world *w, const struct w_select *sel,
		  unsigned max_deleted)
{
	static const char *const tables[] = {"node", "name",   "pending",
					     "owed", "intent", "deleted",
					     "meta", "listing"};
	char sql[64];
	int rv;

	p->crash_commits = false;
	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		snprintf(sql, sizeof sql, "DELETE FROM %s", tables[i]);
		rv = jb_store_exec(jb_replica_store(p->replica), sql, NULL);
		insist(rv == JB_OK);
	}
	p->world = w;
	p->sel = sel;
	make_patterns(p);
	sim_init(p->sim, w);
	p->sim->select = sel;
	p->sim->is_needless = is_needless;
	p->sim->needless_arg = p;
	view_init(&p->view);
	p->low = p->cursor = 0;
	p->now = 1;
	p->more = false;
	p->seen_removed = p->n_truth = 0;
	p->doomed = NULL;
	memset(p->counting, 0, sizeof p->counting);
	p->can = JB_CAN_EXCHANGE | JB_CAN_LINK;
	p->max_deleted = max_deleted;
	p->options = (struct jb_planner_options){
		.policy = "model",
		.patterns = p->patterns,
		.delete_window_us = 4 * p->step,
		.max_delete_percent = 50,
		.max_delete_least = max_deleted,
		.max_delete_most = max_deleted,
		.keep_deleted = true,
		.links = true,
	};
	if (max_deleted >= 1000)
		p->options.max_delete_percent = 100;
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

static bool is_needless(void *arg, unsigned no, int64_t data)
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

/* Does a directory, with all above it, stay where it is in this plan? */
static bool stays(struct jb_plan *plan, const struct jb_node *dir)
{
	while (dir != plan->d.top) {
		if (dir == plan->d.own || dir->dropped || dir->places == NULL)
			return false;
		if (dir->places->want != NULL && dir->places->want != dir)
			return false;
		if (dir->keep != NULL)
			for (struct jb_seen_name *n = dir->keep->names;
			     n != NULL; n = n->next)
				if (n->slot != NULL && n->slot->want == dir &&
				    n->slot != dir->places)
					return false;
		dir = dir->places->dir;
	}
	return true;
}

static void watch(struct policy *p, struct jb_plan *plan, struct jb_slot *s)
{
	struct sim *sim = p->sim;
	struct sim_foreign *f = &sim->watched[sim->n_watched];
	unsigned dir = (unsigned)s->dir->row.at.ino;

	if (s->want == NULL || s->holder == NULL || !s->dir->alive ||
	    !stays(plan, s->dir))
		return;
	if (s->dir == plan->d.top)
		dir = SIM_TOP;
	if (sim_at(sim, dir, s->name) != s->holder->row.at.ino ||
	    (!jb_node_is_dir(s->holder) &&
	     sim->objects[s->holder->row.at.ino].mtime !=
		     s->holder->row.at.mtime))
		return;
	f->dir = dir;
	snprintf(f->name, sizeof f->name, "%s", s->name);
	sim->n_watched++;
}

void policy_take_over(struct policy *p)
{
	struct sim *s = p->sim;
	unsigned no;

	if (!p->options.adopt)
		return;
	for (unsigned i = 0; i < s->n_names; i++) {
		no = s->names[i].object;
		if (s->objects[no].old_copy && !s->objects[no].ours &&
		    jb_replica_by_target(p->replica, no, 7, NULL) > 0)
			sim_take_over(s, no);
	}
}

/* Never absent: a name that we hold before and after, all of whose directories
 * keep their places. Exceptions that no order avoids: names below a directory
 * which itself moves or is replaced; what somebody else or a failing operation
 * does; and, without exchange, a name whose holder moves on. */
static void on_names(void *arg, struct jb_plan *plan)
{
	struct policy *p = arg;
	struct sim *sim = p->sim;
	unsigned n = 0;

	policy_take_over(p);
	sim_begin(sim);
	sim->n_watched = 0;
	for (size_t i = 0; i < plan->n_items; i++) {
		n++;
		for (struct jb_seen_name *x = plan->entries[i]->names;
		     x != NULL; x = x->next) {
			if (x->slot == NULL)
				continue;
			n++;
			if (sim->p_fail == 0 && (p->can & JB_CAN_EXCHANGE))
				watch(p, plan, x->slot);
		}
	}
	for (size_t i = 0; i < plan->n_nodes; i++) {
		struct jb_node *x = plan->nodes[i];

		for (struct jb_slot *s = x->places; s != NULL;
		     s = s->next_place)
			n++;
		if (x->goes)
			p->counting[x->row.at.ino] = true;
		if (x->alive && jb_node_has_src(x))
			sim->objects[x->row.at.ino].src = world_no(x->row.src);
	}
	p->bound = sim->n_operations + 6 * n + 6;
}

static size_t make_looks(struct policy *p, unsigned upto, struct jb_look *looks)
{
	size_t n = 0;

	for (unsigned i = p->cursor; i < upto; i++) {
		const struct w_row *r = &p->world->rows[i];
		struct jb_look *l = &looks[n++];

		l->id = world_id(r->no);
		l->n_places = r->n_places;
		for (unsigned k = 0; k < r->n_places; k++) {
			l->places[k].dir = world_id(r->places[k].dir);
			l->places[k].name = &r->places[k].name;
			l->places[k].len = 1;
		}
	}
	return n;
}

bool policy_plan(struct policy *p, unsigned upto, unsigned state, bool full)
{
	struct jb_look *looks = malloc((upto + 1) * sizeof *looks);
	struct jb_batch batch = {.looks = looks, .cursor = upto};
	struct jb_planner *planner = NULL;
	struct jb_report report;
	struct jb_error err = {0};
	int rv;

	p->view.state = p->sim->cat = p->world->states[state];
	p->now += p->step;
	batch.n_looks = make_looks(p, upto, looks);
	batch.epoch = (uint64_t)p->view.state->epoch;
	batch.now_us = p->now;
	batch.everything =
		full ||
		read_number(p, "SELECT value FROM meta WHERE key = 'epoch'") !=
			p->view.state->epoch;
	if (p->sim->verbose)
		printf(" plan %d: rows %u to %u of %u, catalog %u of %u, full "
		       "%d\n",
		       p->number, p->cursor, upto, p->world->n_rows, state,
		       p->world->n_states - 1, batch.everything);
	p->sim->crashed = false;
	p->bound = UINT32_MAX;
	p->doomed = p->view.state;
	p->n_plans++;
	rv = jb_planner_new(p->replica, &p->view.base, &p->sim->base, p->can,
			    &p->options, &planner, &err);
	insist(rv == JB_OK);
	rv = p->options.adopt ? jb_replica_begin_adoption(p->replica, &err)
			      : jb_replica_end_adoption(p->replica, &err);
	insist(rv == JB_OK);
	p->crash_commits = true;
	planner->on_names = on_names;
	planner->names_arg = p;
	rv = jb_planner_run(planner, &batch, &report, &err);
	jb_planner_free(planner);
	free(looks);
	p->crash_commits = false;
	p->sim->n_watched = 0;
	p->n_closed += report.closed;
	if (rv != JB_OK) {
		p->n_crashes++;
		if (!p->sim->crashed)
			sim_break(p->sim, "plan failed: %s", err.text);
		if (p->sim->verbose)
			printf("  CRASH %s\n", err.text);
		return false;
	}
	if (p->sim->crashed)
		sim_break(p->sim, "a crash was not noticed");
	if (p->sim->n_operations > p->bound)
		sim_break(p->sim, "plan too long: %u operations",
			  p->sim->n_operations);
	p->cursor = upto;
	p->more = report.more;
	return true;
}

void policy_plan_all(struct policy *p, unsigned upto, unsigned state, bool full)
{
	unsigned n = 0;

	do
		policy_plan(p, upto, state, full && n == 0);
	while (p->more && ++n < 200);
	if (p->more)
		sim_break(p->sim, "listings that never end");
}

void policy_release(struct policy *p)
{
	int rv = jb_planner_release(p->replica, INT64_MAX, NULL);

	insist(rv == JB_OK);
}

/* ---- the judge */

/* No more deletions in any window than the guard allows. */
static void check_window(struct policy *p)
{
	struct sim *s = p->sim;
	unsigned n = 0, sum = 0;

	for (unsigned i = p->seen_removed; i < s->n_removed; i++)
		n += p->counting[s->removed[i]];
	if (n > 0 && p->n_truth < P_PLANS) {
		p->truth[p->n_truth].time = p->now;
		p->truth[p->n_truth++].deleted = n;
	}
	for (unsigned i = 0; i < p->n_truth; i++)
		if (p->truth[i].time > p->now - 4 * p->step)
			sum += p->truth[i].deleted;
	if (sum > p->max_deleted)
		sim_break(s, "%u deletions, %d are allowed", sum,
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

/* Nor what an entry with another identity could have had by its name; a name
 * that it came to on the way to its end is none. */
static void check_same_name(struct policy *p)
{
	struct sim *s = p->sim;
	const struct w_state *cat = p->doomed;
	char path[W_DEPTH + 1], its[W_DEPTH + 1];

	for (unsigned i = p->seen_removed; i < s->n_removed; i++) {
		const struct sim_object *o = &s->objects[s->removed[i]];

		if (o->type == 'd' || !s->removed_in_place[i] ||
		    state_entry(cat, o->src) != NULL ||
		    !sim_path(s, s->removed_at[i].dir, s->removed_at[i].name,
			      path))
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

static void check_always(struct policy *p)
{
	struct sim *s = p->sim;

	check_window(p);
	memset(p->counting, 0, sizeof p->counting);
	check_needless(p);
	check_same_name(p);
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
		    read_number(p, "SELECT count(*) FROM intent") == 0)
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
	if (read_number(p, "SELECT count(*) FROM pending") != 0)
		sim_break(s, "still pending: reason %d",
			  (int)read_number(p, "SELECT reason FROM pending"));
	if (read_number(p, "SELECT count(*) FROM owed") != 0)
		sim_break(s, "still owed: reason %d",
			  (int)read_number(p, "SELECT reason FROM owed"));
	if (read_number(p, "SELECT count(*) FROM listing") != 0)
		sim_break(s, "still to be listed");
	for (unsigned i = 0; i < s->n_names; i++)
		if (s->names[i].dir == SIM_OWN)
			sim_break(s, "left in OWN: %s", s->names[i].name);
	if (rows.n_names != must.n)
		sim_break(s, "%u names in the replica, %u wanted", rows.n_names,
			  must.n);
	if (read_number(p, "SELECT value FROM meta WHERE key = 'nodes'") !=
	    (int64_t)rows.n_nodes)
		sim_break(s, "the count of nodes is wrong");
}

/* Is the entry, or a directory above it, pending? */
static bool waits(struct policy *p, const struct w_state *cat, unsigned no)
{
	char sql[96];

	if (no == W_TOP)
		return false;
	snprintf(sql, sizeof sql,
		 "SELECT count(*) FROM pending WHERE birth = %u", no);
	if (read_number(p, sql) != 0)
		return true;
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
