/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_handover.h"

#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define SOCKET T_SPACE "/notify"

void t_handover_begin(struct t_handover *h, struct t_world *w)
{
	memset(h, 0, sizeof *h);
	h->w = w;
	t_manager_init(&h->manager, SOCKET);
	w->daemon.manager = &h->manager;
}

void t_handover_open(struct t_handover *h, struct t_world *w)
{
	t_handover_begin(h, w);
	t_shell("mkdir -p " T_HANDOVER_ROOT " " T_HANDOVER_OUTSIDE);
	t_round_open(&h->round, w, T_HANDOVER_ROOT);
	h->gaps = t_handover_count_gaps(h);
}

void t_handover_open_busy(struct t_handover *h, struct t_world *w)
{
	struct t_ops_options o = {.root = T_HANDOVER_ROOT,
				  .outside = T_HANDOVER_OUTSIDE,
				  .threads = 3,
				  .seed = w->seed,
				  .links = w->seed % 2 == 0,
				  .nameless = w->backend == T_fanotify};

	t_handover_begin(h, w);
	t_shell("mkdir " T_HANDOVER_ROOT " " T_HANDOVER_OUTSIDE);
	t_ops_init(&h->ops, &o);
	h->is_busy = true;
	t_ops_round(&h->ops, 1000);
	t_round_open(&h->round, w, T_HANDOVER_ROOT);
	t_ops_tell(&h->ops, &h->round.judge);
	h->gaps = t_handover_count_gaps(h);
}

int64_t t_handover_count_gaps(struct t_handover *h)
{
	return t_judge_number(&h->round.judge, "SELECT count(*) FROM j.gap");
}

bool t_handover_has_gap(struct t_handover *h, const char *reason)
{
	return t_judge_number(&h->round.judge,
			      "SELECT count(*) FROM j.gap WHERE reason = '%s'",
			      reason) > 0;
}

static int say_gap(void *arg, int n, char **values, char **names)
{
	(void)arg;
	(void)n;
	(void)names;
	print_message("gap: %s, found %s\n", values[0], values[1]);
	return 0;
}

void t_handover_check_no_gap(struct t_handover *h)
{
	int64_t gaps = t_handover_count_gaps(h);

	if (gaps == h->gaps)
		return;
	sqlite3_exec(h->round.judge.db, "SELECT reason, found FROM j.gap",
		     say_gap, NULL, NULL);
	fail_msg("%lld gaps instead of %lld", (long long)gaps,
		 (long long)h->gaps);
}

unsigned t_handover_rounds(void)
{
	return t_case_long() ? 100 : 3;
}

void t_handover_close(struct t_handover *h)
{
	t_daemon_fini(&h->w->daemon, false);
	if (h->is_busy)
		t_ops_fini(&h->ops);
	t_round_fini(&h->round);
	h->w->daemon.manager = NULL;
	t_manager_fini(&h->manager);
}
