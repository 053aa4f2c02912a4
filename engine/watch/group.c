/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/watch/group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/sysmacros.h>

#define QUEUE_SYSCTL "/proc/sys/fs/fanotify/max_queued_events"

/* The kernel's own way to write a device number (MKDEV). */
#define MINOR_BITS 20
#define MINOR_MASK ((1u << MINOR_BITS) - 1)

/* ---- made */

static long read_sysctl(void)
{
	FILE *file = fopen(QUEUE_SYSCTL, "re");
	long value = -1;

	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void write_sysctl(long value)
{
	FILE *file = fopen(QUEUE_SYSCTL, "we");

	if (file == NULL)
		return; /* the default bound stays */
	fprintf(file, "%ld\n", value);
	fclose(file);
}

int jb_group_make(unsigned flags, uint32_t queue_limit, bool *limited)
{
	long before = queue_limit != 0 ? read_sysctl() : -1;
	int fd, saved;

	if (before > 0)
		write_sysctl(queue_limit);
	*limited = queue_limit == 0 || read_sysctl() == (long)queue_limit;
	fd = fanotify_init(flags, O_RDONLY | O_LARGEFILE);
	saved = errno;
	if (before > 0)
		write_sysctl(before);
	errno = saved;
	return fd;
}

/* ---- read */

static int add_mark(struct jb_group *g, unsigned sdev, uint64_t mask)
{
	struct jb_group_mark *v =
		reallocarray(g->marks, g->n_marks + 1, sizeof *v);

	if (v == NULL)
		return JB_ENOMEM;
	g->marks = v;
	v[g->n_marks++] = (struct jb_group_mark){
		.dev = makedev(sdev >> MINOR_BITS, sdev & MINOR_MASK),
		.mask = mask};
	return JB_OK;
}

static int read_line(struct jb_group *g, const char *line, bool *is_group)
{
	unsigned sdev, mount_flags;
	uint64_t mask;

	if (sscanf(line, "fanotify flags:%x", &g->flags) == 1)
		*is_group = true;
	else if (sscanf(line, "fanotify sdev:%x mflags:%x mask:%" SCNx64, &sdev,
			&mount_flags, &mask) == 3)
		return add_mark(g, sdev, mask);
	return JB_OK;
}

int jb_group_read(int fd, struct jb_group *ret, struct jb_error *err)
{
	char path[64], *line = NULL;
	bool is_group = false;
	size_t size = 0;
	int rv = JB_OK;
	FILE *f;

	memset(ret, 0, sizeof *ret);
	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (f == NULL)
		return jb_error_errno(err, errno, "%s", path);
	while (rv == JB_OK && getline(&line, &size, f) > 0)
		rv = read_line(ret, line, &is_group);
	free(line);
	fclose(f);
	if (rv == JB_OK && is_group)
		return JB_OK;
	jb_group_fini(ret);
	return rv != JB_OK ? jb_error_set(err, rv, 0, "%s", path)
			   : jb_error_set(err, JB_EINVAL, 0,
					  "%s: no fanotify descriptor", path);
}

bool jb_group_watches(const struct jb_group *g, dev_t dev, uint64_t mask)
{
	for (size_t i = 0; i < g->n_marks; i++)
		if (g->marks[i].dev == dev)
			return (g->marks[i].mask & mask) == mask;
	return false;
}

void jb_group_fini(struct jb_group *g)
{
	free(g->marks);
	memset(g, 0, sizeof *g);
}
