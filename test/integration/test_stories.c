/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stories of renames, cut by a flush at every point: what was only moved is
 * never deleted and never created, wherever the cut falls. */
#include "lib/t_case.h"
#include "lib/t_random.h"
#include "lib/t_round.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT T_SPACE "/fs/r"
#define DEEP ROOT "/1/2/3/4/5"
#define MOST 8 /* steps of a story */

enum verb { MV = 1, SWAP, MKDIR, WRITE, UNLINK, RMDIR };

struct step {
	enum verb verb;
	const char *a, *b;
};

struct story {
	const char *title;
	const char *made; /* a shell line that makes the tree of before */
	struct step steps[MOST];
	int created, deleted; /* rows that a cut at every point may give */
};

/* A directory of 200 files. */
#define BIG(name) "mkdir " name "; (cd " name "; seq 200 | xargs touch); "

static const struct story stories[] = {
	{"mv big b; mv b c",
	 BIG("big"),
	 {{MV, "big", "b"}, {MV, "b", "c"}},
	 0,
	 0},
	{"mv d e; mkdir d", BIG("d"), {{MV, "d", "e"}, {MKDIR, "d", ""}}, 1, 0},
	{"a swap by a third name",
	 BIG("a") BIG("b"),
	 {{MV, "a", "t"}, {MV, "b", "a"}, {MV, "t", "b"}},
	 0,
	 0},
	{"a swap at once, twice",
	 BIG("a") BIG("b"),
	 {{SWAP, "a", "b"}, {SWAP, "b", "a"}},
	 0,
	 0},
	{"a swap of a file and a directory",
	 BIG("a") "touch f",
	 {{SWAP, "a", "f"}, {WRITE, "a", ""}},
	 0,
	 0},
	{"mv a/b c; mv a c/a",
	 "mkdir a; " BIG("a/b"),
	 {{MV, "a/b", "c"}, {MV, "a", "c/a"}},
	 0,
	 0},
	{"there and back",
	 BIG("a"),
	 {{MV, "a", "b"}, {MV, "b", "a"}, {MV, "a", "b"}, {MV, "b", "a"}},
	 0,
	 0},
	{"a chain, each into the name before",
	 BIG("a") BIG("b") BIG("c"),
	 {{MV, "a", "z"}, {MV, "b", "a"}, {MV, "c", "b"}, {MV, "z", "c"}},
	 0,
	 0},
	{"into a neighbour that moves on",
	 BIG("x") "mkdir y; ",
	 {{MV, "x", "y/x"}, {MV, "y", "z"}, {MV, "z/x/1", "1"}},
	 0,
	 0},
	{"out of what goes",
	 "mkdir p; " BIG("p/q"),
	 {{MV, "p/q", "q"},
	  {RMDIR, "p", ""},
	  {MKDIR, "p", ""},
	  {MV, "q", "p/q"}},
	 1,
	 1},
	{"an atomic save",
	 "echo 1 > f",
	 {{WRITE, "f.tmp", ""}, {MV, "f.tmp", "f"}, {WRITE, "f", ""}},
	 1,
	 1},
	{"rotated files",
	 "touch l l.1 l.2",
	 {{MV, "l.1", "l.2"}, {MV, "l", "l.1"}, {WRITE, "l", ""}},
	 1,
	 1},
	{"a file, then a directory of its name",
	 "touch n",
	 {{UNLINK, "n", ""},
	  {MKDIR, "n", ""},
	  {RMDIR, "n", ""},
	  {WRITE, "n", ""}},
	 2,
	 2},
};

static void take_step(int root, const struct step *s)
{
	int fd, rv = 0;

	switch (s->verb) {
	case MV:
		rv = renameat(root, s->a, root, s->b);
		break;
	case SWAP:
		rv = renameat2(root, s->a, root, s->b, RENAME_EXCHANGE);
		break;
	case MKDIR:
		rv = mkdirat(root, s->a, 0755);
		break;
	case UNLINK:
		rv = unlinkat(root, s->a, 0);
		break;
	case RMDIR:
		rv = unlinkat(root, s->a, AT_REMOVEDIR);
		break;
	case WRITE:
		fd = openat(root, s->a, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		assert_int_equal(write(fd, "text", 4), 4);
		close(fd);
		break;
	}
	if (rv != 0)
		fail_msg("%s %s: %s", s->a, s->b, strerror(errno));
}

static int count_steps(const struct story *s)
{
	int n = 0;

	while (n < MOST && s->steps[n].verb != 0)
		n++;
	return n;
}

static void begin_story(const struct story *s, struct t_round *r)
{
	t_shell("cd " ROOT " && rm -rf ./* && { %s\n}", s->made);
	t_round_check(r, NULL);
	t_round_restart(r);
}

static void end_story(const struct story *s, struct t_round *r, int64_t start,
		      unsigned cuts)
{
	int64_t created, deleted;

	created = t_judge_count(&r->judge, "seq > %lld AND kind = 1",
				(long long)start);
	deleted = t_judge_count(&r->judge, "seq > %lld AND kind = 5",
				(long long)start);
	if (created <= s->created && deleted <= s->deleted)
		return;
	t_judge_show(&r->judge, start);
	fail_msg("%s, cuts %x: %d created, %d deleted", s->title, cuts,
		 (int)created, (int)deleted);
}

/* A flush, and the verdict, between any two steps, in every combination. */
static void cut_by_flush(struct t_world *w)
{
	struct t_round r;
	size_t i;
	int root, n, k;
	unsigned cuts;

	t_shell("mkdir " ROOT);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	t_round_open(&r, w, ROOT);
	for (i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		n = count_steps(&stories[i]);
		for (cuts = 0; cuts < 1U << (n - 1); cuts++) {
			begin_story(&stories[i], &r);
			for (k = 0; k < n; k++) {
				take_step(root, &stories[i].steps[k]);
				if ((cuts >> k & 1) != 0)
					t_round_check(&r, NULL);
			}
			t_round_check(&r, NULL);
			end_story(&stories[i], &r, r.start, cuts);
		}
	}
	close(root);
	t_round_fini(&r);
}

struct flusher {
	struct t_world *w;
	atomic_bool stop;
	unsigned n;
};

static void *flush_on_and_on(void *arg)
{
	struct flusher *f = arg;
	json_t *reply;

	while (!atomic_load(&f->stop)) {
		reply = t_daemon_ask(&f->w->daemon, "{\"command\":\"flush\"}");
		json_decref(reply);
		f->n++;
	}
	return NULL;
}

/* Flushes on and on beside it: the cut falls anywhere. */
static void cut_anywhere(struct t_world *w)
{
	unsigned again = t_case_long() ? 500 : 8, t;
	struct flusher f = {.w = w};
	struct t_round r;
	pthread_t thread;
	size_t i;
	int root, k;

	t_shell("mkdir " ROOT);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	t_daemon_configure(&w->daemon, "FlushInterval=1ms\n");
	t_round_open(&r, w, ROOT);
	pthread_create(&thread, NULL, flush_on_and_on, &f);
	for (i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		for (t = 0; t < again; t++) {
			begin_story(&stories[i], &r);
			for (k = 0; k < count_steps(&stories[i]); k++)
				take_step(root, &stories[i].steps[k]);
			t_round_check(&r, NULL);
			end_story(&stories[i], &r, r.start, ~0U);
		}
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	assert_true(f.n > 0);
	close(root);
	t_round_fini(&r);
}

/* Noise near the root, so that a batch takes a while before it comes to what
 * lies deep, and finds it moved on. */
static void make_noise(int dir, struct t_random *random, int *n)
{
	unsigned more = t_random_below(random, 60);
	char name[32];

	while (more-- > 0) {
		snprintf(name, sizeof name, "%d", (*n)++);
		assert_int_equal(mknodat(dir, name, S_IFREG | 0600, 0), 0);
	}
}

/* A deep directory of many files moves on and on, between directories too,
 * while the recorder looks for it where it just was: it is never lost, nor is
 * what is made in it on its way. */
static void move_on(struct t_world *w, const char *settings)
{
	struct t_random random = {w->seed};
	struct flusher f = {.w = w};
	char from[16] = "d0/n0", to[16];
	struct t_round r;
	pthread_t thread;
	int noise, deep, moving, i, n = 0;

	t_shell("mkdir -p " ROOT "/noise " DEEP "/d0/n0 " DEEP "/d1 " DEEP
		"/d2 && cd " DEEP "/d0/n0 && seq 200 | xargs touch");
	noise = open(ROOT "/noise", O_PATH | O_CLOEXEC);
	deep = open(DEEP, O_PATH | O_CLOEXEC);
	moving = open(DEEP "/d0/n0", O_PATH | O_CLOEXEC);
	t_daemon_configure(&w->daemon, "FlushInterval=1ms\n%s", settings);
	t_round_open(&r, w, ROOT);
	pthread_create(&thread, NULL, flush_on_and_on, &f);
	for (i = 0; i < (t_case_long() ? 20000 : 1500); i++) {
		make_noise(noise, &random, &n);
		snprintf(to, sizeof to, "new%d", i);
		assert_int_equal(mknodat(moving, to, S_IFREG | 0600, 0), 0);
		snprintf(to, sizeof to, "d%u/n%u", t_random_below(&random, 3),
			 t_random_below(&random, 5));
		assert_int_equal(renameat(deep, from, deep, to), 0);
		strcpy(from, to);
	}
	atomic_store(&f.stop, true);
	pthread_join(thread, NULL);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 5"), 0);
	assert_int_equal(t_round_count(&r, "kind = 1"), n + i);
	close(noise);
	close(deep);
	close(moving);
	t_round_fini(&r);
}

static void moving_on(struct t_world *w)
{
	move_on(w, "");
}

/* Events are lost all the time: what is not found is looked for by scans, and
 * nothing is deleted while one is owed. */
static void moving_on_with_gaps(struct t_world *w)
{
	move_on(w, "QueueLimit=64\n");
}

/* The same with all of it in the queue at once: nothing but the end counts. */
static void all_at_once(struct t_world *w)
{
	struct t_round r;
	size_t i;
	int root, k;

	t_shell("mkdir " ROOT);
	root = open(ROOT, O_PATH | O_CLOEXEC);
	t_round_open(&r, w, ROOT);
	for (i = 0; i < sizeof stories / sizeof stories[0]; i++) {
		begin_story(&stories[i], &r);
		t_daemon_freeze(&w->daemon);
		for (k = 0; k < count_steps(&stories[i]); k++)
			take_step(root, &stories[i].steps[k]);
		t_daemon_thaw(&w->daemon);
		t_round_check(&r, NULL);
		end_story(&stories[i], &r, r.start, 0);
	}
	close(root);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(cut_by_flush, ext3, fanotify),
	T_CASE(cut_by_flush, ext4, fanotify),
	T_CASE(cut_by_flush, xfs, inotify),
	T_CASE(cut_anywhere, btrfs, fanotify),
	T_CASE(cut_anywhere, ext4, inotify),
	T_CASE(moving_on, ext4, fanotify),
	T_CASE(moving_on, xfs, inotify),
	T_CASE(moving_on_with_gaps, ext4, fanotify),
	T_CASE(all_at_once, ext4, fanotify),
	T_CASE(all_at_once, ext4, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("stories", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
