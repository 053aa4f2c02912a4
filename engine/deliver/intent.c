/* SPDX-License-Identifier: GPL-2.0-or-later */
/* T1 and step 0: what a plan may be doing is durable before it does it; and
 * after a plan that did not end, an object is where its inode is found: at a
 * place that the intents name, or in OWN. Its entry is pending from then on. */
#include "engine/deliver/plan.h"

#include <stdlib.h>
#include <string.h>

/* ---- T1 */

static bool wants_another_place(const struct jb_seen *e)
{
	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next)
		if (n->slot != NULL && n->slot->want == e->node &&
		    n->slot->holder != e->node)
			return true;
	return false;
}

static bool has_a_surplus_place(const struct jb_node *n)
{
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		if (s->want != n)
			return true;
	return false;
}

static bool gets_attrs(const struct jb_seen *e)
{
	return e->node->alive && !jb_seen_is_dir(e) &&
	       e->node->row.meta != jb_seen_meta(e);
}

/* What is made in a directory that is being made needs no intent: T2 says where
 * it is, and it stays there. But a directory has attributes to come. */
static bool is_made_in_place(const struct jb_seen *e)
{
	unsigned n_wants = 0;
	bool new_dir = false;

	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next) {
		if (n->slot == NULL || n->slot->want != e->node)
			continue;
		n_wants++;
		new_dir = !n->slot->dir->alive;
	}
	return n_wants == 1 && new_dir && !e->node->alive && e->old == NULL &&
	       !jb_seen_is_dir(e);
}

static bool is_meant(const struct jb_seen *e)
{
	if (is_made_in_place(e))
		return false;
	return !e->node->alive || !jb_id_equal(e->node->row.src, e->id) ||
	       has_a_surplus_place(e->node) || wants_another_place(e) ||
	       gets_attrs(e);
}

static void write_intent(struct jb_plan *p, const struct jb_node *n,
			 const struct jb_slot *s, unsigned flags, int64_t mtime)
{
	struct jb_intent_row row = {.rid = n->rid,
				    .flags = flags,
				    .mtime = mtime};

	if (jb_plan_failed(p))
		return;
	if (s != NULL) {
		row.dir = s->dir->rid;
		row.len = s->len;
		memcpy(row.name, s->name, s->len);
	}
	p->d.rv = jb_replica_put_intent(p->d.replica, &row, &p->d.err);
}

/* The node and all its places; those that it is to have come with its entry. */
static void write_node(struct jb_plan *p, struct jb_node *n, unsigned flags)
{
	int64_t mtime = 0;

	if (n->meant)
		return;
	n->meant = true;
	if (n->keep != NULL && gets_attrs(n->keep)) {
		flags |= JB_INTENT_ATTRS;
		mtime = n->keep->facts.mtime;
	}
	if (flags != 0)
		write_intent(p, n, NULL, flags, mtime);
	for (struct jb_slot *s = n->places; s != NULL; s = s->next_place)
		write_intent(p, n, s, 0, 0);
}

static void write_entry(struct jb_plan *p, const struct jb_seen *e)
{
	if (!is_meant(e))
		return;
	write_node(p, e->node, 0);
	for (struct jb_seen_name *n = e->names; n != NULL; n = n->next) {
		if (n->slot == NULL || n->slot->want != e->node)
			continue;
		if (n->slot->holder != e->node)
			write_intent(p, e->node, n->slot, 0, 0);
		/* Whoever is there will be somewhere else. */
		if (n->slot->holder != NULL && n->slot->holder != e->node)
			write_node(p, n->slot->holder, 0);
	}
}

static void write_intents(struct jb_plan *p)
{
	struct jb_node *n;

	p->d.rv = jb_replica_drop_intents(p->d.replica, &p->d.err);
	/* First those that go: they are remembered as such. */
	for (size_t i = 0; i < p->n_nodes; i++) {
		n = p->nodes[i];
		if (n->dropped)
			write_node(p, n, n->goes ? JB_INTENT_GOES : 0);
	}
	for (size_t i = 0; i < p->n_items; i++)
		write_entry(p, p->entries[i]);
	jb_plan_count(p);
}

void jb_plan_intend(struct jb_plan *p)
{
	jb_plan_commit(p, write_intents);
}

/* ---- settle */

struct intended {
	struct jb_intent_row row;
	struct jb_node *node; /* NULL: there is none (any more) */
	bool looked;
	bool hidden; /* the place can't be looked at */
};

struct intents {
	struct intended *v; /* owned */
	size_t n, cap;
	struct jb_hash_table by_object; /* node by its object at the target */
	struct jb_error *err;
};

static int on_intent(void *arg, const struct jb_intent_row *row)
{
	struct intents *all = arg;
	struct intended *bigger;

	if (all->n == all->cap) {
		all->cap = all->cap != 0 ? all->cap * 2 : 64;
		bigger = reallocarray(all->v, all->cap, sizeof *bigger);
		if (bigger == NULL)
			return jb_error_set(all->err, JB_ENOMEM, 0, "intents");
		all->v = bigger;
	}
	all->v[all->n++] = (struct intended){.row = *row};
	return 0;
}

static uint64_t hash_object(uint64_t ino, int64_t birth)
{
	return jb_hash_id((struct jb_id){ino, birth});
}

static bool same_object(const void *item, const void *key)
{
	const struct jb_node *n = item;
	const struct jb_object *o = key;

	return n->row.at.ino == o->ino && n->row.at.birth == o->birth;
}

static struct jb_node *node_of_object(const struct intents *all,
				      const struct jb_object *o)
{
	return jb_hash_table_find(&all->by_object,
				  hash_object(o->ino, o->birth), same_object,
				  o);
}

/* Where they were is no longer known. */
static void lift(struct jb_plan *p, struct intents *all)
{
	struct jb_node *n;

	for (size_t i = 0; i < all->n && !jb_plan_failed(p); i++) {
		n = jb_draft_node(&p->d, all->v[i].row.rid);
		all->v[i].node = n;
		if (n != NULL && all->v[i].row.flags & JB_INTENT_ATTRS)
			n->intent = &all->v[i].row;
		if (n == NULL || n->meant)
			continue;
		n->meant = true;
		if (!jb_hash_table_add(
			    &all->by_object,
			    hash_object(n->row.at.ino, n->row.at.birth), n))
			p->d.rv = jb_error_set(&p->d.err, JB_ENOMEM, 0,
					       "intents");
	}
	for (size_t i = 0; i < all->n && !jb_plan_failed(p); i++) {
		n = all->v[i].node;
		while (n != NULL && n->places != NULL)
			jb_draft_cut(&p->d, n->places);
	}
}

/* Its attributes may have been applied, with no row to say so. Then it has the
 * mtime that the intent foretold; a target may keep whole seconds only. It is
 * the source's too from then on, as after attributes that ended well. */
static void accept_mtime(struct jb_plan *p, struct jb_node *n,
			 const struct jb_object *found)
{
	struct jb_node_row row = n->row;
	int64_t mtime;

	if (n->intent == NULL || jb_node_is_dir(n) ||
	    found->size != row.at.size)
		return;
	mtime = n->intent->mtime;
	if (found->mtime % 1000000000 == 0)
		mtime -= mtime % 1000000000;
	if (found->mtime != mtime)
		return;
	row.at.mtime = found->mtime;
	row.mtime = n->intent->mtime;
	row.meta = 0;
	jb_draft_put(&p->d, n, &row);
}

struct own_name {
	struct own_name *next;
	struct jb_object object;
	char name[];
};

struct own_list {
	struct jb_plan *plan;
	struct own_name *first;
};

static int on_own_name(void *arg, const char *name, const struct jb_object *o)
{
	struct own_list *list = arg;
	size_t len = strlen(name);
	struct own_name *n;

	n = jb_draft_alloc(&list->plan->d, sizeof *n + len + 1);
	if (n == NULL)
		return JB_ENOMEM;
	n->object = *o;
	memcpy(n->name, name, len + 1);
	n->next = list->first;
	list->first = n;
	return 0;
}

static struct own_name *list_own(struct jb_plan *p)
{
	struct own_list list = {p, NULL};
	struct jb_target *t = p->planner->target;
	struct jb_error err = {0};
	enum jb_outcome o;

	if (jb_plan_failed(p))
		return NULL;
	o = t->ops->list(t, JB_STAGE_DIR, on_own_name, &list, &err);
	if (o != JB_OUTCOME_DONE && o != JB_OUTCOME_LOST)
		jb_plan_outcome(p, JB_OUTCOME_STOPPED, &err);
	return list.first;
}

static void find_in_own(struct jb_plan *p, struct intents *all)
{
	struct jb_slot *s;
	struct jb_node *n;

	for (struct own_name *o = list_own(p); o != NULL && !jb_plan_failed(p);
	     o = o->next) {
		n = node_of_object(all, &o->object);
		s = n != NULL ? jb_draft_slot(&p->d, p->d.own, o->name,
					      strlen(o->name))
			      : NULL;
		if (s == NULL)
			continue;
		jb_draft_add(&p->d, s, n);
		accept_mtime(p, n, &o->object);
	}
}

/* Is it known where this directory is? */
static bool is_located(const struct jb_plan *p, const struct jb_node *dir)
{
	while (dir != p->d.top && dir != p->d.own) {
		if (!dir->alive || dir->places == NULL)
			return false;
		dir = dir->places->dir;
	}
	return true;
}

/* Look at one intended place; true: somebody was found there. */
static bool find_at_place(struct jb_plan *p, struct intents *all,
			  struct intended *it)
{
	struct jb_node *dir, *n;
	struct jb_slot *s;
	struct jb_object found;
	enum jb_outcome o;

	if (it->looked || it->row.dir == 0)
		return false;
	dir = jb_draft_node(&p->d, it->row.dir);
	if (dir == NULL || !is_located(p, dir))
		return false;
	it->looked = true;
	s = jb_draft_slot(&p->d, dir, it->row.name, it->row.len);
	if (s == NULL)
		return false;
	o = jb_plan_look(p, s, &found);
	it->hidden = o != JB_OUTCOME_DONE && o != JB_OUTCOME_LOST;
	n = o == JB_OUTCOME_DONE ? node_of_object(all, &found) : NULL;
	if (n == NULL || s->holder != NULL)
		return false;
	jb_draft_add(&p->d, s, n);
	accept_mtime(p, n, &found);
	return jb_node_is_dir(n);
}

/* What lies behind somebody's mount or symlink, or on a bad spot of the disk,
 * is not gone: whoever was there is taken to be there still, and every
 * operation looks again. True: it is a directory. */
static bool keep_hidden(struct jb_plan *p, struct intended *it)
{
	struct jb_node *dir, *n = NULL;
	struct jb_slot *s = NULL;

	if (!it->hidden)
		return false;
	it->hidden = false;
	dir = jb_draft_node(&p->d, it->row.dir);
	if (dir != NULL)
		s = jb_draft_slot(&p->d, dir, it->row.name, it->row.len);
	if (s != NULL && s->stored != 0 && s->holder == NULL)
		n = jb_draft_node(&p->d, s->stored);
	if (n == NULL || (n->places != NULL && jb_node_is_dir(n)))
		return false;
	jb_draft_add(&p->d, s, n);
	return jb_node_is_dir(n);
}

/* Top-down: a directory that was found makes places in it findable. */
static void find_at_places(struct jb_plan *p, struct intents *all)
{
	bool more = true;

	while (more && !jb_plan_failed(p)) {
		more = false;
		for (size_t i = 0; i < all->n && !jb_plan_failed(p); i++)
			if (find_at_place(p, all, &all->v[i]))
				more = true;
		for (size_t i = 0; i < all->n && !more; i++)
			more = keep_hidden(p, &all->v[i]);
	}
}

/* Its attributes are to be set again, whatever its row said. */
static void doubt_attrs(struct jb_plan *p, struct jb_node *n)
{
	n->row.meta = 0;
	jb_draft_put(&p->d, n, &n->row);
}

static void leave_to_plan(struct jb_plan *p, struct intents *all)
{
	struct jb_node *n, *dir;

	for (size_t i = 0; i < all->n && !jb_plan_failed(p); i++) {
		n = all->v[i].node;
		if (n != NULL && n->alive) {
			jb_plan_fail(p, n, JB_REASON_AGAIN);
			if (n->places == NULL)
				jb_draft_forget(&p->d, n);
			else if (jb_node_is_dir(n)) /* moved: operate.c */
				doubt_attrs(p, n);
		}
		/* Names in this directory may have changed, and its times. */
		dir = jb_draft_node(&p->d, all->v[i].row.dir);
		if (dir == NULL || dir->row.meta == 0 || dir == p->d.own)
			continue;
		doubt_attrs(p, dir);
		if (dir != p->d.top)
			jb_plan_fail(p, dir, JB_REASON_AGAIN);
	}
}

/* Deletions that the guard had counted and that did not come to be. */
static void recount(struct jb_plan *p, const struct intents *all)
{
	int64_t time = 0, n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += (all->v[i].row.flags & JB_INTENT_GOES) != 0 &&
		     (all->v[i].node == NULL || !all->v[i].node->alive);
	p->d.rv = jb_replica_last_counted(p->d.replica, JB_COUNTED_DELETED,
					  &time, &p->d.err);
	if (!jb_plan_failed(p) && time != 0)
		p->d.rv = jb_replica_count(p->d.replica, JB_COUNTED_DELETED,
					   time, n, 0, &p->d.err);
}

static void settle(struct jb_plan *p, struct intents *all)
{
	bool counted = false;

	lift(p, all);
	find_in_own(p, all);
	find_at_places(p, all);
	leave_to_plan(p, all);
	/* What was found may be found in memory alone, also where nothing has
	 * to be done again: the plan that did it has not come to its sync, or
	 * that has failed. */
	jb_plan_sync_all(p);
	for (size_t i = 0; i < all->n; i++) {
		counted = counted || all->v[i].row.flags & JB_INTENT_GOES;
		if (all->v[i].node != NULL) {
			all->v[i].node->meant = false;
			all->v[i].node->intent = NULL;
		}
	}
	if (jb_plan_failed(p))
		return;
	p->d.rv = jb_replica_begin(p->d.replica, &p->d.err);
	if (jb_plan_failed(p))
		return;
	if (counted)
		recount(p, all);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_drop_intents(p->d.replica, &p->d.err);
	jb_draft_write(&p->d);
	if (!jb_plan_failed(p))
		p->d.rv = jb_replica_commit(p->d.replica, &p->d.err);
	if (jb_plan_failed(p))
		jb_replica_rollback(p->d.replica);
}

void jb_plan_settle(struct jb_plan *p)
{
	struct intents all = {.err = &p->d.err};
	int rv;

	if (jb_plan_failed(p))
		return;
	rv = jb_replica_intents(p->d.replica, on_intent, &all, &p->d.err);
	if (rv < 0)
		p->d.rv = rv;
	else if (all.n > 0)
		settle(p, &all);
	jb_hash_table_fini(&all.by_object);
	free(all.v);
}

/* What lies in OWN without a row was never finished: ours by its directory. */
void jb_plan_sweep(struct jb_plan *p)
{
	struct jb_target *t = p->planner->target;
	struct jb_error err = {0};
	enum jb_outcome out;
	struct jb_slot *s;

	for (struct own_name *o = list_own(p); o != NULL && !jb_plan_failed(p);
	     o = o->next) {
		s = jb_draft_slot(&p->d, p->d.own, o->name, strlen(o->name));
		if (s == NULL || s->holder != NULL)
			continue;
		out = jb_plan_outcome(p, t->ops->sweep(t, o->name, &err), &err);
		if (out != JB_OUTCOME_DONE && p->report->unswept.code == JB_OK)
			p->report->unswept = err;
	}
}
