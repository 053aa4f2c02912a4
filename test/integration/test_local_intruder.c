/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Somebody puts a file of his under one of our names, or writes the file that
 * is being copied, just before the n-th system call of an operation, for every
 * n: whatever comes out of it, his file is still there, nothing of ours is half
 * done, and what counts as copied is whole. */
#include "lib/t_process.h"
#include "lib/t_target.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define P(dir, name) ((struct jb_place){dir, name})
#define STAGE	     T_TARGET "/" JB_STAGE_DIR

static struct t_target x;

/* The linker leads the transport's calls to __wrap_*: each is a moment at which
 * the intruder may come. */
static int countdown; /* 0: no intruder */
static const char *victim;
static const char victim_f[] = T_TARGET "/f";
static void (*on_knock)(void);

static void take_name(void)
{
	rename(T_TARGET "/theirs", victim);
}

static void knock(void)
{
	if (countdown > 0 && --countdown == 0)
		on_knock();
}

/* NOLINTBEGIN(bugprone-reserved-identifier): names of the linker's choice */
#define WRAP(type, name, formal, actual)                                       \
	type __real_##name formal;                                             \
	type __wrap_##name formal;                                             \
	type __wrap_##name formal                                              \
	{                                                                      \
		knock();                                                       \
		return __real_##name actual;                                   \
	}

WRAP(int, renameat2, (int a, const char *b, int c, const char *d, unsigned f),
     (a, b, c, d, f))
WRAP(int, linkat, (int a, const char *b, int c, const char *d, int f),
     (a, b, c, d, f))
WRAP(int, unlinkat, (int a, const char *b, int f), (a, b, f))
WRAP(int, statx,
     (int a, const char *b, int f, unsigned m, struct statx *restrict s),
     (a, b, f, m, s))
WRAP(ssize_t, pread, (int a, void *b, size_t n, off_t o), (a, b, n, o))
WRAP(ssize_t, sendfile, (int a, int b, off_t *o, size_t n), (a, b, o, n))
WRAP(ssize_t, copy_file_range,
     (int a, off_t *o, int b, off_t *p, size_t n, unsigned f),
     (a, o, b, p, n, f))
int __real_openat(int a, const char *b, int f, ...);
int __wrap_openat(int a, const char *b, int f, ...);
int __wrap_openat(int a, const char *b, int f, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, f);
	mode = f & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	knock();
	return __real_openat(a, b, f, mode);
}
WRAP(ssize_t, flistxattr, (int a, char *b, size_t n), (a, b, n))
/* NOLINTEND(bugprone-reserved-identifier) */

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
	on_knock = take_name;
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

/* The source's file is written, cut or replaced while it is copied: what counts
 * as copied is one whole version of the right file, or nothing is left. */
static size_t version_bytes;

static void write_version(int fill)
{
	char *data = malloc(version_bytes);
	int fd = open(T_SOURCE "/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	memset(data, fill, version_bytes);
	assert_int_equal(pwrite(fd, data, version_bytes, 0), version_bytes);
	close(fd);
	free(data);
}

static void rewrite(void)
{
	write_version('b');
}

static void cut(void)
{
	assert_int_equal(truncate(T_SOURCE "/f", 10), 0);
}

static void save(void)
{
	assert_int_equal(rename(T_SOURCE "/f", T_SOURCE "/old"), 0);
	write_version('b');
}

static void put(const char *text, off_t at)
{
	int fd = open(T_SOURCE "/f", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	close(fd);
}

/* As a log does, and as a database does. */
static void grow(void)
{
	put("aaa", (off_t)version_bytes);
}

static void grow_and_change(void)
{
	put("bb", 7);
	grow();
}

/* That of before, or that of after. */
static void expect_version(const char *path)
{
	char *data = malloc(version_bytes + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n, i = 1;

	n = (size_t)read(fd, data, version_bytes + 1);
	while (i < n && data[i] == data[0])
		i++;
	if (i < n || (n != version_bytes && n != 10))
		t_shell("cmp %s " T_SOURCE "/f", path);
	close(fd);
	free(data);
}

static bool copy_while(void (*what)(void), int n, unsigned counts[2])
{
	struct jb_work w;
	bool fired;

	t_shell("rm -f " T_SOURCE "/f " T_SOURCE "/old");
	write_version('a');
	w = t_target_work(&x, "", "f", "s");
	w.near = n % 2 != 0 ? "" : NULL;
	on_knock = what;
	countdown = n;
	x.ops->make(x.t, &w, 1, &x.err);
	fired = countdown == 0;
	countdown = 0;
	if (w.outcome == JB_OUTCOME_DONE) {
		expect_version(STAGE "/s");
		assert_int_equal(unlink(STAGE "/s"), 0);
		counts[0]++;
	} else {
		assert_true(w.outcome == JB_OUTCOME_TORN ||
			    w.outcome == JB_OUTCOME_MOVED);
		counts[1]++;
	}
	assert_int_equal(t_count(STAGE), 0);
	return fired;
}

static void test_torn(void **state)
{
	static void (*const doings[])(void) = {rewrite, cut, save, grow,
					       grow_and_change};
	static const size_t sizes[] = {5000, 3 * 1000 * 1000};
	unsigned counts[2] = {0, 0};

	(void)state;
	for (size_t i = 0; i < sizeof doings / sizeof doings[0]; i++)
		for (size_t k = 0; k < 2; k++) {
			version_bytes = sizes[k];
			for (int n = 1; copy_while(doings[i], n, counts);)
				n++;
		}
	print_message("%u whole, %u torn or moved\n", counts[0], counts[1]);
	assert_true(counts[0] >= 6 && counts[1] >= 20);
}

static void make_device(void)
{
	t_shell("rm " T_SOURCE "/f; mknod " T_SOURCE "/f c 1 3");
}

/* A device takes the name of a file with holes: it is never read, which would
 * not end. */
static void test_device(void **state)
{
	struct jb_work w;
	unsigned moved = 0;
	bool fired = true;

	(void)state;
	on_knock = make_device;
	for (int n = 1; fired; n++) {
		t_shell("rm -f " T_SOURCE "/f; truncate -s 1M " T_SOURCE "/f;"
			" echo end >> " T_SOURCE "/f");
		w = t_target_work(&x, "", "f", "s");
		countdown = n;
		x.ops->make(x.t, &w, 1, &x.err);
		fired = countdown == 0;
		countdown = 0;
		moved += w.outcome == JB_OUTCOME_MOVED;
		if (w.outcome == JB_OUTCOME_DONE)
			t_shell("test $(stat -c %%s " STAGE "/s) -eq 1048580;"
				" rm " STAGE "/s");
		assert_int_equal(t_count(STAGE), 0);
	}
	assert_true(moved == 2);
}

static const struct t_pair ext4 = {T_ext4, T_ext4, 0};

#define ON(test)                                                               \
	{                                                                      \
#test, test, t_target_set_up, t_target_tear_down,              \
			(void *)&ext4                                          \
	}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ON(test_replace), ON(test_remove),   ON(test_rename),
		ON(test_link),	  ON(test_exchange), ON(test_torn),
		ON(test_device),
	};

	return t_target_run("local intruder", &x, tests,
			    sizeof tests / sizeof tests[0], argc, argv);
}
