/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mode, owner, extended attributes and ACLs of a copy are the source's own:
 * what the catalog says of them, if that is what was last set. A row without
 * `meta` has some that can't be kept, or are still to be set: pending says so.
 */
#include "engine/deliver/verify_priv.h"

#include "engine/deliver/fits.h"

static int on_row(void *arg, const struct jb_entry *e)
{
	*(struct jb_entry *)arg = *e;
	return 1;
}

/* What the attributes that were set are of; false when that can't be told. */
static bool find_source(struct jb_delivery *d, const struct jb_node_row *row,
			struct jb_entry *ret)
{
	struct jb_catalog_view *view = d->view;
	const struct jb_facts *f = &ret->facts;

	if (row->meta == 0 || row->src.ino == 0 || view == NULL ||
	    view->ops->names(view, row->src, on_row, ret, NULL) <= 0)
		return false;
	return !(ret->flags & JB_ENTRY_MOUNT) &&
	       jb_meta_of(f->mode, f->uid, f->gid, f->mtime, f->ctime) ==
		       row->meta;
}

const char *jb_verify_attrs(const struct jb_verify *v, struct jb_delivery *d,
			    struct jb_place p, const struct jb_node_row *row,
			    const struct jb_object *o)
{
	const struct jb_stamp there = jb_stamp_of(o);
	const struct jb_target_ops *ops = d->target->ops;
	struct jb_entry e;
	bool same;

	if (!find_source(d, row, &e))
		return NULL;
	if (!jb_attrs_fit(d->options.preserve, e.facts.mode, e.facts.uid,
			  e.facts.gid, o))
		return "mode or owner differ";
	if (v->content && ops->same_xattrs != NULL &&
	    ops->same_xattrs(d->target, p, e.id.ino, e.id.birth, &there, &same,
			     NULL) == JB_OUTCOME_DONE &&
	    !same)
		return "extended attributes or ACLs differ";
	return NULL;
}
