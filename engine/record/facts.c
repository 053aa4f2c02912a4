/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changed about an entry that is where it was: content, attributes.
 *
 * Content is decided by the kernel's word (MODIFY), by size and mtime, and,
 * where events may be missing, by doubt: a row whose last look was so close to
 * its mtime that a later write could have got the same one ('racy').
 *
 * A directory's times change with the names in it. Rows about these names tell
 * whoever keeps a copy to look at the directory too; where a name came and went
 * between two looks there is none, and the directory gets a row of its own. So
 * it is remembered which directories the rows of a batch name, and a
 * directory's times are compared after its names. */
#include "engine/record/recorder_priv.h"

#include <limits.h>
#include <sys/stat.h>

void jb_facts_name_dir(struct jb_recorder *r, uint64_t dir)
{
	/* Without memory there is a row too many. */
	(void)jb_keyset_add(&r->named, dir);
}

int jb_write_change(struct jb_recorder *r, struct jb_record_root *root,
		    struct jb_change *change, int64_t *seq,
		    struct jb_error *err)
{
	int rv = jb_changes_append(r->changes, change, seq, err);

	jb_facts_name_dir(r, change->dir);
	if (change->old_dir != 0)
		jb_facts_name_dir(r, change->old_dir);
	r->wrote = true;
	if (rv == JB_OK && change->source == JB_SOURCE_SCAN &&
	    root->gap.id != 0)
		root->gap.found++;
	return rv;
}

static int write_about(struct jb_recorder *r, struct jb_record_root *root,
		       const struct jb_entry *e, enum jb_kind kind,
		       unsigned what, const struct jb_look_flags *flags,
		       int64_t *seq, struct jb_error *err)
{
	struct jb_change c = {
		.kind = kind,
		.what = what,
		.dir = e->parent != 0 ? e->parent : e->dirkey,
		.name = e->parent != 0 ? e->name : ".",
		.name_len = e->parent != 0 ? e->name_len : 1u,
		.id = e->id,
		.facts = e->facts,
		.entries = -1,
		.source = flags->dirty & JB_DIRTY_EVENT ? JB_SOURCE_EVENT
							: JB_SOURCE_SCAN,
	};

	jb_drift_note(root, flags->dirty);
	return jb_write_change(r, root, &c, seq, err);
}

bool jb_facts_content_changed(const struct jb_recorder *r,
			      const struct jb_record_root *root,
			      const struct jb_entry *e,
			      const struct jb_look *found,
			      const struct jb_look_flags *flags)
{
	unsigned ino;

	if (!S_ISREG(found->facts.mode))
		return false;
	if (e->facts.mtime != found->facts.mtime ||
	    e->facts.size != found->facts.size)
		return true;
	if (e->flags & JB_ENTRY_CONTENT || flags->dirty & JB_DIRTY_CONTENT)
		return true;
	ino = jb_dirty_ino(r->set, root->root->fs, found->id.ino);
	if ((ino & (JB_INO_CONTENT | JB_INO_WRITTEN)) == JB_INO_CONTENT)
		return true;
	/* One doubt is one change, however many names it reached. */
	return flags->lossy && e->flags & JB_ENTRY_RACY &&
	       e->cseq <= r->batch_seq &&
	       jb_look_is_racy(e->facts.mtime, root->complete);
}

static bool visibly_differ(const struct jb_facts *a, const struct jb_facts *b)
{
	return a->mode != b->mode || a->uid != b->uid || a->gid != b->gid ||
	       a->rdev != b->rdev;
}

/* Do the attributes of a file differ in a way that is worth a row? A rename
 * changes ctime too, and alone says nothing. */
static bool file_attrib(const struct jb_entry *e, const struct jb_look *found,
			bool told, bool renamed)
{
	if (visibly_differ(&e->facts, &found->facts) ||
	    e->facts.mtime != found->facts.mtime)
		return true;
	return e->facts.ctime != found->facts.ctime && (!renamed || told);
}

/* A name that comes or goes moves both times of its directory together. */
static bool names_changed(const struct jb_entry *e, const struct jb_look *found)
{
	return !visibly_differ(&e->facts, &found->facts) &&
	       e->facts.ctime != found->facts.ctime &&
	       e->facts.mtime != found->facts.mtime &&
	       found->facts.ctime == found->facts.mtime;
}

/* The same for a directory. QUIET remembers that ctime was taken over without
 * a row about the directory itself, since an event still unread may mean
 * more. */
static bool dir_attrib(const struct jb_recorder *r, struct jb_entry *e,
		       const struct jb_look *found, bool told, bool renamed)
{
	bool ctime = e->facts.ctime != found->facts.ctime;

	if (visibly_differ(&e->facts, &found->facts))
		return true;
	if (told)
		return ctime || e->flags & JB_ENTRY_QUIET;
	if (!ctime)
		return false;
	if (renamed ? e->facts.mtime != found->facts.mtime
		    : names_changed(e, found) &&
			      jb_keyset_has(&r->named, e->dirkey)) {
		e->flags |= JB_ENTRY_QUIET;
		return false;
	}
	return !renamed;
}

static int store(struct jb_recorder *r, struct jb_entry *e,
		 const struct jb_look *found, struct jb_error *err)
{
	uint32_t links = e->facts.nlink > found->facts.nlink
				 ? e->facts.nlink
				 : found->facts.nlink;
	int rv;

	e->facts = found->facts;
	rv = jb_catalog_update(r->catalog, e, err);
	r->wrote = true;
	/* Facts belong to the identity: all its names get them. */
	if (rv == JB_OK && !S_ISDIR(e->facts.mode) && links > 1) {
		rv = jb_catalog_spread(r->catalog, e, err);
		r->structure++; /* a listing may have read their rows */
	}
	return rv;
}

/* Its names may still be looked at in this batch, and get rows. */
static int compare_later(struct jb_recorder *r, const struct jb_entry *e,
			 struct jb_error *err)
{
	struct jb_todo_item item = {.kind = JB_TODO_TIMES,
				    .depth = UINT_MAX,
				    .origin = r->set->no,
				    .dir = e->dirkey};

	return jb_todo_push(&r->todo, item, err);
}

int jb_facts_compare(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_entry *e, const struct jb_look *found,
		     const struct jb_look_flags *flags, bool renamed,
		     int64_t clock, struct jb_error *err)
{
	bool is_dir = S_ISDIR(found->facts.mode), told, differs;
	uint32_t before = e->flags;
	int rv = JB_OK;

	/* A rename is a row of its own, which says 'look' as loudly. */
	told = flags->dirty & JB_DIRTY_ATTRIB || (flags->lossy && !renamed) ||
	       jb_dirty_ino(r->set, root->root->fs, found->id.ino) &
		       JB_INO_ATTRIB;
	if (is_dir && !told && !renamed && !flags->visited &&
	    names_changed(e, found))
		return compare_later(r, e, err);
	differs = memcmp(&e->facts, &found->facts, sizeof e->facts) != 0;
	if (jb_facts_content_changed(r, root, e, found, flags)) {
		struct jb_entry row = *e;

		row.facts = found->facts;
		rv = write_about(r, root, &row, JB_KIND_MODIFIED,
				 JB_WHAT_CONTENT, flags, &e->cseq, err);
		e->cctime = found->facts.ctime;
		e->flags &= ~(uint32_t)(JB_ENTRY_RACY | JB_ENTRY_CONTENT);
		if (jb_look_is_young(found->facts.mtime, clock))
			e->flags |= JB_ENTRY_RACY;
		jb_dirty_note_ino(r->set, root->root->fs, found->id.ino,
				  JB_INO_WRITTEN);
		differs = true;
	} else if (is_dir ? dir_attrib(r, e, found, told, renamed)
			  : file_attrib(e, found, told, renamed)) {
		struct jb_entry row = *e;

		row.facts = found->facts;
		rv = write_about(r, root, &row, JB_KIND_ATTRIB,
				 JB_WHAT_METADATA, flags, NULL, err);
		e->flags &= ~(uint32_t)JB_ENTRY_QUIET;
		if (is_dir)
			jb_facts_name_dir(r, e->dirkey);
	}
	if (rv == JB_OK && (differs || e->flags != before))
		rv = store(r, e, found, err);
	return rv;
}

int jb_facts_created(struct jb_recorder *r, struct jb_record_root *root,
		     struct jb_entry *e, const struct jb_entry *link,
		     const struct jb_look_flags *flags, struct jb_error *err)
{
	unsigned what = JB_WHAT_PLACE | JB_WHAT_METADATA;
	int64_t *cseq = &e->cseq;
	int rv;

	if (link != NULL) {
		e->cseq = link->cseq;
		e->cctime = link->cctime;
		e->flags |= link->flags & JB_ENTRY_RACY;
		cseq = NULL;
	} else if (S_ISREG(e->facts.mode) || S_ISLNK(e->facts.mode)) {
		what |= JB_WHAT_CONTENT;
	}
	if (jb_gaps_is_open(root) && root->gap.baseline &&
	    e->facts.ctime < root->gap.noticed * 1000) {
		root->gap.found++;
		if (cseq != NULL)
			*cseq = jb_changes_last(r->changes);
		r->wrote = true;
		return JB_OK;
	}
	rv = write_about(r, root, e, JB_KIND_CREATED, what, flags, cseq, err);
	/* One event is one change, however many names it reached. */
	if (rv == JB_OK && link == NULL)
		jb_dirty_note_ino(r->set, root->root->fs, e->id.ino,
				  JB_INO_WRITTEN);
	return rv;
}

int jb_facts_refresh_dir(struct jb_recorder *r, struct jb_visit *v,
			 struct jb_error *err)
{
	struct jb_look_flags flags = {.dirty = JB_DIRTY_EVENT, .visited = true};
	struct jb_look found;
	struct jb_entry e;
	struct jb_dir dir;
	int rv;

	rv = jb_catalog_dir(r->catalog, v->dir, &dir, err);
	if (rv <= 0 || dir.det != 0)
		return rv < 0 ? rv : JB_OK;
	rv = jb_look_fd(v->fd, &found, err);
	if (rv != JB_OK || found.facts.nlink == 0)
		return JB_OK; /* gone: its own place says so */
	rv = jb_catalog_get(r->catalog, dir.parent, dir.name, dir.name_len, &e,
			    err);
	if (rv <= 0 || !jb_look_same(&found, &e))
		return rv < 0 ? rv : JB_OK;
	/* The name went and came back, in two batches, and has no row. */
	if (v->back && !jb_keyset_has(&r->named, v->dir))
		flags.dirty |= JB_DIRTY_ATTRIB;
	return jb_facts_compare(r, v->root, &e, &found, &flags, false, v->clock,
				err);
}
