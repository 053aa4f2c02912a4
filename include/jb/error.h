/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jb/error.h - how every function of this project reports a failure.
 *
 * A function that can fail returns int: JB_OK or a negative JB_E* code, and
 * takes `struct jb_error *err` last. The caller owns the error and may pass
 * NULL. On success the error is left untouched. No thread-local state: an error
 * belongs to whoever declared it. */
#ifndef JB_ERROR_H
#define JB_ERROR_H

#include <stdbool.h>

/* X(name, value, text) */
#define JB_ERRORS(X)                                                           \
	X(OK, 0, "success")                                                    \
	X(EINVAL, 1, "invalid argument")                                       \
	X(ENOMEM, 2, "out of memory")                                          \
	X(EIO, 3, "input/output error")                                        \
	X(ESYS, 4, "system call failed")                                       \
	X(ENOENT, 5, "not found")                                              \
	X(EEXIST, 6, "exists already")                                         \
	X(EACCES, 7, "permission denied")                                      \
	X(ENOTSUP, 8, "not supported")                                         \
	X(ENOSPC, 9, "no space left")                                          \
	X(EBUSY, 10, "busy")                                                   \
	X(ESTALE, 11, "no longer the same object")                             \
	X(ECONFIG, 12, "configuration error")                                  \
	X(EDB, 13, "database error")                                           \
	X(ECORRUPT, 14, "database is damaged")                                 \
	X(ENEWER, 15, "written by a newer version")                            \
	X(EGAP, 16, "the journal no longer has it")                            \
	X(ETIMEDOUT, 17, "timed out")                                          \
	X(ENOTRUN, 18, "the daemon is not running")                            \
	X(EHELD, 19, "held")                                                   \
	X(EPROTO, 20, "protocol error")                                        \
	X(EABI, 21, "built for another version of the interface")              \
	X(ECANCELED, 22, "cancelled")

enum jb_code {
#define X(name, value, text) JB_##name = -(value),
	JB_ERRORS(X)
#undef X
};

#define JB_ERROR_TEXT_MAX 512

struct jb_error {
	int code;		      /* JB_E*, JB_OK while unset */
	int foreign;		      /* errno, SQLITE_*, UV_*, CURLE_*, or 0 */
	char text[JB_ERROR_TEXT_MAX]; /* one line that names the thing */
};

/* Fill @err (may be NULL) and return @code, so that a failure is reported with
 * `return jb_error_set(...)`. The text becomes one line: control characters
 * are replaced. */
__attribute__((format(printf, 4, 5))) int
jb_error_set(struct jb_error *err, int code, int foreign, const char *fmt, ...);

/* The same for a failed system call: picks the code for @errnum and appends
 * its text: "<what>: No space left on device". */
__attribute__((format(printf, 3, 4))) int
jb_error_errno(struct jb_error *err, int errnum, const char *fmt, ...);

/* Put "<what>: " in front of the text that @err holds; returns its code. */
__attribute__((format(printf, 2, 3))) int jb_error_prefix(struct jb_error *err,
							  const char *fmt, ...);

/* "ENOSPC" and "no space left" for a code; never NULL. */
const char *jb_error_name(int code);
const char *jb_error_describe(int code);
/* The code of such a name; JB_EPROTO: of none (may be NULL). */
int jb_error_code(const char *name);

#endif
