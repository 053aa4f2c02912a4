/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_eio.h"

#include "lib/t_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

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

static void start_server(struct t_eio *e)
{
	char nbd[80], raw[80], fail[80], log[80];
	const char *const argv[] = {"nbdfuse",	 nbd,
				    "--command", "nbdkit",
				    "-s",	 "--filter=error",
				    "file",	 raw,
				    "error=EIO", "error-pwrite-rate=100%",
				    fail,	 NULL};

	snprintf(nbd, sizeof nbd, "%s/nbd/", e->dir);
	snprintf(raw, sizeof raw, "%s/raw", e->dir);
	snprintf(fail, sizeof fail, "error-file=%s/fail", e->dir);
	snprintf(log, sizeof log, "%s/log", e->dir);
	e->server = t_process_start(argv, log);
	snprintf(nbd, sizeof nbd, "%s/nbd/nbd", e->dir);
	wait_for(nbd);
}

static void mount_disk(struct t_eio *e)
{
	t_shell("mount -o loop %s/nbd/nbd %s", e->dir, e->path);
}

bool t_eio_init(struct t_eio *e, const char *dir, const char *path)
{
	memset(e, 0, sizeof *e);
	e->server = -1;
	if (!has_program("nbdkit") || !has_program("nbdfuse") ||
	    access("/dev/fuse", F_OK) != 0)
		return false;
	snprintf(e->dir, sizeof e->dir, "%s", dir);
	snprintf(e->path, sizeof e->path, "%s", path);
	t_shell("rm -rf %s; mkdir -p %s/nbd %s; truncate -s 64M %s/raw; "
		"mkfs.ext4 -q -F %s/raw",
		dir, dir, path, dir, dir);
	start_server(e);
	mount_disk(e);
	return true;
}

void t_eio_fail(struct t_eio *e)
{
	t_shell("touch %s/fail", e->dir);
}

void t_eio_heal(struct t_eio *e)
{
	t_shell("rm -f %s/fail", e->dir);
}

void t_eio_remount(struct t_eio *e)
{
	/* Whoever is trying it just now lets it go soon. It may not be mounted
	 * at all. */
	for (int ms = 0; umount2(e->path, 0) != 0 && errno == EBUSY; ms += 50) {
		if (ms >= 10000)
			fail_msg("umount %s: %s", e->path, strerror(errno));
		poll(NULL, 0, 50);
	}
	mount_disk(e);
}

void t_eio_fini(struct t_eio *e)
{
	char nbd[80];

	if (e->server < 0)
		return;
	umount2(e->path, 0);
	snprintf(nbd, sizeof nbd, "%s/nbd", e->dir);
	umount2(nbd, 0);
	if (t_process_wait(e->server, 10000) < 0)
		kill(e->server, SIGKILL);
	e->server = -1;
}
