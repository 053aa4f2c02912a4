/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does a copy still have its source's extended attributes? Opened by O_PATH, so
 * that nothing is followed and nothing waits. */
#include "transports/local_attrs.h"
#include "transports/local_target.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What is at @p of a tree, and its descriptor or a negative errno. The top's
 * own name is "". */
static int open_at(const struct jb_tree *tree, struct jb_place p,
		   struct jb_object *ret)
{
	int dirfd = jb_tree_enter(tree, p.dir, O_PATH), fd, rv;

	if (dirfd < 0)
		return dirfd;
	fd = openat(dirfd, p.name[0] != '\0' ? p.name : ".",
		    O_PATH | O_NOFOLLOW | O_CLOEXEC);
	rv = fd < 0 ? -errno : jb_tree_look(fd, "", ret);
	close(dirfd);
	if (rv == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rv;
}

static enum jb_outcome compare(struct jb_local *l, struct jb_place p, int from,
			       int to, bool *ret, struct jb_error *err)
{
	const struct jb_attrs a = {
		.preserve = l->preserve,
		.from = {from, true},
		.to = {to, true},
	};
	int rv = jb_attrs_same_xattrs(&a);

	if (rv < 0)
		return jb_local_fail_source(err, -rv, &l->source, p);
	*ret = rv > 0;
	return JB_OUTCOME_DONE;
}

enum jb_outcome jb_local_same_xattrs(struct jb_target *t, struct jb_place p,
				     uint64_t ino, int64_t birth,
				     const struct jb_stamp *expect, bool *ret,
				     struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_object source, target;
	int from = open_at(&l->source, p, &source);
	int to = from < 0 ? -1 : open_at(&l->top, p, &target);
	enum jb_outcome out;

	if (from < 0)
		out = jb_local_fail_source(err, -from, &l->source, p);
	else if (to < 0)
		out = jb_local_fail(l, p, -to, "", err);
	else if (source.ino != ino || source.birth != birth)
		out = jb_local_fail_words(err, JB_OUTCOME_MOVED, &l->source, p,
					  "another entry has this name now");
	else if (!jb_stamp_fits(expect, &target))
		out = jb_local_fail_words(err, JB_OUTCOME_FOREIGN, &l->top, p,
					  "is not what was left there");
	else
		out = compare(l, p, from, to, ret, err);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return out;
}
