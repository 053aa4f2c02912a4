/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/mounts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOUNT_POINT_FIELD 5 /* proc(5): ID parent dev root mountpoint ... */

/* "\\040" and the like stand for bytes that would break the line. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; to++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' &&
		    text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
		    text[3] <= '7') {
			*to = (char)((text[1] - '0') << 6 |
				     (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

static char *mount_point(char *line)
{
	char *save = NULL, *field = NULL;

	for (int i = 0; i < MOUNT_POINT_FIELD; i++)
		field = strtok_r(i == 0 ? line : NULL, " \n", &save);
	if (field != NULL)
		unescape(field);
	return field;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int append(struct jb_mounts *m, const char *path)
{
	char **v = reallocarray(m->paths, m->n + 1, sizeof *v);

	if (v == NULL)
		return JB_ENOMEM;
	m->paths = v;
	v[m->n] = strdup(path);
	if (v[m->n] == NULL)
		return JB_ENOMEM;
	m->n++;
	return JB_OK;
}

static int read_all(const char *file, struct jb_mounts *ret,
		    struct jb_error *err)
{
	FILE *f = fopen(file, "re");
	char *line = NULL, *path;
	size_t size = 0;
	int rv = JB_OK;

	if (f == NULL)
		return jb_error_errno(err, errno, "%s", file);
	while (rv == JB_OK && getline(&line, &size, f) > 0) {
		path = mount_point(line);
		if (path != NULL && append(ret, path) != JB_OK)
			rv = jb_error_set(err, JB_ENOMEM, 0, "%s", file);
	}
	free(line);
	fclose(f);
	if (ret->n > 1)
		qsort(ret->paths, ret->n, sizeof *ret->paths, by_path);
	return rv;
}

int jb_mounts_update(struct jb_mounts *m, const char *file, jb_mounts_fn *fn,
		     void *arg, struct jb_error *err)
{
	struct jb_mounts now = {0};
	size_t i = 0, k = 0;
	int cmp, rv = read_all(file, &now, err);

	if (rv != JB_OK) {
		jb_mounts_fini(&now);
		return rv;
	}
	while (i < m->n || k < now.n) {
		cmp = i == m->n	   ? 1
		      : k == now.n ? -1
				   : strcmp(m->paths[i], now.paths[k]);
		if (cmp != 0)
			fn(arg, cmp < 0 ? m->paths[i] : now.paths[k]);
		i += cmp <= 0;
		k += cmp >= 0;
	}
	jb_mounts_fini(m);
	*m = now;
	return JB_OK;
}

void jb_mounts_fini(struct jb_mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->paths[i]);
	free(m->paths);
	memset(m, 0, sizeof *m);
}
