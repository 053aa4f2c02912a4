/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody puts a file of his under one of our names just before the n-th
 * system call of an operation, for every n: whatever comes out of the
 * operation, his file is still there, and nothing of ours is half done. */
#include "lib/t_process.h"
#include "lib/t_target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define P(dir, name) ((struct jb_place){dir, name})
#define STAGE	     T_TARGET "/" JB_STAGE_DIR

static struct t_target x;

/* The linker leads the transport's calls to __wrap_*. */
static int countdown; /* 0: no intruder */
static const char *victim;
static const char victim_f[] = T_TARGET "/f";

static void knock(void)
{
	if (countdown > 0 && --countdown == 0)
		rename(T_TARGET "/theirs", victim);
}

int __real_renameat2(int, const char *, int, const char *, unsigned);
int __wrap_renameat2(int, const char *, int, const char *, unsigned);
int __real_linkat(int, const char *, int, const char *, int);
int __wrap_linkat(int, const char *, int, const char *, int);
int __real_unlinkat(int, const char *, int);
int __wrap_unlinkat(int, const char *, int);
int __real_statx(int, const char *, int, unsigned, struct statx *);
int __wrap_statx(int, const char *, int, unsigned, struct statx *);

int __wrap_renameat2(int a, const char *b, int c, const char *d, unsigned f)
{
	knock();
	return __real_renameat2(a, b, c, d, f);
}

int __wrap_linkat(int a, const char *b, int c, const char *d, int f)
{
	knock();
	return __real_linkat(a, b, c, d, f);
}

int __wrap_unlinkat(int a, const char *b, int f)
{
	knock();
	return __real_unlinkat(a, b, f);
}

int __wrap_statx(int a, const char *b, int f, unsigned mask, struct statx *sx)
{
	knock();
	return __real_statx(a, b, f, mask, sx);
}

static int set_up(void **state)
{
	t_target_init(&x, *state);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	t_target_fini(&x);
	return 0;
}

/* Our file at @name of the target, or staged as @name with @staged. */
static struct jb_stamp ours(const char *name, bool staged)
{
	struct jb_work w;

	t_write(T_SOURCE "/f", name);
	w = t_target_work(&x, "", "f", staged ? name : "put");
	x.ops->make(x.t, &w, 1, &x.err);
	assert_int_equal(w.outcome, JB_OUTCOME_DONE);
	w.expect = jb_stamp_of(&w.target);
	if (!staged)
		assert_int_equal(x.ops->rename(x.t, w.to, &w.expect,
					       P("", name), &x.err),
				 JB_OUTCOME_DONE);
	return w.expect;
}

static bool holds(const char *path, const char *text)
{
	char have[32] = "";
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	(void)!fgets(have, sizeof have, f);
	fclose(f);
	return strcmp(have, text) == 0;
}

enum op { REPLACE, REPLACE_KEEP, REMOVE, REMOVE_KEEP, RENAME, LINK, EXCHANGE };

static enum jb_outcome do_op(enum op op, const struct jb_stamp *f,
			     const struct jb_stamp *g, const struct jb_stamp *s)
{
	const struct jb_place keep = P("", "f");

	switch (op) {
	case REPLACE:
	case REPLACE_KEEP:
		return x.ops->replace(x.t, P(JB_STAGE_DIR, "s"), s, P("", "f"),
				      f, op == REPLACE ? NULL : &keep, &x.err);
	case REMOVE:
	case REMOVE_KEEP:
		return x.ops->remove(x.t, P("", "f"), f,
				     op == REMOVE ? NULL : &keep, &x.err);
	case RENAME:
		return x.ops->rename(x.t, P("", "f"), f, P("", "h"), &x.err);
	case LINK:
		return x.ops->link(x.t, P("", "f"), f, P("", "h"), &x.err);
	default:
		return x.ops->exchange(x.t, P("", "g"), g, P("", "f"), f,
				       &x.err);
	}
}

/* Between two visible names it can't be told who came first: then his file may
 * be under the other name. It is never lost, nor out of sight. */
static bool may_be_moved(enum op op)
{
	if (op == EXCHANGE)
		return holds(T_TARGET "/f", "theirs") ||
		       holds(T_TARGET "/g", "theirs");
	return op == RENAME && (holds(T_TARGET "/f", "theirs") ||
				holds(T_TARGET "/h", "theirs"));
}

/* One operation with the intruder before its @n-th call; false when it had
 * fewer. @at: whose name he takes. */
static bool intrude(enum op op, const char *at, int n)
{
	struct jb_stamp f, g, s;
	enum jb_outcome out;
	bool fired;

	t_shell("cd " T_TARGET " && rm -rf f g h theirs " JB_STAGE_DIR
		"/* " JB_TRASH_DIR "/*");
	f = ours("f", false);
	g = ours("g", false);
	s = ours("s", true);
	t_write(T_TARGET "/theirs", "theirs");
	victim = at;
	countdown = n;
	out = do_op(op, &f, &g, &s);
	fired = countdown == 0;
	countdown = 0;
	if (!fired)
		assert_int_equal(out, JB_OUTCOME_DONE);
	else if (!holds(at, "theirs") && !may_be_moved(op))
		fail_msg("op %d, call %d: %s is gone (%s)", op, n, at,
			 jb_outcome_word(out));
	if (out == JB_OUTCOME_DONE && op == LINK && at == victim_f)
		assert_true(holds(T_TARGET "/h", "f"));
	/* it is all or nothing for ours */
	if (out == JB_OUTCOME_DONE && (op == REPLACE || op == REPLACE_KEEP))
		assert_int_equal(access(STAGE "/s", F_OK), -1);
	if (out != JB_OUTCOME_DONE && (op == REPLACE || op == REPLACE_KEEP))
		assert_true(holds(STAGE "/s", "s"));
	x.ops->sweep(x.t, "s", &x.err);
	if (t_count(STAGE) != 0)
		fail_msg("op %d, call %d: something is left in stage/", op, n);
	return fired;
}

static void sweep(enum op op, const char *at, int least)
{
	int n = 1;

	while (intrude(op, at, n))
		n++;
	assert_true(n > least);
}

static void test_replace(void **state)
{
	(void)state;
	sweep(REPLACE, T_TARGET "/f", 4);
	sweep(REPLACE_KEEP, T_TARGET "/f", 5);
}

static void test_remove(void **state)
{
	(void)state;
	sweep(REMOVE, T_TARGET "/f", 3);
	sweep(REMOVE_KEEP, T_TARGET "/f", 4);
}

static void test_rename(void **state)
{
	(void)state;
	sweep(RENAME, T_TARGET "/f", 2);
	sweep(RENAME, T_TARGET "/h", 2);
}

static void test_link(void **state)
{
	(void)state;
	sweep(LINK, victim_f, 2);
	sweep(LINK, T_TARGET "/h", 2);
}

static void test_exchange(void **state)
{
	(void)state;
	sweep(EXCHANGE, T_TARGET "/f", 3);
	sweep(EXCHANGE, T_TARGET "/g", 3);
}

static const struct t_pair ext4 = {T_ext4, T_ext4, 0};

#define ON(test)                                                               \
	{                                                                      \
#test, test, set_up, tear_down, (void *)&ext4                  \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON(test_replace), ON(test_remove),   ON(test_rename),
		ON(test_link),	  ON(test_exchange),
	};

	return t_target_run("local intruder", tests,
			    sizeof tests / sizeof tests[0], argc, argv);
}
