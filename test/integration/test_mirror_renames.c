/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only moved is moved at the target too: every file there keeps its inode,
 * and no byte is copied. */
#include "lib/t_mirror.h"

#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR
/* Directories a, b and c with 1,000 files each. */
#define THREE                                                                  \
	"for d in a b c; do mkdir $d; (cd $d; seq 1000 | xargs touch); done"

struct moving {
	struct t_mirror m;
	int64_t renamed;
};

/* Inode and path of all that is at the target, sorted by path. */
static void list_target(struct moving *x, const char *name)
{
	t_shell("cd %s && find . -mindepth 1 -path ./.journalctl-backup -prune"
		" -o -printf '%%i %%P\\n' | LC_ALL=C sort -k2 > %s/%s",
		DST, x->m.w->daemon.dir, name);
}

static void begin(struct moving *x, struct t_world *w, const char *made)
{
	t_mirror_init(&x->m, w, w->fs.fs, made, "");
	t_mirror_check(&x->m);
	x->renamed = t_mirror_number(&x->m, "renamed");
	list_target(x, "before");
}

/* @change is done at the source, in one go; the target then holds what it held,
 * where sed script @moved says, and so many new directories and files. */
static void expect(struct moving *x, const char *change, const char *moved,
		   int dirs, int files)
{
	int64_t copied = t_mirror_number(&x->m, "copied");

	t_daemon_shell(&x->m.w->daemon, "cd %s; %s", SRC, change);
	t_mirror_check(&x->m);
	list_target(x, "after");
	t_shell("cd %s && sed -E '%s' before | LC_ALL=C sort > expected &&"
		" LC_ALL=C sort after | LC_ALL=C comm -3 expected - > differ &&"
		" test $(grep -c \"$(printf '^\\t')\" differ) -eq %d &&"
		" test $(wc -l < differ) -eq %d",
		x->m.w->daemon.dir, moved, dirs + files, dirs + files);
	assert_int_equal(t_mirror_number(&x->m, "copied") - copied, files);
	t_shell("mv %s/after %s/before", x->m.w->daemon.dir,
		x->m.w->daemon.dir);
}

/* One rename at the target, however large the directory is. */
static void large(struct t_world *w)
{
	struct moving x;

	begin(&x, w, "mkdir d; cd d; seq 100000 | xargs touch");
	expect(&x, "mv d e", "s, d(/|$), e\\1,", 0, 0);
	assert_int_equal(t_mirror_number(&x.m, "renamed") - x.renamed, 1);
	t_mirror_fini(&x.m);
}

/* One such change, from beginning to end. */
static void move_once(struct t_world *w, const char *made, const char *change,
		      const char *moved, int dirs, int files)
{
	struct moving x;

	begin(&x, w, made);
	expect(&x, change, moved, dirs, files);
	t_mirror_fini(&x.m);
}

static void swap(struct t_world *w)
{
	move_once(w, THREE, "mv a t; mv b a; mv t b",
		  "s, a(/|$), T\\1,; s, b(/|$), a\\1,; s, T(/|$), b\\1,", 0, 0);
}

static void cycle(struct t_world *w)
{
	move_once(w, THREE, "mv a t; mv b a; mv c b; mv t c",
		  "s, a(/|$), T\\1,; s, b(/|$), a\\1,; s, c(/|$), b\\1,;"
		  "s, T(/|$), c\\1,",
		  0, 0);
}

/* Each takes the name that another one leaves. */
static void chain(struct t_world *w)
{
	move_once(w, THREE, "mv c d; mv b c; mv a b",
		  "s, c(/|$), d\\1,; s, b(/|$), c\\1,; s, a(/|$), b\\1,", 0, 0);
}

/* What was above is below. */
static void inversion(struct t_world *w)
{
	move_once(w,
		  "mkdir -p a/b/c; for d in a a/b a/b/c; do (cd $d; seq 1000 |"
		  " sed 's/^/f/' | xargs touch); done",
		  "mv a/b/c c; mv a/b c/b; mv a c/b/a",
		  "s, a/b/c(/|$), C\\1,; s, a/b(/|$), c/b\\1,;"
		  "s, a(/|$), c/b/a\\1,; s, C(/|$), c\\1,",
		  0, 0);
}

/* mv d e; mkdir d, with the same names: the old files are where they went. */
static void aside(struct t_world *w)
{
	move_once(w, THREE, "mv a d; mkdir a; cd a; seq 1000 | xargs touch",
		  "s, a(/|$), d\\1,", 1, 1000);
}

/* A file becomes a directory that has it, and is a file again. */
static void kinds(struct t_world *w)
{
	struct moving x;

	begin(&x, w, "seq 1000 | xargs touch");
	expect(&x,
	       "mv 1 t; mkdir 1; mv t 1/1; mv 2 t; mkdir 2; mv t 2/2;"
	       " mv 3 1/3",
	       "s, (1|2)$, \\1/\\1,; s, 3$, 1/3,", 2, 0);
	expect(&x, "mv 1/3 3; mv 1/1 t; rmdir 1; mv t 1", "/ 1$/d; s, 1/, ,", 0,
	       0);
	t_mirror_fini(&x.m);
}

/* A further name is a link at the target, and no copy, though the file has
 * another ctime by it; what was written with it is one. */
static void further_names(struct t_world *w)
{
	int64_t copied;
	struct moving x;

	begin(&x, w,
	      "mkdir a; for i in $(seq 99); do echo $i > a/$i; done; touch -d "
	      "2020-01-01 a/*");
	expect(&x, "cp -al a b", "s,^([0-9]+) a/(.*),&\\n\\1 b/\\2,", 1, 0);
	expect(&x, "ln a/7 c; mv a/8 b/888; ln -f b/9 a/10",
	       "s,^([0-9]+) a/7$,&\\n\\1 c,; s, a/8$, b/888,;"
	       "/ a.10$/d; s,^([0-9]+) a/9$,&\\n\\1 a/10,",
	       0, 0);
	copied = t_mirror_number(&x.m, "copied");
	t_daemon_shell(&w->daemon, "cd %s; cp -al a d; echo more >> d/9", SRC);
	t_mirror_check(&x.m);
	assert_int_equal(t_mirror_number(&x.m, "copied") - copied, 1);
	t_mirror_fini(&x.m);
}

static const struct t_case cases[] = {
	T_CASE(large, ext4, fanotify),
	T_CASE(swap, ext4, fanotify),
	T_CASE(swap, xfs, fanotify),
	T_CASE(cycle, ext4, fanotify),
	T_CASE(chain, ext4, fanotify),
	T_CASE(inversion, ext4, fanotify),
	T_CASE(inversion, ext4, inotify),
	T_CASE(aside, ext4, fanotify),
	T_CASE(kinds, ext4, fanotify),
	T_CASE(further_names, ext4, fanotify),
	T_CASE(further_names, xfs, inotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror_renames", cases,
			  sizeof cases / sizeof cases[0], argc, argv);
}
