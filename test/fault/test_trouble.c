/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories that can't be read for a while, though they are there: nothing in
 * them is forgotten, and what was moved there is not deleted. */
#include "lib/t_case.h"
#include "lib/t_round.h"

#include <stdlib.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT   T_SPACE "/fs/r"
#define BROKEN T_SPACE "/broken"
#define END_MS 30000

/* A scan that meets such a directory is done again, later and later, and the
 * gap stays open until one has seen all. */
static void until_it_can_be_read(struct t_world *w)
{
	struct t_daemon *d = &w->daemon;
	struct t_round r;

	setenv("JB_BIN", T_FAULTY, 1);
	setenv("JB_FAULT_WHILE", BROKEN, 1);
	t_round_make(&r, w, ROOT, "mkdir -p a/b c && touch f a/b/1");
	t_shell("touch " BROKEN " && cd " ROOT " && mv f a/b/f && rm a/b/1"
		" && mkdir a/b/n && touch a/b/n/2");
	t_daemon_await_words(d, "done again in 2 s");
	assert_false(t_daemon_said(d, "gap closed: changes"));
	t_shell("rm " BROKEN);
	t_round_check(&r, NULL);
	t_round_expect(&r, 1, "4", "a/b/f");
	t_round_expect(&r, 1, "1", "a/b/n/2");
	assert_int_equal(t_round_count(&r, "kind = 5 AND path = 'f'"), 0);
	t_round_fini(&r);
	unsetenv("JB_FAULT_WHILE");
	unsetenv("JB_BIN");
}

static const struct t_case cases[] = {
	T_CASE(until_it_can_be_read, ext4, fanotify),
	T_CASE(until_it_can_be_read, btrfs, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("trouble", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
