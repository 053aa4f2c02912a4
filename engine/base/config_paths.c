/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/config.h"

#include "engine/base/config_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static int check_root(const struct jb_config_root *r, struct stat *st,
		      char **ret_real, struct jb_error *err)
{
	if (stat(r->path, st) < 0) {
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
	if (!S_ISDIR(st->st_mode))
		return fail_root(r, ENOTDIR, err,
				 "is not a directory; name the directory that "
				 "holds it");
	if (faccessat(AT_FDCWD, r->path, R_OK | X_OK, AT_EACCESS) < 0)
		return fail_root(r, errno, err,
				 "can't be read by user %d; run as root, or "
				 "give that user access",
				 (int)geteuid());
	*ret_real = realpath(r->path, NULL);
	if (*ret_real == NULL)
		return fail_root(r, errno, err, "%s; check the path",
				 strerrordesc_np(errno));
	return JB_OK;
}

/* Is @dir, or a directory above it, the one of @st? Follows the tree upwards,
 * so bind mounts of a directory are seen too. */
static bool is_inside(const char *dir, const struct stat *st)
{
	char *path = strdup(dir), *slash;
	struct stat above;
	bool found = false;

	while (path != NULL && !found) {
		found = stat(path, &above) == 0 && above.st_dev == st->st_dev &&
			above.st_ino == st->st_ino;
		slash = strrchr(path, '/');
		if (slash == NULL || slash[1] == '\0')
			break;
		slash[slash == path] = '\0';
	}
	free(path);
	return found;
}

static int check_pair(const struct jb_config_root *a, const struct stat *st_a,
		      const char *real_a, const struct jb_config_root *b,
		      const struct stat *st_b, const char *real_b,
		      struct jb_error *err)
{
	if (st_a->st_dev == st_b->st_dev && st_a->st_ino == st_b->st_ino)
		return fail_root(b, 0, err,
				 "is the same directory as [Root %s] %s; "
				 "remove one of them",
				 a->name, a->path);
	if (is_inside(real_b, st_a))
		return fail_root(b, 0, err,
				 "is really %s, inside [Root %s] %s; remove "
				 "one of them",
				 real_b, a->name, a->path);
	if (is_inside(real_a, st_b))
		return fail_root(b, 0, err,
				 "holds [Root %s] %s, which is really %s; "
				 "remove one of them",
				 a->name, a->path, real_a);
	return JB_OK;
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

int jb_config_check_paths(const struct jb_config *config, struct jb_error *err)
{
	size_t n = config->n_roots;
	struct stat *st = calloc(n + 1, sizeof *st);
	char **real = calloc(n + 1, sizeof *real);
	int rv = JB_OK;

	if (st == NULL || real == NULL)
		rv = jb_error_set(err, JB_ENOMEM, 0, "configuration");
	for (size_t i = 0; rv == JB_OK && i < n; i++) {
		rv = check_root(&config->roots[i], &st[i], &real[i], err);
		for (size_t j = 0; rv == JB_OK && j < i; j++)
			rv = check_pair(&config->roots[j], &st[j], real[j],
					&config->roots[i], &st[i], real[i],
					err);
	}
	if (rv == JB_OK)
		rv = check_own_dir("StateDirectory", config->state_dir, config,
				   err);
	if (rv == JB_OK)
		rv = check_own_dir("RuntimeDirectory", config->runtime_dir,
				   config, err);
	for (size_t i = 0; real != NULL && i < n; i++)
		free(real[i]);
	free(real);
	free(st);
	return rv;
}
