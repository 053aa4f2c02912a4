/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine/base/size.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXAMPLE "write it like 4K, 64M or 1.5G"

static const char suffixes[] = "BKMGTPE";

static int too_big(const char *text, struct jb_error *err)
{
	return jb_error_set(err, JB_EINVAL, 0,
			    "'%s' is too big a size; " EXAMPLE, text);
}

/* "1.5" of 1024 units: the decimals are scaled without floating point. */
static uint64_t fraction_of(const char *digits, size_t n, uint64_t unit)
{
	uint64_t num = 0, den = 1;

	for (size_t i = 0; i < n && den < UINT64_C(1000000000); i++) {
		num = num * 10 + (uint64_t)(digits[i] - '0');
		den *= 10;
	}
	return (uint64_t)((unsigned __int128)unit * num / den);
}

int jb_size_parse(const char *text, uint64_t *ret_bytes, struct jb_error *err)
{
	const char *s = text + strspn(text, " \t"), *fraction = "", *suffix;
	uint64_t whole = 0, unit = 1, bytes;
	size_t n_fraction = 0;

	if (*s < '0' || *s > '9')
		return jb_error_set(err, JB_EINVAL, 0,
				    "'%s' is no size; " EXAMPLE, text);
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *s - '0', &whole))
			return too_big(text, err);
	if (*s == '.') {
		fraction = s + 1;
		n_fraction = strspn(fraction, "0123456789");
		s = fraction + n_fraction;
	}
	s += strspn(s, " \t");
	suffix = *s != '\0' ? strchr(suffixes, *s) : suffixes;
	if (suffix == NULL ||
	    (*s != '\0' && s[1 + strspn(s + 1, " \t")] != '\0'))
		return jb_error_set(err, JB_EINVAL, 0,
				    "'%s': unknown unit '%s'; " EXAMPLE, text,
				    s);
	unit = UINT64_C(1) << (10 * (suffix - suffixes));
	if (__builtin_mul_overflow(whole, unit, &bytes) ||
	    __builtin_add_overflow(
		    bytes, fraction_of(fraction, n_fraction, unit), &bytes))
		return too_big(text, err);
	*ret_bytes = bytes;
	return JB_OK;
}

const char *jb_size_format(uint64_t bytes, char *buf, size_t size)
{
	uint64_t whole, tenths;
	int shift = 0;

	while (shift < 6 && bytes >> (10 * (shift + 1)) != 0)
		shift++;
	whole = bytes >> (10 * shift);
	tenths = shift == 0 ? 0
			    : (bytes >> (10 * (shift - 1)) & 1023) * 10 / 1024;
	if (tenths == 0 || whole >= 100)
		snprintf(buf, size, "%" PRIu64 "%c", whole, suffixes[shift]);
	else
		snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "%c", whole, tenths,
			 suffixes[shift]);
	return buf;
}
