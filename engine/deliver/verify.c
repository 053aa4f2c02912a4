/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the subjects share, and the database files themselves. */
#include "engine/deliver/verify.h"

#include "engine/base/grow.h"
#include "engine/deliver/verify_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void jb_verify_tell(struct jb_verify *v, const char *kind, const char *name,
		    const char *path, const char *what)
{
	char where[320];

	snprintf(where, sizeof where, "%s %s", kind, name);
	v->differ++;
	v->tell(v->arg, where, path, what);
}

char *jb_verify_join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", dir, *dir != '\0' ? "/" : "", name) < 0)
		return NULL;
	return path;
}

const char *jb_verify_unseen(char words[JB_VERIFY_WORDS], int errnum)
{
	if (errnum == ENOENT || errnum == ENOTDIR)
		return "is not there";
	snprintf(words, JB_VERIFY_WORDS, "can't be looked at: %s",
		 strerror(errnum));
	return words;
}

/* ---- directories yet to be looked at */

int jb_verify_push(struct jb_verify_dirs *dirs, uint64_t key, const char *path,
		   const char *after, struct jb_error *err)
{
	struct jb_verify_dir *v =
		jb_grow(dirs->v, dirs->n, &dirs->cap, sizeof *v);

	if (v == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "verify");
	dirs->v = v;
	v += dirs->n;
	*v = (struct jb_verify_dir){.key = key,
				    .path = strdup(path),
				    .after = strdup(after)};
	dirs->n++;
	return v->path != NULL && v->after != NULL
		       ? JB_OK
		       : jb_error_set(err, JB_ENOMEM, 0, "verify");
}

bool jb_verify_pop(struct jb_verify_dirs *dirs, struct jb_verify_dir *ret)
{
	if (dirs->n == 0)
		return false;
	*ret = dirs->v[--dirs->n];
	return true;
}

void jb_verify_in_order(struct jb_verify_dirs *dirs, size_t from)
{
	for (size_t i = from, j = dirs->n; i + 1 < j; i++) {
		struct jb_verify_dir swap = dirs->v[i];

		dirs->v[i] = dirs->v[--j];
		dirs->v[j] = swap;
	}
}

void jb_verify_drop(struct jb_verify_dir *dir)
{
	free(dir->path);
	free(dir->after);
}

void jb_verify_dirs_fini(struct jb_verify_dirs *dirs)
{
	while (dirs->n > 0)
		jb_verify_drop(&dirs->v[--dirs->n]);
	free(dirs->v);
	*dirs = (struct jb_verify_dirs){.n = 0};
}

/* ---- databases */

int jb_verify_database(struct jb_verify *v, const char *path,
		       struct jb_error *err)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	const char *word;
	int rc, rv;

	if (access(path, F_OK) != 0)
		return JB_OK;
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st,
					NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		word = (const char *)sqlite3_column_text(st, 0);
		if (word != NULL && strcmp(word, "ok") != 0)
			jb_verify_tell(v, "database", path, "", word);
		rc = SQLITE_OK;
	}
	if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
		jb_verify_tell(v, "database", path, "", "is damaged");
		rc = SQLITE_DONE;
	}
	rv = rc == SQLITE_DONE ? JB_OK
			       : jb_store_error(db, rc, err, "%s", path);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return rv;
}

void jb_verify_fini(struct jb_verify *v)
{
	free(v->rotten.v);
	free(v->worn.v);
	v->rotten = v->worn = (struct jb_verify_rids){.n = 0};
}
