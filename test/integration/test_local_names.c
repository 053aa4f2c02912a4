/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names at a local target: only what is ours, and still ours, is moved,
 * replaced or removed; whatever somebody else does meanwhile. */
#include "lib/t_process.h"
#include "lib/t_target.h"
#include "transports/tree.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROUNDS	     600
#define TOP	     T_TARGET "/top"
#define OUTSIDE	     T_TARGET "/outside"
#define P(dir, name) ((struct jb_place){dir, name})

static struct t_target x;

/* Make source file @name with @text and stage it as @to. */
static struct jb_stamp stage(const char *name, const char *text, const char *to)
{
	char path[300];
	struct jb_work w;

	snprintf(path, sizeof path, T_SOURCE "/%s", name);
	t_write(path, text);
	w = t_target_work(&x, "", name, to);
	x.ops->make(x.t, &w, 1, &x.err);
	if (w.outcome != JB_OUTCOME_DONE)
		fail_msg("stage: %s", w.err.text);
	return jb_stamp_of(&w.target);
}

static struct jb_stamp put(const char *name, const char *text)
{
	struct jb_stamp s = stage(name, text, "put");

	assert_int_equal(x.ops->rename(x.t, P(JB_STAGE_DIR, "put"), &s,
				       P("", name), &x.err),
			 JB_OUTCOME_DONE);
	return s;
}

static struct jb_stamp stamp_at(const char *dir, const char *name)
{
	struct jb_object o;

	assert_int_equal(x.ops->look(x.t, P(dir, name), &o, &x.err),
			 JB_OUTCOME_DONE);
	return jb_stamp_of(&o);
}

/* A name that somebody else holds is never taken. */
static void test_taken_name(void **state)
{
	struct jb_stamp s = stage("f", "ours", "s");

	(void)state;
	t_write(T_TARGET "/f", "theirs");
	assert_int_equal(x.ops->rename(x.t, P(JB_STAGE_DIR, "s"), &s,
				       P("", "f"), &x.err),
			 JB_OUTCOME_FOREIGN);
	assert_non_null(strstr(x.err.text, T_TARGET "/f"));
	assert_int_equal(x.ops->link(x.t, P(JB_STAGE_DIR, "s"), &s, P("", "f"),
				     &x.err),
			 JB_OUTCOME_FOREIGN);
	t_expect_text(T_TARGET "/f", "theirs");
	t_expect_text(T_TARGET "/" JB_STAGE_DIR "/s", "ours");
}

/* A file of ours that somebody changed is not ours any more. */
static void test_changed_file(void **state)
{
	struct jb_stamp s = put("f", "ours"), t = stage("f", "newer", "s");

	(void)state;
	t_write(T_TARGET "/f", "edited!");
	assert_int_equal(x.ops->remove(x.t, P("", "f"), &s, NULL, &x.err),
			 JB_OUTCOME_FOREIGN);
	assert_int_equal(x.ops->rename(x.t, P("", "f"), &s, P("", "g"), &x.err),
			 JB_OUTCOME_FOREIGN);
	assert_int_equal(x.ops->replace(x.t, P(JB_STAGE_DIR, "s"), &t,
					P("", "f"), &s, NULL, &x.err),
			 JB_OUTCOME_FOREIGN);
	assert_int_equal(x.ops->exchange(x.t, P(JB_STAGE_DIR, "s"), &t,
					 P("", "f"), &s, &x.err),
			 JB_OUTCOME_FOREIGN);
	t_expect_text(T_TARGET "/f", "edited!");
	assert_int_equal(unlink(T_TARGET "/f"), 0);
	assert_int_equal(x.ops->remove(x.t, P("", "f"), &s, NULL, &x.err),
			 JB_OUTCOME_LOST);
}

/* Exchange, link and the removal of one of two names do just that. */
static void test_plain_names(void **state)
{
	struct jb_stamp a = put("a", "one"), b = put("b", "two"), d;

	(void)state;
	assert_true(x.can & JB_CAN_EXCHANGE && x.can & JB_CAN_LINK);
	assert_int_equal(x.ops->exchange(x.t, P("", "a"), &a, P("", "b"), &b,
					 &x.err),
			 JB_OUTCOME_DONE);
	t_expect_text(T_TARGET "/a", "two");
	assert_int_equal(x.ops->link(x.t, P("", "b"), &a, P("", "c"), &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->remove(x.t, P("", "b"), &a, NULL, &x.err),
			 JB_OUTCOME_DONE);
	t_expect_text(T_TARGET "/c", "one");
	assert_int_equal(mkdir(T_TARGET "/d", 0755), 0);
	d = stamp_at("", "d");
	assert_int_equal(x.ops->rename(x.t, P("", "c"), &a, P("d", "c"),
				       &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->remove(x.t, P("", "d"), &d, NULL, &x.err),
			 JB_OUTCOME_NOT_EMPTY);
	assert_int_equal(x.ops->rename(x.t, P("", "d"), &d, P("", "e"), &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->remove(x.t, P("e", "c"), &a, NULL, &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->remove(x.t, P("", "e"), &d, NULL, &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 0);
	assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_OK);
}

/* A moved directory's old path leads nowhere, also when it was just used. */
static void test_moved_directory(void **state)
{
	struct jb_stamp f, d;

	(void)state;
	assert_int_equal(mkdir(T_TARGET "/d", 0755), 0);
	d = stamp_at("", "d");
	f = put("f", "x");
	assert_int_equal(x.ops->rename(x.t, P("", "f"), &f, P("d", "f"),
				       &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->rename(x.t, P("", "d"), &d, P("", "e"), &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->remove(x.t, P("d", "f"), &f, NULL, &x.err),
			 JB_OUTCOME_LOST);
	assert_int_equal(x.ops->remove(x.t, P("e", "f"), &f, NULL, &x.err),
			 JB_OUTCOME_DONE);
}

/* Somebody who puts his file under a name of ours, at the very moment at which
 * we replace or remove ours, still has it there afterwards. */
struct intruder {
	pthread_barrier_t begin, end;
	bool quit;
};

static void *intrude(void *arg)
{
	struct intruder *in = arg;

	for (;;) {
		pthread_barrier_wait(&in->begin);
		if (in->quit)
			return NULL;
		rename(T_TARGET "/theirs", T_TARGET "/f");
		pthread_barrier_wait(&in->end);
	}
}

static unsigned race(bool do_replace)
{
	static struct intruder in; /* outlives a failed test */
	struct jb_stamp ours, next = {0};
	unsigned won = 0;
	pthread_t thread;
	enum jb_outcome out;

	in.quit = false;
	pthread_barrier_init(&in.begin, NULL, 2);
	pthread_barrier_init(&in.end, NULL, 2);
	pthread_create(&thread, NULL, intrude, &in);
	for (int i = 0; i < ROUNDS; i++) {
		unlink(T_TARGET "/f");
		ours = put("f", "ours");
		t_write(T_TARGET "/theirs", "theirs");
		if (do_replace)
			next = stage("f", "next", "s");
		pthread_barrier_wait(&in.begin);
		if (do_replace)
			out = x.ops->replace(x.t, P(JB_STAGE_DIR, "s"), &next,
					     P("", "f"), &ours, NULL, &x.err);
		else
			out = x.ops->remove(x.t, P("", "f"), &ours, NULL,
					    &x.err);
		pthread_barrier_wait(&in.end);
		won += out == JB_OUTCOME_DONE;
		t_expect_text(T_TARGET "/f", "theirs");
		x.ops->sweep(x.t, "s", &x.err);
		assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 0);
	}
	in.quit = true;
	pthread_barrier_wait(&in.begin);
	pthread_join(thread, NULL);
	return won;
}

static void test_race_replace(void **state)
{
	(void)state;
	print_message("ours came first %u of %d times\n", race(true), ROUNDS);
}

static void test_race_remove(void **state)
{
	(void)state;
	print_message("ours came first %u of %d times\n", race(false), ROUNDS);
}

/* Directories that turn into links to elsewhere, again and again, on either
 * side: nothing is written or read through them. */
static atomic_bool attack_over;

static void *swap_links(void *arg)
{
	(void)arg;
	while (!atomic_load(&attack_over)) {
		renameat2(AT_FDCWD, TOP "/d", AT_FDCWD, TOP "/l",
			  RENAME_EXCHANGE);
		renameat2(AT_FDCWD, T_SOURCE "/d", AT_FDCWD, T_SOURCE "/l",
			  RENAME_EXCHANGE);
	}
	return NULL;
}

static void attack_once(struct jb_work *w, int counts[2])
{
	const struct jb_stamp any = {.ino = 0};
	struct jb_stamp s;

	x.ops->make(x.t, w, 1, &x.err);
	counts[0] += w->outcome == JB_OUTCOME_DONE;
	if (w->outcome != JB_OUTCOME_DONE)
		return;
	t_expect_text(TOP "/" JB_STAGE_DIR "/s", "open");
	s = jb_stamp_of(&w->target);
	if (x.ops->rename(x.t, w->to, &s, P("d", "f"), &x.err) ==
	    JB_OUTCOME_DONE) {
		counts[1]++;
		x.ops->remove(x.t, P("d", "f"), &s, NULL, &x.err);
		unlinkat(AT_FDCWD, TOP "/d/f", 0);
	}
	/* this would succeed outside: there the file is anybody's */
	x.ops->remove(x.t, P("d", "victim"), &any, NULL, &x.err);
	x.ops->sweep(x.t, "s", &x.err);
}

static void test_swapped_links(void **state)
{
	const struct jb_target_options o = {
		.name = "disk",
		.path = T_TARGET,
		.under = "top",
		.source = T_SOURCE,
		.preserve = JB_PRESERVE_ALL,
	};
	pthread_t thread;
	struct jb_work w;
	int counts[2] = {0, 0};

	(void)state;
	/* elsewhere on the same file systems, where a rename would work */
	x.ops->close(x.t);
	assert_int_equal(x.ops->open(&o, &x.t, &x.err), JB_OK);
	assert_int_equal(jb_target_make_uuid(x.uuid, &x.err), JB_OK);
	assert_int_equal(x.ops->init(x.t, "test", x.uuid, &x.err), JB_OK);
	assert_int_equal(x.ops->start(x.t, x.uuid, 0, &x.can, &x.err), JB_OK);
	t_shell("mkdir %s/d " TOP "/d " OUTSIDE " %s/secret;"
		"echo -n open >%s/d/f; echo -n secret >%s/secret/f;"
		"echo -n v >" OUTSIDE "/victim;"
		"ln -s ../outside " TOP "/l; ln -s secret %s/l",
		T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE, T_SOURCE);
	w = t_target_work(&x, "d", "f", "s");
	w.to.name = "s";
	atomic_store(&attack_over, false);
	pthread_create(&thread, NULL, swap_links, NULL);
	for (int i = 0; i < 20 * ROUNDS && counts[1] < ROUNDS; i++)
		attack_once(&w, counts);
	atomic_store(&attack_over, true);
	pthread_join(thread, NULL);
	print_message("%d staged, %d named\n", counts[0], counts[1]);
	assert_true(counts[1] > 0);
	assert_int_equal(t_count(OUTSIDE), 1);
	t_expect_text(OUTSIDE "/victim", "v");
}

/* What is mounted below the target is not part of it. */
static void test_mount_inside(void **state)
{
	struct jb_stamp s = put("f", "x");

	(void)state;
	assert_int_equal(mkdir(T_TARGET "/m", 0755), 0);
	assert_int_equal(mount("tmpfs", T_TARGET "/m", "tmpfs", 0, ""), 0);
	assert_int_equal(x.ops->rename(x.t, P("", "f"), &s, P("m", "f"),
				       &x.err),
			 JB_OUTCOME_FOREIGN);
	assert_int_equal(x.ops->link(x.t, P("", "f"), &s, P("m", "f"), &x.err),
			 JB_OUTCOME_FOREIGN);
	assert_int_equal(t_count(T_TARGET "/m"), 0);
	assert_int_equal(umount(T_TARGET "/m"), 0);
}

/* What a target can do is found out beside others who do the same. */
static void test_probed_together(void **state)
{
	(void)state;
	t_shell("mkdir %s/" JB_STAGE_DIR "/probe.c", T_TARGET);
	t_target_open(&x, JB_PRESERVE_ALL, 1);
	assert_true(x.can & JB_CAN_LINK);
}

/* What a process that died has left in stage/ is in nobody's way. */
static void test_left_in_stage(void **state)
{
	struct jb_stamp s;

	(void)state;
	s = put("f", "first");
	t_shell("cd %s/" JB_STAGE_DIR "; for n in $(seq 0 40); do "
		"echo $n > gone.$n; echo $n > link.$n; done",
		T_TARGET);
	assert_int_equal(x.ops->link(x.t, P("", "f"), &s, P("", "g"), &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->remove(x.t, P("", "f"), &s, NULL, &x.err),
			 JB_OUTCOME_DONE);
	t_expect_text(T_TARGET "/g", "first");
	assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 2 * 41);
}

/* The old version is in the trash, under its time and old place; the oldest
 * go, by age or when space is short. */
static void test_trash(void **state)
{
	const int64_t time_s = 1763907901; /* 2025-11-23 14:25:01 */
	const struct jb_place kept = P("d/e", "f");
	struct jb_stamp old, new;
	uint64_t removed;
	int64_t oldest_s;

	(void)state;
	x.ops->set_time(x.t, time_s);
	old = put("f", "first");
	new = stage("f", "second", "s");
	assert_int_equal(x.ops->replace(x.t, P(JB_STAGE_DIR, "s"), &new,
					P("", "f"), &old, &kept, &x.err),
			 JB_OUTCOME_DONE);
	t_expect_text(T_TARGET "/f", "second");
	t_expect_text(T_TARGET "/" JB_TRASH_DIR "/2025-11-23/14-25-01/d/e/f",
		      "first");
	assert_int_equal(x.ops->remove(x.t, P("", "f"), &new, &kept, &x.err),
			 JB_OUTCOME_DONE);
	t_expect_text(T_TARGET "/" JB_TRASH_DIR "/2025-11-23/14-25-01.1/d/e/f",
		      "second");
	x.ops->set_time(x.t, time_s + 86400);
	old = put("g", "third");
	assert_int_equal(x.ops->remove(x.t, P("", "g"), &old, &P("", "g"),
				       &x.err),
			 JB_OUTCOME_DONE);
	assert_int_equal(x.ops->trash_oldest(x.t, 0, &oldest_s, &x.err), JB_OK);
	assert_int_equal(oldest_s, time_s);
	assert_int_equal(
		x.ops->trash_oldest(x.t, time_s + 1, &oldest_s, &x.err), JB_OK);
	assert_int_equal(oldest_s, time_s + 86400);
	assert_int_equal(x.ops->expire(x.t, time_s, 0, &removed, &x.err),
			 JB_OK);
	assert_int_equal(t_count(T_TARGET "/" JB_TRASH_DIR), 2);
	assert_int_equal(x.ops->expire(x.t, time_s + 1, 0, &removed, &x.err),
			 JB_OK);
	assert_int_equal(t_count(T_TARGET "/" JB_TRASH_DIR), 1);
	t_expect_text(T_TARGET "/" JB_TRASH_DIR "/2025-11-24/14-25-01/g",
		      "third");
	assert_int_equal(x.ops->expire(x.t, 0, UINT64_MAX, &removed, &x.err),
			 JB_OK);
	assert_int_equal(removed, 2); /* the file and its directory */
	assert_int_equal(x.ops->trash_oldest(x.t, 0, &oldest_s, &x.err), JB_OK);
	assert_int_equal(oldest_s, 0);
	assert_int_equal(t_count(T_TARGET "/" JB_TRASH_DIR), 0);
	assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 0);
}

/* A tree of thousands of levels goes without a descriptor for each. */
static void test_sweep_deep(void **state)
{
	int fd, next;

	(void)state;
	assert_int_equal(mkdir(T_TARGET "/" JB_STAGE_DIR "/s", 0755), 0);
	fd = open(T_TARGET "/" JB_STAGE_DIR "/s", O_PATH | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		close(openat(fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		next = openat(fd, "d", O_PATH | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(x.ops->sweep(x.t, "s", &x.err), JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sweep(x.t, "s", &x.err), JB_OUTCOME_DONE);
	assert_int_equal(t_count(T_TARGET "/" JB_STAGE_DIR), 0);
}

static const struct t_pair ext4 = {T_ext4, T_ext4, 0};
static const struct t_pair xfs = {T_xfs, T_xfs, 0};
static const struct t_pair btrfs = {T_btrfs, T_btrfs, 0};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T_TARGET_TEST(test_taken_name, ext4),
		T_TARGET_TEST(test_changed_file, ext4),
		T_TARGET_TEST(test_plain_names, ext4),
		T_TARGET_TEST(test_plain_names, xfs),
		T_TARGET_TEST(test_plain_names, btrfs),
		T_TARGET_TEST(test_moved_directory, ext4),
		T_TARGET_TEST(test_race_replace, ext4),
		T_TARGET_TEST(test_race_remove, ext4),
		T_TARGET_TEST(test_race_replace, xfs),
		T_TARGET_TEST(test_race_remove, btrfs),
		T_TARGET_TEST(test_swapped_links, ext4),
		T_TARGET_TEST(test_swapped_links, xfs),
		T_TARGET_TEST(test_mount_inside, ext4),
		T_TARGET_TEST(test_trash, ext4),
		T_TARGET_TEST(test_trash, xfs),
		T_TARGET_TEST(test_sweep_deep, ext4),
		T_TARGET_TEST(test_probed_together, ext4),
		T_TARGET_TEST(test_left_in_stage, ext4),
	};

	return t_target_run("local names", &x, tests,
			    sizeof tests / sizeof tests[0], argc, argv);
}
