/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/damage.h"

#include "journal/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE (1u << 20)

/* Does the disk give all of it? */
static int read_whole(const char *path, struct jb_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = errno;
	ssize_t n = 1;
	void *piece;

	if (fd < 0)
		return error == ENOENT ? JB_OK
				       : jb_error_errno(err, error, "%s", path);
	piece = malloc(PIECE);
	if (piece == NULL) {
		close(fd);
		return jb_error_set(err, JB_ENOMEM, 0, "%s", path);
	}
	while (n > 0)
		n = read(fd, piece, PIECE);
	error = errno;
	free(piece);
	close(fd);
	return n < 0 ? jb_error_errno(err, error, "%s", path) : JB_OK;
}

static int check_inside(sqlite3 *db, const char *path, struct jb_error *err)
{
	sqlite3_stmt *st = NULL;
	const char *words = NULL;
	int rv = JB_OK, rc;

	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		words = (const char *)sqlite3_column_text(st, 0);
	else
		rv = jb_store_error(db, rc, err, "%s", path);
	if (words != NULL && strcmp(words, "ok") != 0)
		rv = jb_error_set(err, JB_ECORRUPT, 0, "%s: %.100s", path,
				  words);
	sqlite3_finalize(st);
	return rv;
}

/* JB_OK: it is sound; JB_ECORRUPT: it is not; else who knows. */
static int check(const char *path, struct jb_error *err)
{
	char wal[4096 + 8];
	sqlite3 *db = NULL;
	int rv = read_whole(path, err), rc;

	snprintf(wal, sizeof wal, "%s-wal", path);
	if (rv == JB_OK)
		rv = read_whole(wal, err);
	if (rv != JB_OK)
		return rv;
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	rv = rc == SQLITE_OK ? check_inside(db, path, err)
			     : jb_store_error(db, rc, err, "%s", path);
	sqlite3_close(db);
	return rv;
}

/* What we have found ourselves bears no code of SQLite: it is so. */
static int confirm(const char *path, const struct jb_error *why,
		   struct jb_error *err)
{
	struct jb_error found;
	int rv = why->foreign != 0 ? check(path, &found) : JB_ECORRUPT;

	if (rv == JB_ECORRUPT)
		return JB_OK;
	if (rv == JB_OK)
		return jb_error_set(err, JB_EIO, 0,
				    "%s; read again, it is sound, so its disk "
				    "is at fault",
				    why->text);
	return jb_error_set(err, JB_EIO, found.foreign,
			    "%s; see to its disk, nothing was set aside",
			    found.text);
}

int jb_damage_set_aside(const char *dir, const char *file,
			const struct jb_error *why, char *name, size_t size,
			struct jb_error *err)
{
	static const char *const suffixes[] = {"-wal", "-shm", ""};
	char from[4096], to[4096], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	int rv;

	snprintf(from, sizeof from, "%s/%s", dir, file);
	rv = confirm(from, why, err);
	if (rv != JB_OK)
		return rv;
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, size, "%s.damaged-%s", file, stamp);
	for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
		snprintf(from, sizeof from, "%s/%s%s", dir, file, suffixes[i]);
		snprintf(to, sizeof to, "%s/%s%s", dir, name, suffixes[i]);
		if (access(from, F_OK) == 0 && rename(from, to) != 0)
			return jb_error_errno(err, errno, "%s: set aside",
					      from);
	}
	return JB_OK;
}
