/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_accuracy.h"

#include <stdlib.h>

#define OF_SPAN                                                                \
	" FROM c WHERE seq > %lld AND root ="                                  \
	" (SELECT id FROM j.root WHERE name = '%s')"

#define FACTS "dino, dbirth, name, ino, birth, mode, size, mtime"

/* Directories' sizes and times are nobody's change. */
static const char SQL_LISTING[] =
	"DROP TABLE IF EXISTS %s; CREATE TABLE %s AS SELECT dino, dbirth, name,"
	" ino, birth, mode, CASE WHEN (mode & 61440) = 32768 THEN size END AS"
	" size, CASE WHEN (mode & 61440) = 32768 THEN mtime END AS mtime"
	" FROM \"%s\" WHERE NOT mount; CREATE INDEX %s_at ON %s(dino, dbirth,"
	" name); CREATE INDEX %s_id ON %s(ino, birth)";

static const char SQL_TOUCHED[] =
	"DROP TABLE IF EXISTS touched; CREATE TABLE touched AS"
	" SELECT dino, dbirth, name" OF_SPAN " AND name <> x'2e'"
	" UNION SELECT old_dino, old_dbirth, old_name" OF_SPAN " AND kind = 4"
	" UNION SELECT dino, dbirth, name FROM (SELECT " FACTS
	" FROM before EXCEPT SELECT " FACTS " FROM after)"
	" UNION SELECT dino, dbirth, name FROM (SELECT " FACTS
	" FROM after EXCEPT SELECT " FACTS " FROM before)";

/* What the last row of each object says, else what it was. */
static const char SQL_TOLD[] =
	"DROP TABLE IF EXISTS told; CREATE TABLE told AS"
	" SELECT ino, birth, size, mtime, max(seq) AS seq" OF_SPAN
	" GROUP BY ino, birth;"
	"INSERT INTO told SELECT ino, birth, size, mtime, 0 FROM before b"
	" WHERE NOT EXISTS (SELECT 1 FROM told t WHERE t.ino = b.ino"
	" AND t.birth = b.birth) GROUP BY ino, birth;"
	"CREATE INDEX told_id ON told(ino, birth)";

#define AT(table)                                                              \
	" FROM " table " WHERE dino = t.dino AND dbirth = t.dbirth"            \
	" AND name = t.name"

static const char SQL_RIGHT[] =
	"SELECT count(*) FROM touched t WHERE NOT EXISTS"
	" (SELECT ino, birth" AT("played") " EXCEPT SELECT ino, birth" AT(
		"afte"
		"r") ") AND NOT EXISTS (SELECT ino, birth" AT("after") " EXCEPT"
								       " SELECT"
								       " ino, "
								       "birt"
								       "h" AT("played") ") AND NOT "
											"EXISTS"
											" (SELECT 1 "
											"FROM after "
											"a JOIN told "
											"o ON o.ino "
											"= a.ino"
											" AND "
											"o.birth = "
											"a.birth "
											"WHERE "
											"a.dino = "
											"t.dino AND "
											"a.dbirth = "
											"t.dbirth"
											" AND a.name "
											"= t.name "
											"AND "
											"(a.size, "
											"a.mtime) <> "
											"(o.size, "
											"o.mtime))";

static void copy_listing(struct t_judge *j, const char *to, const char *from)
{
	t_judge_exec(j, SQL_LISTING, to, to, from, to, to, to, to);
}

void t_accuracy_add(struct t_judge *j, const struct t_span *span,
		    struct t_accuracy *a)
{
	long long after = (long long)span->after;
	char *text = NULL;

	t_replay_play(j, span, &text);
	free(text);
	copy_listing(j, "before", span->first);
	copy_listing(j, "after", span->last);
	t_judge_exec(j, SQL_TOUCHED, after, span->root, after, span->root);
	t_judge_exec(j, SQL_TOLD, after, span->root);
	t_judge_exec(j, "CREATE INDEX IF NOT EXISTS played_at"
			" ON played(dino, dbirth, name)");
	a->names += (uint64_t)t_judge_number(j, "SELECT count(*) FROM touched");
	a->right += (uint64_t)t_judge_number(j, "%s", SQL_RIGHT);
}
