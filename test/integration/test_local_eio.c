/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target whose disk begins to fail: nothing that was not written counts as
 * durable. The disk is real but for nbdkit's error filter below it. */
#include "lib/t_process.h"
#include "lib/t_target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define DISK "/mnt/disk"

static struct t_target x;
static pid_t server;

static bool has_program(const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/usr/bin/%s", name);
	return access(path, X_OK) == 0;
}

/* The server's mount shows in mountinfo, which tells of changes. */
static void wait_for(const char *path)
{
	struct pollfd p = {.events = POLLPRI};

	p.fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	assert_true(p.fd >= 0);
	while (access(path, F_OK) != 0)
		if (poll(&p, 1, 10000) <= 0)
			fail_msg("%s does not appear", path);
	close(p.fd);
}

static int set_up(void **state)
{
	const char *const argv[] = {
		"nbdfuse",
		DISK "/nbd/",
		"--command",
		"nbdkit",
		"-s",
		"--filter=error",
		"file",
		DISK "/raw",
		"error=EIO",
		"error-pwrite-rate=100%",
		"error-file=" DISK "/fail",
		NULL,
	};

	(void)state;
	server = -1;
	memset(&x, 0, sizeof x);
	if (!has_program("nbdkit") || !has_program("nbdfuse") ||
	    access("/dev/fuse", F_OK) != 0)
		return 0;
	t_shell("rm -rf " DISK "; mkdir -p " DISK "/nbd " T_TARGET
		"; truncate -s 64M " DISK "/raw; mkfs.ext4 -q -F " DISK "/raw");
	server = t_process_start(argv, DISK "/log");
	wait_for(DISK "/nbd/nbd");
	t_shell("mount -o loop " DISK "/nbd/nbd " T_TARGET);
	t_mount_init(&x.source, T_ext4, T_SOURCE, 0);
	x.ops = jb_transport_find("local");
	t_target_open(&x, JB_PRESERVE_ALL, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (server < 0)
		return 0;
	x.ops->close(x.t);
	umount2(T_TARGET, 0);
	t_mount_fini(&x.source);
	umount2(DISK "/nbd", 0);
	if (t_process_wait(server, 10000) < 0)
		kill(server, SIGKILL);
	return 0;
}

static enum jb_outcome put(const char *name)
{
	return t_target_put(&x, "", name, NULL);
}

/* Few files are synced one by one, many by the file system: each way tells of
 * the failure; after that the target starts anew or is refused, but a sync
 * that says 'done' is true. */
static void test_failing_disk(void **state)
{
	char name[16];
	int failed = 0;

	(void)state;
	if (server < 0)
		skip();
	t_write(T_SOURCE "/a", "before");
	assert_int_equal(put("a"), JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sync(x.t, &x.err), JB_OK);
	t_shell("head -c 100000 /dev/urandom >%s/big", T_SOURCE);
	t_write(DISK "/fail", "");
	if (put("big") == JB_OUTCOME_DONE)
		assert_int_equal(x.ops->sync(x.t, &x.err), JB_EIO);
	else
		assert_int_equal(x.err.code, JB_EIO);
	assert_non_null(strstr(x.err.text, T_TARGET));
	for (int i = 0; i < 40 && !failed; i++) {
		snprintf(name, sizeof name, "n%d", i);
		t_shell("echo %d >%s/%s", i, T_SOURCE, name);
		failed = put(name) != JB_OUTCOME_DONE;
	}
	if (!failed)
		assert_int_not_equal(x.ops->sync(x.t, &x.err), JB_OK);
	unlink(DISK "/fail");
	x.ops->end(x.t);
	umount2(T_TARGET, 0);
	t_shell("mount -o loop " DISK "/nbd/nbd " T_TARGET);
	t_expect_text(T_TARGET "/a", "before");
}

/* The same for as many files as are synced by the file system. */
static void test_failing_later(void **state)
{
	char name[16];

	(void)state;
	if (server < 0)
		skip();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "n%d", i);
		t_shell("echo %d >%s/%s", i, T_SOURCE, name);
		assert_int_equal(put(name), JB_OUTCOME_DONE);
	}
	t_write(DISK "/fail", "");
	assert_int_equal(x.ops->sync(x.t, &x.err), JB_EIO);
	unlink(DISK "/fail");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_failing_disk, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_failing_later, set_up,
						tear_down),
	};

	return t_target_run("local eio", tests, 2, argc, argv);
}
