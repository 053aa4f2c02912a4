/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target's names.
 *
 * Between a look and an operation somebody else may put another entry under
 * the name. So no operation here destroys what it did not see: a name is taken
 * with NOREPLACE, an entry that gives way is exchanged out, one that goes is
 * moved out first; then what came out is looked at, and goes back where it was
 * if it is not what was expected. What is removed for good lies in JB_OWN_DIR,
 * where nobody else has any business, or is an empty directory. */
#include "transports/local_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often somebody else may come between. */
#define EXCHANGES_MAX 64

static bool is_own(const char *dir)
{
	size_t len = sizeof JB_OWN_DIR - 1;

	return strncmp(dir, JB_OWN_DIR, len) == 0 &&
	       (dir[len] == '/' || dir[len] == '\0');
}

static enum jb_outcome fail(struct jb_local *l, struct jb_place p, int errnum,
			    struct jb_error *err)
{
	return jb_local_fail(l, p, errnum, "", err);
}

static enum jb_outcome say_foreign(struct jb_local *l, struct jb_place p,
				   const char *words, struct jb_error *err)
{
	return jb_local_fail_words(err, JB_OUTCOME_FOREIGN, &l->top, p, words);
}

enum jb_outcome jb_local_dir(struct jb_local *l, struct jb_place p, int *ret,
			     struct jb_error *err)
{
	int fd = jb_dirs_get(&l->dirs, p.dir);

	if (fd < 0)
		return fail(l, p, -fd, err);
	*ret = fd;
	return JB_OUTCOME_DONE;
}

enum jb_outcome jb_local_expect(struct jb_local *l, int dirfd,
				struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_object *ret, struct jb_error *err)
{
	int rv = jb_tree_look(dirfd, p.name, ret);

	if (rv == 0 ? ret->is_mount : jb_tree_is_mount(dirfd, p.name))
		return say_foreign(l, p, "something is mounted there", err);
	if (rv < 0)
		return fail(l, p, -rv, err);
	if (jb_stamp_fits(expect, ret))
		return JB_OUTCOME_DONE;
	return say_foreign(l, p,
			   ret->ino == expect->ino
				   ? "was changed by somebody else"
				   : "is somebody else's entry",
			   err);
}

/* The directories of two places, both open, and the first one's entry. */
static enum jb_outcome open_pair(struct jb_local *l, struct jb_place a,
				 const struct jb_stamp *expect,
				 struct jb_place b, int dirs[2],
				 struct jb_object *o, struct jb_error *err)
{
	enum jb_outcome out;

	out = jb_local_dir(l, a, &dirs[0], err);
	if (out == JB_OUTCOME_DONE)
		out = jb_local_dir(l, b, &dirs[1], err);
	if (out == JB_OUTCOME_DONE)
		out = jb_local_expect(l, dirs[0], a, expect, o, err);
	return out;
}

static void note_pair(struct jb_local *l, const int dirs[2])
{
	jb_local_note_dir(l, dirs[0]);
	jb_local_note_dir(l, dirs[1]);
}

/* Paths below a directory that moves lead elsewhere now. */
static void note_move(struct jb_local *l, const struct jb_object *o)
{
	if (S_ISDIR(o->mode))
		jb_dirs_forget(&l->dirs);
}

/* rename without replacing, also where the flag is not known: then by a look
 * before, which only somebody else at the same moment could deceive. */
static int rename_free(struct jb_local *l, int from_dir, const char *from,
		       int to_dir, const char *to)
{
	struct jb_object o;

	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL || (l->can & JB_CAN_EXCHANGE))
		return -errno;
	if (jb_tree_look(to_dir, to, &o) == 0)
		return -EEXIST;
	return renameat(from_dir, from, to_dir, to) < 0 ? -errno : 0;
}

/* What a process that died has left in stage/ may bear the next name of ours:
 * then take the one after it.
 *
 * The new name begins in stage/: were it made at once where it belongs, what is
 * found there by the look might be somebody else's, put there a moment later,
 * and not be taken away again. */
enum jb_outcome jb_local_link(struct jb_target *t, struct jb_place from,
			      const struct jb_stamp *expect, struct jb_place to,
			      struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_place stage = {JB_STAGE_DIR, NULL};
	enum jb_outcome out;
	struct jb_object o;
	int dirs[2], at, rv;
	char name[32];

	stage.name = name;
	out = open_pair(l, from, expect, to, dirs, &o, err);
	if (out == JB_OUTCOME_DONE)
		out = jb_local_dir(l, stage, &at, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	do {
		snprintf(name, sizeof name, "link.%u", l->serial++);
		rv = linkat(dirs[0], from.name, at, name, 0) < 0 ? -errno : 0;
	} while (rv == -EEXIST);
	if (rv < 0)
		return fail(l, from, -rv, err);
	out = jb_local_expect(l, at, stage, expect, &o, err);
	rv = out == JB_OUTCOME_DONE ? rename_free(l, at, name, dirs[1], to.name)
				    : 0;
	if (out != JB_OUTCOME_DONE || rv < 0)
		unlinkat(at, name, 0);
	if (rv == -EEXIST)
		return say_foreign(l, to, "the name is taken", err);
	if (rv < 0)
		return fail(l, to, -rv, err);
	note_pair(l, dirs);
	return out;
}

enum jb_outcome jb_local_rename(struct jb_target *t, struct jb_place from,
				const struct jb_stamp *expect,
				struct jb_place to, struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	enum jb_outcome out;
	struct jb_object o, now;
	int dirs[2], rv;

	out = open_pair(l, from, expect, to, dirs, &o, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	rv = rename_free(l, dirs[0], from.name, dirs[1], to.name);
	if (rv == -EEXIST)
		return say_foreign(l, to, "the name is taken", err);
	if (rv < 0)
		return fail(l, to, -rv, err);
	if (!is_own(from.dir)) { /* somebody was faster: nothing is lost */
		out = jb_local_expect(l, dirs[1], to, expect, &now, err);
		if (out == JB_OUTCOME_FOREIGN)
			rename_free(l, dirs[1], to.name, dirs[0], from.name);
		/* It went there; who took it from there, or that it can't be
		 * looked at, is seen later. */
		else if (out != JB_OUTCOME_STOPPED)
			out = JB_OUTCOME_DONE;
	}
	note_pair(l, dirs);
	note_move(l, &o);
	return out;
}

/* Exchange until one of ours lies at @a: 1 when it is what was at @b, 0 when it
 * is what was at @a before. Whatever somebody else puts at @b meanwhile is so
 * left at @b. */
static int exchange_ours(const int dirs[2], struct jb_place a,
			 const struct jb_object *was_a, struct jb_place b,
			 const struct jb_object *was_b)
{
	struct jb_stamp stamp_a = jb_stamp_of(was_a);
	struct jb_stamp stamp_b = jb_stamp_of(was_b);
	struct jb_object now;
	int rv;

	for (int i = 0; i < EXCHANGES_MAX; i++) {
		if (renameat2(dirs[0], a.name, dirs[1], b.name,
			      RENAME_EXCHANGE) < 0)
			return -errno;
		rv = jb_tree_look(dirs[0], a.name, &now);
		/* As it was; or the plan ends, and the next one finds out. */
		if (rv < 0)
			return renameat2(dirs[0], a.name, dirs[1], b.name,
					 RENAME_EXCHANGE) == 0
				       ? rv
				       : -ENOTRECOVERABLE;
		if (jb_stamp_fits(&stamp_b, &now))
			return 1;
		if (jb_stamp_fits(&stamp_a, &now))
			return 0;
	}
	return -EBUSY;
}

static enum jb_outcome
exchange_checked(struct jb_local *l, const int dirs[2], struct jb_place a,
		 const struct jb_object *was_a, struct jb_place b,
		 const struct jb_object *was_b, struct jb_error *err)
{
	struct jb_stamp stamp_a = jb_stamp_of(was_a);
	struct jb_object now;
	int rv;

	rv = exchange_ours(dirs, a, was_a, b, was_b);
	note_pair(l, dirs);
	if (rv < 0)
		return fail(l, b, -rv, err);
	if (rv == 0)
		return say_foreign(l, b, "was replaced by somebody else", err);
	if (is_own(a.dir) || (jb_tree_look(dirs[1], b.name, &now) == 0 &&
			      jb_stamp_fits(&stamp_a, &now)))
		return JB_OUTCOME_DONE;
	exchange_ours(dirs, a, was_b, b, was_a);
	return say_foreign(l, a, "was replaced by somebody else", err);
}

enum jb_outcome jb_local_exchange(struct jb_target *t, struct jb_place a,
				  const struct jb_stamp *expect_a,
				  struct jb_place b,
				  const struct jb_stamp *expect_b,
				  struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_object oa, ob;
	enum jb_outcome out;
	int dirs[2];

	out = open_pair(l, a, expect_a, b, dirs, &oa, err);
	if (out == JB_OUTCOME_DONE)
		out = jb_local_expect(l, dirs[1], b, expect_b, &ob, err);
	if (out == JB_OUTCOME_DONE)
		out = exchange_checked(l, dirs, a, &oa, b, &ob, err);
	if (out == JB_OUTCOME_DONE) {
		note_move(l, &oa);
		note_move(l, &ob);
	}
	return out;
}

/* Take a file that lies in JB_OWN_DIR away: to the trash, or for good. */
static enum jb_outcome dispose(struct jb_local *l, int dirfd, struct jb_place p,
			       const struct jb_place *keep,
			       struct jb_error *err)
{
	enum jb_outcome out;
	int trash, rv;

	if (keep == NULL) {
		if (unlinkat(dirfd, p.name, 0) == 0)
			return JB_OUTCOME_DONE;
		return fail(l, p, errno, err);
	}
	out = jb_local_trash_place(l, *keep, &trash, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	rv = rename_free(l, dirfd, p.name, trash, keep->name);
	if (rv == 0)
		jb_local_note_dir(l, trash);
	close(trash);
	return rv < 0 ? fail(l, p, -rv, err) : JB_OUTCOME_DONE;
}

/* Without exchange: the look before is all that there is. The old version gets
 * its second name in the trash first. */
static enum jb_outcome replace_plainly(struct jb_local *l, const int dirs[2],
				       struct jb_place from, struct jb_place to,
				       const struct jb_place *keep,
				       struct jb_error *err)
{
	enum jb_outcome out = JB_OUTCOME_DONE;
	int trash = -1;

	if (keep != NULL && (l->can & JB_CAN_LINK))
		out = jb_local_trash_place(l, *keep, &trash, err);
	if (out == JB_OUTCOME_DONE && trash >= 0 &&
	    linkat(dirs[1], to.name, trash, keep->name, 0) < 0)
		out = fail(l, to, errno, err);
	if (out == JB_OUTCOME_DONE &&
	    renameat(dirs[0], from.name, dirs[1], to.name) < 0)
		out = fail(l, to, errno, err);
	if (trash >= 0)
		close(trash);
	note_pair(l, dirs);
	return out;
}

enum jb_outcome jb_local_replace(struct jb_target *t, struct jb_place from,
				 const struct jb_stamp *expect_from,
				 struct jb_place to,
				 const struct jb_stamp *expect_to,
				 const struct jb_place *keep_as,
				 struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	struct jb_object new, old;
	enum jb_outcome out;
	int dirs[2];

	out = open_pair(l, from, expect_from, to, dirs, &new, err);
	if (out == JB_OUTCOME_DONE)
		out = jb_local_expect(l, dirs[1], to, expect_to, &old, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	if (S_ISDIR(old.mode) || S_ISDIR(new.mode))
		return fail(l, to, EISDIR, err);
	if (!(l->can & JB_CAN_EXCHANGE))
		return replace_plainly(l, dirs, from, to, keep_as, err);
	out = exchange_checked(l, dirs, from, &new, to, &old, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	out = dispose(l, dirs[0], from, keep_as, err);
	if (out != JB_OUTCOME_DONE)
		exchange_ours(dirs, from, &old, to, &new);
	return out;
}

/* Somebody else's entry that was taken out goes back; if its name was taken
 * meanwhile, to the trash: it is not ours to lose. */
static void put_back(struct jb_local *l, int stage, const char *name, int dirfd,
		     struct jb_place p)
{
	int trash;

	if (rename_free(l, stage, name, dirfd, p.name) == 0 ||
	    jb_local_trash_place(l, p, &trash, NULL) != JB_OUTCOME_DONE)
		return;
	rename_free(l, stage, name, trash, p.name);
	close(trash);
}

/* Out of everybody's sight, so that what is removed is what was looked at. */
static enum jb_outcome take_out(struct jb_local *l, int dirfd,
				struct jb_place p,
				const struct jb_stamp *expect,
				struct jb_place *ret, char name[32], int *stage,
				struct jb_error *err)
{
	enum jb_outcome out;
	struct jb_object o;
	int rv;

	*ret = (struct jb_place){JB_STAGE_DIR, name};
	out = jb_local_dir(l, *ret, stage, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	do {
		snprintf(name, 32, "gone.%u", l->serial++);
		rv = rename_free(l, dirfd, p.name, *stage, name);
	} while (rv == -EEXIST);
	if (rv < 0)
		return fail(l, p, -rv, err);
	rv = jb_tree_look(*stage, name, &o);
	if (rv == 0 && jb_stamp_fits(expect, &o))
		return JB_OUTCOME_DONE;
	put_back(l, *stage, name, dirfd, p);
	if (rv < 0)
		return fail(l, p, -rv, err);
	return say_foreign(l, p, "was replaced by somebody else", err);
}

static enum jb_outcome remove_file(struct jb_local *l, int dirfd,
				   struct jb_place p,
				   const struct jb_stamp *expect,
				   const struct jb_place *keep_as,
				   struct jb_error *err)
{
	struct jb_place out_place = p;
	enum jb_outcome out;
	char name[32];
	int stage = dirfd;

	if (!is_own(p.dir)) {
		out = take_out(l, dirfd, p, expect, &out_place, name, &stage,
			       err);
		if (out != JB_OUTCOME_DONE)
			return out;
	}
	out = dispose(l, stage, out_place, keep_as, err);
	if (out != JB_OUTCOME_DONE && stage != dirfd)
		put_back(l, stage, name, dirfd, p);
	return out;
}

enum jb_outcome jb_local_remove(struct jb_target *t, struct jb_place p,
				const struct jb_stamp *expect,
				const struct jb_place *keep_as,
				struct jb_error *err)
{
	struct jb_local *l = jb_local_of(t);
	enum jb_outcome out;
	struct jb_object o;
	int dirfd = -1;

	out = jb_local_dir(l, p, &dirfd, err);
	if (out == JB_OUTCOME_DONE)
		out = jb_local_expect(l, dirfd, p, expect, &o, err);
	if (out != JB_OUTCOME_DONE)
		return out;
	if (!S_ISDIR(o.mode)) {
		out = remove_file(l, dirfd, p, expect, keep_as, err);
	} else if (unlinkat(dirfd, p.name, AT_REMOVEDIR) < 0) {
		return fail(l, p, errno, err);
	}
	if (out == JB_OUTCOME_DONE)
		jb_local_note_dir(l, dirfd);
	note_move(l, &o);
	return out;
}
