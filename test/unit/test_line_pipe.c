/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of JSON over a pipe: in pieces, several at once, long ones, and what
 * ends the talk. */
#include "engine/line_pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST 300000

struct t_talk {
	uv_loop_t loop;
	struct jb_line_pipe a;
	uv_file b;	   /* the other side, by hand */
	unsigned n, nulls; /* lines; not JSON */
	size_t longest;
	int why, closed; /* -1: not ended */
	bool close_at_first;
};

static void on_line(void *arg, json_t *message)
{
	struct t_talk *t = arg;
	size_t len = json_string_length(json_object_get(message, "x"));

	t->n++;
	t->nulls += message == NULL;
	t->longest = len > t->longest ? len : t->longest;
	if (t->close_at_first)
		jb_line_pipe_close(&t->a, NULL);
}

static void on_closed(void *arg)
{
	((struct t_talk *)arg)->closed++;
}

static void on_end(void *arg, int why)
{
	struct t_talk *t = arg;

	t->why = why;
	jb_line_pipe_close(&t->a, on_closed);
}

static void talk_init(struct t_talk *t)
{
	uv_os_sock_t fds[2];

	memset(t, 0, sizeof *t);
	t->why = -1;
	uv_loop_init(&t->loop);
	assert_int_equal(uv_socketpair(SOCK_STREAM, 0, fds, 0, 0), 0);
	t->b = fds[1];
	jb_line_pipe_init(&t->a, &t->loop, LONGEST, t);
	assert_int_equal(uv_pipe_open(&t->a.pipe, fds[0]), 0);
	assert_int_equal(jb_line_pipe_start(&t->a, on_line, on_end), 0);
}

static void talk_fini(struct t_talk *t)
{
	jb_line_pipe_close(&t->a, on_closed);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&t->loop), 0);
	if (t->b >= 0)
		close(t->b);
}

static void say(struct t_talk *t, const char *text, size_t len)
{
	while (len > 0) {
		size_t part = len < 1000 ? len : 1000;

		assert_int_equal(write(t->b, text, part), part);
		text += part;
		len -= part;
		uv_run(&t->loop, UV_RUN_NOWAIT);
	}
}

/* {"x":"aaa..."} and its newline, @len bytes in all. */
static char *make_line(size_t len)
{
	char *line = malloc(len + 1);

	assert_non_null(line);
	memset(line, 'a', len);
	memcpy(line, "{\"x\":\"", 6);
	memcpy(line + len - 3, "\"}\n", 4);
	return line;
}

static void pieces(void **state)
{
	static const char text[] = "{\"x\":\"1\"}\nno\n{}\n{\"x\":";
	struct t_talk t;

	(void)state;
	talk_init(&t);
	say(&t, text, 4);
	assert_int_equal(t.n, 0);
	say(&t, text + 4, sizeof text - 1 - 4);
	assert_int_equal(t.n, 3);
	assert_int_equal(t.nulls, 1);
	say(&t, "\"12\"}\n", 6);
	assert_int_equal(t.n, 4);
	assert_int_equal(t.longest, 2);
	close(t.b);
	t.b = -1;
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(t.why, JB_OK);
	assert_int_equal(t.closed, 1);
	talk_fini(&t);
}

/* Up to the bound; one byte more is an end that is told. */
static void long_lines(void **state)
{
	char *line = make_line(LONGEST);
	struct t_talk t;

	(void)state;
	talk_init(&t);
	say(&t, line, LONGEST - 1);
	say(&t, line + LONGEST - 1, 1);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.longest, LONGEST - 9);
	assert_int_equal(t.why, -1);
	say(&t, line, LONGEST - 1);
	say(&t, "aa", 2);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.why, JB_EPROTO);
	talk_fini(&t);
	free(line);
}

/* Nothing comes after it was closed, and nothing is sent. */
static void closed_within(void **state)
{
	struct t_talk t;

	(void)state;
	talk_init(&t);
	t.close_at_first = true;
	say(&t, "{}\n{}\n", 6);
	assert_int_equal(t.n, 1);
	assert_int_equal(jb_line_pipe_send(&t.a, json_object()), JB_ENOTRUN);
	talk_fini(&t);
}

static void sends(void **state)
{
	char got[16] = "";
	struct t_talk t;

	(void)state;
	talk_init(&t);
	assert_int_equal(jb_line_pipe_send(&t.a, json_pack("{s:i}", "x", 1)),
			 JB_OK);
	assert_int_equal(jb_line_pipe_send(&t.a, NULL), JB_ENOMEM);
	uv_run(&t.loop, UV_RUN_NOWAIT);
	assert_int_equal(read(t.b, got, sizeof got - 1), 8);
	assert_string_equal(got, "{\"x\":1}\n");
	talk_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(closed_within),
		cmocka_unit_test(sends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
