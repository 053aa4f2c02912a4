/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/cli/client.h"

#include "engine/base/clock.h"
#include "engine/base/config_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_MAX (4 << 20)

struct call {
	const char *dir; /* borrowed */
	int fd;
	int64_t stop_ms; /* -1: never */
	char *line;	 /* owned */
	size_t len, size;
};

static int no_answer(const struct call *c, struct jb_error *err)
{
	return jb_error_set(err, JB_ETIMEDOUT, 0,
			    "%s/control: the daemon does not answer", c->dir);
}

/* Several daemons may run side by side, each with a directory of its own. */
static bool is_usual(const char *dir)
{
	return strcmp(dir, jb_config_option("Journal", "RuntimeDirectory")
				   ->fallback) == 0;
}

/* What connect(2) says; EAGAIN when it has waited for as long as it may. */
static int not_running(const struct call *c, int errnum, struct jb_error *err)
{
	if (errnum == EAGAIN)
		return no_answer(c, err);
	if (errnum == EACCES || errnum == EPERM)
		return jb_error_set(err, JB_EACCES, errnum,
				    "%s/control: permission denied: run as "
				    "root, or as the user of the daemon",
				    c->dir);
	return jb_error_set(err, JB_ENOTRUN, errnum,
			    "%s/control: the daemon is not running: %s", c->dir,
			    is_usual(c->dir)
				    ? "start it with 'systemctl start "
				      "journalctl-backup'"
				    : "start its service, or 'journalctl-"
				      "backup --config FILE daemon'");
}

/* The directory's descriptor keeps the path short enough for any address. A
 * daemon that stands still accepts nothing: connect(2) waits no longer than
 * JB_CLIENT_WAIT_MS. */
static int open_socket(struct call *c, struct jb_error *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = JB_CLIENT_WAIT_MS / 1000};
	int dir, rv = JB_OK;

	dir = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return not_running(c, errno, err);
	snprintf(addr.sun_path, sizeof addr.sun_path,
		 "/proc/self/fd/%d/control", dir);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 ||
	    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0)
		rv = jb_error_errno(err, errno, "%s/control", c->dir);
	else if (connect(c->fd, (struct sockaddr *)&addr, sizeof addr) != 0)
		rv = not_running(c, errno, err);
	close(dir);
	return rv;
}

static int send_line(struct call *c, const json_t *request,
		     struct jb_error *err)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len, at = 0;
	ssize_t n = 0;

	if (text == NULL)
		return jb_error_set(err, JB_ENOMEM, 0, "request");
	len = strlen(text);
	text[len++] = '\n'; /* in the place of the NUL */
	while (at < len &&
	       (n = send(c->fd, text + at, len - at, MSG_NOSIGNAL)) >= 0)
		at += (size_t)n;
	free(text);
	return n < 0 ? jb_error_errno(err, errno, "%s/control", c->dir) : JB_OK;
}

/* Wait until there is something to read. */
static int wait_readable(struct call *c, struct jb_error *err)
{
	struct pollfd fd = {.fd = c->fd, .events = POLLIN};
	int64_t left =
		c->stop_ms < 0
			? -1
			: c->stop_ms - jb_clock_us(CLOCK_MONOTONIC) / 1000;
	int n;

	if (c->stop_ms >= 0 && left < 0)
		left = 0;
	n = poll(&fd, 1, (int)left);
	if (n > 0)
		return JB_OK;
	if (n == 0)
		return no_answer(c, err);
	return jb_error_errno(err, errno, "%s/control", c->dir);
}

static int make_room(struct call *c, struct jb_error *err)
{
	size_t size = c->size == 0 ? 4096 : c->size * 2;
	char *grown;

	if (c->len + 1 < c->size)
		return JB_OK;
	grown = size <= REPLY_MAX ? realloc(c->line, size) : NULL;
	if (grown == NULL)
		return jb_error_set(err, JB_EPROTO, 0,
				    "%s/control: the reply is too long",
				    c->dir);
	c->line = grown;
	c->size = size;
	return JB_OK;
}

static int read_line(struct call *c, struct jb_error *err)
{
	ssize_t n;
	int rv;

	for (;;) {
		rv = make_room(c, err);
		if (rv == JB_OK)
			rv = wait_readable(c, err);
		if (rv != JB_OK)
			return rv;
		n = read(c->fd, c->line + c->len, c->size - c->len - 1);
		if (n < 0)
			return jb_error_errno(err, errno, "%s/control", c->dir);
		if (n == 0)
			return jb_error_set(err, JB_ENOTRUN, 0,
					    "%s/control: the daemon ended "
					    "before it answered: see its log",
					    c->dir);
		c->len += (size_t)n;
		c->line[c->len] = '\0';
		if (strchr(c->line, '\n') != NULL)
			return JB_OK;
	}
}

static int judge_reply(const struct call *c, const json_t *reply,
		       struct jb_error *err)
{
	const json_t *ok = json_object_get(reply, "ok");
	const char *code = json_string_value(json_object_get(reply, "code"));
	const char *text = json_string_value(json_object_get(reply, "error"));

	if (json_is_true(ok))
		return JB_OK;
	if (!json_is_false(ok))
		return jb_error_set(err, JB_EPROTO, 0,
				    "%s/control: not understood what answers "
				    "there: is it the daemon of this version?",
				    c->dir);
	return jb_error_set(err, jb_error_code(code), 0, "%s",
			    text != NULL ? text : "the daemon refused");
}

int jb_client_call(const char *runtime_dir, const json_t *request,
		   int timeout_ms, json_t **reply, struct jb_error *err)
{
	struct call c = {.dir = runtime_dir, .fd = -1, .stop_ms = -1};
	json_t *parsed = NULL;
	int rv;

	if (timeout_ms >= 0)
		c.stop_ms = jb_clock_us(CLOCK_MONOTONIC) / 1000 + timeout_ms;
	rv = open_socket(&c, err);
	if (rv == JB_OK)
		rv = send_line(&c, request, err);
	if (rv == JB_OK)
		rv = read_line(&c, err);
	if (rv == JB_OK) {
		parsed = json_loads(c.line, JSON_DISABLE_EOF_CHECK, NULL);
		rv = judge_reply(&c, parsed, err);
	}
	if (c.fd >= 0)
		close(c.fd);
	free(c.line);
	if (rv != JB_OK) {
		json_decref(parsed);
		return rv;
	}
	*reply = parsed;
	return JB_OK;
}
