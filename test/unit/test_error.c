/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: one line each, whatever goes into them. */
#include "jb/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

/* Setting returns the code, so that a failure is one statement. */
static void test_set(void **state)
{
	struct jb_error err = {0};

	(void)state;
	assert_int_equal(jb_error_set(&err, JB_EHELD, 7, "policy '%s'", "m"),
			 JB_EHELD);
	assert_int_equal(err.code, JB_EHELD);
	assert_int_equal(err.foreign, 7);
	assert_string_equal(err.text, "policy 'm'");
}

/* Nobody has to want the text. */
static void test_null(void **state)
{
	(void)state;
	assert_int_equal(jb_error_set(NULL, JB_EIO, 0, "x"), JB_EIO);
	assert_int_equal(jb_error_errno(NULL, ENOSPC, "x"), JB_ENOSPC);
	assert_int_equal(jb_error_prefix(NULL, "x"), JB_EINVAL);
}

/* A file's name can't break the line, or send codes to a terminal. */
static void test_one_line(void **state)
{
	struct jb_error err;

	(void)state;
	jb_error_set(&err, JB_EIO, 0, "a\nb\033[2J\x7f%s", "\r\t");
	assert_string_equal(err.text, "a?b?[2J???");
	jb_error_errno(&err, EIO, "x\ny");
	assert_string_equal(err.text, "x?y: Input/output error");
	jb_error_prefix(&err, "p\nq");
	assert_string_equal(err.text, "p?q: x?y: Input/output error");
}

/* What is too long is cut, not written past the end. */
static void test_long(void **state)
{
	struct jb_error err;
	char big[2 * JB_ERROR_TEXT_MAX];

	(void)state;
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	jb_error_set(&err, JB_EIO, 0, "%s", big);
	assert_int_equal(strlen(err.text), JB_ERROR_TEXT_MAX - 1);
	jb_error_prefix(&err, "%s", big);
	assert_int_equal(strlen(err.text), JB_ERROR_TEXT_MAX - 1);
	jb_error_errno(&err, EIO, "%s", big);
	assert_int_equal(strlen(err.text), JB_ERROR_TEXT_MAX - 1);
}

/* Each errno that a caller tells apart has its code, the number is kept. */
static void test_errno(void **state)
{
	static const struct {
		int errnum, code;
	} map[] = {
		{ENOENT, JB_ENOENT}, {ENOTDIR, JB_ENOENT}, {EEXIST, JB_EEXIST},
		{EACCES, JB_EACCES}, {EPERM, JB_EACCES},   {ENOSPC, JB_ENOSPC},
		{EDQUOT, JB_ENOSPC}, {EBUSY, JB_EBUSY},	   {ESTALE, JB_ESTALE},
		{EIO, JB_EIO},	     {ENOMEM, JB_ENOMEM},  {EXDEV, JB_ESYS},
	};
	struct jb_error err;

	(void)state;
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
		assert_int_equal(jb_error_errno(&err, map[i].errnum, "x"),
				 map[i].code);
		assert_int_equal(err.foreign, map[i].errnum);
	}
	jb_error_errno(&err, 123456, "x");
	assert_string_equal(err.text, "x: unknown error");
	jb_error_errno(&err, ELOOP, "x");
	assert_non_null(strstr(err.text, "symbolic link"));
}

/* Every code has a name and a text; strangers have them too. */
static void test_names(void **state)
{
	(void)state;
	assert_string_equal(jb_error_name(JB_ENOSPC), "ENOSPC");
	assert_string_equal(jb_error_describe(JB_ENOSPC), "no space left");
	assert_int_equal(jb_error_code("ENOSPC"), JB_ENOSPC);
	assert_int_equal(jb_error_code("EWHAT"), JB_EPROTO);
	assert_int_equal(jb_error_code(NULL), JB_EPROTO);
	assert_string_equal(jb_error_name(-999), "UNKNOWN");
	assert_non_null(jb_error_describe(-999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),	 cmocka_unit_test(test_null),
		cmocka_unit_test(test_one_line), cmocka_unit_test(test_long),
		cmocka_unit_test(test_errno),	 cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
