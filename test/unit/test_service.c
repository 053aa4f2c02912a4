/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages to the service manager, as it receives them. */
#include "engine/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A service manager's end of $NOTIFY_SOCKET. */
struct t_manager {
	int fd;
	char message[1024]; /* the last one received */
};

static int manager_init(void **state)
{
	static struct t_manager m;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len;
	char name[64];

	/* An abstract name: nothing is left behind, whatever happens. */
	len = (socklen_t)snprintf(name, sizeof name, "@jb-service-%d",
				  getpid());
	memcpy(addr.sun_path + 1, name + 1, len - 1);
	m.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m.fd < 0)
		return -1;
	len += (socklen_t)offsetof(struct sockaddr_un, sun_path);
	if (bind(m.fd, (struct sockaddr *)&addr, len) != 0)
		return -1;
	*state = &m;
	return setenv("NOTIFY_SOCKET", name, 1);
}

static int manager_fini(void **state)
{
	struct t_manager *m = *state;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return close(m->fd);
}

static const char *receive(struct t_manager *m)
{
	ssize_t n = recv(m->fd, m->message, sizeof m->message - 1, 0);

	assert_true(n >= 0);
	m->message[n] = '\0';
	return m->message;
}

/* Each call is one message, at once. */
static void test_messages(void **state)
{
	struct t_manager *m = *state;

	jb_service_ready();
	assert_string_equal(receive(m), "READY=1");
	jb_service_watchdog_ping();
	assert_string_equal(receive(m), "WATCHDOG=1");
	jb_service_stopping();
	assert_string_equal(receive(m), "STOPPING=1");
}

/* The interval is what the manager says, for this process only. */
static void test_watchdog_interval(void **state)
{
	char pid[16];

	(void)state;
	assert_int_equal(jb_service_watchdog_us(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(jb_service_watchdog_us(), 30000000);
	setenv("WATCHDOG_PID", "1", 1);
	assert_int_equal(jb_service_watchdog_us(), 0);
	snprintf(pid, sizeof pid, "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(jb_service_watchdog_us(), 30000000);
}

/* Started by hand, with nobody listening, every call is harmless. */
static void test_without_manager(void **state)
{
	struct t_manager *m = *state;

	unsetenv("NOTIFY_SOCKET");
	jb_service_ready();
	jb_service_watchdog_ping();
	jb_service_stopping();
	assert_int_equal(recv(m->fd, m->message, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, manager_init, manager_fini)
	const struct CMUnitTest tests[] = {
		T(test_messages),
		T(test_watchdog_interval),
		T(test_without_manager),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
