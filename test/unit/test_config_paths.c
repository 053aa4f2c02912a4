/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the configuration's paths lead to: directories that are not there, lie
 * in each other, may not be read, or are mounted twice. */
#include "lib/t_config.h"

#include "engine/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A disk that must be mounted below a root is not of that root. */
static void test_target_below_root(void **state)
{
	t_config_load(*state,
		      "[Root system]\nPath=/\n" SDA "RequireMount=yes\n"
		      "[Policy m]\nPlugin=mirror\nRoot=system\nTarget=sda\n");
	t_config_refuse(*state,
			"[Root system]\nPath=/\n" SDA
			"[Policy m]\nPlugin=mirror\nRoot=system\nTarget=sda\n",
			9, "RequireMount=yes if");
	t_config_refuse(*state,
			"[Root b]\nPath=/mnt/backup\n" SDA "RequireMount=yes\n"
			"[Policy m]\nPlugin=mirror\nRoot=b\nTarget=sda\n",
			10, "inside its own");
}

/* The daemon's rights may not be enough to read it. */
static void test_unreadable(void **state)
{
	struct t_config *f = *state;
	struct jb_config *c;

	if (geteuid() != 0) {
		print_message("only root can give up its rights\n");
		skip();
	}
	t_config_write(f->file, ROOT, strlen(ROOT));
	assert_int_equal(chmod(f->file, 0), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(jb_config_load(f->file, &c, &f->err), JB_ECONFIG);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(f->err.text, "Permission denied"));
}

static void refuse_paths(struct t_config *f, const char *a, const char *b,
			 const char *state_dir, const char *word)
{
	char text[1024];

	snprintf(text, sizeof text,
		 "[Journal]\nStateDirectory=%s/%s\nRuntimeDirectory=%s/run\n"
		 "[Root a]\nPath=%s/%s\n[Root b]\nPath=%s/%s\n",
		 f->dir, state_dir, f->dir, f->dir, a, f->dir, b);
	t_config_load(f, text);
	if (word == NULL) {
		if (jb_config_check_paths(f->config, JB_CONFIG_ABSENT_IS_WRONG,
					  &f->err) != JB_OK)
			fail_msg("%s", f->err.text);
		return;
	}
	assert_int_equal(jb_config_check_paths(
				 f->config, JB_CONFIG_ABSENT_IS_WRONG, &f->err),
			 JB_ECONFIG);
	if (strstr(f->err.text, word) == NULL)
		fail_msg("not '%s': %s", word, f->err.text);
}

/* What only the file system knows. */
static void test_paths(void **state)
{
	struct t_config *f = *state;
	static const char *const dirs[] = {"one", "one/sub", "two", "mine"};
	char path[160], to[160];

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof path, "%s/file", f->dir);
	t_config_write(path, "x", 1);
	snprintf(to, sizeof to, "%s/link", f->dir);
	assert_int_equal(symlink("one", to), 0);
	snprintf(to, sizeof to, "%s/deep", f->dir);
	assert_int_equal(symlink("one/sub", to), 0);

	refuse_paths(f, "one", "two", "state", NULL);
	refuse_paths(f, "one", "two", "mine/x/y", NULL);
	refuse_paths(f, "one", "missing", "state", "no such directory");
	refuse_paths(f, "one", "file/x", "state", "no directory");
	refuse_paths(f, "one", "file", "state", "not a directory");
	refuse_paths(f, "one", "link", "state", "same directory as [Root a]");
	refuse_paths(f, "one", "one/sub", "state", "inside [Root a]");
	refuse_paths(f, "one/sub", "one", "state", "inside [Root b]");
	refuse_paths(f, "one", "deep", "state", "inside [Root a]");
	refuse_paths(f, "deep", "one", "state", "[Root a]");
	refuse_paths(f, "one", "two", "file", "not a directory");
	refuse_paths(f, "one", "two", "file/x", "StateDirectory=");
}

/* Mounts: a bind mount of a part of a root is that part; another file system
 * below a root is none of it. In a namespace of our own, by a child. */
static void check_mounts(struct t_config *f)
{
	char a[160], b[160], c[160];

	snprintf(a, sizeof a, "%s/one/sub", f->dir);
	snprintf(b, sizeof b, "%s/two x", f->dir);
	snprintf(c, sizeof c, "%s/one/disk", f->dir);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount(a, b, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount("none", c, "tmpfs", 0, NULL), 0);
	refuse_paths(f, "one", "two x", "state", "inside [Root a]");
	refuse_paths(f, "two x/deeper", "one", "state", "inside [Root b]");
	refuse_paths(f, "one/sub", "two x", "state", "same directory");
	refuse_paths(f, "one", "one/disk", "state", NULL);
	refuse_paths(f, "one/disk", "one", "state", NULL);
}

static void test_mounts(void **state)
{
	static const char *const dirs[] = {"one", "one/sub", "one/sub/deeper",
					   "one/disk", "two x"};
	struct t_config *f = *state;
	char path[160];
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) != 0)
			_exit(77);
		check_mounts(f); /* a failure is the child's exit code */
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no right to mount\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* Without the right to read a root there is nothing to watch. */
static void test_paths_rights(void **state)
{
	struct t_config *f = *state;
	char path[160];

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(f->dir, 0755), 0);
	snprintf(path, sizeof path, "%s/secret", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/two", f->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	refuse_paths(f, "two", "secret", "state", NULL);
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(jb_config_check_paths(
				 f->config, JB_CONFIG_ABSENT_IS_WRONG, &f->err),
			 JB_ECONFIG);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(strstr(f->err.text, "can't be read by user 65534"));
}

int main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, t_config_init, t_config_fini)
	const struct CMUnitTest tests[] = {
		TEST(test_unreadable),	      TEST(test_paths),
		TEST(test_paths_rights),      TEST(test_mounts),
		TEST(test_target_below_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
