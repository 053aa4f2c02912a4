/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writer's commit reaches us as IN_MODIFY of journal.db-wal. But it comes
 * with the write, and readers see the commit only after the fsync that follows:
 * so a look is due at once, and again every 1, 2, 4 ... ms, for two seconds;
 * then the next event is waited for. The looks cost microseconds. */
#include "engine/cli/follow.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LAST_DELAY_MS 256
#define LOOKS_A_STEP  4
#define JOURNAL	      "journal.db"

#define WATCH_DIR                                                              \
	(IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |     \
	 IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define WATCH_ABOVE                                                            \
	(IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
	(void)number;
	is_stopped = 1;
}

/* Cut the last component off; false at the top. */
static bool cut_last(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL || path[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* Watch the directory, or the nearest one above it that is there. */
static int arm(struct jb_follow *f, struct jb_error *err)
{
	char path[PATH_MAX];

	if (f->wd >= 0)
		inotify_rm_watch(f->fd, f->wd);
	for (;;) {
		f->is_there = true;
		f->wd = inotify_add_watch(f->fd, f->dir, WATCH_DIR);
		if (f->wd >= 0)
			return JB_OK;
		if (errno != ENOENT)
			return jb_error_errno(err, errno, "%s", f->dir);
		f->is_there = false;
		snprintf(path, sizeof path, "%s", f->dir);
		while (f->wd < 0 && cut_last(path))
			f->wd = inotify_add_watch(f->fd, path, WATCH_ABOVE);
		if (f->wd < 0)
			return jb_error_errno(err, errno, "%s", path);
		/* It may have come before the watch did. */
		if (access(f->dir, F_OK) != 0)
			return JB_OK;
		inotify_rm_watch(f->fd, f->wd);
	}
}

int jb_follow_init(struct jb_follow *f, const char *dir, struct jb_error *err)
{
	struct sigaction action = {.sa_handler = on_signal};
	int rv;

	*f = (struct jb_follow){.wd = -1, .delay_ms = -1};
	f->dir = strdup(dir);
	f->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (f->dir == NULL || f->fd < 0) {
		rv = jb_error_errno(err, errno, "%s: inotify", dir);
		jb_follow_fini(f);
		return rv;
	}
	rv = arm(f, err);
	if (rv != JB_OK) {
		jb_follow_fini(f);
		return rv;
	}
	/* No SA_RESTART: a write to a stuck pipe is to end, too. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	return JB_OK;
}

/* Read what is queued. *news: the journal is concerned; *moved: the watch has
 * to be set anew. */
static void read_events(struct jb_follow *f, bool *news, bool *moved)
{
	char buf[8192]
		__attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *e;
	ssize_t n;

	while ((n = read(f->fd, buf, sizeof buf)) > 0) {
		for (char *at = buf; at < buf + n; at += sizeof *e + e->len) {
			e = (const struct inotify_event *)(void *)at;
			if (e->wd != f->wd && e->wd != -1)
				continue;
			if (!f->is_there ||
			    (e->mask &
			     (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0)
				*moved = true;
			if ((e->mask & IN_Q_OVERFLOW) != 0 ||
			    (e->len > 0 &&
			     strncmp(e->name, JOURNAL, strlen(JOURNAL)) == 0))
				*news = true;
		}
	}
}

static int poll_once(struct jb_follow *f, struct pollfd fds[2])
{
	sigset_t block, before;
	struct timespec ts = {f->delay_ms / 1000,
			      f->delay_ms % 1000 * 1000000L};
	int n;

	/* No signal between the question and the sleep. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &before);
	n = is_stopped ? 0
		       : ppoll(fds, 2, f->delay_ms >= 0 ? &ts : NULL, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return n;
}

/* The next look is due after about a quarter of the time waited so far. */
static void schedule(struct jb_follow *f)
{
	if (++f->looks % LOOKS_A_STEP == 0)
		f->delay_ms *= 2;
	if (f->delay_ms > LAST_DELAY_MS)
		f->delay_ms = -1;
}

int jb_follow_wait(struct jb_follow *f, struct jb_error *err)
{
	struct pollfd fds[2] = {{.fd = f->fd, .events = POLLIN},
				{.fd = STDOUT_FILENO}};
	bool news, moved;
	int n, rv;

	for (;;) {
		n = poll_once(f, fds);
		if (is_stopped ||
		    (n > 0 && (fds[1].revents & (POLLERR | POLLHUP)) != 0))
			return 0;
		if (n < 0 && errno != EINTR)
			return jb_error_errno(err, errno, "%s: poll", f->dir);
		if (n == 0) {
			schedule(f);
			return 1;
		}
		news = moved = false;
		read_events(f, &news, &moved);
		if (moved) {
			rv = arm(f, err);
			if (rv != JB_OK)
				return rv;
		}
		if (!news && !moved)
			continue;
		f->delay_ms = 1;
		f->looks = 0;
		return 1;
	}
}

void jb_follow_fini(struct jb_follow *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->dir);
	*f = (struct jb_follow){.fd = -1, .wd = -1};
}
