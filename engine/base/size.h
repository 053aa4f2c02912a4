/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine/base/size.h - amounts of bytes as systemd writes them: "64M", "1.5G",
 * "4K", to the base of 1024; a bare number counts bytes. No state: any thread
 * may call. */
#ifndef JB_BASE_SIZE_H
#define JB_BASE_SIZE_H

#include "jb/error.h"

#include <stddef.h>
#include <stdint.h>

/* Enough for every formatted size, with its '\0'. */
#define JB_SIZE_TEXT_MAX 24

/* Read all of @text into bytes. On failure (JB_EINVAL) *ret_bytes is untouched
 * and @err holds one line with an example of what is right. */
int jb_size_parse(const char *text, uint64_t *ret_bytes, struct jb_error *err);

/* Write @bytes for people with at most one decimal: "64M", "1.4G", "512B".
 * Returns @buf. */
const char *jb_size_format(uint64_t bytes, char *buf, size_t size);

#endif
