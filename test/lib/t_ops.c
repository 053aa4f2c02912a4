/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_ops.h"

#include "lib/t_ops_internal.h"
#include "lib/t_script.h"

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

/* "a/b/name" from @base's point of view, as far as @room goes. */
static void tell_place(struct t_worker *w, const struct t_place *p, char *to,
		       size_t room)
{
	char proc[32], dir[1024];
	const char *below = dir;
	ssize_t n;

	snprintf(proc, sizeof proc, "/proc/self/fd/%d", p->dir);
	n = readlink(proc, dir, sizeof dir - 1);
	dir[n > 0 ? n : 0] = '\0';
	n = (ssize_t)strlen(w->ops->o.root);
	if (strncmp(dir, w->ops->o.root, (size_t)n) == 0)
		below = dir[n] == '/' ? dir + n + 1 : dir + n;
	snprintf(to, room, "%s%s%.60s", below, below[0] != '\0' ? "/" : "",
		 p->name);
}

void t_ops_say(struct t_worker *w, const char *what, const struct t_place *p,
	       const struct t_place *to)
{
	char a[1100], b[1100] = "";

	if (w->ops->o.script == NULL || !t_script_listens(w->ops->o.script) ||
	    w->note[0] != '\0')
		return;
	tell_place(w, p, a, sizeof a);
	if (to != NULL)
		tell_place(w, to, b, sizeof b);
	snprintf(w->note, sizeof w->note, "%s %s%s%s", what, a,
		 to != NULL ? " -> " : "", b);
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

	while (fd >= 0 && t_identify(fd, "", &id, &x) && id.ino != last.ino) {
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

	if (!t_identify(dir, name, &id, &x))
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

	if (fd >= 0 ? !t_identify(fd, "", &id, &x)
		    : !t_identify(p->dir, p->name, &id, &x))
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

	if (t_identify(fd, "", &id, &x) && S_ISREG(x.stx_mode))
		add_locked(w, &w->ops->written, id);
}

void t_ops_note_linked(struct t_worker *w, int fd)
{
	struct statx x;
	struct t_id id;

	if (t_identify(fd, "", &id, &x) && !S_ISDIR(x.stx_mode))
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

/* Operation number @i: like each other one it depends on its number alone. */
static void run_one(struct t_worker *w, unsigned i)
{
	struct t_ops *ops = w->ops;
	struct t_script *script = ops->o.script;

	w->random.state = t_script_seed(ops->o.seed, ops->rounds, w->number, i);
	w->note[0] = '\0';
	if (script != NULL &&
	    !t_script_wants(script, ops->rounds, w->number, i))
		return;
	if (!t_ops_do(w))
		return;
	w->done++;
	if (script != NULL)
		t_script_tell(script, ops->rounds, w->number, i, "%s", w->note);
}

static void *run_worker(void *arg)
{
	struct t_worker *w = arg;
	struct t_ops *ops = w->ops;
	unsigned i;

	for (i = 0; i < w->n; i++) {
		if (atomic_fetch_add(&ops->begun, 1) + 1 ==
		    atomic_load(&ops->awaited)) {
			pthread_mutex_lock(&ops->lock);
			pthread_cond_broadcast(&ops->progress);
			pthread_mutex_unlock(&ops->lock);
		}
		run_one(w, i);
	}
	for (i = 0; i < T_HELD; i++)
		if (w->held[i] >= 0)
			close(w->held[i]);
	pthread_mutex_lock(&ops->lock);
	ops->running--;
	pthread_cond_broadcast(&ops->progress);
	pthread_mutex_unlock(&ops->lock);
	return NULL;
}

bool t_ops_running(struct t_ops *ops)
{
	bool running;

	pthread_mutex_lock(&ops->lock);
	running = ops->running > 0;
	pthread_mutex_unlock(&ops->lock);
	return running;
}

static int open_base(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

void t_ops_let_go(struct t_ops *ops)
{
	close(ops->root);
	ops->root = -1;
	if (ops->outside >= 0)
		close(ops->outside);
	ops->outside = -1;
}

void t_ops_resume(struct t_ops *ops)
{
	ops->root = open_base(ops->o.root);
	if (ops->o.outside != NULL)
		ops->outside = open_base(ops->o.outside);
}

void t_ops_init(struct t_ops *ops, const struct t_ops_options *o)
{
	pthread_rwlockattr_t attr;
	struct t_worker w = {.ops = ops};

	memset(ops, 0, sizeof *ops);
	ops->o = *o;
	memset(long_name, 'n', sizeof long_name - 1);
	ops->outside = -1;
	t_ops_resume(ops);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(
		&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&ops->border, &attr);
	pthread_mutex_init(&ops->lock, NULL);
	pthread_cond_init(&ops->progress, NULL);
	if (ops->outside >= 0)
		exempt_tree(&w, ops->outside, ".");
}

void t_ops_start(struct t_ops *ops, unsigned n)
{
	struct t_worker *w;
	unsigned i, k;

	assert_null(ops->workers);
	ops->workers = calloc(ops->o.threads, sizeof *ops->workers);
	assert_non_null(ops->workers);
	ops->rounds++;
	ops->running = ops->o.threads;
	atomic_store(&ops->begun, 0);
	atomic_store(&ops->awaited, 0);
	for (i = 0; i < ops->o.threads; i++) {
		w = &ops->workers[i];
		w->ops = ops;
		w->n = n;
		w->number = i;
		for (k = 0; k < T_HELD; k++)
			w->held[k] = -1;
		assert_int_equal(
			pthread_create(&w->thread, NULL, run_worker, w), 0);
	}
}

void t_ops_await(struct t_ops *ops, unsigned n)
{
	pthread_mutex_lock(&ops->lock);
	atomic_store(&ops->awaited, n);
	while (ops->running > 0 && atomic_load(&ops->begun) < n)
		pthread_cond_wait(&ops->progress, &ops->lock);
	pthread_mutex_unlock(&ops->lock);
}

void t_ops_join(struct t_ops *ops)
{
	unsigned i;

	for (i = 0; i < ops->o.threads; i++) {
		pthread_join(ops->workers[i].thread, NULL);
		ops->done += ops->workers[i].done;
	}
	free(ops->workers);
	ops->workers = NULL;
}

void t_ops_round(struct t_ops *ops, unsigned n)
{
	t_ops_start(ops, n);
	t_ops_join(ops);
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
	if (ops->workers != NULL)
		t_ops_join(ops);
	t_ops_let_go(ops);
	t_idset_fini(&ops->exempt);
	t_idset_fini(&ops->outsiders);
	t_idset_fini(&ops->born);
	t_idset_fini(&ops->written);
	pthread_rwlock_destroy(&ops->border);
	pthread_mutex_destroy(&ops->lock);
	pthread_cond_destroy(&ops->progress);
}
