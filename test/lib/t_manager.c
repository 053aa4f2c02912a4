/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/t_manager.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */
#define HIGH_FD	 500

static void drop(struct t_manager *m, const char *name)
{
	for (int i = 0; i < m->n;) {
		if (strcmp(m->name[i], name) != 0) {
			i++;
			continue;
		}
		close(m->fd[i]);
		m->n--;
		m->fd[i] = m->fd[m->n];
		memcpy(m->name[i], m->name[m->n], sizeof m->name[0]);
	}
}

static void keep(struct t_manager *m, int fd, const char *name)
{
	if (fd < 0 || m->n == T_STORED)
		return;
	m->fd[m->n] = fd;
	snprintf(m->name[m->n++], sizeof m->name[0], "%s", name);
}

/* @fd: -1, or ours to keep or to close. */
static void take(struct t_manager *m, char *text, int fd)
{
	bool store = false, remove = false;
	char *save, name[64] = "stored";

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		store = store || strcmp(line, "FDSTORE=1") == 0;
		remove = remove || strcmp(line, "FDSTOREREMOVE=1") == 0;
		m->stopping = m->stopping || strcmp(line, "STOPPING=1") == 0;
		if (strncmp(line, "FDNAME=", 7) == 0)
			snprintf(name, sizeof name, "%s", line + 7);
	}
	if (remove)
		drop(m, name);
	if (store)
		keep(m, fd, name);
	else if (fd >= 0)
		close(fd); /* of a barrier: now its sender goes on */
}

static void *listen_on(void *arg)
{
	struct t_manager *m = arg;
	char text[4096];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = {.iov_base = text, .iov_len = sizeof text - 1};
	ssize_t n;

	for (;;) {
		struct msghdr msg = {.msg_iov = &v,
				     .msg_iovlen = 1,
				     .msg_control = &control,
				     .msg_controllen = sizeof control};
		struct cmsghdr *c;
		int fd = -1;

		n = recvmsg(m->socket, &msg, MSG_CMSG_CLOEXEC);
		if (n <= 0 || strncmp(text, "END", 3) == 0)
			return NULL;
		text[n] = '\0';
		c = CMSG_FIRSTHDR(&msg);
		if (c != NULL && c->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(c), sizeof fd);
		pthread_mutex_lock(&m->lock);
		take(m, text, fd);
		pthread_mutex_unlock(&m->lock);
	}
}

static struct sockaddr_un address(const struct t_manager *m)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	snprintf(to.sun_path, sizeof to.sun_path, "%s", m->path);
	return to;
}

void t_manager_init(struct t_manager *m, const char *path)
{
	struct sockaddr_un to;

	memset(m, 0, sizeof *m);
	snprintf(m->path, sizeof m->path, "%s", path);
	to = address(m);
	m->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(m->socket >= 0);
	unlink(path);
	assert_int_equal(bind(m->socket, (struct sockaddr *)&to, sizeof to), 0);
	pthread_mutex_init(&m->lock, NULL);
	assert_int_equal(pthread_create(&m->thread, NULL, listen_on, m), 0);
}

void t_manager_forget(struct t_manager *m)
{
	pthread_mutex_lock(&m->lock);
	while (m->n > 0)
		close(m->fd[--m->n]);
	pthread_mutex_unlock(&m->lock);
}

int t_manager_count(struct t_manager *m)
{
	int n;

	pthread_mutex_lock(&m->lock);
	n = m->n;
	pthread_mutex_unlock(&m->lock);
	return n;
}

void t_manager_hand_over(void *manager)
{
	struct t_manager *m = manager;
	char names[T_STORED * 64] = "", number[16];
	size_t len = 0;
	int high[T_STORED];

	for (int i = 0; i < m->n; i++)
		high[i] = fcntl(m->fd[i], F_DUPFD, HIGH_FD);
	for (int i = 0; i < m->n; i++) {
		dup2(high[i], FIRST_FD + i); /* without FD_CLOEXEC */
		close(high[i]);
		len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
					i > 0 ? ":" : "", m->name[i]);
	}
	setenv("NOTIFY_SOCKET", m->path, 1);
	snprintf(number, sizeof number, "%d", m->n);
	setenv("LISTEN_FDS", number, 1);
	snprintf(number, sizeof number, "%d", (int)getpid());
	setenv("LISTEN_PID", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
}

void t_manager_fini(struct t_manager *m)
{
	struct sockaddr_un to = address(m);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sendto(fd, "END", 3, 0, (struct sockaddr *)&to, sizeof to);
	close(fd);
	pthread_join(m->thread, NULL);
	t_manager_forget(m);
	close(m->socket);
	unlink(m->path);
	pthread_mutex_destroy(&m->lock);
}
