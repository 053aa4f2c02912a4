/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "jb/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code;
	const char *name;
	const char *text;
} codes[] = {
#define X(name, value, text) {-(value), #name, text},
	JB_ERRORS(X)
#undef X
};

static void flatten(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static int code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return JB_ENOMEM;
	case ENOENT:
	case ENOTDIR:
		return JB_ENOENT;
	case EEXIST:
		return JB_EEXIST;
	case EACCES:
	case EPERM:
		return JB_EACCES;
	case ENOSPC:
	case EDQUOT:
		return JB_ENOSPC;
	case EBUSY:
		return JB_EBUSY;
	case ESTALE:
		return JB_ESTALE;
	case EIO:
		return JB_EIO;
	case ENOSYS:
	case EOPNOTSUPP:
		return JB_ENOTSUP;
	default:
		return JB_ESYS;
	}
}

int jb_error_set(struct jb_error *err, int code, int foreign, const char *fmt,
		 ...)
{
	va_list ap;

	if (err == NULL)
		return code;
	err->code = code;
	err->foreign = foreign;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	flatten(err->text);
	return code;
}

static const char *describe(int errnum)
{
	const char *text = strerrordesc_np(errnum);

	if (errnum == ELOOP) /* one is enough where we follow none */
		return "a symbolic link is there, where none may be";
	return text != NULL ? text : "unknown error";
}

int jb_error_errno(struct jb_error *err, int errnum, const char *fmt, ...)
{
	int code = code_of_errno(errnum);
	size_t len;
	va_list ap;

	if (err == NULL)
		return code;
	err->code = code;
	err->foreign = errnum;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof err->text - len, ": %s",
		 describe(errnum));
	flatten(err->text);
	return code;
}

int jb_error_prefix(struct jb_error *err, const char *fmt, ...)
{
	char text[JB_ERROR_TEXT_MAX];
	size_t len;
	va_list ap;

	if (err == NULL)
		return JB_EINVAL;
	memcpy(text, err->text, sizeof text);
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof err->text - len, ": %s", text);
	flatten(err->text);
	return err->code;
}

const char *jb_error_name(int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "UNKNOWN";
}

const char *jb_error_describe(int code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].text;
	return "unknown error";
}

int jb_error_code(const char *name)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (name != NULL && strcmp(codes[i].name, name) == 0)
			return codes[i].code;
	return JB_EPROTO;
}
