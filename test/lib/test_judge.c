/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge judged: it takes a right journal and refuses every wrong one. */
#include "lib/t_case.h"
#include "lib/t_judge.h"
#include "lib/t_replay.h"

#include "journal/store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT T_SPACE "/fs/r"

static const struct t_span span = {
	.root = "r", .after = 0, .first = "before", .last = "after"};

/* What really happens below, as rows. */
static const char SQL_JOURNAL[] =
	"INSERT INTO w.root(id, name, path, fsid, dirkey, complete)"
	" VALUES(1, 'r', x'', x'', 1, 0);"
	"INSERT INTO w.place SELECT 1, 1, x'', dino, dbirth FROM before"
	" WHERE name = x'64';" /* d */
	"INSERT INTO w.place SELECT 2, 1, x'65', ino, birth FROM before"
	" WHERE name = x'65';" /* e */
	"INSERT INTO w.place SELECT 3, 1, x'652f64', ino, birth FROM before"
	" WHERE name = x'64';" /* e/d */
	"INSERT INTO w.change SELECT 1, 4, 0, 4, 2, name, 1, name, ino, birth,"
	" mode, size, mtime, NULL, NULL FROM before WHERE name = x'64';"
	"INSERT INTO w.change SELECT 2, 2, 0, 1, 3, name, NULL, NULL, ino,"
	" birth, mode, size, mtime, NULL, NULL FROM after WHERE name = x'66';"
	"INSERT INTO w.change SELECT 3, 5, 0, 4, 1, name, NULL, NULL, ino,"
	" birth, mode, size, mtime, 3, 0 FROM before WHERE name = x'74';"
	"INSERT INTO w.change SELECT 4, 1, 0, 5, 2, name, NULL, NULL, ino,"
	" birth, mode, size, mtime, NULL, NULL FROM after WHERE name = x'6e';";

/* The same, wrong in one thing. */
static const char *const wrongs[] = {
	"DELETE FROM w.change WHERE seq = 1",
	"DELETE FROM w.change WHERE seq = 2",
	"DELETE FROM w.change WHERE seq = 3",
	"DELETE FROM w.change WHERE seq = 4",
	"UPDATE w.change SET kind = 1 WHERE seq = 1",
	"UPDATE w.change SET kind = 5 WHERE seq = 4",
	"UPDATE w.change SET name = x'78' WHERE seq = 4",
	"UPDATE w.change SET place = 1 WHERE seq = 4",
	"UPDATE w.change SET ino = ino + 1 WHERE seq = 4",
	"UPDATE w.change SET birth = birth + 1 WHERE seq = 3",
	"UPDATE w.change SET entries = 2 WHERE seq = 3",
	"UPDATE w.change SET entries = NULL WHERE seq = 3",
	"UPDATE w.change SET old_name = x'78' WHERE seq = 1",
	"UPDATE w.change SET old_place = 2 WHERE seq = 1",
	"UPDATE w.place SET path = x'78' WHERE id = 2",
	"UPDATE w.place SET path = x'64' WHERE id = 3",
	"UPDATE w.change SET what = 2 WHERE seq = 2",
	"UPDATE w.change SET mtime = mtime - 1 WHERE seq = 2",
	"UPDATE w.change SET size = 1 WHERE seq = 2",
	"UPDATE w.change SET seq = 9 WHERE seq = 1", /* after what it explains
						      */
	/* Deleted and created again, which only the counts can tell. */
	"DELETE FROM w.change WHERE seq = 2;"
	"INSERT INTO w.change SELECT 8, 5, 0, 4, 3, name, NULL, NULL, ino,"
	" birth, mode, size, mtime, NULL, NULL FROM after WHERE name = x'66';"
	"INSERT INTO w.change SELECT 9, 1, 0, 5, 3, name, NULL, NULL, ino,"
	" birth, mode, size, mtime, NULL, NULL FROM after WHERE name = x'66'",
};

static void make_journal(struct t_world *w, struct t_judge *j)
{
	struct jb_store *s;

	assert_int_equal(mkdir(w->daemon.state, 0700), 0);
	assert_int_equal(
		jb_store_open(w->daemon.state, JB_STORE_WRITE, &s, NULL), 0);
	jb_store_close(s);
	t_judge_init(j, w->daemon.state);
	t_shell("mkdir -p " ROOT " && cd " ROOT " && mkdir d e t && echo 1 >"
		" d/f && touch t/1 t/2");
	t_judge_walk(j, "before", ROOT);
	t_shell("cd " ROOT " && mv d e/d && echo 2 >> e/d/f && rm -r t &&"
		" echo 3 > e/n");
	t_judge_walk(j, "after", ROOT);
	t_judge_exec(j, "INSERT INTO written SELECT ino, birth FROM after"
			" WHERE name = x'66'");
	t_judge_exec(j, "ATTACH 'file:%s/journal.db?mode=rw' AS w",
		     w->daemon.state);
	t_judge_exec(j, "%s", SQL_JOURNAL);
}

/* The verdict of a child, which dies of it: does it take the journal? */
static bool accepts(struct t_judge *j)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		setenv("CMOCKA_TEST_ABORT", "1", 1);
		close(2);
		t_replay(j, &span);
		t_replay_check_counts(j, &span);
		t_replay_check_content(j, &span);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void right_and_wrong(struct t_world *w)
{
	struct t_judge j;
	size_t i;

	make_journal(w, &j);
	t_replay(&j, &span);
	t_replay_check_counts(&j, &span);
	t_replay_check_content(&j, &span);
	assert_true(accepts(&j));
	for (i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		t_judge_exec(&j, "%s", wrongs[i]);
		if (accepts(&j))
			fail_msg("took a journal after: %s", wrongs[i]);
		t_judge_exec(&j, "DELETE FROM w.change; DELETE FROM w.place;"
				 "DELETE FROM w.root");
		t_judge_exec(&j, "%s", SQL_JOURNAL);
	}
	assert_true(accepts(&j));
	t_judge_fini(&j);
}

static const struct t_case cases[] = {
	T_CASE(right_and_wrong, ext4, auto),
};

int main(int argc, char **argv)
{
	return t_case_run("judge", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
