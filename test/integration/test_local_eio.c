/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target whose disk begins to fail: nothing that was not written counts as
 * durable. The disk is real but for nbdkit's error filter below it. */
#include "lib/t_eio.h"
#include "lib/t_process.h"
#include "lib/t_target.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define DISK "/mnt/disk"

static struct t_target x;
static struct t_eio disk;

static int set_up(void **state)
{
	(void)state;
	memset(&x, 0, sizeof x);
	if (!t_eio_init(&disk, DISK, T_TARGET))
		return 0;
	t_mount_init(&x.source, T_ext4, T_SOURCE, 0);
	x.ops = jb_transport_find("local");
	t_target_open(&x, JB_PRESERVE_ALL, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (disk.server < 0)
		return 0;
	x.ops->close(x.t);
	t_mount_fini(&x.source);
	t_eio_fini(&disk);
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
	if (disk.server < 0)
		skip();
	t_write(T_SOURCE "/a", "before");
	assert_int_equal(put("a"), JB_OUTCOME_DONE);
	assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_OK);
	t_shell("head -c 100000 /dev/urandom >%s/big", T_SOURCE);
	t_eio_fail(&disk);
	if (put("big") == JB_OUTCOME_DONE)
		assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_EIO);
	else
		assert_int_equal(x.err.code, JB_EIO);
	assert_non_null(strstr(x.err.text, T_TARGET));
	for (int i = 0; i < 40 && !failed; i++) {
		snprintf(name, sizeof name, "n%d", i);
		t_shell("echo %d >%s/%s", i, T_SOURCE, name);
		failed = put(name) != JB_OUTCOME_DONE;
	}
	if (!failed)
		assert_int_not_equal(x.ops->sync(x.t, false, &x.err), JB_OK);
	t_eio_heal(&disk);
	x.ops->end(x.t);
	t_eio_remount(&disk);
	t_expect_text(T_TARGET "/a", "before");
}

/* The same for as many files as are synced by the file system. */
static void test_failing_later(void **state)
{
	char name[16];

	(void)state;
	if (disk.server < 0)
		skip();
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "n%d", i);
		t_shell("echo %d >%s/%s", i, T_SOURCE, name);
		assert_int_equal(put(name), JB_OUTCOME_DONE);
	}
	t_eio_fail(&disk);
	assert_int_equal(x.ops->sync(x.t, false, &x.err), JB_EIO);
	t_eio_heal(&disk);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_failing_disk, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_failing_later, set_up,
						tear_down),
	};

	return t_target_run("local eio", NULL, tests, 2, argc, argv);
}
