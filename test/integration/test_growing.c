/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that is written on and on is copied all the same, whole: what is at
 * the target is what the file was at some moment. */
#include "lib/t_mirror.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define SRC    T_MIRROR_ROOT
#define DST    T_MIRROR
#define RECORD 100
#define BEGIN  (64 << 20)

struct writer {
	pthread_t thread;
	atomic_bool stop;
	int fd;
};

/* Far more often than a copy of it takes. */
static void *append_on_and_on(void *arg)
{
	struct writer *w = arg;
	char record[RECORD];

	for (unsigned n = 0; !atomic_load(&w->stop); n++) {
		memset(record, 'a' + (int)(n % 26), sizeof record);
		assert_int_equal(write(w->fd, record, sizeof record), RECORD);
		poll(NULL, 0, 1);
	}
	return NULL;
}

static void begin_writing(struct writer *w, const char *path)
{
	*w = (struct writer){.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)};
	assert_true(w->fd >= 0);
	assert_int_equal(pthread_create(&w->thread, NULL, append_on_and_on, w),
			 0);
}

static void end_writing(struct writer *w)
{
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	close(w->fd);
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* A flush brings what was there before it, and no half of a record. */
static void flush_and_look(struct t_mirror *m, const char *name)
{
	char from[96], to[96];
	struct t_output o;
	off_t before, size;

	snprintf(from, sizeof from, SRC "/%s", name);
	snprintf(to, sizeof to, DST "/%s", name);
	before = size_of(from);
	/* 1: it has grown since. */
	t_daemon_command(&m->w->daemon, &o, "flush", "--policy", "m", NULL);
	if (o.status > 1)
		fail_msg("flush: exit %d: %s", o.status, o.err);
	t_output_fini(&o);
	size = size_of(to);
	if (size < before || (size - BEGIN) % RECORD != 0)
		fail_msg("%s: %lld bytes, %lld before the flush", to,
			 (long long)size, (long long)before);
	t_shell("cmp -n %lld %s %s", (long long)size, from, to);
}

static void growing(struct t_world *w)
{
	struct writer writer;
	struct t_mirror m;

	t_mirror_init(&m, w, w->fs.fs, "head -c 64M /dev/urandom > log", "");
	t_mirror_check(&m);
	begin_writing(&writer, SRC "/log");
	for (int i = 0; i < 5; i++)
		flush_and_look(&m, "log");
	t_shell("head -c 64M /dev/urandom > " SRC "/new");
	end_writing(&writer);
	begin_writing(&writer, SRC "/new");
	flush_and_look(&m, "new");
	end_writing(&writer);
	t_mirror_check(&m);
	t_mirror_command(&m, 0, " 0 differ", "verify", "--content", NULL);
	t_mirror_fini(&m);
}

static const struct t_case cases[] = {
	T_CASE(growing, ext4, fanotify),
	T_CASE(growing, xfs, fanotify),
};

int main(int argc, char **argv)
{
	return t_case_run("growing", cases, sizeof cases / sizeof cases[0],
			  argc, argv);
}
