/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_round.h"

#include "lib/t_ops.h"
#include "lib/t_replay.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

/* Listings of root i: live_i, catalog_i, first_i (of the last check) and
 * origin_i (of the beginning). */
struct names {
	char live[16], catalog[16], first[16], origin[16];
};

static struct names names_of(unsigned i)
{
	struct names n;

	snprintf(n.live, sizeof n.live, "live_%u", i);
	snprintf(n.catalog, sizeof n.catalog, "catalog_%u", i);
	snprintf(n.first, sizeof n.first, "first_%u", i);
	snprintf(n.origin, sizeof n.origin, "origin_%u", i);
	return n;
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

static void compare_root(struct t_round *r, unsigned i)
{
	struct t_daemon *d = &r->w->daemon;
	struct names n = names_of(i);

	t_judge_walk(&r->judge, n.live, d->root_path[i]);
	t_judge_catalog(&r->judge, n.catalog, d->root_name[i]);
	t_judge_compare(&r->judge, n.live, n.catalog);
	/* Who has several names now is exempt from now on. */
	t_judge_exec(&r->judge,
		     "INSERT OR IGNORE INTO exempt SELECT ino, birth FROM %s"
		     " WHERE nlink > 1 AND (mode & 61440) <> 16384",
		     n.live);
}

void t_round_init(struct t_round *r, struct t_world *w)
{
	unsigned i;

	memset(r, 0, sizeof *r);
	r->w = w;
	t_judge_init(&r->judge, w->daemon.state);
	for (i = 0; i < w->daemon.n_roots; i++)
		compare_root(r, i);
	t_round_restart(r);
}

void t_round_restart(struct t_round *r)
{
	unsigned i;

	for (i = 0; i < r->w->daemon.n_roots; i++) {
		struct names n = names_of(i);

		copy_listing(&r->judge, n.origin, n.live);
		copy_listing(&r->judge, n.first, n.live);
	}
	r->start = r->after = t_judge_seq(&r->judge);
}

static void judge_root(struct t_round *r, unsigned i, int64_t after)
{
	struct names n = names_of(i);
	struct t_span span = {.root = r->w->daemon.root_name[i],
			      .after = after,
			      .first = n.first,
			      .last = n.live};

	t_judge_walk(&r->judge, n.live, r->w->daemon.root_path[i]);
	t_accuracy_add(&r->judge, &span, &r->accuracy);
	compare_root(r, i);
	t_replay(&r->judge, &span);
	t_replay_check_content(&r->judge, &span);
	t_replay_check_told(&r->judge, &span);
	span.first = n.origin;
	span.after = r->start;
	t_replay_check_counts(&r->judge, &span);
	copy_listing(&r->judge, n.first, n.live);
}

static void mark_round(struct t_round *r, int64_t after)
{
	t_judge_exec(&r->judge, "CREATE TEMP TABLE IF NOT EXISTS round(after);"
				"DELETE FROM round");
	t_judge_exec(&r->judge, "INSERT INTO round VALUES(%lld)",
		     (long long)after);
}

void t_round_judge(struct t_round *r, struct t_ops *ops)
{
	struct t_judge *j = &r->judge;
	int64_t after = r->after;
	unsigned i;

	if (ops != NULL)
		t_ops_tell(ops, j);
	r->after = t_judge_seq(j);
	for (i = 0; i < r->w->daemon.n_roots; i++)
		judge_root(r, i, after);
	t_judge_catalog_is_sound(j);
	mark_round(r, after);
}

void t_round_exempt(struct t_round *r, unsigned root)
{
	struct names n = names_of(root);

	t_judge_exec(&r->judge,
		     "INSERT OR IGNORE INTO outsider SELECT ino, birth FROM %s",
		     n.live);
}

void t_round_check(struct t_round *r, struct t_ops *ops)
{
	t_daemon_flush(&r->w->daemon);
	t_round_judge(r, ops);
}

void t_round_compare(struct t_round *r, struct t_ops *ops)
{
	int64_t after = r->after;
	unsigned i;

	t_daemon_flush(&r->w->daemon);
	t_ops_tell(ops, &r->judge);
	for (i = 0; i < r->w->daemon.n_roots; i++)
		compare_root(r, i);
	t_judge_catalog_is_sound(&r->judge);
	t_round_restart(r);
	mark_round(r, after);
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

void t_round_make(struct t_round *r, struct t_world *w, const char *root,
		  const char *made)
{
	t_shell("mkdir %s && cd %s && { %s; }", root, root, made);
	t_round_open(r, w, root);
}

void t_round_expect(struct t_round *r, int n, const char *kinds,
		    const char *path)
{
	int64_t is =
		t_round_count(r, "kind IN (%s) AND path = '%s'", kinds, path);

	if (is == n)
		return;
	t_judge_show(&r->judge, r->start);
	fail_msg("%s: %d rows of kind %s, not %d", path, (int)is, kinds, n);
}
