/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_round.h"

#include "lib/t_ops.h"
#include "lib/t_replay.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* Listing @name of all roots: of the file systems, or of the catalog. */
static void list_roots(struct t_round *r, const char *name, bool live)
{
	struct t_daemon *d = &r->w->daemon;
	unsigned i;

	for (i = 0; i < d->n_roots; i++) {
		const char *to = i == 0 ? name : "part";

		if (live)
			t_judge_walk(&r->judge, to, d->root_path[i]);
		else
			t_judge_catalog(&r->judge, to, d->root_name[i]);
		if (i > 0)
			t_judge_add(&r->judge, name, "part");
	}
}

static void copy_listing(struct t_judge *j, const char *to, const char *from)
{
	t_judge_exec(j, "DROP TABLE IF EXISTS %s", to);
	t_judge_exec(j,
		     "CREATE TABLE %s AS SELECT * FROM %s;"
		     "CREATE INDEX %s_place ON %s(dino, dbirth, name);"
		     "CREATE INDEX %s_id ON %s(ino, birth)",
		     to, from, to, to, to, to);
}

void t_round_init(struct t_round *r, struct t_world *w)
{
	memset(r, 0, sizeof *r);
	r->w = w;
	t_judge_init(&r->judge, w->daemon.state);
	list_roots(r, "live", true);
	list_roots(r, "catalog", false);
	t_judge_compare(&r->judge, "live", "catalog");
	copy_listing(&r->judge, "origin", "live");
	copy_listing(&r->judge, "first", "live");
	r->start = r->after = t_judge_seq(&r->judge);
}

void t_round_judge(struct t_round *r, struct t_ops *ops)
{
	struct t_judge *j = &r->judge;
	int64_t after = r->after;

	if (ops != NULL)
		t_ops_tell(ops, j);
	list_roots(r, "live", true);
	list_roots(r, "catalog", false);
	r->after = t_judge_seq(j);
	t_judge_compare(j, "live", "catalog");
	t_judge_catalog_is_sound(j);
	t_replay(j, "first", after, "live");
	t_replay_check_counts(j, "origin", r->start, "live");
	t_replay_check_content(j, after, "live");
	copy_listing(j, "first", "live");
	t_judge_exec(j, "CREATE TEMP TABLE IF NOT EXISTS round(after);"
			"DELETE FROM round");
	t_judge_exec(j, "INSERT INTO round VALUES(%lld)", (long long)after);
}

void t_round_check(struct t_round *r, struct t_ops *ops)
{
	t_daemon_flush(&r->w->daemon);
	t_round_judge(r, ops);
}

int64_t t_round_count(struct t_round *r, const char *where, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, where);
	vsnprintf(text, sizeof text, where, ap);
	va_end(ap);
	return t_judge_count(&r->judge,
			     "seq > (SELECT after FROM round) AND (%s)", text);
}

void t_round_fini(struct t_round *r)
{
	t_judge_fini(&r->judge);
}

void t_round_open(struct t_round *r, struct t_world *w, const char *path)
{
	t_daemon_root(&w->daemon, "r", path, w->backend);
	t_daemon_begin(&w->daemon);
	t_round_init(r, w);
}
