/* SPDX-License-Identifier: GPL-2.0-or-later */
/* While the configuration is read again, several threads go on changing the
 * tree: there is no gap and no scan. What is wrong in it changes nothing, what
 * is right is done. JB_TEST_SEED repeats a run. */
#include "lib/t_handover.h"

#include <signal.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT T_HANDOVER_ROOT

static void reload_often(struct t_handover *h)
{
	struct t_daemon *d = &h->w->daemon;
	pid_t pid = d->pid;

	for (unsigned i = 0; i < t_handover_rounds(); i++) {
		t_ops_start(&h->ops, 4000);
		t_daemon_reload(d);
		t_daemon_reload(d);
		t_ops_join(&h->ops);
		t_round_check(&h->round, &h->ops);
	}
	assert_int_equal(d->pid, pid); /* it is the same process */
	t_handover_check_no_gap(h);
	assert_int_equal(t_round_count(&h->round, "source <> 0"), 0);
}

/* Read again in a storm: no gap, nothing missed. */
static void reloaded(struct t_world *w)
{
	struct t_handover h;

	t_handover_open_busy(&h, w);
	reload_often(&h);
	t_handover_close(&h);
}

/* The same without anybody who could hold the queue meanwhile. */
static void reloaded_alone(struct t_world *w)
{
	struct t_handover h;

	t_handover_open_busy(&h, w);
	t_daemon_stop(&w->daemon);
	t_manager_forget(&h.manager);
	w->daemon.manager = NULL;
	t_daemon_begin(&w->daemon);
	h.gaps = t_handover_count_gaps(&h);
	t_round_restart(&h.round);
	reload_often(&h);
	t_handover_close(&h);
}

/* What is wrong is said and changes nothing; what is right is done: patterns,
 * one more root. */
static void reload_changes(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_handover h;

	t_shell("mkdir -p " T_SPACE "/fs/more && touch " T_SPACE "/fs/more/x");
	t_handover_open(&h, w);
	/* Old: nothing but its name says that it is to go. */
	t_shell("cp %s %s.good && mkdir " ROOT "/d && touch -d 2020-01-01 " ROOT
		"/a.tmp " ROOT "/d/e.tmp " ROOT "/d/e",
		d->config, d->config);
	t_daemon_configure(d, "Nonsense=1\n");
	t_daemon_refuse(d, 2, "Nonsense", "reload", NULL);
	assert_int_equal(kill(d->pid, SIGHUP), 0);
	t_daemon_await_words(d, "the configuration stays as it was");
	t_round_check(&h.round, NULL);
	t_shell("cp %s.good %s", d->config, d->config);
	t_daemon_configure(d, "[Journal]\nStateDirectory=/mnt/elsewhere\n");
	t_daemon_refuse(d, 2, "StateDirectory= can't change at run time",
			"reload", NULL);
	t_shell("cp %s.good %s", d->config, d->config);
	t_daemon_configure(d, "Exclude=*.tmp\n");
	t_daemon_root(d, "more", T_SPACE "/fs/more", w->backend);
	t_daemon_reload(d);
	t_daemon_flush(d);
	assert_true(t_handover_has_gap(&h, "the configuration was changed"));
	assert_int_equal(t_judge_count(&h.round.judge,
				       "kind = 5 AND path IN ('a.tmp',"
				       " 'd/e.tmp')"),
			 2);
	t_shell("touch " ROOT "/b.tmp " ROOT "/b " T_SPACE "/fs/more/y");
	t_daemon_flush(d);
	assert_int_equal(t_judge_count(&h.round.judge,
				       "kind = 1 AND path IN ('b', 'y')"),
			 2);
	assert_int_equal(t_judge_count(&h.round.judge, "path = 'b.tmp'"), 0);
	assert_int_equal(t_judge_count(&h.round.judge, "kind = 5"), 2);
	t_handover_close(&h);
}

static const struct t_case cases[] = {
	T_CASE(reloaded, ext4, fanotify),
	T_CASE(reloaded_alone, xfs, fanotify),
	T_CASE(reload_changes, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("reload", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
