/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every kind of entry: regular files by local_file.c, the others here.
 * Whatever is not a file or a directory is never opened but as a path. */
#include "transports/local_making.h"

#include "engine/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest target of a link that any file system takes. */
#define LINK_MAX_BYTES 65536

/* The top itself has no name. */
static const char *or_itself(const char *name)
{
	return *name != '\0' ? name : ".";
}

/* Open the entry on both sides as paths: the attributes need no more. */
static enum jb_outcome open_paths(struct jb_making *m)
{
	const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	int rv;

	m->from = openat(m->from_dir, or_itself(m->w->from.name), flags);
	if (m->from < 0)
		return jb_making_fail_source(m, -errno);
	rv = jb_tree_open_entry(m->to_dir, m->w->to.name);
	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	m->to = rv;
	return JB_OUTCOME_DONE;
}

static enum jb_outcome make_directory(struct jb_making *m)
{
	if (mkdirat(m->to_dir, m->w->to.name, 0700) < 0)
		return jb_making_fail_target(m, -errno, "");
	m->is_named = true;
	return JB_OUTCOME_DONE;
}

static enum jb_outcome make_symlink(struct jb_making *m)
{
	char *text;
	ssize_t n;
	int rv = 0;

	text = malloc(LINK_MAX_BYTES);
	if (text == NULL)
		return jb_making_fail_target(m, -ENOMEM, "");
	n = readlinkat(m->from_dir, m->w->from.name, text, LINK_MAX_BYTES);
	if (n < 0) {
		rv = -errno;
		free(text);
		return rv == -EINVAL
			       ? jb_making_say(m, JB_OUTCOME_MOVED,
					       "is no symbolic link any more")
			       : jb_making_fail_source(m, rv);
	}
	text[n < LINK_MAX_BYTES ? n : n - 1] = '\0';
	if (symlinkat(text, m->to_dir, m->w->to.name) < 0)
		rv = -errno;
	free(text);
	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	m->is_named = true;
	return JB_OUTCOME_DONE;
}

static enum jb_outcome make_special(struct jb_making *m)
{
	const struct jb_object *o = &m->w->source;

	if (mknodat(m->to_dir, m->w->to.name, (o->mode & S_IFMT) | 0600,
		    (dev_t)o->rdev) < 0)
		return jb_making_fail_target(m, -errno, "");
	m->is_named = true;
	return JB_OUTCOME_DONE;
}

static enum jb_outcome look_at_target(struct jb_making *m)
{
	int rv = jb_tree_look(m->to_dir, m->w->to.name, &m->w->target);

	return rv < 0 ? jb_making_fail_target(m, rv, "") : JB_OUTCOME_DONE;
}

/* The attributes of a directory may change while it is copied, it is set
 * right by attrs() in any case; so only its identity is checked. */
static enum jb_outcome check_other(struct jb_making *m)
{
	enum jb_outcome out;

	if (m->w->mount)
		return JB_OUTCOME_DONE;
	out = jb_making_check(m, "");
	return out == JB_OUTCOME_TORN && S_ISDIR(m->w->mode) ? JB_OUTCOME_DONE
							     : out;
}

/* A link or a special file can't be synced by itself. */
static void note_made(struct jb_making *m)
{
	struct jb_local *l = m->h->local;

	jb_local_note_dir(l, m->to_dir);
	if (!S_ISDIR(m->w->source.mode))
		jb_local_note_many(l);
	else if (m->to >= 0)
		jb_local_note_dir(l, m->to);
}

static enum jb_outcome make_other(struct jb_making *m)
{
	mode_t type = m->w->source.mode & S_IFMT;
	enum jb_outcome out;

	if (type == S_IFDIR)
		out = make_directory(m);
	else if (type == S_IFLNK)
		out = make_symlink(m);
	else
		out = make_special(m);
	if (out == JB_OUTCOME_DONE && !m->w->mount)
		out = open_paths(m);
	if (out == JB_OUTCOME_DONE && !m->w->mount)
		out = jb_making_attrs(m, true);
	if (out == JB_OUTCOME_DONE)
		out = check_other(m);
	if (out == JB_OUTCOME_DONE)
		out = look_at_target(m);
	if (out == JB_OUTCOME_DONE)
		note_made(m);
	else
		jb_making_drop(m);
	return out;
}

static enum jb_outcome open_target_dir(struct jb_making *m)
{
	m->to_dir = jb_dirs_get(&m->h->to, m->w->to.dir);
	return m->to_dir < 0 ? jb_making_fail_target(m, m->to_dir, "")
			     : JB_OUTCOME_DONE;
}

void jb_local_stage(struct jb_local_hand *h, struct jb_work *w)
{
	struct jb_making m = {.h = h, .w = w, .from = -1, .to = -1, .old = -1};
	int64_t begin_us = jb_clock_us(CLOCK_MONOTONIC);
	enum jb_outcome out;

	w->bytes = 0;
	w->has_hash = w->partial = false;
	out = open_target_dir(&m);
	if (out == JB_OUTCOME_DONE)
		out = jb_making_find(&m);
	if (out == JB_OUTCOME_DONE)
		out = S_ISREG(w->source.mode) ? jb_making_file(&m, true)
					      : make_other(&m);
	jb_making_close(&m);
	w->took_us = jb_clock_us(CLOCK_MONOTONIC) - begin_us;
	w->outcome = out;
}

/* A file whose attributes changed is synced by its own descriptor. */
static void note_changed(struct jb_making *m)
{
	int fd = -1;

	if (jb_local_has_many(m->h->local))
		return;
	if (S_ISREG(m->w->mode))
		fd = jb_tree_open_file(m->to_dir, m->w->to.name);
	else if (S_ISDIR(m->w->mode))
		fd = openat(m->to_dir, m->w->to.name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		jb_local_note_file(m->h->local, fd);
		close(fd);
	} else {
		jb_local_note_many(m->h->local);
	}
}

static enum jb_outcome check_target(struct jb_making *m)
{
	struct jb_object now;
	int rv;

	rv = jb_tree_look(m->to, "", &now);
	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	if (jb_stamp_fits(&m->w->expect, &now))
		return JB_OUTCOME_DONE;
	return jb_local_fail_words(&m->w->err, JB_OUTCOME_FOREIGN,
				   &m->h->local->top, m->w->to,
				   "was changed or replaced by somebody else");
}

static enum jb_outcome reattribute(struct jb_making *m)
{
	enum jb_outcome out;
	int rv;

	if (m->w->ctime != 0 && m->w->source.ctime != m->w->ctime &&
	    m->w->source.mtime != m->w->mtime)
		return jb_making_say(m, JB_OUTCOME_TORN,
				     "changed since it was looked at");
	out = open_paths(m);
	if (out == JB_OUTCOME_DONE)
		out = jb_making_check(m, "");
	if (out == JB_OUTCOME_TORN && S_ISDIR(m->w->mode))
		out = jb_making_find(m); /* newer attributes are as good */
	if (out == JB_OUTCOME_DONE)
		out = check_target(m);
	if (out == JB_OUTCOME_DONE)
		out = jb_making_attrs(m, false);
	if (out != JB_OUTCOME_DONE)
		return out;
	note_changed(m);
	rv = jb_tree_look(m->to, "", &m->w->target);
	return rv < 0 ? jb_making_fail_target(m, rv, "") : JB_OUTCOME_DONE;
}

/* Where the source has a mount point the copy has no attributes to get; but it
 * has to be the copy. */
static enum jb_outcome look_again(struct jb_making *m)
{
	enum jb_outcome out;
	int rv = jb_tree_open_entry(m->to_dir, m->w->to.name);

	if (rv < 0)
		return jb_making_fail_target(m, rv, "");
	m->to = rv;
	out = check_target(m);
	if (out != JB_OUTCOME_DONE)
		return out;
	rv = jb_tree_look(m->to, "", &m->w->target);
	return rv < 0 ? jb_making_fail_target(m, rv, "") : JB_OUTCOME_DONE;
}

void jb_local_reattribute(struct jb_local_hand *h, struct jb_work *w)
{
	struct jb_making m = {.h = h, .w = w, .from = -1, .to = -1, .old = -1};
	enum jb_outcome out;

	w->bytes = 0;
	w->has_hash = w->partial = false;
	out = open_target_dir(&m);
	if (out == JB_OUTCOME_DONE)
		out = jb_making_find(&m);
	if (out == JB_OUTCOME_DONE && w->mount)
		out = look_again(&m);
	else if (out == JB_OUTCOME_DONE)
		out = reattribute(&m);
	jb_making_close(&m);
	w->outcome = out;
}
