/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree is entered by descriptors and never left; files are hashed as they
 * are. Needs no rights. */
#include "transports/local_copy.h"
#include "transports/local_fail.h"
#include "transports/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <setjmp.h>
#include <cmocka.h>

struct fixture {
	char path[64];
	struct jb_tree tree;
};

static int set_up(void **state)
{
	static struct fixture f;

	strcpy(f.path, "/tmp/jb-tree-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	assert_int_equal(jb_tree_open(&f.tree, f.path, "", NULL), JB_OK);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char line[80];

	jb_tree_close(&f->tree);
	snprintf(line, sizeof line, "rm -r %s", f->path);
	return system(line);
}

static void write_at(struct fixture *f, const char *name, const char *data,
		     size_t len)
{
	int fd = openat(f->tree.fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

/* A link in a path, at its end too, is an error; so is the way up. */
static void test_links(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->tree.fd, "d", 0700), 0);
	assert_int_equal(symlinkat("d", f->tree.fd, "l"), 0);
	assert_int_equal(symlinkat("/", f->tree.fd, "d/out"), 0);
	assert_int_equal(jb_tree_enter(&f->tree, "l", O_PATH), -ELOOP);
	assert_int_equal(jb_tree_enter(&f->tree, "d/out", O_PATH), -ELOOP);
	assert_int_equal(jb_tree_enter(&f->tree, "d/out/etc", O_PATH), -ELOOP);
	assert_int_equal(jb_tree_enter(&f->tree, "..", O_PATH), -EXDEV);
	assert_int_equal(jb_tree_enter(&f->tree, "/etc", O_PATH), -EXDEV);
	assert_int_equal(jb_tree_enter(&f->tree, "no", O_PATH), -ENOENT);
}

/* Open directories are found again by their path, and the least recently used
 * one gives way. */
static void test_dirs(void **state)
{
	struct fixture *f = *state;
	struct jb_object seen, want;
	struct jb_dirs dirs;
	char name[8];
	int fds[9];

	jb_dirs_init(&dirs, &f->tree);
	for (int i = 0; i < 9; i++) {
		snprintf(name, sizeof name, "d%d", i);
		assert_int_equal(mkdirat(f->tree.fd, name, 0700), 0);
		fds[i] = jb_dirs_get(&dirs, name);
		assert_true(fds[i] >= 0);
		assert_int_equal(jb_dirs_get(&dirs, name), fds[i]);
		assert_int_equal(jb_tree_look(fds[i], "", &seen), 0);
		assert_int_equal(jb_tree_look(f->tree.fd, name, &want), 0);
		assert_int_equal(seen.ino, want.ino);
	}
	assert_int_equal(jb_dirs_get(&dirs, "none"), -ENOENT);
	assert_int_equal(jb_dirs_get(&dirs, "d8"), fds[8]);
	jb_dirs_forget(&dirs);
	assert_int_equal(unlinkat(f->tree.fd, "d8", AT_REMOVEDIR), 0);
	assert_int_equal(jb_dirs_get(&dirs, "d8"), -ENOENT);
	jb_dirs_fini(&dirs);
}

/* The hash is XXH3 of the whole content, for sizes around the buffer's. */
static void test_hash(void **state)
{
	static const size_t sizes[] = {0,
				       1,
				       JB_COPY_BUFFER - 1,
				       JB_COPY_BUFFER,
				       JB_COPY_BUFFER + 1,
				       3 * JB_COPY_BUFFER};
	struct fixture *f = *state;
	const struct jb_stamp any = {.ino = 0};
	char *data = malloc(3 * JB_COPY_BUFFER), name[32];
	struct jb_hash have;
	XXH128_hash_t want;

	for (size_t i = 0; i < 3 * JB_COPY_BUFFER; i++)
		data[i] = (char)(i * 131 >> 3);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		snprintf(name, sizeof name, "f%zu", i);
		write_at(f, name, data, sizes[i]);
		want = XXH3_128bits(data, sizes[i]);
		assert_int_equal(jb_tree_hash(&f->tree,
					      (struct jb_place){"", name}, &any,
					      &have, NULL),
				 JB_OUTCOME_DONE);
		assert_true(have.low == want.low64 && have.high == want.high64);
	}
	free(data);
}

/* A stamp fits what it was taken from, and no other file or version. */
static void test_stamp(void **state)
{
	struct jb_object o = {.ino = 7,
			      .birth = 8,
			      .mode = S_IFREG,
			      .size = 9,
			      .mtime = 10,
			      .ctime = 11};
	struct jb_stamp s = jb_stamp_of(&o), any = {.ino = 0};

	(void)state;
	assert_true(jb_stamp_fits(&s, &o) && jb_stamp_fits(&any, &o));
	o.ctime++; /* a link, a chmod */
	assert_true(jb_stamp_fits(&s, &o));
	o.size++;
	assert_false(jb_stamp_fits(&s, &o));
	o.mode = S_IFDIR; /* an entry came into it */
	assert_true(jb_stamp_fits(&s, &o));
	o.birth++;
	assert_false(jb_stamp_fits(&s, &o));
}

/* Whose fault it is, and a reason that is never cut off. */
static void test_failures(void **state)
{
	struct fixture *f = *state;
	struct jb_place p = {"d", "f"};
	struct jb_error err;
	char deep[3000];

	assert_int_equal(jb_local_fail_target(&err, EROFS, &f->tree, p, ""),
			 JB_OUTCOME_STOPPED);
	assert_int_equal(jb_local_fail_target(&err, EDQUOT, &f->tree, p, ""),
			 JB_OUTCOME_NO_SPACE);
	assert_int_equal(jb_local_fail_target(&err, ENOSPC, &f->tree, p, ""),
			 JB_OUTCOME_NO_SPACE);
	assert_int_equal(err.code, JB_ENOSPC);
	assert_int_equal(jb_local_fail_target(&err, ENAMETOOLONG, &f->tree, p,
					      ""),
			 JB_OUTCOME_REFUSED);
	assert_int_equal(jb_local_fail_target(&err, ELOOP, &f->tree, p, ""),
			 JB_OUTCOME_FOREIGN);
	assert_int_equal(jb_local_fail_source(&err, EIO, &f->tree, p),
			 JB_OUTCOME_UNREADABLE);
	assert_int_equal(jb_local_fail_source(&err, ENOENT, &f->tree, p),
			 JB_OUTCOME_MOVED);
	assert_int_equal(err.code, JB_ESTALE);
	assert_int_equal(jb_local_fail_source(&err, EMFILE, &f->tree, p),
			 JB_OUTCOME_STOPPED);
	memset(deep, 'x', sizeof deep);
	deep[sizeof deep - 1] = '\0';
	p.dir = deep;
	jb_local_fail_source(&err, EACCES, &f->tree, p);
	assert_non_null(strstr(err.text, "/f: Permission denied"));
	assert_non_null(strstr(err.text, f->path));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_links, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dirs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hash, set_up, tear_down),
		cmocka_unit_test(test_stamp),
		cmocka_unit_test_setup_teardown(test_failures, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("local tree", tests, NULL, NULL);
}
