/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal/migrate.h"

#include "journal/store.h"

#include <stdio.h>

static int read_pragma(sqlite3 *db, const char *sql, int *ret)
{
	sqlite3_stmt *st;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* In one transaction: the file may just be coming to be. */
static int read_pragmas(sqlite3 *db, int *version, int *app, int *tables)
{
	int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = read_pragma(db, "PRAGMA user_version", version);
	if (rc == SQLITE_OK)
		rc = read_pragma(db, "PRAGMA application_id", app);
	if (rc == SQLITE_OK)
		rc = read_pragma(db, "SELECT count(*) FROM sqlite_schema",
				 tables);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* Whose file is it, and how old? */
static int read_version(sqlite3 *db, const struct jb_schema *schema,
			const char *path, int *version, struct jb_error *err)
{
	int app = 0, tables = 0, rc;

	rc = read_pragmas(db, version, &app, &tables);
	if (rc != SQLITE_OK)
		return jb_store_error(db, rc, err, "%s", path);
	if (app != schema->application_id && (app != 0 || tables != 0))
		return jb_error_set(err, JB_ECORRUPT, 0,
				    "%s: not %s of this program", path,
				    schema->what);
	if (*version > schema->version)
		return jb_error_set(err, JB_ENEWER, 0,
				    "%s: has schema %d, this version knows up "
				    "to %d: upgrade the program",
				    path, *version, schema->version);
	return JB_OK;
}

/* All steps in one transaction: a reader never finds a version between. */
static int run_steps(sqlite3 *db, const struct jb_schema *schema, int from,
		     const char *path, struct jb_error *err)
{
	char mark[96];
	int rc, rv;

	snprintf(mark, sizeof mark,
		 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		 schema->application_id, schema->version);
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	for (int i = from; rc == SQLITE_OK && i < schema->version; i++)
		rc = sqlite3_exec(db, schema->steps[i], NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, mark, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return JB_OK;
	rv = jb_store_error(db, rc, err, "%s: migration from schema %d to %d",
			    path, from, schema->version);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rv;
}

int jb_migrate(sqlite3 *db, const struct jb_schema *schema, const char *path,
	       struct jb_error *err)
{
	int version = 0, rv;

	rv = read_version(db, schema, path, &version, err);
	if (rv == JB_OK && version < schema->version)
		rv = run_steps(db, schema, version, path, err);
	return rv;
}

int jb_migrate_check(sqlite3 *db, const struct jb_schema *schema,
		     const char *path, struct jb_error *err)
{
	int version = 0, rv;

	rv = read_version(db, schema, path, &version, err);
	if (rv == JB_OK && version == 0)
		return jb_error_set(err, JB_ENOENT, 0, "%s: not %s yet: empty",
				    path, schema->what);
	if (rv == JB_OK && version < schema->version)
		return jb_error_set(err, JB_ENEWER, 0,
				    "%s: has the older schema %d: start the "
				    "daemon once to migrate it",
				    path, version);
	return rv;
}
