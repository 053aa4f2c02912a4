/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the replica of the policy under judgement says. */
#include "property/planner_judge_internal.h"

#include <stdio.h>
#include <sys/stat.h>

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

static const struct judge_node *find_node(const struct judge_rows *all,
					  uint64_t rid)
{
	static struct judge_node fixed[3] = {
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
	struct judge_rows *all = arg;

	insist(all->n_names < JUDGE_ROWS);
	all->names[all->n_names++].row = *row;
	return 0;
}

const struct judge_rows *judge_read(struct policy *p)
{
	static struct judge_rows rows; /* too large for the stack */
	struct jb_store *s = jb_replica_store(p->replica);
	sqlite3_stmt *st;
	struct judge_node *n;
	int rv;

	rows.n_nodes = rows.n_names = 0;
	rv = sqlite3_prepare_v2(s->db,
				"SELECT rid FROM node WHERE rid > 2"
				" ORDER BY rid",
				-1, &st, NULL);
	insist(rv == SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		insist(rows.n_nodes < JUDGE_ROWS);
		n = &rows.nodes[rows.n_nodes++];
		n->rid = (uint64_t)sqlite3_column_int64(st, 0);
		rv = jb_replica_node(p->replica, n->rid, &n->row, NULL);
		insist(rv > 0);
		n->n_names = rows.n_names;
		jb_replica_names_of(p->replica, n->rid, on_name, &rows, NULL);
		n->n_names = rows.n_names - n->n_names;
	}
	sqlite3_finalize(st);
	for (unsigned i = 0; i < rows.n_names; i++) {
		rows.names[i].dir = find_node(&rows, rows.names[i].row.dir);
		rows.names[i].node = find_node(&rows, rows.names[i].row.rid);
	}
	return &rows;
}

bool judge_node_path(const struct judge_rows *all, const struct judge_node *n,
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

static bool is_name_of(const struct w_state *cat, unsigned no,
		       const struct judge_name *x)
{
	const struct w_name *n = state_name(cat,
					    x->dir->rid == JB_RID_TOP
						    ? W_TOP
						    : world_no(x->dir->row.src),
					    x->row.name[0]);

	return n != NULL && n->no == no;
}

bool judge_is_elsewhere(const struct judge_rows *all, const struct w_state *cat,
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

bool judge_is_left(struct policy *p, const char *what, uint64_t no)
{
	char sql[96];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s = %llu", what,
		 (unsigned long long)no);
	return policy_number(p, sql) != 0;
}
