/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often it is looked at what the journal may drop. */
#include "engine/retention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)
#define DAY_US	  (86400 * SECOND_US)

static uint64_t repeat_ms(uint64_t retain_us, uint64_t max_backlog)
{
	struct jb_config config = {.retain_us = retain_us,
				   .max_backlog = max_backlog};
	struct jb_retention r;
	struct jb_error err;
	uv_loop_t loop;
	uint64_t ms;

	uv_loop_init(&loop);
	assert_int_equal(jb_retention_start(&r, &loop, &config, NULL, NULL, 1,
					    &err),
			 JB_OK);
	ms = uv_is_active((uv_handle_t *)&r.timer)
		     ? uv_timer_get_repeat(&r.timer)
		     : 0;
	jb_retention_stop(&r);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return ms;
}

static void test_period(void **state)
{
	(void)state;
	assert_int_equal(repeat_ms(0, 0), 0);
	assert_int_equal(repeat_ms(90 * DAY_US, 0), 600000);
	assert_int_equal(repeat_ms(16 * SECOND_US, 0), 1000);
	assert_int_equal(repeat_ms(1, 0), 100);
	/* For ever, but for a policy that is too far behind. */
	assert_int_equal(repeat_ms(0, 1000), 600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_period),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
