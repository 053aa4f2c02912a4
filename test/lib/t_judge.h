/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lib/t_judge.h - says whether the journal is right, from outside.
 *
 * A database in memory holds listings: of the live tree by a walk of its own,
 * of the catalog by reading journal.db, of a replay of the journal's rows. Two
 * listings are equal when they hold the same names, in the same directories,
 * of the same objects, with the same facts.
 *
 * Lifecycle: init (the journal exists) -> walk/catalog/replay/... -> fini. It
 * knows the schema and nothing else of the program. */
#ifndef JB_LIB_T_JUDGE_H
#define JB_LIB_T_JUDGE_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* What an object is called in every listing. Times in ns. */
struct t_id {
	uint64_t ino;
	int64_t birth; /* or -1 - generation, where there is none */
};

/* Look at a name, or "" for @fd itself; symlinks are not followed. */
bool t_identify(int fd, const char *name, struct t_id *id, struct statx *x);

struct t_judge {
	sqlite3 *db; /* owned */
	char state[128];
};

void t_judge_init(struct t_judge *j, const char *state_dir);
void t_judge_fini(struct t_judge *j);

/* The journal is read afresh; for after one was set aside. let_go() keeps no
 * file of it open until then. */
void t_judge_let_go(struct t_judge *j);
void t_judge_reopen(struct t_judge *j);

/* Make (or make again) the listing @name. A walk stops where another file
 * system begins. A catalog's holds what is reachable from its root. */
void t_judge_walk(struct t_judge *j, const char *name, const char *path);
void t_judge_catalog(struct t_judge *j, const char *name, const char *root);
/* Fail with the differences unless the two are equal. */
void t_judge_compare(struct t_judge *j, const char *name, const char *other);
/* Fail unless the catalog of @root is what is at @path. Makes the listings
 * "live" and "catalog". */
void t_judge_tree(struct t_judge *j, const char *path, const char *root);

/* No detached row, none that is not reachable, each directory in `dir`. */
void t_judge_catalog_is_sound(struct t_judge *j);

/* Greatest seq, and how many rows `WHERE ...` (over change, place p, old
 * place q, with the columns path and old_path) there are. */
int64_t t_judge_seq(struct t_judge *j);
__attribute__((format(printf, 2, 3))) int64_t
t_judge_count(struct t_judge *j, const char *where, ...);
/* One number of any query. "j." is the journal. */
__attribute__((format(printf, 2, 3))) int64_t
t_judge_number(struct t_judge *j, const char *sql, ...);
/* Say each row of change beyond @seq: for the eye. */
void t_judge_show(struct t_judge *j, int64_t seq);

__attribute__((format(printf, 2, 3))) void t_judge_exec(struct t_judge *j,
							const char *sql, ...);
__attribute__((format(printf, 2, 3))) sqlite3_stmt *
t_judge_prepare(struct t_judge *j, const char *sql, ...);

/* The path of (directory, name) in a listing; the caller frees it. */
char *t_judge_path(struct t_judge *j, const char *listing, struct t_id dir,
		   const void *name, int len);

#endif
