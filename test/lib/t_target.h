/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_target.h - a source and a local target, each on a real file system
 * of its own (or both on one), and the target opened and started.
 *
 * Lifecycle: set_up -> (change the source, put, attrs, copy -> compare)* ->
 * tear_down, which are a test's fixture. */
#ifndef JB_LIB_T_TARGET_H
#define JB_LIB_T_TARGET_H

#include "lib/t_mount.h"
#include "transports/transport.h"

#include <fcntl.h>

#define T_SOURCE "/mnt/source"
#define T_TARGET "/mnt/target"

struct t_target {
	struct t_mount source, target;
	struct jb_target *t;
	const struct jb_target_ops *ops;
	bool is_shared; /* source and target are on one file system */
	unsigned can;
	char uuid[37];
	struct jb_error err; /* of the last operation */
};

struct t_pair {
	enum t_fs source, target;
	unsigned target_mb; /* a small ext4; 0: comfortable */
};

/* Run the tests in a private mount namespace with a tmpfs at /mnt. @x is what
 * the fixture makes and takes down for each (NULL: they have one of their own).
 * Returns what main() returns. */
struct CMUnitTest;
int t_target_run(const char *group, struct t_target *x,
		 const struct CMUnitTest *tests, size_t n, int argc,
		 char **argv);

/* A test's fixture; its initial state is a struct t_pair. */
int t_target_set_up(void **state);
int t_target_tear_down(void **state);
#define T_TARGET_TEST(test, pair)                                              \
	{                                                                      \
#test "/" #pair, test, t_target_set_up, t_target_tear_down,    \
			(void *)&pair                                          \
	}

/* Begin again with other options. */
void t_target_open(struct t_target *x, unsigned preserve, unsigned threads);

/* The work to make DIR/NAME of the source as @to in stage/; all names are
 * borrowed. */
struct jb_work t_target_work(struct t_target *x, const char *dir,
			     const char *name, const char *to);
/* Make one entry and give it its name in the same place as in the source. */
enum jb_outcome t_target_put(struct t_target *x, const char *dir,
			     const char *name, struct jb_object *ret);
/* Give DIR/NAME of the target the attributes of the source's; asserts. */
void t_target_attrs(struct t_target *x, const char *dir, const char *name);
/* Copy all of the source, deep or not, to the empty target; asserts. */
void t_target_copy(struct t_target *x);

/* Nothing differs but what lies in .journalctl-backup: rsync is the judge. */
void t_target_compare(struct t_target *x);

/* Write @text to @path, which is made, with @mode. */
void t_write(const char *path, const char *text);
/* Does it hold just @text? */
void t_expect_text(const char *path, const char *text);
/* The number of entries in directory @path. */
int t_count(const char *path);

#endif
