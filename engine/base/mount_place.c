/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/mount_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* One line of /proc/self/mountinfo. */
struct mount {
	unsigned long long id;
	unsigned int major, minor;
	char *root;	     /* borrowed; the directory of the file system */
	char *point;	     /* borrowed; where it is mounted */
	char *type, *source; /* borrowed */
};

/* mountinfo writes blanks and the like as "\040". In place. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s != '\0'; s++) {
		if (*s == '\\' && strspn(s + 1, "01234567") >= 3) {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
					s[3] - '0');
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool read_mount(char *line, struct mount *m)
{
	char *rest, *field;

	if (sscanf(line, "%llu %*u %u:%u", &m->id, &m->major, &m->minor) != 3)
		return false;
	strtok_r(line, " ", &rest);
	strtok_r(NULL, " ", &rest);
	strtok_r(NULL, " ", &rest);
	m->root = strtok_r(NULL, " ", &rest);
	m->point = strtok_r(NULL, " ", &rest);
	/* Options, then optional fields, and a dash ends them. */
	for (field = strtok_r(NULL, " ", &rest);
	     field != NULL && strcmp(field, "-") != 0;
	     field = strtok_r(NULL, " ", &rest))
		;
	m->type = strtok_r(NULL, " ", &rest);
	m->source = strtok_r(NULL, " ", &rest);
	if (m->root == NULL || m->point == NULL || m->source == NULL)
		return false;
	unescape(m->root);
	unescape(m->point);
	unescape(m->source);
	return true;
}

/* @real is below m->point: its path from the top of the file system. */
static char *path_in_mount(const struct mount *m, const char *real)
{
	size_t skip = strcmp(m->point, "/") == 0 ? 0 : strlen(m->point);
	const char *root = strcmp(m->root, "/") == 0 ? "" : m->root;
	char *path;

	if (strncmp(real, m->point, skip) != 0 ||
	    asprintf(&path, "%s%s", root, real + skip) < 0)
		return NULL;
	return path;
}

/* The mount @id of @real, into @place. */
static int look_up(unsigned long long id, const char *real,
		   struct jb_mount_place *place, struct jb_error *err)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	struct mount m;
	char *line = NULL;
	size_t size = 0;

	if (in == NULL)
		return jb_error_errno(err, errno, "/proc/self/mountinfo");
	while (place->path == NULL && getline(&line, &size, in) > 0) {
		if (!read_mount(line, &m) || m.id != id)
			continue;
		place->major = m.major;
		place->minor = m.minor;
		place->type = strdup(m.type);
		place->source = strdup(m.source);
		if (place->type != NULL && place->source != NULL)
			place->path = path_in_mount(&m, real);
		break;
	}
	free(line);
	fclose(in);
	if (place->path == NULL)
		return jb_error_set(err, JB_ENOENT, 0,
				    "%s: its mount is not in "
				    "/proc/self/mountinfo",
				    real);
	return JB_OK;
}

int jb_mount_place_find(const char *dir, struct jb_mount_place *ret,
			struct jb_error *err)
{
	struct jb_mount_place place = {0};
	char *real = realpath(dir, NULL);
	struct statx stx;
	int rv;

	if (real == NULL || statx(AT_FDCWD, real, 0,
				  STATX_BASIC_STATS | STATX_MNT_ID, &stx) < 0) {
		rv = jb_error_errno(err, errno, "%s", dir);
		free(real);
		return rv;
	}
	place.device = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	place.inode = stx.stx_ino;
	rv = look_up(stx.stx_mnt_id, real, &place, err);
	free(real);
	if (rv == JB_OK)
		*ret = place;
	else
		jb_mount_place_fini(&place);
	return rv;
}

int jb_mount_point_of(dev_t device, char **ret, struct jb_error *err)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, *point = NULL;
	struct mount m;
	size_t size = 0;

	if (in == NULL)
		return jb_error_errno(err, errno, "/proc/self/mountinfo");
	while (point == NULL && getline(&line, &size, in) > 0)
		if (read_mount(line, &m) && makedev(m.major, m.minor) == device)
			point = strdup(m.point);
	free(line);
	fclose(in);
	if (point == NULL)
		return jb_error_set(err, JB_ENOENT, 0,
				    "device %u:%u is mounted nowhere",
				    major(device), minor(device));
	*ret = point;
	return JB_OK;
}

bool jb_mount_place_is_same(const struct jb_mount_place *a,
			    const struct jb_mount_place *b)
{
	return a->device == b->device && a->inode == b->inode;
}

bool jb_mount_place_is_below(const struct jb_mount_place *a,
			     const struct jb_mount_place *b)
{
	size_t len = strcmp(b->path, "/") == 0 ? 0 : strlen(b->path);

	return a->device == b->device && a->major == b->major &&
	       a->minor == b->minor && strncmp(a->path, b->path, len) == 0 &&
	       a->path[len] == '/' && a->path[len + 1] != '\0';
}

void jb_mount_place_fini(struct jb_mount_place *p)
{
	free(p->path);
	free(p->type);
	free(p->source);
	p->path = p->type = p->source = NULL;
}
