/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define OUT_OF_THE_WAY 400 /* of descriptors that are handed over */

/* The child's side: @out and @err become its descriptors 1 and 2. */
static void become(const char *const *argv, int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	execvp(argv[0], (char *const *)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A file in memory: has no capacity at which its writer would block. */
static char *read_all(int fd, size_t *len)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	text = malloc(*len + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, *len, 0), (ssize_t)*len);
	text[*len] = '\0';
	close(fd);
	return text;
}

void t_process_run(struct t_output *o, const char *const *argv)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	int err = memfd_create("err", MFD_CLOEXEC);
	int status;
	pid_t pid;

	assert_true(out >= 0 && err >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		become(argv, out, err);
	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	o->status = exit_code(status);
	o->out = read_all(out, &o->out_len);
	o->err = read_all(err, &o->err_len);
}

void t_output_fini(struct t_output *o)
{
	free(o->out);
	free(o->err);
	memset(o, 0, sizeof *o);
}

/* What the line prints; owned by the caller. */
static char *run_line(const char *format, va_list ap)
{
	const char *argv[] = {"sh", "-c", NULL, NULL};
	struct t_output o;
	char *line;

	assert_true(vasprintf(&line, format, ap) >= 0);
	argv[2] = line;
	t_process_run(&o, argv);
	if (o.status != 0)
		fail_msg("%s: exit %d: %s%s", line, o.status, o.out, o.err);
	free(line);
	free(o.err);
	return o.out;
}

void t_shell(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	free(run_line(format, ap));
	va_end(ap);
}

long t_shell_number(const char *format, ...)
{
	char *text, *end;
	va_list ap;
	long n;

	va_start(ap, format);
	text = run_line(format, ap);
	va_end(ap);
	n = strtol(text, &end, 10);
	if (end == text)
		fail_msg("%s: no number is printed: %s", format, text);
	free(text);
	return n;
}

pid_t t_process_start(const char *const *argv, const char *log)
{
	return t_process_start_with(argv, log, NULL, NULL);
}

pid_t t_process_start_with(const char *const *argv, const char *log,
			   void (*prepare)(void *arg), void *arg)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	pid_t pid;

	assert_true(fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
		if (prepare != NULL)
			prepare(arg);
		become(argv, fd, fd);
	}
	close(fd);
	return pid;
}

int t_process_wait(pid_t pid, int timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), status, n;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return -1;
	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	close(fd);
	if (n <= 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return exit_code(status);
}
