/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/record/own.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void jb_own_add_dir(struct jb_own *o, const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct jb_look look;

	if (fd < 0)
		return;
	if (o->n_ids < JB_OWN_MAX && jb_look_fd(fd, &look, NULL) == JB_OK) {
		o->ids[o->n_ids] = look.id;
		o->devs[o->n_ids++] = look.dev;
	}
	close(fd);
}

int jb_own_add_place(struct jb_own *o, const char *top, const char *name,
		     struct jb_error *err)
{
	size_t len = strlen(top);
	char **paths = reallocarray(o->paths, o->n_paths + 1, sizeof *paths);

	if (paths == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "own directories");
	o->paths = paths;
	while (len > 0 && top[len - 1] == '/')
		len--;
	if (asprintf(&paths[o->n_paths], "%.*s/%s", (int)len, top, name) < 0)
		return jb_error_set(err, JB_ENOMEM, 0, "own directories");
	o->n_paths++;
	return JB_OK;
}

void jb_own_fini(struct jb_own *o)
{
	while (o->n_paths > 0)
		free(o->paths[--o->n_paths]);
	free(o->paths);
	*o = (struct jb_own){.n_ids = 0};
}

bool jb_own_is_dir(const struct jb_own *o, const struct jb_look *found)
{
	for (unsigned i = 0; i < o->n_ids; i++)
		if (jb_id_equal(found->id, o->ids[i]) &&
		    found->dev == o->devs[i])
			return true;
	return false;
}

bool jb_own_has_name(const struct jb_own *o, const char *name, size_t len)
{
	const char *last;

	for (size_t i = 0; i < o->n_paths; i++) {
		last = strrchr(o->paths[i], '/') + 1;
		if (strlen(last) == len && memcmp(last, name, len) == 0)
			return true;
	}
	return false;
}

/* What is left of @path behind "/@part", or NULL; an empty part is none. */
static const char *behind(const char *path, const char *part, size_t len)
{
	if (len == 0)
		return path;
	if (path == NULL || *path != '/' || strncmp(path + 1, part, len) != 0)
		return NULL;
	return path + 1 + len;
}

bool jb_own_is_place(const struct jb_own *o, const char *root, const char *dir,
		     size_t dir_len, const char *name, size_t len)
{
	const char *rest;

	for (size_t i = 0; i < o->n_paths; i++) {
		rest = behind(o->paths[i], root + 1, strlen(root + 1));
		rest = behind(rest, dir, dir_len);
		rest = behind(rest, name, len);
		if (rest != NULL && *rest == '\0')
			return true;
	}
	return false;
}
