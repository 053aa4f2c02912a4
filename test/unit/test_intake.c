/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of an intake: who waits is answered, who comes later is refused, and
 * nothing of theirs is kept. */
#include "engine/watch/intake_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct t_intake {
	uv_loop_t loop;
	struct jb_intake *in;
};

static void on_failed(void *arg, const struct jb_error *err)
{
	(void)arg;
	fail_msg("%s", err->text);
}

static void open_intake(struct t_intake *t)
{
	struct jb_error err;

	uv_loop_init(&t->loop);
	assert_int_equal(jb_intake_open(&t->loop, 1000, on_failed, t, &t->in,
					&err),
			 JB_OK);
	assert_int_equal(jb_intake_start(t->in, &err), JB_OK);
}

static void close_intake(struct t_intake *t)
{
	uv_run(&t->loop, UV_RUN_DEFAULT);
	jb_intake_free(t->in);
	assert_int_equal(uv_loop_close(&t->loop), 0);
}

static void *add_nothing(void *arg)
{
	struct t_intake *t = arg;
	struct jb_error err;

	return (void *)(intptr_t)jb_intake_add_dirs(t->in, NULL, 0, &err);
}

static bool has_mail(struct jb_intake *in)
{
	bool any;

	pthread_mutex_lock(&in->mutex);
	any = in->first != NULL;
	pthread_mutex_unlock(&in->mutex);
	return any;
}

/* Who waits when it ends gets an answer. */
static void test_answers_at_the_end(void **state)
{
	struct t_intake t;
	pthread_t thread;
	void *rv = NULL;

	(void)state;
	open_intake(&t);
	assert_int_equal(pthread_create(&thread, NULL, add_nothing, &t), 0);
	while (!has_mail(t.in))
		sched_yield();
	jb_intake_stop(t.in);
	jb_intake_release(t.in);
	pthread_join(thread, &rv);
	assert_int_equal((intptr_t)rv, JB_OK);
	close_intake(&t);
}

/* Who comes later is refused at once, and what lies on its stack is not kept:
 * a scan's thread may come between the last reading and its own end. */
static void test_refuses_after_the_end(void **state)
{
	struct t_intake t;

	(void)state;
	open_intake(&t);
	jb_intake_stop(t.in);
	jb_intake_release(t.in);
	assert_int_equal((intptr_t)add_nothing(&t), JB_ECANCELED);
	assert_false(has_mail(t.in));
	close_intake(&t);
}

/* What is only dropped there is freed: a mark, places, directories. */
static void test_drops_what_comes_late(void **state)
{
	static const uint8_t place[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 'x'};
	struct jb_map_dir dir = {.fd = -1, .key = 1};
	struct jb_mark *mark = jb_mark_new();
	struct t_intake t;

	(void)state;
	assert_non_null(mark);
	open_intake(&t);
	jb_intake_stop(t.in);
	jb_intake_release(t.in);
	assert_int_equal(jb_intake_ask(t.in, mark, NULL), JB_OK);
	assert_int_equal(jb_intake_mark_places(t.in, place, sizeof place, false,
					       NULL),
			 JB_OK);
	assert_int_equal(jb_intake_remove_dirs(t.in, &dir, 1, NULL), JB_OK);
	assert_true(has_mail(t.in));
	close_intake(&t);
	assert_int_equal(atomic_load(&mark->refs), 1);
	jb_mark_unref(mark);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_at_the_end),
		cmocka_unit_test(test_refuses_after_the_end),
		cmocka_unit_test(test_drops_what_comes_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
