/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench_bare_fanotify - what listening costs when nothing is done about it.
 *
 *     bench_bare_fanotify [-n NAP_US] DIR
 *
 * Marks the file system that holds DIR as the daemon does, reads events and
 * counts them; after each time that the queue was empty it naps (1 ms), so that
 * the kernel merges. Prints "ready", and at SIGTERM, when the queue is empty,
 * what was read and the CPU seconds that it took. */
#include "stopwatch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x1000
#endif
#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif

struct count {
	long reads, events, overflows;
};

static volatile sig_atomic_t stopping;

static void on_term(int signo)
{
	(void)signo;
	stopping = 1;
}

static int open_mark(const char *dir)
{
	int fd;

	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC |
				   FAN_REPORT_DFID_NAME | FAN_REPORT_FID |
				   FAN_REPORT_TARGET_FID,
			   O_RDONLY);
	if (fd == -1)
		err(1, "fanotify_init");
	if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
			  FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_MODIFY |
				  FAN_CLOSE_WRITE | FAN_ATTRIB | FAN_ONDIR,
			  AT_FDCWD, dir) == -1)
		err(1, "%s", dir);
	return fd;
}

static void count_events(const char *buf, ssize_t len, struct count *c)
{
	const struct fanotify_event_metadata *ev;

	ev = (const struct fanotify_event_metadata *)(const void *)buf;
	for (; FAN_EVENT_OK(ev, len); ev = FAN_EVENT_NEXT(ev, len)) {
		c->events++;
		c->overflows += (ev->mask & FAN_Q_OVERFLOW) != 0;
	}
}

static void drain(int fd, struct count *c)
{
	static _Alignas(struct fanotify_event_metadata) char buf[262144];
	ssize_t len;

	while ((len = read(fd, buf, sizeof buf)) > 0) {
		c->reads++;
		count_events(buf, len, c);
	}
}

int main(int argc, char **argv)
{
	struct count c = {0};
	struct pollfd p;
	long nap = 1000;
	int opt;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n')
			return 2;
		nap = parse_count(optarg);
	}
	if (optind + 1 != argc)
		errx(2, "usage: bench_bare_fanotify [-n NAP_US] DIR");
	signal(SIGTERM, on_term);
	p = (struct pollfd){.fd = open_mark(argv[optind]), .events = POLLIN};
	puts("ready");
	fflush(stdout);
	while (!stopping) {
		if (poll(&p, 1, 100) < 1)
			continue;
		if (nap > 0)
			nap_us(nap);
		drain(p.fd, &c);
	}
	drain(p.fd, &c);
	printf("{\"reads\":%ld,\"events\":%ld,\"overflows\":%ld,"
	       "\"cpu_s\":%.6f}\n",
	       c.reads, c.events, c.overflows, cpu_s());
	return 0;
}
