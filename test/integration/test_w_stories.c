/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What went wrong with the scripts that this program replaces, told again with
 * the program in their place. W1, W4, ... are the numbers of these stories. */
#include "lib/t_mirror.h"
#include "lib/t_round.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC    T_MIRROR_ROOT
#define DST    T_MIRROR
#define SECOND T_SPACE "/second"

static int64_t cursor_of(struct t_world *w, unsigned policy)
{
	json_t *status = t_daemon_status(&w->daemon);
	json_t *p = json_array_get(json_object_get(status, "policies"), policy);
	int64_t cursor = json_integer_value(json_object_get(p, "cursor"));

	json_decref(status);
	return cursor;
}

/* W1: a flat log was truncated although the copy had failed, and what came
 * meanwhile went with it. Now each policy has a place of its own in the
 * journal, which moves when its copy is durable and not before. */
static void w1_cursor_moves_after_the_copy(struct t_world *w)
{
	struct t_mount second;
	struct t_mirror m;
	int64_t before;

	t_mount_init(&second, T_ext4, SECOND, 64);
	t_shell("rm -rf " SECOND "/lost+found");
	t_mirror_init(&m, w, T_ext4, "echo a > a",
		      "[Target u]\nTransport=local\nPath=" SECOND "\n"
		      "[Policy n]\nPlugin=mirror\nRoot=r\nTarget=u");
	w->daemon.quiet = true;
	t_mirror_check(&m);
	before = cursor_of(w, 0);
	t_mount_detach(&m.target);
	t_shell("cd " SRC "; echo b > b; mkdir d; echo c > d/c; rm a");
	t_mirror_command(&m, 0, NULL, "flush", "--policy", "n", NULL);
	t_mirror_flush_says(&m, 3, "not mounted");
	assert_int_equal(cursor_of(w, 0), before);
	assert_true(cursor_of(w, 1) > before);
	t_daemon_kill(&w->daemon);
	t_daemon_start(&w->daemon);
	t_shell("cd " SRC "; mv d e; echo more >> b");
	t_mirror_command(&m, 0, NULL, "flush", "--policy", "n", NULL);
	assert_int_equal(cursor_of(w, 0), before);
	t_mount_attach(&m.target);
	t_mirror_check(&m);
	assert_int_equal(cursor_of(w, 0), cursor_of(w, 1));
	t_shell("diff -r --exclude=.journalctl-backup " SRC " " SECOND);
	t_mirror_fini(&m);
	t_mount_fini(&second);
}

/* W4: overflows, the set-up of recursive watches and restarts lost changes
 * silently. Now each is a gap that is shown, and nothing is lost. */
static void w4_no_loss_is_silent(struct t_world *w)
{
	struct t_mirror m;
	struct t_round r;

	t_daemon_configure(&w->daemon, "QueueLimit=64\n");
	t_mirror_init(&m, w, T_ext4, "mkdir big; cd big; seq 300 | xargs touch",
		      "MaxDelete=off");
	w->daemon.quiet = true;
	t_round_init(&r, w);
	/* Nested directories, each with a leaf, faster than any watch. */
	t_shell("cd " SRC "; for i in $(seq 300); do mkdir -p n$i/a/b/c;"
		" echo $i > n$i/a/b/c/leaf; done");
	t_round_check(&r, NULL);
	t_daemon_shell(&w->daemon,
		       "cd " SRC "; mv big small; for i in $(seq 300); do"
		       " echo $i > x$i; done; rm -r n1 n2");
	t_round_check(&r, NULL);
	if (w->backend == T_fanotify) /* QueueLimit= is its limit alone */
		t_mirror_command(&m, 0, "queue overflowed", "query", "--gaps",
				 NULL);
	t_daemon_stop(&w->daemon);
	t_shell("cd " SRC "; mv small big; echo 1 > while; chmod 600 x1");
	t_daemon_start(&w->daemon);
	t_round_check(&r, NULL);
	t_mirror_command(&m, 0, "was not running", "query", "--gaps", NULL);
	t_mirror_check(&m);
	t_round_fini(&r);
	t_mirror_fini(&m);
}

/* W5: `find -newer` found 2 of 800,000 copied files, for a copy keeps old
 * times. Now who copied says what was copied; no date is asked. */
static void w5_old_times_are_no_reason(struct t_world *w)
{
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "echo a > a", "");
	t_mirror_check(&m);
	t_daemon_shell(&w->daemon,
		       "mkdir -p " T_SPACE "/fs/from/d; cd " T_SPACE
		       "/fs/from/d; for i in $(seq 500); do echo $i > f$i;"
		       " done; touch -d 2001-02-03 f* ..; rsync -a " T_SPACE
		       "/fs/from/d " SRC "/");
	t_mirror_check(&m);
	assert_int_equal(t_mirror_number(&m, "copied"), 501);
	assert_int_equal(t_mirror_number(&m, "pending"), 0);
	t_mirror_command(&m, 0, " 0 differ", "verify", "--content", NULL);
	t_mirror_fini(&m);
}

static void check_dst_is(const char *listing)
{
	const char *argv[] = {"ls", "-A", DST, NULL};
	struct t_output o;

	t_process_run(&o, argv);
	assert_string_equal(o.out, listing);
	t_output_fini(&o);
}

/* W11: without its disk the copy would have filled the root disk; without the
 * source's, `--delete` would have emptied the copy. Now a source or target that
 * is not the one it was set up with stops the policy, across restarts too. */
static void w11_the_right_disks(struct t_world *w)
{
	struct t_mount other = {0};
	struct t_mirror m;

	t_mirror_init(&m, w, T_ext4, "mkdir d; echo a > d/a; echo b > b", "");
	t_mirror_check(&m);
	w->daemon.quiet = true;
	t_mount_detach(&m.target);
	t_daemon_stop(&w->daemon);
	t_daemon_start(&w->daemon);
	t_shell("echo c > " SRC "/c; rm " SRC "/b");
	t_mirror_flush_says(&m, 3, "not mounted");
	check_dst_is("");
	t_mount_init(&other, T_ext4, DST, 64);
	t_mirror_flush_says(&m, 3, "another disk");
	check_dst_is("lost+found\n");
	t_mount_fini(&other);
	t_mount_attach(&m.target);
	t_mirror_check(&m);

	assert_int_equal(mount("tmpfs", SRC, "tmpfs", 0, NULL), 0);
	t_mirror_flush(&m, 3);
	check_dst_is(".journalctl-backup\nc\nd\n");
	t_daemon_kill(&w->daemon);
	t_daemon_start(&w->daemon); /* it waits for the right one */
	assert_true(t_daemon_said(&w->daemon, "not the directory"));
	t_mirror_flush(&m, 3);
	check_dst_is(".journalctl-backup\nc\nd\n");
	assert_int_equal(umount(SRC), 0);
	t_shell("echo e > " SRC "/d/e");
	t_mirror_check(&m);
	t_mirror_fini(&m);
}

/* W12: a newline in a name broke the list, a leading '#' skipped the file, and
 * a grep that found nothing ended the script. Now names are bytes. */
static void w12_names_are_bytes(struct t_world *w)
{
	struct t_mirror m;
	struct t_output o;
	size_t i, n = 0;

	t_mirror_init(&m, w, T_ext4, "true", "MaxDelete=off");
	t_mirror_check(&m);
	t_shell("cd " SRC "; mk() { for n in \"$@\"; do mkdir -- \"$n\";"
		" echo x > \"$n/$n\"; done; };"
		" mk \"$(printf 'new\\nline')\" '#hash' ';semi' -rf ' lead'"
		" 'trail ' '*?[x]' \"$(printf '\\377\\376')\" 'back\\slash'"
		" \"it's\" \"$(printf '%%0255d' 0)\"");
	t_mirror_check(&m);
	t_daemon_command(&w->daemon, &o, "query", "--kind", "created", "-o",
			 "paths0", NULL);
	for (i = 0; i < o.out_len; i++)
		n += o.out[i] == '\0';
	assert_int_equal(n, 22);
	t_output_fini(&o);
	t_shell("cd " SRC "; for n in *; do mv -- \"$n\" \"${n%%?}~\"; done");
	t_mirror_check(&m);
	t_shell("cd " SRC "; rm -r -- ./*");
	t_mirror_check(&m);
	t_daemon_command(&w->daemon, &o, "query", "nothing*of*the*kind", NULL);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.out_len, 0);
	t_output_fini(&o);
	t_mirror_fini(&m);
}

#define PIECES	   64
#define PIECE_SIZE 4096

struct writer {
	pthread_t thread;
	atomic_bool stop;
	unsigned versions;
};

/* Version k of the database: all of its pages hold k, written front to back. */
static void *rewrite(void *arg)
{
	struct writer *w = arg;
	char page[PIECE_SIZE];
	int fd = open(SRC "/db", O_WRONLY | O_CLOEXEC), i;

	while (!atomic_load(&w->stop)) {
		memset(page, (int)(++w->versions % 128), sizeof page);
		for (i = 0; i < PIECES; i++)
			if (pwrite(fd, page, sizeof page,
				   (off_t)i * PIECE_SIZE) < 0)
				return NULL;
		poll(NULL, 0, 20); /* it is left alone for a moment */
	}
	close(fd);
	return NULL;
}

/* What is there was the file at one moment: the last version so far, and then
 * the one before. Returns it, or -1: no such file yet. */
static int look_at_copy(void)
{
	static unsigned char text[PIECES * PIECE_SIZE];
	int fd = open(DST "/db", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, text, sizeof text, 0) : -1;
	int i, steps = 0;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -1;
	assert_int_equal(n, sizeof text);
	for (i = 1; i < PIECES * PIECE_SIZE; i++) {
		if (text[i] == text[i - 1])
			continue;
		steps++;
		if (i % PIECE_SIZE != 0 || steps > 1 ||
		    (text[i] + 1) % 128 != text[i - 1])
			fail_msg("torn: %d after %d at byte %d", text[i],
				 text[i - 1], i);
	}
	return text[0];
}

/* W14: copies of live databases were torn. Now a file that changed while it
 * was copied is not taken for good. */
static void w14_no_copy_is_torn(struct t_world *w)
{
	struct writer writer = {0};
	struct t_mirror m;
	int seen = 0, last = -1, now;

	t_mirror_init(&m, w, T_ext4, "head -c 262144 /dev/zero > db", "");
	t_mirror_check(&m);
	assert_int_equal(pthread_create(&writer.thread, NULL, rewrite, &writer),
			 0);
	while (seen < 30) {
		now = look_at_copy();
		seen += now >= 0 && now != last;
		last = now;
	}
	atomic_store(&writer.stop, true);
	pthread_join(writer.thread, NULL);
	assert_true(writer.versions >= 30);
	t_mirror_check(&m);
	t_shell("cmp " SRC "/db " DST "/db");
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(w1_cursor_moves_after_the_copy, ext4, fanotify),
	T_CASE(w4_no_loss_is_silent, ext4, fanotify),
	T_CASE(w4_no_loss_is_silent, ext4, inotify),
	T_CASE(w5_old_times_are_no_reason, ext4, fanotify),
	T_CASE(w11_the_right_disks, ext4, fanotify),
	T_CASE(w12_names_are_bytes, ext4, fanotify),
	T_CASE(w14_no_copy_is_torn, ext4, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("w_stories", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
