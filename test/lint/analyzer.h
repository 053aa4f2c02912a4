/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test/lint/analyzer.h - what clang-tidy can't see from one file alone.
 *
 * Put in front of every file by test_tidy. The functions that report a failure
 * return what is never JB_OK: without knowing, the analyser follows paths on
 * which a failed call has succeeded, and finds null pointers there. */
#ifndef JB_LINT_ANALYZER_H
#define JB_LINT_ANALYZER_H

#include "jb/error.h"

#define jb_error_set(err, code, ...)                                           \
	((void)(jb_error_set)((err), (code), __VA_ARGS__), (code))
#define jb_error_errno(...)  ((void)(jb_error_errno)(__VA_ARGS__), JB_ESYS)
#define jb_error_prefix(...) ((void)(jb_error_prefix)(__VA_ARGS__), JB_ESYS)

#endif
