/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/cli/reply.h - members of what the daemon answers. Any thread. */
#ifndef JB_CLI_REPLY_H
#define JB_CLI_REPLY_H

#include <jansson.h>

#include <stdint.h>

/* 0 when it is not there. */
static inline int64_t jb_reply_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Borrowed; "-" when it is not there. */
static inline const char *jb_reply_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

#endif
