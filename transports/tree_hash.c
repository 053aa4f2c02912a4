/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/local_copy.h"
#include "transports/local_fail.h"
#include "transports/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Look, and say why it is not the file that was meant. */
static enum jb_outcome expect_file(const struct jb_tree *tree, int dirfd,
				   const char *name, struct jb_place p,
				   const struct jb_stamp *expect,
				   struct jb_object *ret, struct jb_error *err)
{
	int rv = jb_tree_look(dirfd, name, ret);

	if (rv < 0)
		return jb_local_fail_source(err, -rv, tree, p);
	if (!S_ISREG(ret->mode))
		return jb_local_fail_words(err, JB_OUTCOME_MOVED, tree, p,
					   "is no regular file");
	if (expect->ino != 0 &&
	    (ret->ino != expect->ino || ret->birth != expect->birth))
		return jb_local_fail_words(err, JB_OUTCOME_MOVED, tree, p,
					   "another entry has this name now");
	if (!jb_stamp_fits(expect, ret))
		return jb_local_fail_words(err, JB_OUTCOME_TORN, tree, p,
					   "was changed");
	return JB_OUTCOME_DONE;
}

static enum jb_outcome hash_open(const struct jb_tree *tree, int fd,
				 struct jb_place p,
				 const struct jb_stamp *expect,
				 struct jb_hash *ret, struct jb_error *err)
{
	struct jb_object before, after;
	struct jb_stamp stamp;
	enum jb_outcome out;
	char *buffer;
	int rv;

	out = expect_file(tree, fd, "", p, expect, &before, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	buffer = malloc(JB_COPY_BUFFER);
	rv = buffer == NULL ? -ENOMEM : jb_copy_hash(fd, buffer, NULL, ret);
	free(buffer);
	if (rv < 0)
		return jb_local_fail_source(err, -rv, tree, p);
	stamp = jb_stamp_of(&before);
	return expect_file(tree, fd, "", p, &stamp, &after, err);
}

enum jb_outcome jb_tree_hash(const struct jb_tree *tree, struct jb_place p,
			     const struct jb_stamp *expect, struct jb_hash *ret,
			     struct jb_error *err)
{
	struct jb_object o;
	enum jb_outcome out;
	int dirfd, fd;

	dirfd = jb_tree_enter(tree, p.dir, O_PATH);
	if (dirfd < 0)
		return jb_local_fail_source(err, -dirfd, tree, p);
	out = expect_file(tree, dirfd, p.name, p, expect, &o, err);
	if (out == JB_OUTCOME_DONE) {
		fd = jb_tree_open_file(dirfd, p.name);
		if (fd < 0)
			out = jb_local_fail_source(err, -fd, tree, p);
		else
			out = hash_open(tree, fd, p, expect, ret, err);
		if (fd >= 0)
			close(fd);
	}
	close(dirfd);
	return out;
}
