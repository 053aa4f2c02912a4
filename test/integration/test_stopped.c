/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What changes while the daemon is not there: a scan finds it, exactly. */
#include "lib/t_mirror.h"
#include "lib/t_round.h"

#include "journal/change.h"

#include <string.h>

#include <setjmp.h>
#include <cmocka.h>

#define ROOT	 T_SPACE "/fs/r"
#define TICKS_US 20000 /* two of the slowest clock */
#define SURE_MS	 20000

/* Files of before are old: a young one may be doubtful, and looked at again. */
static const char MADE[] =
	"mkdir " ROOT " && cd " ROOT " && mkdir big keep gone out empty &&"
	" (cd big; seq 300 | xargs touch -d 2020-01-01) &&"
	" (cd gone; mkdir -p x/y; seq 50 | xargs touch -d 2020-01-01) &&"
	" touch -d 2020-01-01 keep/a keep/b keep/c keep/d keep/e keep/f"
	" out/o && ln keep/f keep/f2 && ln -s x keep/l";

static const char CHANGED[] =
	"cd " ROOT " && mv big huge && rm -rf gone && mv keep/a keep/a2 &&"
	" echo new > keep/b && chmod 600 keep/c && rm keep/d &&"
	" mv out/o keep/o && rmdir out && mkdir out && echo n > out/n &&"
	" rm keep/l && mkdir keep/l && mv keep/e huge/e &&"
	" rm keep/f2 && mkdir -p new/x/y && touch new/x/y/z";

static int64_t found(struct t_round *r, int kind, const char *path)
{
	return t_round_count(r, "source = 1 AND kind = %d AND path = '%s'",
			     kind, path);
}

static void check_found(struct t_round *r)
{
	t_round_check(r, NULL);
	assert_int_equal(found(r, JB_KIND_RENAMED, "huge"), 1);
	assert_int_equal(found(r, JB_KIND_RENAMED, "keep/a2"), 1);
	assert_int_equal(found(r, JB_KIND_RENAMED, "keep/o"), 1);
	assert_int_equal(found(r, JB_KIND_RENAMED, "huge/e"), 1);
	assert_int_equal(found(r, JB_KIND_MODIFIED, "keep/b"), 1);
	assert_int_equal(found(r, JB_KIND_ATTRIB, "keep/c"), 1);
	assert_int_equal(found(r, JB_KIND_DELETED, "keep/d"), 1);
	assert_int_equal(found(r, JB_KIND_DELETED, "gone"), 1);
	assert_int_equal(found(r, JB_KIND_DELETED, "keep/f2"), 1);
	assert_int_equal(found(r, JB_KIND_DELETED, "keep/l"), 1);
	assert_int_equal(found(r, JB_KIND_CREATED, "keep/l"), 1);
	assert_int_equal(found(r, JB_KIND_CREATED, "new/x/y/z"), 1);
	assert_int_equal(t_round_count(r, "kind = 4"), 4);
	assert_int_equal(t_round_count(r, "source <> 1"), 0);
}

/* Changes, deletions and renames while none runs are found, source=scan. */
static void changed_after(struct t_world *w, void (*end)(struct t_daemon *d))
{
	struct t_round r;

	t_shell("%s", MADE);
	t_round_open(&r, w, ROOT);
	end(&w->daemon);
	t_shell("%s", CHANGED);
	t_daemon_start(&w->daemon);
	check_found(&r);
	t_round_fini(&r);
}

static void after_stop(struct t_world *w)
{
	changed_after(w, t_daemon_stop);
}

static void after_kill(struct t_world *w)
{
	changed_after(w, t_daemon_kill);
}

/* Nothing changed: nothing is journalled, however often it is started. */
static void nothing_changed(struct t_world *w)
{
	struct t_round r;
	int i;

	t_shell("%s", MADE);
	t_round_open(&r, w, ROOT);
	for (i = 0; i < 4; i++) {
		if (i % 2 == 0)
			t_daemon_stop(&w->daemon);
		else
			t_daemon_kill(&w->daemon);
		t_daemon_start(&w->daemon);
		t_round_check(&r, NULL);
		assert_int_equal(t_round_count(&r, "1"), 0);
	}
	t_round_fini(&r);
}

/* What the journal is sure of: times before this can't be given to a later
 * change. In us. */
static int64_t sure_until(struct t_daemon *d)
{
	json_t *status = t_daemon_status(d);
	int64_t complete =
		json_integer_value(t_daemon_root_member(status, "complete_us"));

	json_decref(status);
	return complete - TICKS_US;
}

/* All is quiet: soon nothing is in doubt any more. */
static void await_sure(struct t_daemon *d, struct t_judge *j)
{
	int64_t newest = t_judge_number(
		j, "SELECT max(mtime) / 1000 FROM j.entry WHERE mode & 32768");
	int waited_ms;

	for (waited_ms = 0; sure_until(d) <= newest; waited_ms += 20) {
		if (waited_ms > SURE_MS)
			fail_msg("all is quiet, and the last files that were "
				 "written are in doubt");
		assert_int_equal(t_process_wait(d->pid, 20), -1);
	}
}

/* Files that were written just before all became quiet, and the daemon was
 * killed: nobody takes them for changed, nor copies them again. */
static void young_files(struct t_world *w)
{
	struct t_judge judge;
	struct t_mirror m;
	int64_t seq, at;
	int i;

	t_mirror_init(&m, w, T_ext4, "mkdir d; seq 60 > d/old", "");
	t_judge_init(&judge, w->daemon.state);
	for (i = 0; i < 3; i++) {
		t_shell("cd " T_MIRROR_ROOT "/d && seq 100 >> old &&"
			" for i in $(seq 40); do seq 200 > %d-$i; done",
			i);
		t_mirror_check(&m);
		await_sure(&w->daemon, &judge);
		seq = t_judge_seq(&judge);
		at = t_mirror_number(&m, "bytes");
		assert_true(at > 0);
		t_daemon_kill(&w->daemon);
		t_daemon_begin(&w->daemon);
		t_mirror_check(&m);
		if (t_judge_seq(&judge) != seq) {
			t_judge_show(&judge, seq);
			fail_msg("rows of files that nobody has touched");
		}
		/* The worker is a new one. */
		assert_int_equal(t_mirror_number(&m, "bytes"), 0);
	}
	t_judge_fini(&judge);
	t_mirror_fini(&m);
}

/* The gap of the time between is told, closed, and says what was found. */
static void gap_is_told(struct t_world *w)
{
	struct t_round r;

	t_shell("%s", MADE);
	t_round_open(&r, w, ROOT);
	t_daemon_kill(&w->daemon);
	t_shell("%s", CHANGED);
	t_daemon_start(&w->daemon);
	t_round_check(&r, NULL);
	assert_int_equal(t_judge_number(&r.judge, "SELECT count(*) FROM j.gap"
						  " WHERE closed IS NULL"),
			 0);
	assert_true(t_judge_number(&r.judge,
				   "SELECT found FROM j.gap"
				   " ORDER BY id DESC LIMIT 1") >= 10);
	assert_int_equal(t_judge_number(&r.judge,
					"SELECT count(*) FROM j.gap WHERE"
					" noticed < since OR closed < noticed"),
			 0);
	t_round_fini(&r);
}

/* Another directory at the root's path: it is not looked at, for all would look
 * deleted, and words say what to do. Put back, it goes on. */
static void root_replaced(struct t_world *w)
{
	struct t_round r;

	t_shell("%s", MADE);
	t_round_open(&r, w, ROOT);
	t_daemon_stop(&w->daemon);
	t_shell("mv " ROOT " " ROOT ".old && mkdir " ROOT " && touch " ROOT
		"/new");
	t_daemon_start(&w->daemon);
	assert_true(t_daemon_said(&w->daemon, "root 'r': " ROOT));
	t_daemon_flush(&w->daemon);
	assert_int_equal(t_judge_count(&r.judge, "1"), 0);
	t_shell("rm -r " ROOT " && mv " ROOT ".old " ROOT " && touch " ROOT
		"/new");
	t_daemon_await(&w->daemon, "gap_open", false);
	t_round_check(&r, NULL);
	assert_int_equal(t_round_count(&r, "kind = 1"), 1);
	assert_int_equal(t_round_count(&r, "kind = 5"), 0);
	t_round_fini(&r);
}

static const struct t_case cases[] = {
	T_CASE(after_stop, ext4, fanotify),
	T_CASE(after_stop, xfs, inotify),
	T_CASE(after_kill, btrfs, fanotify),
	T_CASE(after_kill, ext4, inotify),
	T_CASE(nothing_changed, ext4, fanotify),
	T_CASE(nothing_changed, xfs, inotify),
	T_CASE(young_files, ext4, fanotify),
	T_CASE(young_files, xfs, inotify),
	T_CASE(gap_is_told, ext4, fanotify),
	T_CASE(root_replaced, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("stopped", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
