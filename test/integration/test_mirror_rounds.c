/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirror under load. Random operations: after each round the copy equals
 * the source, and no more was copied than the journal says was changed. Files
 * that are written all the time: what is at the target was a whole version. */
#include "lib/t_judge.h"
#include "lib/t_mirror.h"
#include "lib/t_ops.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

struct rounds {
	struct t_mirror m;
	struct t_ops ops;
	struct t_judge judge;
	int64_t seq;   /* the journal's at the last check */
	int64_t bytes; /* what the present worker had copied then */
};

/* Rows of regular files that say 'content', since the last check. */
#define CHANGED                                                                \
	"FROM j.change WHERE seq > %lld AND mode & 61440 = 32768"              \
	" AND what & 1 AND kind IN (1, 2)"

/* Which file at the target is whose copy, says the policy's database; that
 * `verify` and rsync say the same is for other checks. */
static void list_copies(struct rounds *r, const char *name)
{
	t_judge_exec(&r->judge,
		     "CREATE TABLE %s AS SELECT ino, tino, tbirth,"
		     " ctime - ifnull(birth, ctime) AS birth"
		     " FROM p.node WHERE type = 32768 AND ino IS NOT NULL",
		     name);
}

/* A file whose content did not change keeps its copy, whatever else happened
 * to it, to others, or to the worker. */
static void check_each(struct rounds *r, int round)
{
	int64_t n;

	list_copies(r, "now");
	n = t_judge_number(
		&r->judge,
		"SELECT count(*) FROM now LEFT JOIN had ON had.tino = now.tino"
		" AND had.tbirth = now.tbirth WHERE had.tino IS NULL"
		" AND (now.ino, now.birth) NOT IN (SELECT ino, birth " CHANGED
		")",
		(long long)r->seq);
	if (n > 0)
		fail_msg("round %d: %lld files were copied without a change",
			 round, (long long)n);
	t_judge_exec(&r->judge,
		     "DROP TABLE had; ALTER TABLE now RENAME TO had");
}

/* What was changed, at most: each row stands for one version of its file, and
 * between two looks a file may have been as large as at any. */
static int64_t count_changed(struct rounds *r)
{
	return t_judge_number(
		&r->judge,
		"SELECT ifnull(sum(n * size), 0) FROM (SELECT count(*) AS n,"
		" max(size) AS size " CHANGED " GROUP BY ino, birth)",
		(long long)r->seq);
}

static void check(struct rounds *r, int round)
{
	int64_t changed, bytes;

	t_mirror_check(&r->m);
	/* It has lost nothing that only the next full pass would find. */
	t_mirror_command(&r->m, 0, " 0 differ", "verify", NULL);
	bytes = t_mirror_number(&r->m, "bytes");
	changed = count_changed(r);
	check_each(r, round);
	if (bytes - r->bytes > changed)
		fail_msg("round %d: %lld bytes changed, %lld were copied",
			 round, (long long)changed,
			 (long long)(bytes - r->bytes));
	r->bytes = bytes;
	r->seq = t_judge_seq(&r->judge);
}

/* The next worker counts from nothing. */
static void kill_worker(struct rounds *r)
{
	pid_t pid = (pid_t)t_mirror_number(&r->m, "pid");

	if (pid > 0)
		assert_int_equal(kill(pid, SIGKILL), 0);
	r->bytes = 0;
}

static void run_rounds(struct t_world *w, enum t_fs target)
{
	struct t_ops_options o = {.root = T_MIRROR_ROOT,
				  .outside = T_SPACE "/fs/outside",
				  .threads = 3,
				  .seed = w->seed,
				  .links = true,
				  .shallow = true};
	struct rounds r = {.seq = 0};

	t_shell("mkdir %s", o.outside);
	t_mirror_init(&r.m, w, target, "true", "MaxDelete=off");
	w->daemon.quiet = true;
	t_mirror_check(&r.m);
	t_judge_init(&r.judge, w->daemon.state);
	t_judge_exec(&r.judge, "ATTACH 'file:%s/policy-m.db?mode=ro' AS p",
		     w->daemon.state);
	list_copies(&r, "had");
	t_ops_init(&r.ops, &o);
	for (int i = 0; i < (t_case_long() ? 200 : 15); i++) {
		t_ops_round(&r.ops, 400);
		if (i % 5 == 4)
			kill_worker(&r);
		check(&r, i);
	}
	t_ops_fini(&r.ops);
	t_judge_fini(&r.judge);
	t_mirror_fini(&r.m);
}

static void within(struct t_world *w)
{
	run_rounds(w, w->fs.fs);
}

static void across(struct t_world *w)
{
	run_rounds(w, T_xfs);
}

/* xfs gives a directory that comes into another one by an exchange a new mtime,
 * and one that is exchanged within its directory not even a new ctime. So
 * nothing at the source tells that there is something to mend at the target. */
static void exchanged(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, w->fs.fs, "mkdir a && touch a/1", "");
	t_mirror_check(&m);
	t_mirror_pause(&m);
	t_shell("mkdir " T_MIRROR_ROOT "/b");
	assert_int_equal(renameat2(AT_FDCWD, T_MIRROR_ROOT "/a", AT_FDCWD,
				   T_MIRROR_ROOT "/b", RENAME_EXCHANGE),
			 0);
	t_mirror_resume(&m);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

#define VERSION_BYTES (1 << 20)

/* Rewrite @path in place, ten times a second, each version one write of one
 * byte's value; in a child, which ends with @seconds. */
static pid_t start_writer(const char *path, int seconds)
{
	pid_t pid = fork();
	char *version;
	int fd;

	if (pid != 0)
		return pid;
	version = malloc(VERSION_BYTES);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (version == NULL || fd < 0)
		_exit(1);
	for (int i = 1; i <= seconds * 10; i++) {
		memset(version, i % 251, VERSION_BYTES);
		if (pwrite(fd, version, VERSION_BYTES, 0) != VERSION_BYTES)
			_exit(1);
		poll(NULL, 0, 100); /* the rate, not a wait */
	}
	_exit(0);
}

/* What is at the target must be one version, whole; which one, or -1. */
static int read_version(const char *path, char *buffer)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buffer, VERSION_BYTES + 1);
	close(fd);
	if (n != VERSION_BYTES ||
	    memcmp(buffer, buffer + 1, VERSION_BYTES - 1) != 0)
		fail_msg("a torn copy: %d bytes, %d ... %d", (int)n, buffer[0],
			 buffer[VERSION_BYTES - 1]);
	return (unsigned char)buffer[0];
}

/* A file that is rewritten ten times a second: every version at the target is
 * one that existed as a whole, and there are several of them. */
static void whole_versions(struct t_world *w)
{
	char *buffer = malloc(VERSION_BYTES + 1);
	int status, last = -1, seen, changes = 0;
	struct t_mirror m;
	pid_t writer;

	assert_non_null(buffer);
	t_mirror_init(&m, w, w->fs.fs, "head -c 1M /dev/zero > f", "");
	t_mirror_check(&m);
	writer = start_writer(T_MIRROR_ROOT "/f", t_case_long() ? 60 : 5);
	assert_true(writer > 0);
	while (waitpid(writer, &status, WNOHANG) == 0) {
		seen = read_version(T_MIRROR "/f", buffer);
		changes += seen != last;
		last = seen;
	}
	assert_int_equal(status, 0);
	assert_true(changes > 5);
	t_mirror_check(&m);
	assert_int_equal(read_version(T_MIRROR "/f", buffer),
			 read_version(T_MIRROR_ROOT "/f", buffer));
	free(buffer);
	t_mirror_fini(&m);
}

/* One long write: its times are those of its beginning, so a copy that is made
 * while it lasts looks like the whole. It must not be taken for it. */
static void long_writes(struct t_world *w)
{
	const size_t size = 24 << 20;
	char *data = malloc(size);
	struct t_mirror m;
	int fd;

	assert_non_null(data);
	t_mirror_init(&m, w, w->fs.fs, "head -c 24M /dev/zero > f",
		      "KeepDeleted=off");
	t_mirror_check(&m);
	fd = open(T_MIRROR_ROOT "/f", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (int i = 1; i < 12; i++) {
		memset(data, i, size);
		assert_int_equal(pwrite(fd, data, 1, 0), 1);
		t_daemon_flush(&w->daemon); /* the worker begins */
		assert_int_equal(pwrite(fd, data, size, 0), size);
		t_mirror_check(&m);
		t_shell("cmp %s/f %s/f", T_MIRROR_ROOT, T_MIRROR);
	}
	close(fd);
	free(data);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(within, ext4, fanotify),
	T_CASE(within, xfs, fanotify),
	T_CASE(across, ext4, fanotify),
	T_CASE(exchanged, xfs, fanotify),
	T_CASE(whole_versions, ext4, fanotify),
	T_CASE(long_writes, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("mirror_rounds", cases,
			  sizeof cases / sizeof cases[0], argc, argv);
}
