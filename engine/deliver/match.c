/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps 2 and 3: which node is whose, and who is to be where.
 *
 * An entry's node is the one with its identity; else, top-down, one of the
 * same type that has a place which the entry wants and whose own identity the
 * selection no longer has: an atomic save, a restored source and a new epoch
 * are replacements, not 'delete all, copy all'. Content that differs gets a
 * new node; the old one stays until the new one can take its place. */
#include "engine/deliver/plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOST_FOUND "lost+found"
#define FIRST_INO  11 /* of ext2, ext3 and ext4 */

bool jb_plan_fits(const struct jb_plan *p, const struct jb_node *n,
		  const struct jb_seen *e)
{
	struct jb_content c = {
		.id = e->id,
		.is_dir = jb_seen_is_dir(e),
		.size = e->facts.size,
		.mtime = e->facts.mtime,
		.ctime = e->facts.ctime,
		.cseq = e->cseq,
		.cctime = e->cctime,
	};

	return jb_row_fits(&n->row, p->epoch, &c);
}

/* Directories by depth, then the rest by place: what is side by side in the
 * target is worked on side by side. */
static int by_work(const void *va, const void *vb)
{
	const struct jb_seen *a = *(struct jb_seen *const *)va;
	const struct jb_seen *b = *(struct jb_seen *const *)vb;
	bool dir = jb_seen_is_dir(a);
	uint64_t at, bt;

	if (dir != jb_seen_is_dir(b))
		return dir ? -1 : 1;
	if (dir && a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	at = a->names->dir->key;
	bt = b->names->dir->key;
	if (at != bt)
		return at < bt ? -1 : 1;
	return strcmp(a->names->name, b->names->name);
}

/* The node that a directory of the catalog has or will have. */
static struct jb_node *node_of_dir(struct jb_plan *p, struct jb_seen_dir *dir)
{
	struct jb_seen *e = jb_sight_known(&p->s, dir->id);

	if (e != NULL && e->closed == p->round && e->n_wanted > 0)
		return e->node;
	return jb_draft_by_src(&p->d, dir->id);
}

/* A node for an entry that has none, under one of its names; @fitting: one that
 * has its content. */
static void match_by_name(struct jb_plan *p, struct jb_seen *e, bool fitting)
{
	struct jb_node *dir, *n;
	struct jb_slot *s;

	for (struct jb_seen_name *name = e->names;
	     name != NULL && e->node == NULL; name = name->next) {
		dir = name->wanted ? node_of_dir(p, name->dir) : NULL;
		s = dir != NULL
			    ? jb_draft_slot(&p->d, dir, name->name, name->len)
			    : NULL;
		n = s != NULL ? s->holder : NULL;
		if (n == NULL || n->closed != p->round || n->taken ||
		    n->row.type != jb_seen_type(e) ||
		    (fitting && !jb_plan_fits(p, n, e)))
			continue;
		e->node = n;
		n->taken = true;
	}
}

/* ---- taking over what is there already */

static bool hash_both(struct jb_plan *p, const struct jb_seen *e,
		      const struct jb_slot *s, const struct jb_object *at,
		      struct jb_hash *ours, struct jb_hash *theirs)
{
	struct jb_target *t = p->planner->target;
	const struct jb_seen_name *from = e->names;
	const struct jb_stamp source = {e->id.ino, e->id.birth, e->facts.size,
					e->facts.mtime};
	const struct jb_stamp there = jb_stamp_of(at);
	struct jb_error err = {0};
	struct jb_place place;

	while (from != NULL && !jb_seen_name_leads(from))
		from = from->next;
	if (from == NULL || t->ops->hash_source == NULL ||
	    !jb_plan_place(p, s, &place))
		return false;
	return jb_plan_outcome(p, t->ops->hash(t, place, &there, theirs, &err),
			       &err) == JB_OUTCOME_DONE &&
	       jb_plan_outcome(
		       p,
		       t->ops->hash_source(t,
					   (struct jb_place){from->dir->path,
							     from->name},
					   &source, ours, &err),
		       &err) == JB_OUTCOME_DONE;
}

/* Byte by byte, or nearly so: neither side may have changed meanwhile. */
static bool has_content(struct jb_plan *p, const struct jb_seen *e,
			const struct jb_slot *s, const struct jb_object *at,
			uint64_t *hash)
{
	struct jb_hash ours, theirs;

	if (at->size != e->facts.size ||
	    !hash_both(p, e, s, at, &ours, &theirs) || ours.low != theirs.low ||
	    ours.high != theirs.high)
		return false;
	*hash = jb_content_hash(&theirs);
	return true;
}

/* By type; of files by content, if that is wanted, else by size and time. */
static bool equals_source(struct jb_plan *p, const struct jb_seen *e,
			  const struct jb_slot *s, const struct jb_object *at,
			  uint64_t *hash)
{
	int64_t mtime = e->facts.mtime;

	if ((at->mode & 0170000) != jb_seen_type(e))
		return false;
	if (jb_seen_is_dir(e))
		return true;
	if (p->planner->o.adopt_content && S_ISREG(at->mode))
		return has_content(p, e, s, at, hash);
	/* Some tools and file systems keep whole seconds only. */
	if (at->mtime % 1000000000 == 0)
		mtime -= mtime % 1000000000;
	return at->size == e->facts.size && at->mtime == mtime &&
	       at->rdev == e->facts.rdev;
}

/* What mkfs leaves at the top of an ext2, ext3 or ext4 is nobody's: the copy of
 * the source's own has no other place. It is known by its name, by its inode,
 * the first one that is free, and as long as nothing is in it. */
static bool is_made_by_mkfs(struct jb_plan *p, const struct jb_seen *e,
			    const struct jb_slot *s, const struct jb_object *at)
{
	return s->dir == p->d.top && strcmp(s->name, LOST_FOUND) == 0 &&
	       jb_seen_is_dir(e) && e->node == NULL && S_ISDIR(at->mode) &&
	       at->ino == FIRST_INO && at->uid == 0 &&
	       jb_plan_is_empty(p, LOST_FOUND);
}

/* True: the place and what is there are ours from now on. */
static bool adopt(struct jb_plan *p, struct jb_seen *e, struct jb_slot *s,
		  const struct jb_object *at)
{
	struct jb_node_row row = {
		.src = e->id,
		.type = jb_seen_type(e),
		.epoch = p->epoch,
		.cseq = e->cseq,
		.ctime = e->cctime,
		.size = e->facts.size,
		.mtime = e->facts.mtime,
		.at = jb_stamp_of(at),
	};
	bool is_nobodys = is_made_by_mkfs(p, e, s, at);
	int rv;

	if (!p->planner->o.adopt && !is_nobodys)
		return false;
	/* A further name of what was taken over. */
	if (e->node != NULL && e->node->alive && !jb_seen_is_dir(e) &&
	    jb_stamp_fits(&e->node->row.at, at)) {
		jb_draft_add(&p->d, s, e->node);
		return true;
	}
	if (e->node != NULL || !equals_source(p, e, s, at, &row.hash))
		return false;
	rv = is_nobodys ? 0
			: jb_replica_by_target(p->d.replica, at->ino, at->birth,
					       &p->d.err);
	if (rv < 0)
		p->d.rv = rv;
	if (rv != 0)
		return false;
	e->node = jb_draft_new_node(&p->d);
	if (e->node == NULL)
		return false;
	e->node->closed = p->round;
	e->node->taken = true;
	jb_draft_put(&p->d, e->node, &row);
	jb_draft_add(&p->d, s, e->node);
	jb_plan_tell(p, JB_VERB_ADOPT, JB_REASON_NONE, e, 0);
	return true;
}

/* ---- places */

static bool refuse_place(struct jb_plan *p, struct jb_seen *e,
			 enum jb_reason why)
{
	if (jb_plan_failed(p))
		return false;
	jb_draft_pend(&p->d, e->id, why);
	jb_plan_tell(p, JB_VERB_COPY, why, e, 0);
	return false;
}

/* May the entry have this place? Not when somebody else's entry is there; nor
 * when it can't be seen: what is made for it would wait in OWN, and each plan
 * would try it again. */
static bool is_open(struct jb_plan *p, struct jb_seen *e, struct jb_slot *s)
{
	struct jb_object at;
	enum jb_outcome o;

	if (s->hidden != JB_REASON_NONE)
		return refuse_place(p, e, s->hidden);
	/* The rows of the closed set were looked at; in a directory that is
	 * yet to be made nobody is. */
	if (s->holder != NULL || !s->dir->alive)
		return true;
	o = jb_plan_look(p, s, &at);
	if (o == JB_OUTCOME_LOST || jb_plan_failed(p))
		return !jb_plan_failed(p);
	if (o != JB_OUTCOME_DONE)
		return refuse_place(p, e, jb_plan_unseen(o));
	return adopt(p, e, s, &at) || refuse_place(p, e, JB_REASON_FOREIGN);
}

/* The slots of the names that it may have; false when there is none. */
static bool find_places(struct jb_plan *p, struct jb_seen *e)
{
	struct jb_node *dir;
	bool any = false;

	for (struct jb_seen_name *name = e->names;
	     name != NULL && !jb_plan_failed(p); name = name->next) {
		name->slot = NULL;
		if (!name->wanted)
			continue;
		dir = node_of_dir(p, name->dir);
		if (dir == NULL) {
			/* Its directory waits, and so does this: unlisted when
			 * it is new, since the directory's plan lists it. */
			if (e->node != NULL && !JB_WITHOUT(WAITS))
				jb_draft_pend(&p->d, e->id, JB_REASON_WAITS);
			continue;
		}
		name->slot = jb_draft_slot(&p->d, dir, name->name, name->len);
		if (name->slot != NULL && !is_open(p, e, name->slot))
			name->slot = NULL;
		any = any || name->slot != NULL;
	}
	return any;
}

static void match(struct jb_plan *p, struct jb_seen *e)
{
	struct jb_node *had;
	bool any;

	if (e->node == NULL)
		match_by_name(p, e, false);
	any = find_places(p, e);
	had = e->node;
	e->item = any || had != NULL;
	if (!e->item || jb_plan_failed(p))
		return;
	if (had == NULL || (any && !jb_plan_fits(p, had, e))) {
		e->old = had;
		e->node = jb_draft_new_node(&p->d);
		if (e->node == NULL)
			return;
		e->node->row.type = jb_seen_type(e);
		if (had != NULL)
			had->newer = e->node;
	}
	e->node->keep = e;
	for (struct jb_seen_name *name = e->names; name != NULL;
	     name = name->next)
		if (name->slot != NULL)
			name->slot->want = e->node;
}

static void prepare(struct jb_plan *p)
{
	struct jb_seen *e;
	struct jb_node *n;

	for (size_t i = 0; i < p->n_nodes && !jb_plan_failed(p); i++) {
		n = p->nodes[i];
		if (!n->alive || !jb_node_has_src(n))
			continue;
		e = jb_sight_known(&p->s, n->row.src);
		n->taken =
			(e != NULL && e->n_wanted > 0) || jb_plan_is_away(p, n);
	}
	for (size_t i = 0; i < p->n_entries && !jb_plan_failed(p); i++)
		p->entries[i]->node = jb_draft_by_src(&p->d, p->entries[i]->id);
}

void jb_plan_match(struct jb_plan *p)
{
	struct jb_seen *e;
	size_t n = 0;

	if (jb_plan_failed(p))
		return;
	qsort(p->entries, p->n_entries, sizeof p->entries[0], by_work);
	prepare(p);
	while (n < p->n_entries && jb_seen_is_dir(p->entries[n]) &&
	       !jb_plan_failed(p))
		match(p, p->entries[n++]);
	/* Who has the content comes before who only wants the place. */
	for (size_t i = n; i < p->n_entries && !jb_plan_failed(p); i++)
		if (p->entries[i]->node == NULL)
			match_by_name(p, p->entries[i], true);
	for (size_t i = n; i < p->n_entries && !jb_plan_failed(p); i++)
		match(p, p->entries[i]);
	n = 0;
	/* What there is to see to, in its order, in front. */
	for (size_t i = 0; i < p->n_entries; i++) {
		e = p->entries[i];
		if (e->item) {
			p->entries[i] = p->entries[n];
			p->entries[n++] = e;
		}
	}
	p->n_items = n;
}
