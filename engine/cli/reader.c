/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int jb_reader_explain(const char *path, struct jb_error *err)
{
	switch (err->code) {
	case JB_EACCES:
		return jb_error_set(err, JB_EACCES, err->foreign,
				    "%s: permission denied: run as root, or "
				    "as the user of the daemon",
				    path);
	case JB_ECORRUPT:
		if (err->foreign == 0) /* not ours at all */
			return err->code;
		return jb_error_set(err, JB_ECORRUPT, err->foreign,
				    "%s: damaged: restart the daemon, it sets "
				    "the file aside and begins anew with a "
				    "scan",
				    path);
	case JB_EBUSY:
		return jb_error_set(err, JB_EBUSY, err->foreign,
				    "%s: locked by another process: try again",
				    path);
	default:
		return err->code;
	}
}

/* SQLite tells "not there" from "not allowed" badly: ask the system. */
static int check_file(const char *dir, const char *path, struct stat *st,
		      struct jb_error *err)
{
	if (stat(path, st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			goto denied;
		if (access(dir, F_OK) != 0)
			return jb_error_set(err, JB_ENOENT, errno,
					    "%s: no such directory: the daemon "
					    "has never run with this "
					    "configuration",
					    dir);
		return jb_error_set(err, JB_ENOENT, ENOENT,
				    "%s: no journal yet: start the daemon",
				    path);
	}
	if (!S_ISREG(st->st_mode))
		return jb_error_set(err, JB_ECORRUPT, 0, "%s: not a file",
				    path);
	if (access(path, R_OK) == 0)
		return JB_OK;
denied:
	jb_error_errno(err, errno, "%s", path);
	return jb_reader_explain(path, err);
}

int jb_reader_check(const char *state_dir, struct jb_error *err)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof path, "%s/journal.db", state_dir);
	return check_file(state_dir, path, &st, err);
}

int jb_reader_open(struct jb_reader *r, const char *state_dir,
		   struct jb_error *err)
{
	char path[PATH_MAX];
	struct stat st;
	int rv;

	*r = (struct jb_reader){0};
	snprintf(path, sizeof path, "%s/journal.db", state_dir);
	rv = check_file(state_dir, path, &st, err);
	if (rv != JB_OK)
		return rv;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	rv = jb_store_open(state_dir, JB_STORE_READ, &r->store, err);
	return rv == JB_OK ? rv : jb_reader_explain(path, err);
}

bool jb_reader_is_stale(const struct jb_reader *r)
{
	struct stat st;

	if (stat(r->store->path, &st) != 0)
		return errno == ENOENT;
	return st.st_dev != r->dev || st.st_ino != r->ino;
}

void jb_reader_close(struct jb_reader *r)
{
	jb_store_close(r->store);
	*r = (struct jb_reader){0};
}
