/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_mount.h"

#include "lib/t_process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

/* The same number for ext4 and xfs, which have no common header for it. */
#define IOC_SHUTDOWN	      _IOR('X', 125, uint32_t)
#define SHUTDOWN_NO_LOG_FLUSH 2

static const struct {
	const char *name, *mkfs, *options;
	unsigned size_mb;
} kinds[] = {
	[T_none] = {"none", NULL, NULL, 0},
	[T_ext4] = {"ext4", "mkfs.ext4 -q -F -i 1300 %s", "", 512},
	[T_ext3] = {"ext3", "mkfs.ext3 -q -F -I 128 -i 1300 %s 2>&1", "", 512},
	[T_xfs] = {"xfs", "mkfs.xfs -q -f %s", "nouuid", 512},
	[T_btrfs] = {"btrfs", "mkfs.btrfs -q -f %s", "", 512},
	[T_tmpfs] = {"tmpfs", NULL, "", 512},
};

const char *t_fs_name(enum t_fs fs)
{
	return kinds[fs].name;
}

/* A loop device over @image, which frees itself. */
static void make_loop(struct t_mount *m, int image)
{
	struct loop_config config = {.fd = (uint32_t)image,
				     .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	int control, n;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		skip();
	do {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		assert_true(n >= 0);
		snprintf(m->device, sizeof m->device, "/dev/loop%d", n);
		m->loop = open(m->device, O_RDWR | O_CLOEXEC);
		assert_true(m->loop >= 0);
		if (ioctl(m->loop, LOOP_CONFIGURE, &config) == 0)
			break;
		assert_int_equal(errno, EBUSY); /* taken meanwhile: the next */
		close(m->loop);
	} while (true);
	close(control);
	close(image);
}

/* A sparse file without a name. */
static int make_image(unsigned size_mb)
{
	int image = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(image >= 0);
	assert_int_equal(ftruncate(image, (off_t)size_mb << 20), 0);
	return image;
}

void t_mount_attach(struct t_mount *m)
{
	const char *source = m->device[0] != '\0' ? m->device : "tmpfs";

	if (mount(source, m->path, kinds[m->fs].name, 0,
		  kinds[m->fs].options) != 0)
		fail_msg("mount %s at %s: %s", kinds[m->fs].name, m->path,
			 strerror(errno));
}

static void make_on(struct t_mount *m, enum t_fs fs, const char *path,
		    int image)
{
	char line[128];

	memset(m, 0, sizeof *m);
	m->fs = fs;
	m->loop = -1;
	snprintf(m->path, sizeof m->path, "%s", path);
	assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
	if (image >= 0) {
		make_loop(m, image);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(line, sizeof line, kinds[fs].mkfs, m->device);
#pragma GCC diagnostic pop
		t_shell("%s", line);
	}
	t_mount_attach(m);
}

void t_mount_init(struct t_mount *m, enum t_fs fs, const char *path,
		  unsigned size_mb)
{
	unsigned mb = size_mb != 0 ? size_mb : kinds[fs].size_mb;

	make_on(m, fs, path, kinds[fs].mkfs != NULL ? make_image(mb) : -1);
}

void t_mount_init_image(struct t_mount *m, enum t_fs fs, const char *path,
			const char *image)
{
	int fd = open(image, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	make_on(m, fs, path, fd);
}

bool t_mount_can_lose_power(const struct t_mount *m)
{
	return m->fs == T_ext4 || m->fs == T_xfs;
}

void t_mount_lose_power(struct t_mount *m)
{
	uint32_t flags = SHUTDOWN_NO_LOG_FLUSH;
	int fd = open(m->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (ioctl(fd, IOC_SHUTDOWN, &flags) != 0)
		fail_msg("shutdown of %s: %s", m->path, strerror(errno));
	close(fd);
}

bool t_mount_is_dead(const struct t_mount *m)
{
	int fd = open(m->path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EIO;
	close(fd);
	return false;
}

void t_mount_detach(struct t_mount *m)
{
	if (umount2(m->path, 0) != 0)
		fail_msg("umount %s: %s", m->path, strerror(errno));
}

void t_mount_drop_caches(void)
{
	int fd;

	sync();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "3", 1), 1);
	close(fd);
}

void t_mount_fini(struct t_mount *m)
{
	if (m->path[0] == '\0')
		return;
	umount2(m->path, MNT_DETACH);
	if (m->loop >= 0)
		close(m->loop);
	m->path[0] = '\0';
}
