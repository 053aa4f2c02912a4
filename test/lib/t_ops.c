/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_ops.h"

#include "lib/t_ops_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define COMMON 7 /* of the names below: where the threads meet */

static char long_name[256];

static const char *const names[] = {
	"a",	     "b",	 "c",	  "d",	     "e",	"f.txt",
	"g",	     "#hash",	 ";semi", "-dash",   " lead",	"trail ",
	"new\nline", "\xff\xfe", "*?[x]", "\\back",  "..x",	"\x01\x7f",
	"'q\"`$(x)", "\xc3\xbc", "~",	  ".hidden", long_name,
};

const char *t_ops_name(struct t_worker *w)
{
	unsigned n = sizeof names / sizeof names[0];

	if (t_random_below(&w->random, 10) < 7)
		n = COMMON;
	return names[t_random_below(&w->random, n)];
}

/* Some way down from @base, as far as the names that come up exist. */
void t_ops_pick(struct t_worker *w, int base, struct t_place *p)
{
	unsigned tries = t_random_below(&w->random, 9);
	int below;

	p->dir = fcntl(base, F_DUPFD_CLOEXEC, 0);
	while (tries-- > 0) {
		below = openat(p->dir, t_ops_name(w),
			       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			continue;
		close(p->dir);
		p->dir = below;
	}
	p->name = t_ops_name(w);
}

void t_ops_drop(struct t_place *p)
{
	close(p->dir);
	p->dir = -1;
}

static bool identify(int fd, const char *name, struct t_id *id, struct statx *x)
{
	int flags = AT_SYMLINK_NOFOLLOW | (name[0] == '\0' ? AT_EMPTY_PATH : 0);

	if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, x) != 0)
		return false;
	id->ino = x->stx_ino;
	id->birth = (x->stx_mask & STATX_BTIME) == 0
			    ? 0
			    : x->stx_btime.tv_sec * INT64_C(1000000000) +
				      x->stx_btime.tv_nsec;
	return true;
}

static void add_locked(struct t_worker *w, struct t_idset *s, struct t_id id)
{
	pthread_mutex_lock(&w->ops->lock);
	t_idset_add(s, id);
	pthread_mutex_unlock(&w->ops->lock);
}

/* Is @dir, or a directory above it, one that was outside once? */
static bool is_below_outsider(struct t_worker *w, int dir)
{
	int fd = fcntl(dir, F_DUPFD_CLOEXEC, 0), up;
	struct t_id id, last = {0, 0};
	bool found = false;
	struct statx x;

	while (fd >= 0 && identify(fd, "", &id, &x) && id.ino != last.ino) {
		pthread_mutex_lock(&w->ops->lock);
		found = t_idset_has(&w->ops->outsiders, id);
		pthread_mutex_unlock(&w->ops->lock);
		if (found)
			break;
		last = id;
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
	}
	if (fd >= 0)
		close(fd);
	return found;
}

/* The object at a place and all below it were outside: no promise for them. */
static void exempt_tree(struct t_worker *w, int dir, const char *name)
{
	struct dirent *e;
	struct statx x;
	struct t_id id;
	DIR *d;
	int fd;

	if (!identify(dir, name, &id, &x))
		return;
	add_locked(w, &w->ops->exempt, id);
	if (!S_ISDIR(x.stx_mode))
		return;
	add_locked(w, &w->ops->outsiders, id);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			exempt_tree(w, fd, e->d_name);
	if (d != NULL)
		closedir(d);
}

void t_ops_note_born(struct t_worker *w, const struct t_place *p, int fd)
{
	struct statx x;
	struct t_id id;

	if (fd >= 0 ? !identify(fd, "", &id, &x)
		    : !identify(p->dir, p->name, &id, &x))
		return;
	pthread_mutex_lock(&w->ops->lock);
	/* Number and birth time again: two objects that nobody can tell. */
	if (!t_idset_add(&w->ops->born, id))
		t_idset_add(&w->ops->exempt, id);
	pthread_mutex_unlock(&w->ops->lock);
	if (w->ops->outside >= 0 && is_below_outsider(w, p->dir))
		add_locked(w, &w->ops->exempt, id);
}

void t_ops_note_written(struct t_worker *w, int fd)
{
	struct statx x;
	struct t_id id;

	if (identify(fd, "", &id, &x) && S_ISREG(x.stx_mode))
		add_locked(w, &w->ops->written, id);
}

void t_ops_note_linked(struct t_worker *w, const struct t_place *p)
{
	struct statx x;
	struct t_id id;

	if (identify(p->dir, p->name, &id, &x))
		add_locked(w, &w->ops->exempt, id);
}

void t_ops_note_moved(struct t_worker *w, const struct t_place *from,
		      const struct t_place *to)
{
	if (w->ops->outside < 0)
		return;
	if (is_below_outsider(w, from->dir) || is_below_outsider(w, to->dir)) {
		exempt_tree(w, to->dir, to->name);
		exempt_tree(w, from->dir, from->name); /* exchanged */
	}
}

void t_ops_note_crossing(struct t_worker *w, const struct t_place *p)
{
	exempt_tree(w, p->dir, p->name);
}

static void *run_worker(void *arg)
{
	struct t_worker *w = arg;
	unsigned i;

	for (i = 0; i < w->n; i++)
		w->done += t_ops_do(w);
	for (i = 0; i < T_HELD; i++)
		if (w->held[i] >= 0)
			close(w->held[i]);
	return NULL;
}

void t_ops_init(struct t_ops *ops, const struct t_ops_options *o)
{
	pthread_rwlockattr_t attr;
	struct t_worker w = {.ops = ops};

	memset(ops, 0, sizeof *ops);
	ops->o = *o;
	memset(long_name, 'n', sizeof long_name - 1);
	ops->root = open(o->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(ops->root >= 0);
	ops->outside = -1;
	if (o->outside != NULL) {
		ops->outside =
			open(o->outside, O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(ops->outside >= 0);
	}
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&ops->border, &attr);
	pthread_mutex_init(&ops->lock, NULL);
	if (ops->outside >= 0)
		exempt_tree(&w, ops->outside, ".");
}

void t_ops_round(struct t_ops *ops, unsigned n)
{
	struct t_worker workers[8];
	unsigned i, k;

	assert_true(ops->o.threads <= 8);
	ops->rounds++;
	for (i = 0; i < ops->o.threads; i++) {
		memset(&workers[i], 0, sizeof workers[i]);
		workers[i].ops = ops;
		workers[i].n = n;
		workers[i].random.state =
			ops->o.seed + 1000003 * ops->rounds + i;
		for (k = 0; k < T_HELD; k++)
			workers[i].held[k] = -1;
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
						run_worker, &workers[i]),
				 0);
	}
	for (i = 0; i < ops->o.threads; i++) {
		pthread_join(workers[i].thread, NULL);
		ops->done += workers[i].done;
	}
}

void t_ops_tell(struct t_ops *ops, struct t_judge *j)
{
	t_judge_exec(j, "DELETE FROM written");
	t_idset_tell(&ops->exempt, j, "exempt");
	t_idset_tell(&ops->outsiders, j, "outsider");
	t_idset_tell(&ops->written, j, "written");
	t_idset_fini(&ops->written);
}

void t_ops_fini(struct t_ops *ops)
{
	close(ops->root);
	if (ops->outside >= 0)
		close(ops->outside);
	t_idset_fini(&ops->exempt);
	t_idset_fini(&ops->outsiders);
	t_idset_fini(&ops->born);
	t_idset_fini(&ops->written);
	pthread_rwlock_destroy(&ops->border);
	pthread_mutex_destroy(&ops->lock);
}
