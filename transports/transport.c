/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "transports/transport.h"

#include "transports/local.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

static const struct jb_target_ops *const transports[] = {
	&jb_target_local,
};

const struct jb_target_ops *jb_transport_find(const char *name)
{
	for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++)
		if (strcmp(transports[i]->name, name) == 0)
			return transports[i];
	return NULL;
}

const char *jb_outcome_word(enum jb_outcome outcome)
{
	static const char *const words[] = {
#define X(name, word) word,
		JB_OUTCOMES(X)
#undef X
	};

	if ((size_t)outcome >= sizeof words / sizeof words[0])
		return "unknown";
	return words[outcome];
}

bool jb_stamp_fits(const struct jb_stamp *stamp, const struct jb_object *o)
{
	if (stamp->ino == 0)
		return true;
	if (stamp->ino != o->ino || stamp->birth != o->birth)
		return false;
	return S_ISDIR(o->mode) ||
	       (stamp->size == o->size && stamp->mtime == o->mtime);
}

void jb_uuid_text(const uint8_t uuid[16], char text[JB_UUID_SIZE])
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		snprintf(text + at, 3, "%02x", uuid[i]);
		at += 2;
	}
}

int jb_target_make_uuid(char uuid[JB_UUID_SIZE], struct jb_error *err)
{
	uint8_t b[16];

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		return jb_error_errno(err, errno, "random numbers");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	jb_uuid_text(b, uuid);
	return JB_OK;
}
