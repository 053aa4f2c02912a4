/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits: of what a policy may do by itself (MaxDelete= is test_mirror's), and
 * of who may ask the daemon at once. */
#include "lib/t_mirror.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC T_MIRROR_ROOT
#define DST T_MIRROR

static long count_old(void)
{
	return t_shell_number("grep -l old " DST "/d/* | wc -l");
}

static void limit_file_size(struct t_mirror *m, rlim_t bytes)
{
	const struct rlimit limit = {bytes, RLIM_INFINITY};

	assert_int_equal(prlimit((pid_t)t_mirror_number(m, "pid"), RLIMIT_FSIZE,
				 &limit, NULL),
			 0);
}

/* A file that is larger than any may be there waits alone. */
static void too_large(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	limit_file_size(&m, 4 << 20);
	t_shell("cd %s; head -c 6M /dev/urandom > large; echo b > b", SRC);
	t_mirror_flush_says(&m, 1, "large: the target can't hold it");
	t_shell("cmp %s/b %s/b", SRC, DST);
	limit_file_size(&m, RLIM_INFINITY);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "restarts"), 0);
	t_mirror_fini(&m);
}

/* Too many files that get new content at once (a fool's script, a virus): their
 * copies stay as they were, across a restart too, while new files are copied
 * and deletions followed; `status` and `flush` say how many, `release` lets
 * them go, and MaxDelete= is another limit. */
static void overwrites_held(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d; for i in $(seq 50); do echo old > d/$i; done",
		      "MaxReplace=10\nMaxDelete=20");
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon,
		       "cd %s; for i in $(seq 8); do echo new > d/$i; done",
		       SRC);
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon,
		       "cd %s; for i in $(seq 50); do echo newer > d/$i; done;"
		       " rm d/50; echo new > fresh; mv d/49 d/renamed",
		       SRC);
	t_mirror_flush_says(&m, 3, " overwrites are held");
	assert_int_equal(count_old(), 41);
	t_shell("cd %s; test -e fresh -a -e d/renamed -a ! -e d/50", DST);
	t_mirror_command(&m, 0, "49 overwrites are held (MaxReplace=)",
			 "status", NULL);
	t_daemon_stop(&w->daemon);
	t_daemon_start(&w->daemon);
	/* Or 50: a scan may doubt what was written just before it, `fresh`. */
	t_mirror_flush_says(&m, 3, " overwrites are held");
	assert_int_equal(count_old(), 41);
	t_mirror_command(&m, 0, " overwrites released", "release", "m", NULL);
	t_mirror_check(&m);
	assert_int_equal(count_old(), 0);
	t_mirror_fini(&m);
}

/* What `status` showed, by the command that it shows: more that was deleted and
 * overwritten since stays held, and it says so. */
static void released_as_shown(struct t_world *w)
{
	struct t_mirror m;
	char seq[24];

	t_mirror_init(&m, w, T_ext4,
		      "mkdir d e; for i in $(seq 50); do echo old > d/$i; done;"
		      " touch e/$(seq -s ' e/' 50)",
		      "MaxReplace=4\nMaxDelete=4");
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon,
		       "cd %s; rm e/[1-8]; for i in $(seq 8); do echo new >"
		       " d/$i; done",
		       SRC);
	t_mirror_flush_says(&m, 3, "8 deletions and 8 overwrites are held");
	snprintf(seq, sizeof seq, "--seq=%ld",
		 (long)t_mirror_number(&m, "held_seq"));
	seq[5] = ' ';
	t_mirror_command(&m, 0, seq, "status", NULL);
	seq[5] = '=';
	/* Not written just now, which the scan at the start would doubt. */
	t_daemon_shell(&w->daemon,
		       "cd %s; rm e/[1-4]?; for i in $(seq 9 48); do echo new >"
		       " d/$i; touch -d '2 seconds ago' d/$i; done",
		       SRC);
	t_mirror_flush_says(&m, 3, "48 deletions and 48 overwrites are held");
	t_mirror_command(&m, 2, "not a number", "release", "m", "--seq=x",
			 NULL);
	t_mirror_command(&m, 0,
			 "8 deletions released\n8 overwrites released\n"
			 "40 deletions and 40 overwrites are held: they came "
			 "later",
			 "release", "m", seq, NULL);
	t_mirror_flush_says(&m, 3, "40 deletions and 40 overwrites are held");
	assert_int_equal(count_old(), 42);
	t_shell("cd %s; test ! -e e/8 -a -e e/10 -a -e e/49", DST);
	t_daemon_stop(&w->daemon);
	t_mirror_command(&m, 0, "nothing is held from before that\n", "release",
			 "m", seq, NULL);
	t_mirror_command(&m, 0,
			 "40 deletions released\n40 overwrites released\n",
			 "release", "m", NULL);
	t_daemon_start(&w->daemon);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* The tree is put back before anybody has looked: nothing is held any more,
 * and a small deletion goes. */
static void put_back(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; touch d/$(seq -s ' d/' 50)",
		      "MaxDelete=20");
	t_mirror_check(&m);
	t_shell("mv %s/d " T_SPACE "/fs/aside", SRC);
	t_mirror_flush_says(&m, 3, "51 deletions are held");
	t_shell("mv " T_SPACE "/fs/aside %s/d", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "held"), 0);
	t_shell("rm %s/d/1", SRC);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* What is held is what a dry run shows, too: each path, how many, and where it
 * stands what lets them go. With nothing left to do it says nothing. */
static void dry_run(struct t_world *w)
{
	struct t_mirror m;
	struct t_output o;

	t_mirror_init(&m, w, T_ext4, "mkdir d; touch d/$(seq -s ' d/' 50)",
		      "MaxDelete=20\nMaxReplace=0");
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon, "rm -r %s/d", SRC);
	t_mirror_flush_says(&m, 3, "51 deletions are held");
	t_mirror_command(&m, 0, "remove  d/7  (held, waits for release)\n",
			 "run", "m", "--dry-run", NULL);
	t_mirror_command(&m, 0, "51 deletions are held: ", "run", "m",
			 "--dry-run", NULL);
	t_mirror_command(&m, 0,
			 "'status' shows the command that approves them\n",
			 "run", "m", "--dry-run", NULL);
	t_shell("test -e %s/d/7", DST);
	t_mirror_command(&m, 0, "51 deletions released", "release", "m", NULL);
	t_mirror_check(&m);
	t_shell("echo a > %s/a", SRC);
	t_mirror_check(&m);
	t_shell("echo b > %s/a", SRC);
	t_mirror_flush_says(&m, 3, "1 overwrite is held");
	t_mirror_command(&m, 0, "copy    a  (held, waits for release)\n", "run",
			 "m", "--dry-run", NULL);
	t_mirror_command(&m, 0, NULL, "release", "m", NULL);
	t_mirror_check(&m);
	t_daemon_command(&w->daemon, &o, "run", "m", "--dry-run", NULL);
	assert_string_equal(o.out, "");
	assert_string_equal(o.err, "");
	t_output_fini(&o);
	t_mirror_fini(&m);
}

/* Nobody waits for a worker that is not to run. */
static void root_released(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "touch 1", "");
	t_mirror_check(&m);
	t_mirror_command(&m, 0, NULL, "release-root", "r", NULL);
	t_mirror_flush_says(&m, 3, "release-root --back r");
	t_mirror_command(&m, 3, "release-root --back r", "reset", "m", NULL);
	t_mirror_command(&m, 0, " held ", "status", NULL);
	t_mirror_command(&m, 0, NULL, "release-root", "--back", "r", NULL);
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* ---- clients */

#define CLIENTS 64

static int connect_client(struct t_daemon *d)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(snprintf(addr.sun_path, sizeof addr.sun_path, "%s",
			     d->control) < (int)sizeof addr.sun_path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	return fd;
}

static void say(int fd, const char *line)
{
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
}

static void expect_line(int fd, const char *words)
{
	char line[4096];
	size_t n = 0;

	while (n < sizeof line - 1 && read(fd, line + n, 1) == 1 &&
	       line[n] != '\n')
		n++;
	line[n] = '\0';
	if (strstr(line, words) == NULL)
		fail_msg("not '%s' but: %s", words, line);
}

/* Those who wait for an answer stay; one more is told so. */
static void too_many_clients(struct t_world *w)
{
	struct t_mirror m;
	int fds[CLIENTS], more;
	pid_t worker;

	t_mirror_init(&m, w, T_ext4, "touch 1", "");
	t_mirror_check(&m);
	worker = (pid_t)t_mirror_number(&m, "pid");
	assert_int_equal(kill(worker, SIGSTOP), 0);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = connect_client(&w->daemon);
		say(fds[i], "{\"command\":\"flush\",\"policy\":\"m\"}\n"
			    "{\"command\":\"ping\"}\n");
		expect_line(fds[i], "\"opened\"");
	}
	more = connect_client(&w->daemon);
	expect_line(more, "too many clients");
	close(more);
	assert_int_equal(kill(worker, SIGCONT), 0);
	for (int i = 0; i < CLIENTS; i++)
		expect_line(fds[i], "\"unsynced\":0");
	/* Nobody waits any more: the oldest makes room. */
	t_mirror_command(&m, 0, "watching", "status", NULL);
	assert_int_equal(recv(fds[0], &more, 1, 0), 0);
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	t_mirror_fini(&m);
}

/* Directories "d", one in the other. */
static void make_chain(const char *top, int levels)
{
	int dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC), below;

	for (int i = 0; i < levels; i++) {
		assert_int_equal(mkdirat(dir, "d", 0755), 0);
		below = openat(dir, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(dir);
		dir = below;
	}
	close(dir);
}

/* The directory @most levels down, or the last one; *levels: how far. */
static int open_chain(const char *top, int most, int *levels)
{
	int dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC), below;

	assert_true(dir >= 0);
	for (*levels = 0; *levels < most; ++*levels) {
		below = openat(dir, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (below < 0)
			break;
		close(dir);
		dir = below;
	}
	return dir;
}

static int count_levels(const char *top)
{
	int levels;

	close(open_chain(top, INT_MAX, &levels));
	return levels;
}

static void move_chain(const char *from, int at, const char *to, int under)
{
	int levels, a = open_chain(from, at, &levels);
	int b = open_chain(to, under, &levels);

	assert_int_equal(renameat(a, "d", b, "d"), 0);
	close(a);
	close(b);
}

/* A tree that is deeper than a plan can go: what is too deep is told, the rest
 * is copied, nobody else waits. It is copied when it comes up, its copy goes
 * when it goes down again. */
static void too_deep(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir c e; echo a > a", "MaxDelete=off");
	t_mirror_check(&m);
	make_chain(SRC "/c", 3000);
	t_shell("echo b > %s/b", SRC);
	t_mirror_flush_says(&m, 1, "lies too deep to be copied");
	t_shell("cmp %s/b %s/b", SRC, DST);
	assert_int_equal(count_levels(DST "/c"), 2047);
	assert_int_equal(t_mirror_number(&m, "pending"), 1);

	move_chain(SRC "/c", 1500, SRC "/e", 0);
	t_mirror_flush(&m, 0);
	assert_int_equal(count_levels(DST "/c"), 1500);
	assert_int_equal(count_levels(DST "/e"), 1500);
	move_chain(SRC "/e", 0, SRC "/c", 1500);
	t_mirror_flush(&m, 1);
	assert_int_equal(count_levels(DST "/c"), 2047);

	t_shell("rm -r %s/c", SRC);
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "restarts"), 0);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(too_large, ext4, fanotify),
	T_CASE(overwrites_held, ext4, fanotify),
	T_CASE(released_as_shown, ext4, fanotify),
	T_CASE(dry_run, ext4, fanotify),
	T_CASE(put_back, ext4, fanotify),
	T_CASE(root_released, ext4, fanotify),
	T_CASE(too_many_clients, ext4, fanotify),
	T_CASE(too_deep, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("limits", cases, sizeof cases / sizeof cases[0], argc,
			  argv);
}
