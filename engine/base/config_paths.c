/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config.h"

#include "engine/base/fs_type.h"
#include "engine/base/mount_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

__attribute__((format(printf, 4, 5))) static int
fail_root(const struct jb_config_root *r, int errnum, struct jb_error *err,
	  const char *fmt, ...)
{
	char text[JB_ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return jb_error_set(err, JB_ECONFIG, errnum, "%s:%d: [Root %s] %s: %s",
			    r->where.file, r->where.line, r->name, r->path,
			    text);
}

static int check_root(const struct jb_config_root *r, struct jb_error *err)
{
	const char *type;
	struct statfs fs;
	struct stat st;

	if (stat(r->path, &st) < 0) {
		if (errno == ENOENT)
			return fail_root(r, errno, err,
					 "there is no such directory; create "
					 "or mount it, or change Path=");
		if (errno == ENOTDIR)
			return fail_root(r, errno, err,
					 "a part of the path is no directory; "
					 "change Path=");
		return fail_root(r, errno, err, "%s; check its permissions",
				 strerrordesc_np(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return fail_root(r, ENOTDIR, err,
				 "is not a directory; name the directory that "
				 "holds it");
	if (faccessat(AT_FDCWD, r->path, R_OK | X_OK, AT_EACCESS) < 0)
		return fail_root(r, errno, err,
				 "can't be read by user %d; run as root, or "
				 "give that user access",
				 (int)geteuid());
	type = statfs(r->path, &fs) == 0
		       ? jb_fs_type_renumbers((unsigned long)fs.f_type)
		       : NULL;
	if (type != NULL)
		return fail_root(r, 0, err,
				 "%s gives files new inode numbers from time "
				 "to time, so nobody can tell what changed; "
				 "use ext4, xfs or btrfs",
				 type);
	return JB_OK;
}

static int check_pair(const struct jb_config_root *a,
		      const struct jb_mount_place *place_a,
		      const struct jb_config_root *b,
		      const struct jb_mount_place *place_b,
		      struct jb_error *err)
{
	if (jb_mount_place_is_same(place_a, place_b))
		return fail_root(b, 0, err,
				 "is the same directory as [Root %s] %s; "
				 "remove one of them",
				 a->name, a->path);
	if (jb_mount_place_is_below(place_b, place_a))
		return fail_root(b, 0, err,
				 "lies inside [Root %s] %s; remove one of "
				 "them",
				 a->name, a->path);
	if (jb_mount_place_is_below(place_a, place_b))
		return fail_root(a, 0, err,
				 "lies inside [Root %s] %s; remove one of "
				 "them",
				 b->name, b->path);
	return JB_OK;
}

/* What is mounted below a root is not of that root, and may be one itself. */
static int check_roots(const struct jb_config *c, enum jb_config_absent absent,
		       struct jb_error *err)
{
	struct jb_mount_place *places = calloc(c->n_roots + 1, sizeof *places);
	int rv = JB_OK;

	if (places == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "configuration");
	for (size_t i = 0; rv == JB_OK && i < c->n_roots; i++) {
		if (absent == JB_CONFIG_ABSENT_MAY_COME &&
		    access(c->roots[i].path, F_OK) != 0 && errno == ENOENT)
			continue;
		rv = check_root(&c->roots[i], err);
		if (rv == JB_OK)
			rv = jb_mount_place_find(c->roots[i].path, &places[i],
						 err);
		for (size_t j = 0; rv == JB_OK && j < i; j++)
			if (places[j].path != NULL)
				rv = check_pair(&c->roots[j], &places[j],
						&c->roots[i], &places[i], err);
	}
	for (size_t i = 0; i < c->n_roots; i++)
		jb_mount_place_fini(&places[i]);
	free(places);
	return rv;
}

/* The nearest directory above @path that exists, in place. */
static void cut_to_existing(char *path)
{
	struct stat st;
	char *slash;

	while (stat(path, &st) < 0 && errno == ENOENT) {
		slash = strrchr(path, '/');
		if (slash == NULL || slash[1] == '\0')
			return;
		slash[slash == path] = '\0';
	}
}

/* A directory that we write to: it is there, or can be made. */
static int check_own_dir(const char *key, const char *dir,
			 const struct jb_config *c, struct jb_error *err)
{
	char *path = strdup(dir);
	struct stat st;
	int rv = JB_OK;

	if (path == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "%s", dir);
	cut_to_existing(path);
	if (stat(path, &st) < 0)
		rv = jb_error_set(err, JB_ECONFIG, errno, "%s: %s=%s: %s",
				  c->file, key, dir, strerrordesc_np(errno));
	else if (!S_ISDIR(st.st_mode))
		rv = jb_error_set(err, JB_ECONFIG, ENOTDIR,
				  "%s: %s=%s: %s is not a directory; name "
				  "another place",
				  c->file, key, dir, path);
	else if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0)
		rv = jb_error_set(err, JB_ECONFIG, errno,
				  "%s: %s=%s: user %d can't write to %s; run "
				  "as root, or name another place",
				  c->file, key, dir, (int)geteuid(), path);
	free(path);
	return rv;
}

int jb_config_check_paths(const struct jb_config *config,
			  enum jb_config_absent absent, struct jb_error *err)
{
	int rv = check_roots(config, absent, err);

	if (rv == JB_OK)
		rv = check_own_dir("StateDirectory", config->state_dir, config,
				   err);
	if (rv == JB_OK)
		rv = check_own_dir("RuntimeDirectory", config->runtime_dir,
				   config, err);
	return rv;
}
