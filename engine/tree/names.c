/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/tree/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE (32u << 10)

static int append(struct jb_names *l, const char *name)
{
	size_t len = strlen(name) + 1;

	if (l->size + len > l->cap) {
		size_t cap = l->cap != 0 ? l->cap * 2 : 4096;
		char *bytes = realloc(l->bytes, cap);

		if (bytes == NULL)
			return JB_ENOMEM;
		l->bytes = bytes;
		l->cap = cap;
	}
	if (l->n == l->cap_at) {
		size_t cap = l->cap_at != 0 ? l->cap_at * 2 : 256;
		uint32_t *at = reallocarray(l->at, cap, sizeof *at);

		if (at == NULL)
			return JB_ENOMEM;
		l->at = at;
		l->cap_at = cap;
	}
	l->at[l->n++] = (uint32_t)l->size;
	memcpy(l->bytes + l->size, name, len);
	l->size += len;
	return JB_OK;
}

static int by_name(const void *a, const void *b, void *bytes)
{
	return strcmp((char *)bytes + *(const uint32_t *)a,
		      (char *)bytes + *(const uint32_t *)b);
}

int jb_names_read(int fd, struct jb_names *ret, struct jb_error *err)
{
	_Alignas(struct dirent64) char buffer[READ_SIZE];
	const struct dirent64 *d;
	ssize_t len;

	while ((len = getdents64(fd, buffer, sizeof buffer)) > 0)
		for (ssize_t i = 0; i < len; i += d->d_reclen) {
			d = (const void *)(buffer + i);
			if (strcmp(d->d_name, ".") == 0 ||
			    strcmp(d->d_name, "..") == 0)
				continue;
			if (append(ret, d->d_name) != JB_OK)
				return jb_error_set(err, JB_ENOMEM, 0,
						    "names of a directory");
		}
	if (len < 0 && errno != ENOENT)
		return jb_error_errno(err, errno, "read directory");
	if (ret->n > 1)
		qsort_r(ret->at, ret->n, sizeof *ret->at, by_name, ret->bytes);
	return JB_OK;
}

void jb_names_reset(struct jb_names *names)
{
	names->size = names->n = 0;
}

void jb_names_fini(struct jb_names *names)
{
	free(names->bytes);
	free(names->at);
	memset(names, 0, sizeof *names);
}
